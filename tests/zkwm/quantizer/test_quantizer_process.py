"""One process for the tasks of one file: which tasks it takes, and what ends it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from tests.support.small_models import Sketch
from zkwm.quantizer import random_images
from zkwm.quantizer.limited_quantizer import QuantizerLimits, quantize_limited
from zkwm.quantizer.limited_scores import scores_limited
from zkwm.quantizer.quantizer_process import QuantizerProcess, quantizer_memory
from zkwm.suspects import limited_process
from zkwm_protocols.errors import Unsupported, UsageError
from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 8, 8)
RAW = Preprocessing(scale="raw")
DATA = Sketch(SHAPE).flat(64)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that was started, in order."""
    processes: list[subprocess.Popen[bytes]] = []
    start = limited_process._start

    def recorded(module: str, memory: int) -> subprocess.Popen[bytes]:
        processes.append(start(module, memory))
        return processes[-1]

    monkeypatch.setattr(limited_process, "_start", recorded)
    return processes


@pytest.fixture
def process() -> Iterator[QuantizerProcess]:
    with closing(QuantizerProcess(quantizer_memory(len(DATA), 0))) as one:
        yield one


def test_one_process_quantizes_and_compares(started: list, process: QuantizerProcess) -> None:
    images = random_images(SHAPE, 20, b"test")
    network = quantize_limited(DATA, shape=SHAPE, preprocessing=RAW, process=process).network
    found = scores_limited(DATA, network, images, preprocessing=RAW, process=process)
    assert len(started) == 1
    apart = quantize_limited(DATA, shape=SHAPE, preprocessing=RAW).network
    assert digest(network) == digest(apart)
    scores = scores_limited(DATA, apart, images, preprocessing=RAW)
    for one, other in ((found.real, scores.real), (found.last, scores.last)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.whole, scores.whole)
    process.close()
    assert started[0].returncode is not None


def test_another_file_is_not_read_where_the_first_one_was(process: QuantizerProcess) -> None:
    quantize_limited(DATA, shape=SHAPE, preprocessing=RAW, process=process)
    other = DATA[:-1] + bytes([DATA[-1] ^ 1])  # of the same size, so that its memory is no reason
    with pytest.raises(ValueError, match="one file"):
        quantize_limited(other, shape=SHAPE, preprocessing=RAW, process=process)


def test_a_task_with_another_limit_of_memory_takes_another_process(
    started: list, process: QuantizerProcess
) -> None:
    for limits in (None, QuantizerLimits(memory_bytes=1 << 31)):
        quantize_limited(DATA, shape=SHAPE, preprocessing=RAW, limits=limits, process=process)
    assert [one.args[-1] for one in started] == [str(process.memory), str(1 << 31)]
    assert quantizer_memory(10, 1 << 25) == quantizer_memory(10, 0) < quantizer_memory(10, 1 << 28)


def test_the_deadline_is_that_of_each_task_and_ends_the_process(
    started: list, process: QuantizerProcess
) -> None:
    short = QuantizerLimits(total_seconds=0.001)
    with pytest.raises(Unsupported, match="seconds"):
        quantize_limited(DATA, shape=SHAPE, preprocessing=RAW, limits=short, process=process)
    assert started[0].returncode is not None
    quantize_limited(DATA, shape=SHAPE, preprocessing=RAW, process=process)
    assert len(started) == 2


def test_a_task_that_is_refused_ends_the_process(started: list, process: QuantizerProcess) -> None:
    with pytest.raises(UsageError):
        quantize_limited(DATA, shape=(1, 9, 9), preprocessing=RAW, process=process)
    assert started[0].returncode is not None
