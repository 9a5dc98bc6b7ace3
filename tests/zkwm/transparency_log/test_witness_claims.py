"""Witnesses that say they know another tree: no stranger and no single witness stops a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.logs import entries, memory_folder
from tests.support.running_server import running
from tests.zkwm.transparency_log.test_witness import asked, log_in, policy, witness_in
from zkwm.transparency_log import cosigning
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.http_server import App, Message, Receive, Reply, Send, read_body
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.witness_service import witness_application
from zkwm_protocols.errors import CouldNotCheck


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(cosigning, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(cosigning, "AGAIN_SECONDS", 0.05)
    with memory_folder() as made:
        yield made


def before(app: App, act: Callable[[], None]) -> App:
    """The app, behind something that happens before each answer."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        act()
        await app(scope, receive, send)

    return answer


def claims(answers: list[tuple[int, bytes]], app: App) -> App:
    """A witness that gives these answers first, and then honest ones."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if not answers:
            await app(scope, receive, send)
            return
        await read_body(receive)
        status, body = answers.pop(0)
        await Reply(status, body, "text/x.tlog.size").send(send)

    return answer


def test_a_stranger_who_shows_the_newest_tree_first_stops_nothing(folder: Path) -> None:
    """The log asks for size 1; meanwhile it grows, and anybody brings the witness the new tree."""
    witness = witness_in(folder)
    with ExitStack() as stack:
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 1))
        acts = [lambda: None, lambda: (log.append(entries(1, 2)), witness.answer(asked(log, 1)))]

        def act() -> None:
            if acts:
                acts.pop(0)()

        url = stack.enter_context(running(before(witness_application(witness), act)))
        cosigner = Cosigner(log, policy([url], 1))
        assert cosigner.collect() is not None
        assert cosigner.collect() is None  # the witness is ahead of what was asked
        assert (log.stopped, log.held, log.row.size) == ("", "", 2)
        found = cosigner.collect()
        assert found is not None
        assert found.size == 2


@pytest.mark.parametrize("answer", [(409, b"99\n"), (409, b"0\n"), (422, b"")])
def test_one_witness_alone_does_not_hold_a_log_that_can_do_without_it(
    folder: Path, answer: tuple[int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 1))
        honest = [witness_application(witness_in(folder, number)) for number in range(2)]
        lies: list[tuple[int, bytes]] = []
        urls = [stack.enter_context(running(app)) for app in (honest[0], claims(lies, honest[1]))]
        cosigner = Cosigner(log, policy(urls, 1))
        assert cosigner.collect() is not None  # the tree of the start is cosigned
        lies += [answer] * 8
        with caplog.at_level(logging.WARNING):
            assert cosigner.collect() is not None
        assert "witness.example/1 has cosigned a tree" in caplog.text
        assert (log.stopped, log.held) == ("", "")
        assert log.append(entries(1, 2)).size == 2
        with pytest.raises(CouldNotCheck, match=r"witness\.example/1"):  # but nothing starts
            Cosigner(log, policy(urls, 1)).require_newest()


def test_a_log_whose_quorum_needs_the_witness_takes_nothing_until_the_claim_ends(
    folder: Path,
) -> None:
    with ExitStack() as stack:
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 1))
        honest = [witness_application(witness_in(folder, number)) for number in range(2)]
        lies: list[tuple[int, bytes]] = []
        urls = [stack.enter_context(running(app)) for app in (honest[0], claims(lies, honest[1]))]
        cosigner = Cosigner(log, policy(urls, 2))
        assert cosigner.collect() is not None
        lies += [(409, b"99\n")] * 2  # once more after a second: then it counts
        assert cosigner.collect() is None
        sequencer = Sequencer(log)
        stack.callback(sequencer.close)
        with pytest.raises(CouldNotCheck, match=r"takes no entries.*size 99"):
            sequencer.submit(entries(1, 2)[0])
        with pytest.raises(CouldNotCheck, match="for now"):
            log.append(entries(1, 2))
        assert log.stopped == ""
        assert cosigner.collect() is not None  # the witness cosigns again
        assert sequencer.submit(entries(1, 2)[0]).result(10).row.size == 2


def test_a_larger_size_that_is_not_said_again_is_no_claim(folder: Path) -> None:
    with ExitStack() as stack:
        log = stack.enter_context(log_in(folder / "log"))
        log.append(entries(0, 1))
        app = claims([(409, b"2\n")], witness_application(witness_in(folder)))
        url = stack.enter_context(running(app))
        cosigner = Cosigner(log, policy([url], 1))
        cosigner.require_newest()
        assert cosigner.witnessed is not None
