"""Torch's global state as one value, so that no test can leave another one behind.

A worker runs hundreds of tests in one process. The number of threads alone decides in which order
sums are rounded, and with it the last bits and, some hundred steps on, the outcome of a training.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SEED = 0
"""Of the default generator at the start of each test, whatever was collected or ran before."""


@dataclass(frozen=True)
class TorchState:
    """Every global setting of torch that a test may change and a later one would notice."""

    threads: int
    dtype: torch.dtype
    device: torch.device
    deterministic: tuple[bool, bool]
    gradients: bool
    anomalies: tuple[bool, bool]
    autocast: tuple[bool, ...]
    matmul_precision: str
    cudnn: tuple[bool, bool, bool]
    mkldnn: bool

    @classmethod
    def now(cls) -> TorchState:
        """The state of this process. Imports torch."""
        import torch

        cudnn = torch.backends.cudnn
        return cls(
            threads=torch.get_num_threads(),
            dtype=torch.get_default_dtype(),
            device=torch.get_default_device(),
            deterministic=(
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            gradients=torch.is_grad_enabled(),
            anomalies=(torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
            autocast=tuple(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")),
            matmul_precision=torch.get_float32_matmul_precision(),
            cudnn=(cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
            mkldnn=torch.backends.mkldnn.enabled,
        )

    def restore(self) -> None:
        """Make it the state of this process again, and start the default generator afresh."""
        import torch

        torch.set_num_threads(self.threads)
        torch.set_default_dtype(self.dtype)
        # None, not the CPU: a default device costs every factory function a detour
        torch.set_default_device(None if self.device.type == "cpu" else self.device)
        strict, warn_only = self.deterministic
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        torch.set_grad_enabled(self.gradients)
        torch.set_anomaly_enabled(*self.anomalies)
        for kind, enabled in zip(("cpu", "cuda"), self.autocast, strict=True):
            torch.set_autocast_enabled(kind, enabled)
        torch.set_float32_matmul_precision(self.matmul_precision)
        cudnn = torch.backends.cudnn
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = self.cudnn
        torch.backends.mkldnn.set_flags(self.mkldnn)
        torch.manual_seed(SEED)


def fresh() -> TorchState:
    """The state of a process that has just imported torch, as far as it can be said afterwards."""
    import torch

    return TorchState(
        threads=int(os.environ.get("OMP_NUM_THREADS", "") or torch.get_num_threads()),
        dtype=torch.float32,
        device=torch.device("cpu"),
        deterministic=(False, False),
        gradients=True,
        anomalies=(False, True),
        autocast=(False, False),
        matmul_precision="highest",
        cudnn=(True, False, False),
        mkldnn=True,
    )


def loaded() -> bool:
    """Whether anything in this process has imported torch."""
    return "torch" in sys.modules
