"""Memory that stays in the process during a proof, and goes back to the system behind it."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import numpy as np
import pytest

from zkwm_protocols.field.kernels import kept_memory
from zkwm_protocols.field.kernels.kept_memory import kept

SIZE = 48 << 20
glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="glibc alone keeps memory"
)


def faults_of_an_array() -> int:
    """Page faults of one that is written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(SIZE, dtype=np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@glibc
def test_the_second_array_touches_no_new_page() -> None:
    with kept():
        faults_of_an_array()
        assert faults_of_an_array() < 10


@glibc
def test_all_of_it_goes_back_when_the_last_one_leaves() -> None:
    before = resident()
    with kept(4 * SIZE):
        with kept():
            faults_of_an_array()
        assert resident() > before + SIZE // 2
        assert faults_of_an_array() < 10
    assert resident() < before + SIZE // 2


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_memory, "_libc", lambda: None)
    with kept(SIZE):
        assert not kept_memory._users


@glibc
def test_more_than_there_is_is_no_error() -> None:
    with kept(1 << 60):
        faults_of_an_array()
