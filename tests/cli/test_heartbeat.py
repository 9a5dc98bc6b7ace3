"""A command that waits in silence says every half a minute that it is at work."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.case_files import Command, Endpoint, Files, scores
from zkwm_cli import main, terminal
from zkwm_cli.heartbeat import heartbeat


def test_an_endpoint_that_is_slow_to_answer_leaves_nobody_in_silence(
    zkwm: Command, case: Files, endpoint: Endpoint
) -> None:
    def slow(output: int) -> bytes:
        threading.Event().wait(0.4)  # the fixture makes ``time.sleep`` return at once
        return scores(output)

    endpoint.reply = slow
    with heartbeat(every=0.1):
        result = zkwm(*case.challenge_options(model=endpoint.url))
    assert result.code == 0, result.stderr
    assert re.search(r"^(.*; )?still at work, \d+ s so far$", result.stderr, re.MULTILINE)


def test_every_command_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    @contextlib.contextmanager
    def counted() -> Iterator[None]:
        begun.append(True)
        yield

    monkeypatch.setattr(main, "heartbeat", counted)
    monkeypatch.setattr("sys.argv", ["zkwm", "--version"])
    monkeypatch.setattr(main, "prepare", lambda: None)
    monkeypatch.setattr(main, "take_passphrases", lambda: None)
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert (ended.value.code, begun) == (0, [True])
    assert terminal.SPARSE_SECONDS <= 30


def test_it_names_the_progress_and_waits_for_a_person(capfd: pytest.CaptureFixture[str]) -> None:
    line = terminal.ProgressLine()
    line.update("asking the suspect: 3 of 100")
    with heartbeat(every=0.1):
        time.sleep(0.5)
    said = capfd.readouterr().err.splitlines()
    assert 1 <= len(said) <= 5
    assert re.fullmatch("asking the suspect: 3 of 100; still at work, [01] s so far", said[0])
    line.end()
    with terminal.attention.waiting(), heartbeat(every=0.1):
        time.sleep(0.3)
    assert capfd.readouterr().err == ""


def test_a_service_fills_no_journal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.attention, "serving", True)
    with heartbeat(every=0.1):
        time.sleep(0.3)
    assert capfd.readouterr().err == ""


def test_what_is_said_otherwise_is_enough(capfd: pytest.CaptureFixture[str]) -> None:
    with heartbeat(every=30):
        terminal.note("working")
    assert capfd.readouterr().err == "working\n"
