"""A log or a witness that answers slowly, too much, or something else."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zkwm.transparency_log.http_client import HttpClient
from zkwm_protocols.errors import CouldNotCheck, UsageError

ROOT = Path(__file__).parents[3]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n"
Speak = Callable[[socket.socket], None]


@contextmanager
def speaking(speak: Speak) -> Iterator[str]:
    """A server that reads requests and says whatever it wants."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                accepted, _ = listener.accept()
                with accepted:
                    speak(accepted)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def dripping(start: bytes, rest: bytes) -> Speak:
    """Sends a start at once, then byte after byte, each in time for a socket's timeout."""

    def speak(accepted: socket.socket) -> None:
        accepted.recv(65_536)
        accepted.sendall(start)
        for number in range(len(rest)):
            accepted.sendall(rest[number : number + 1])
            time.sleep(0.05)

    return speak


@pytest.mark.parametrize(
    "speak",
    [
        dripping(HEAD + b"\r\n", b"x" * 60_000),
        dripping(b"", HEAD * 1_000),
        dripping(HEAD, b"A: b\r\n" * 10_000),
    ],
    ids=["content", "first line", "head"],
)
def test_a_byte_now_and_then_does_not_keep_the_asker(speak: Speak) -> None:
    with speaking(speak) as url:
        began = time.monotonic()
        with pytest.raises(CouldNotCheck, match="in time"):
            HttpClient(0.3).ask(url)
        assert time.monotonic() - began < 30  # 500 without a deadline


def test_what_is_longer_than_the_limit_is_no_answer() -> None:
    def speak(accepted: socket.socket) -> None:
        accepted.recv(65_536)
        accepted.sendall(HEAD + b"\r\n" + b"x" * 60_000)
        accepted.recv(1)

    with speaking(speak) as url:
        client = HttpClient(10)
        for _ in range(2):  # what was not read of the first answer is not the second
            with pytest.raises(CouldNotCheck, match="more than 100 bytes"):
                client.ask(url, limit=100)


def test_connections_are_kept_and_one_that_was_closed_is_made_again() -> None:
    accepted_ones = []

    def speak(accepted: socket.socket) -> None:
        accepted_ones.append(accepted)
        for number in range(2):
            asked = b""
            while not asked.endswith(b"body") and (part := accepted.recv(65_536)):
                asked += part  # head and body may come apart
            if asked:
                answer = f"answer {number}".encode()
                head = f"HTTP/1.1 307 X\r\nLocation: /y\r\nContent-Length: {len(answer)}\r\n\r\n"
                accepted.sendall(head.encode() + answer)

    with speaking(speak) as url:
        client = HttpClient(10)
        given = [client.ask(url, b"body") for _ in range(3)]
        client.close()
    assert [one.content for one in given] == [b"answer 0", b"answer 1", b"answer 0"]
    assert {one.status for one in given} == {307}
    assert len(accepted_ones) == 2


@pytest.mark.parametrize("url", ["ftp://a/b", "https://", "file:///etc/passwd", "http://[", "x"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="begins with"):
        HttpClient(1).ask(url)


def test_the_first_requests_of_a_process_may_come_at_once() -> None:
    """urllib3 is loaded by the first of them; a log asks all its witnesses at the same time."""
    script = """
import sys, threading
from zkwm.transparency_log.http_client import HttpClient
from zkwm_protocols.errors import CouldNotCheck

assert "urllib3" not in sys.modules
sys.setswitchinterval(1e-5)
barrier, told = threading.Barrier(8), []

def ask():
    barrier.wait()
    try:
        HttpClient(5).ask("http://127.0.0.1:9/")
    except CouldNotCheck:
        told.append(1)

threads = [threading.Thread(target=ask) for _ in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print(len(told))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout == "8\n", done.stderr
