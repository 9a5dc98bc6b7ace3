"""What it saves to keep freed memory during a proof, each way in a process of its own.

Page faults can be counted on a busy machine; system seconds depend on how fast it has new pages.

    python benchmarks/kept_memory.py --network lenet5 [--append FILE]
"""

from __future__ import annotations

from contextlib import nullcontext

import two_proofs

WAYS = ("freed", "kept", "kept in huge pages")


def choose(way: str) -> None:
    """Let the prover keep freed memory as this way does."""
    from zkwm_protocols.argument import prover
    from zkwm_protocols.field.kernels.kept_memory import kept

    contexts = {
        "freed": lambda expected: nullcontext(),
        "kept": lambda expected: kept(),
        "kept in huge pages": kept,
    }
    prover.kept = contexts[way]  # type: ignore[assignment]


if __name__ == "__main__":
    two_proofs.main("kept memory", __doc__, __file__, WAYS, choose, network="lenet5")
