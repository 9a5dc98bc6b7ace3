"""Fixtures that tests of several packages share."""

from __future__ import annotations

import atexit
import functools
import hashlib
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import torch_state
from zkwm.extras import NO_TELEMETRY

if TYPE_CHECKING:
    from tests.support.postgres import Server

# Before torch is loaded, and for the processes that tests start: with another number of threads
# sums are rounded in another order, and a training ends elsewhere. Every outcome that a test
# asserts is that of one thread.
os.environ["OMP_NUM_THREADS"] = "1"
# Tests load ONNX Runtime too: it reports to nobody.
os.environ |= NO_TELEMETRY

# How long an example takes depends on what else the machine does: no test fails by it.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# No test knows of the vaults of another one, nor of those of whoever runs the tests.
STATES = Path(tempfile.mkdtemp(prefix="zkwm-states-"))
atexit.register(shutil.rmtree, STATES, ignore_errors=True)
os.environ["ZKWM_STATE"] = str(STATES / "shared")
_numbers = itertools.count()

# Who starts the tests in the background has Control-C ignored, and every command would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Where it is ignored, every child is said to have ended with code 0.
if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

RARE = "slow or data or gpu"
"""Marks of the tests that `make test` leaves out, as an expression of pytest."""


@functools.cache
def _marks_rarely(path: Path) -> bool:
    """Whether the text of a file has a rare mark."""
    text = path.read_text(encoding="utf-8")
    return any(f"mark.{name}" in text for name in RARE.split(" or "))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file without a rare mark where only tests with one are asked for."""
    alone = config.option.markexpr == RARE and collection_path.match("test_*.py")
    return True if alone and not _marks_rarely(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse, in every run, a rare mark that the text of its file does not show."""
    for item in items:
        marked = any(item.get_closest_marker(name) for name in RARE.split(" or "))
        if marked and not _marks_rarely(item.path):
            raise pytest.UsageError(f"{item.nodeid}: write its mark as @pytest.mark.slow")


@pytest.fixture(autouse=True)
def no_marks(torch_as_before: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has seen no vault, so that copies of one case do not meet each other.

    What a test patches is undone before torch is looked at again.
    """
    monkeypatch.setenv("ZKWM_STATE", str(STATES / str(next(_numbers))))


@pytest.fixture(autouse=True)
def torch_as_before() -> Iterator[None]:
    """Torch's global state is the same before every test; a test without torch stays so."""
    before = None
    if torch_state.loaded():
        before = torch_state.TorchState.now()
        before.restore()
    yield
    if torch_state.loaded():
        (before or torch_state.fresh()).restore()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of full data sets: $ZKWM_DATA, or shared/data beside the repository."""
    fallback = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ZKWM_DATA", fallback))
    if not folder.is_dir():
        pytest.skip("no data sets: set ZKWM_DATA to a folder with fashion-mnist.npz and others")
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server; what needs it is skipped where there is none."""
    from tests.support.postgres import serving

    with serving() as running:
        yield running


@pytest.fixture
def quick_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds of labels by SHA-256 instead of Argon2id: as random, and a million times cheaper."""

    def seed(digest: bytes, beacon: bytes | None) -> bytes:
        return hashlib.sha256(b"a test's seed" + digest + (beacon or bytes(32))).digest()

    monkeypatch.setattr("zkwm_protocols.labels.label_seed", seed)
