"""Questions to a person: Control-C ends them whenever it is pressed."""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Callable, Iterator

import pytest

from zkwm_cli import terminal


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a terminal at which a person types, whose other end is asked."""
    person, asked = os.openpty()
    monkeypatch.setattr(terminal, "open_terminal", lambda: os.fdopen(asked, "r"))
    monkeypatch.setattr(terminal, "notes_are_read", lambda: True)
    yield person
    os.close(person)


@pytest.mark.parametrize("ask", [terminal.ask_yes, lambda text: terminal.ask_hidden(text, 100)])
def test_control_c_that_does_not_interrupt_the_wait_itself(
    typed: int, ask: Callable[[str], object]
) -> None:
    # As where it is pressed just before the wait begins: then no system call is interrupted.
    def press() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    timer = threading.Timer(0.3, press)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ask("Open block 1?")
    finally:
        timer.join()


def test_an_answer_that_takes_its_time(typed: int) -> None:
    timer = threading.Timer(0.5, os.write, (typed, b"yes\n"))
    timer.start()
    assert terminal.ask_yes("Open block 1?") is True
    timer.join()


def test_what_is_hidden_is_not_shown_and_what_was_shown_stays_so(typed: int) -> None:
    asked: list[bytes | None] = []
    thread = threading.Thread(
        target=lambda: asked.append(terminal.ask_hidden("Word: ", 100)), daemon=True
    )
    before = termios.tcgetattr(typed)
    thread.start()
    assert os.read(typed, 100) == b"Word: "
    os.write(typed, "zürich\n".encode())
    thread.join(timeout=60)
    assert asked == ["zürich".encode()]
    assert os.read(typed, 100) == b"\r\n"
    assert termios.tcgetattr(typed) == before
