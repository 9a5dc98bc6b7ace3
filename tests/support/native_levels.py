"""The kernels from C at every level that this machine runs, for tests."""

from __future__ import annotations

import pytest

from zkwm_protocols.field.kernels import native

NATIVE_LEVELS = [
    pytest.param(level, id=level, marks=() if level in native.available() else pytest.mark.skip)
    for level in native.LEVELS
]
"""Parameters of a test; levels that the processor lacks are skipped."""
