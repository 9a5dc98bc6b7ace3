"""A process that is started before its suspect's turn: who takes it, and what it was given."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_case import GRAY, RAW, SHAPE, WEIGHTS
from zkwm.suspects import OnnxLimits, limited_process, open_suspect
from zkwm.suspects.early_start import started_for
from zkwm.suspects.onnx_suspect import OnnxSuspect


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


def opened(path: Path, **options: Any) -> OnnxSuspect:
    suspect = open_suspect(path, shape=SHAPE, **options)
    assert isinstance(suspect, OnnxSuspect)
    return suspect


def test_the_suspect_takes_the_waiting_process(graphs: Any, started: list[Any]) -> None:
    path = graphs.linear(WEIGHTS)
    with started_for(path):
        assert len(started) == 1
        suspect = opened(path)
        assert suspect.answer(GRAY, RAW)[0].scores is not None
        suspect.close()
    assert len(started) == 1
    assert started[0].returncode is not None


def test_the_same_answers_as_without(graphs: Any) -> None:
    path = graphs.linear(np.random.default_rng(1).normal(size=(4, 5)))
    images = np.random.default_rng(2).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
    answers = []
    for early in (True, False):
        with started_for(path if early else "elsewhere"):
            suspect = opened(path)
            answers.append([one.scores.tobytes() for one in suspect.answer(images, RAW)])
            suspect.close()
    assert answers[0] == answers[1]


def test_a_process_that_nobody_took_is_ended(graphs: Any, started: list[Any]) -> None:
    with started_for(graphs.linear(WEIGHTS)):
        assert started[0].poll() is None
    assert started[0].returncode is not None
    assert limited_process._waiting == []


def test_it_is_ended_where_the_block_fails(graphs: Any, started: list[Any]) -> None:
    with pytest.raises(KeyError), started_for(graphs.linear(WEIGHTS)):
        raise KeyError
    assert started[0].returncode is not None


def test_it_keeps_its_limit_of_memory(graphs: Any, started: list[Any]) -> None:
    """A suspect with another limit gets another process, never one with more memory."""
    path = graphs.linear(WEIGHTS)
    with started_for(path):
        suspect = opened(path, onnx=OnnxLimits(memory_bytes=1 << 30))
        assert len(started) == 2
        assert started[0].poll() is None
        suspect.close()


def test_one_that_died_is_not_taken(graphs: Any, started: list[Any]) -> None:
    path = graphs.linear(WEIGHTS)
    with started_for(path):
        started[0].kill()
        started[0].wait()
        suspect = opened(path)
        assert len(started) == 2
        suspect.close()


def test_only_one_waits(graphs: Any, started: list[Any]) -> None:
    path = graphs.linear(WEIGHTS)
    with started_for(path), started_for(path):
        assert len(started) == 1
    assert limited_process._waiting == []


def test_a_system_without_room_for_it_is_left_alone(
    graphs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(limited_process, "_start", refused)
    with started_for(graphs.linear(WEIGHTS)):
        assert limited_process._waiting == []


@pytest.mark.parametrize("location", ["https://a.test/m.onnx", "no.onnx", "a\0.onnx", "m/", ""])
def test_nothing_is_started_for_another_location(location: str, started: list[Any]) -> None:
    with started_for(location):
        assert started == []
