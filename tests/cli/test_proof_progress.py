"""What is said of a proof beforehand."""

from __future__ import annotations

import pytest

from zkwm_cli.proof_progress import kernels
from zkwm_protocols.field.kernels import native


def test_it_is_told_why_slower_kernels_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LEVEL", None)
    monkeypatch.setattr(native, "ON_GPU", False)
    monkeypatch.setattr(native, "OTHER_VERSION", native.VERSION - 1)
    assert kernels() == "by Numba, since those from C are of another version"
