"""Memory and time of a proof with codewords kept, and with codewords made in strips and twice.

Each way in a process of its own; the proofs of both have the same bytes for the same randomness,
which ``tests/protocols/argument/ligero/test_codewords.py`` holds.

    python benchmarks/codewords.py --network cifar [--append FILE]
"""

from __future__ import annotations

import two_proofs

WAYS = {"kept": 1 << 62, "in strips": 0}
"""The most bytes of codewords that are kept."""


def choose(way: str) -> None:
    """Keep as many bytes of codewords as this way does."""
    from zkwm_protocols.argument.ligero import codeword_memory

    codeword_memory.KEPT_BYTES = WAYS[way]


if __name__ == "__main__":
    two_proofs.main("codewords", __doc__, __file__, tuple(WAYS), choose, network="cifar")
