"""Many clients and one writer: who goes away, who comes too late, and what they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.logs import begin, entries, memory_folder, opened
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.sequencer import Registered, Sequencer
from zkwm_protocols.errors import CouldNotCheck

PATIENCE = 30.0


@pytest.fixture
def log() -> Iterator[Log]:
    with memory_folder() as folder:
        begin(folder)
        with opened(Path(folder)) as made:
            yield made


def test_a_client_that_goes_away_ends_nobodys_service(log: Log) -> None:
    """Whoever hangs up while they wait cancels their future; the writer writes on."""
    sequencer = Sequencer(log)
    futures = [sequencer.submit(one) for one in entries(0, 50)]
    gone = [future for future in futures[::2] if future.cancel()]
    last = sequencer.submit(entries(50, 51)[0])
    assert last.result(PATIENCE).row.size >= 1
    sequencer.close()
    left = [future for future in futures if future not in gone]
    assert gone
    assert not wait(left, PATIENCE).not_done
    assert len({future.result().position for future in left}) == len(left)


def test_whoever_comes_while_the_log_ends_is_told(log: Log) -> None:
    """Every future ends, in order or with an error: nobody waits for a writer that is gone."""
    for start in range(0, 200, 20):
        sequencer = Sequencer(log)
        found: list[Future[Registered]] = []
        thread = threading.Thread(target=submit_all, args=(sequencer, start, found))
        thread.start()
        sequencer.close()
        thread.join(PATIENCE)
        assert not wait(found, PATIENCE).not_done


def submit_all(sequencer: Sequencer, start: int, found: list[Future[Registered]]) -> None:
    """Submit entries until the sequencer takes no more."""
    with suppress(CouldNotCheck):
        found += map(sequencer.submit, entries(start, start + 20))
