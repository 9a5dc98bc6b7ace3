"""The library of kernels from C: which level runs, and what never reaches it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.kernels import native


def level_of_process(wish: str) -> str:
    """What a new process says of its level, or the last line of its error."""
    program = "from zkwm_protocols.field.kernels import native; print(native.LEVEL)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, native.VARIABLE: wish},
        timeout=120,
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_an_install_with_a_compiler_has_the_library() -> None:
    assert native.available(), "run: python hatch_build.py"


def test_the_environment_chooses_the_level() -> None:
    assert level_of_process("") == str(native.available()[-1] if native.available() else None)
    assert level_of_process("numba") == "None"
    for level in native.available():
        assert level_of_process(level) == level
    assert level_of_process("sse9").startswith(
        "zkwm_protocols.errors.UsageError: ZKWM_KERNELS=sse9"
    )


@pytest.mark.skipif(not native.available(), reason="no kernels from C")
def test_kernels_of_another_version_are_not_run(tmp_path: Path) -> None:
    """As after an update of an editable install: the sources are newer than the library."""
    source, version = Path(str(native.__file__)), f"\nVERSION = {native.VERSION}\n"
    text = source.read_text()
    assert version in text
    newer = tmp_path / source.name
    newer.write_text(text.replace(version, f"\nVERSION = {native.VERSION + 1}\n"))
    shutil.copy(source.with_name("c_kernels.so"), tmp_path)
    spec = importlib.util.spec_from_file_location("newer_native", newer)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (module.LEVEL, module.OTHER_VERSION) == (None, native.VERSION)
    assert native.OTHER_VERSION is None


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), dtype=np.uint64),
        np.zeros((3, 2), dtype=np.uint32),
        np.zeros(6, dtype=np.uint32),
        np.zeros((2, 6), dtype=np.uint32)[:, ::2],
        np.zeros(25, dtype=np.uint8)[1:].view(np.uint32).reshape(2, 3),
        np.broadcast_to(np.zeros(3, dtype=np.uint32), (2, 3)),
    ],
)
def test_an_array_of_another_kind_is_refused(array: np.ndarray) -> None:
    with pytest.raises(UsageError):
        native.words(array, 2, 3)


def test_an_array_that_is_read_only_is_not_written() -> None:
    array = np.zeros((2, 3), dtype=np.uint32)
    assert native.words(array, 2, None, out=True) == array.ctypes.data
    array.flags.writeable = False
    assert native.words(array, 2, 3) == array.ctypes.data
    with pytest.raises(UsageError):
        native.words(array, 2, 3, out=True)
