"""Questions to a person: Control-C ends them whenever it is pressed."""

from __future__ import annotations

import os
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from zkwm_cli import terminal
from zkwm_protocols.errors import UsageError


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


def typed_line(typed: int, *lines: bytes) -> list[bytes | UsageError | None]:
    """What ``ask_hidden`` makes of what a person types."""
    asked: list[bytes | UsageError | None] = []

    def ask() -> None:
        try:
            asked.append(terminal.ask_hidden("Word: ", 4096))
        except UsageError as error:
            asked.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert os.read(typed, 100) == b"Word: "
    for line in lines:
        os.write(typed, line)
    thread.join(timeout=60)
    return asked


def test_a_line_of_which_the_terminal_drops_the_end_is_refused(typed: int) -> None:
    (error,) = typed_line(typed, b"a" * 3000, b"b" * 3000, b"\n")
    assert isinstance(error, UsageError)
    assert "--passphrase-file" in error.hint


def test_a_long_line_that_the_terminal_keeps(typed: int) -> None:
    assert typed_line(typed, b"a" * 4094 + b"\n") == [b"a" * 4094]


def test_echo_that_a_shell_turned_on_meanwhile_is_turned_off(typed: int) -> None:
    """As zsh does to a command that Control-Z stopped and fg continues."""
    thread = threading.Thread(target=lambda: terminal.ask_hidden("Word: ", 100))
    thread.start()
    assert os.read(typed, 100) == b"Word: "
    shell = termios.tcgetattr(typed)
    shell[3] |= termios.ECHO
    termios.tcsetattr(typed, termios.TCSANOW, shell)
    deadline = time.monotonic() + 30
    while termios.tcgetattr(typed)[3] & termios.ECHO and time.monotonic() < deadline:
        time.sleep(0.05)
    os.write(typed, b"secret\n")
    thread.join(timeout=60)
    assert os.read(typed, 100) == b"\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_that_ends_the_process_leaves_the_echo_on(
    typed: int, number: signal.Signals
) -> None:
    before = termios.tcgetattr(typed)
    inherited = signal.signal(number, signal.SIG_DFL)  # who starts the tests may have it ignored
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))
    timer.start()
    try:
        with pytest.raises(SystemExit) as ended:
            terminal.ask_hidden("Word: ", 100)
        timer.join()
        assert ended.value.code == 128 + number
        assert termios.tcgetattr(typed) == before
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, inherited)


def test_a_terminal_that_goes_away_is_the_end_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    person, asked = os.openpty()
    monkeypatch.setattr(terminal, "open_terminal", lambda: os.fdopen(asked, "r"))
    timer = threading.Timer(0.3, os.close, (person,))
    timer.start()
    with pytest.raises(EOFError):
        terminal.ask_hidden("Word: ", 100)
    timer.join()
