"""Cost of a long proof beforehand, and its progress."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkwm_cli.terminal import ProgressLine, duration, note

if TYPE_CHECKING:
    from zkwm_protocols.challenge import Challenge
    from zkwm_protocols.commitment import Commitment


COMPILE_SECONDS = 20
"""What Numba takes once, where there are no kernels from C, measured on two cores."""


class LongProof:
    """A context around ``zkwm.owner.prove.prove``, which takes ``options`` as keyword arguments.

    Entering it has derived the integer network and printed what the proof will cost.
    """

    def __init__(
        self,
        model: str,
        test_data: str | None,
        challenge: Challenge,
        commitment: Commitment,
        *,
        ray: bool,
    ) -> None:
        from zkwm.data import load_data
        from zkwm.owner.suspect_file import DerivedNetwork
        from zkwm.quantizer.derive import derive_network
        from zkwm_protocols.argument.cost_estimate import estimate

        network = derive_network(model, challenge.suspect, challenge.preprocessing)
        expected = estimate(network, challenge.block_count * commitment.header.block_size)
        compiling = COMPILE_SECONDS if kernels_are_cold() else 0
        first = f", {compiling} s of them to compile, the first time on this machine"
        whose = " of one prover, without the cluster" if ray else ""
        note(
            f"expected{whose}: about {duration(expected.prove_seconds + compiling)}"
            f"{first if compiling else ''}; "
            f"{expected.peak_bytes / 2**30:.1f} GiB of memory, a proof of "
            f"{expected.proof_bytes / 2**20:.1f} MiB; kernels {kernels()}"
        )
        self._line = ProgressLine()
        self._began = time.monotonic()
        self.options: dict[str, Any] = {
            "model": DerivedNetwork(Path(model), network),
            "test_data": None if test_data is None else load_data(test_data),
            "ray": ray,
            "progress": self._show,
        }

    def __enter__(self) -> LongProof:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.end()

    def _show(self, stage: str, done: float) -> None:
        """Stage, share done and time spent on the progress line."""
        spent = duration(time.monotonic() - self._began)
        self._line.update(f"{stage}: {100 * done:.0f} %, {spent} so far")


def kernels() -> str:
    """Which kernels the prover runs here, in words."""
    from zkwm_protocols.field.kernels.native import LEVEL, ON_GPU, OTHER_VERSION

    there = "by Numba" if LEVEL is None else f"from C ({LEVEL})"
    if OTHER_VERSION is not None:
        there += ", since those from C are of another version"
    return f"on the GPU, and {there}" if ON_GPU else there


def kernels_are_cold() -> bool:
    """Whether Numba has yet to compile: once after an installation without kernels from C."""
    from zkwm_protocols.field.kernels.native import LEVEL

    if LEVEL is not None:
        return False
    from zkwm_protocols.argument.logup_gkr import kernels

    kernel = kernels.fold_children
    folder = kernel.stats.cache_path
    return folder is None or not any(Path(folder).glob("kernels.fold_children*.nbi"))
