"""One deadline after another: who is killed, and what is left where nobody reads on."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_case import RAW, SHAPE, WEIGHTS
from zkwm.suspects import open_suspect
from zkwm.suspects.watchdog import Watchdog

SOON, LONG, PATIENCE = 0.05, 3600.0, 60.0


@pytest.fixture
def killed() -> threading.Event:
    return threading.Event()


def test_it_kills_what_is_late(killed: threading.Event) -> None:
    watchdog = Watchdog(killed.set)
    with watchdog.within(SOON):
        assert killed.wait(PATIENCE)
    assert watchdog.expired


def test_a_deadline_in_the_past_kills(killed: threading.Event) -> None:
    with Watchdog(killed.set).within(-1.0):
        assert killed.wait(PATIENCE)


def test_a_nearer_deadline_counts_at_once(killed: threading.Event) -> None:
    """The thread sleeps until the farther one."""
    watchdog = Watchdog(killed.set)
    with watchdog.within(LONG):
        pass
    with watchdog.within(SOON):
        assert killed.wait(PATIENCE)


def test_a_block_that_ended_in_time_kills_nobody(killed: threading.Event) -> None:
    watchdog = Watchdog(killed.set)
    for _ in range(100):
        with watchdog.within(LONG):
            pass
    assert not killed.wait(2 * SOON)
    watchdog.end()
    assert not watchdog.expired


def test_whoever_stops_reading_gets_no_answers_of_other_images(graphs: Any) -> None:
    """Replies that were not read would else be those to the next images."""
    images = np.random.default_rng(3).integers(0, 256, (60, *SHAPE), dtype=np.uint8)

    class StopError(Exception):
        pass

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise StopError

    suspect = open_suspect(graphs.linear(WEIGHTS), shape=SHAPE)
    with pytest.raises(StopError):
        suspect.answer(images, RAW, progress=stop)
    scores = [answer.scores for answer in suspect.answer(images[30:], RAW)]
    assert np.array_equal(scores, images[30:].reshape(30, -1) @ WEIGHTS)
    suspect.close()


def test_more_images_than_wait_at_once_are_answered_in_order(graphs: Any) -> None:
    images = np.random.default_rng(4).integers(0, 256, (150, *SHAPE), dtype=np.uint8)
    suspect = open_suspect(graphs.linear(WEIGHTS), shape=SHAPE)
    done: list[int] = []
    answers = suspect.answer(images, RAW, progress=lambda count, _: done.append(count))
    suspect.close()
    assert np.array_equal([one.scores for one in answers], images.reshape(150, -1) @ WEIGHTS)
    assert done == list(range(1, 151))
