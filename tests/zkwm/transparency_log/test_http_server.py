"""Strangers that send slowly, without end, or nothing at all; many of them at once."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import urllib3

from tests.support.running_server import running
from zkwm.transparency_log import http_server
from zkwm.transparency_log.http_server import Message, Receive, Reply, Send, problem, read_body

SECONDS = 0.5


async def echo(_: Message, receive: Receive, send: Send) -> None:
    """Answers with the length of the body."""
    body = await read_body(receive)
    reply = problem(413, "too long") if body is None else Reply(200, b"%d" % len(body), "text/x")
    await reply.send(send)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server whose patience is short."""
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", SECONDS)
    with running(echo) as url:
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


def ends(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    connection.settimeout(20)
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def trickles(connection: socket.socket) -> float:
    """Send a byte now and then until the server has closed; return how many seconds it took."""
    begun = time.monotonic()
    with suppress(OSError):
        while time.monotonic() < begun + 20:
            connection.sendall(b"X")
            time.sleep(SECONDS / 5)
    return time.monotonic() - begun


def works(address: tuple[str, int]) -> bool:
    """Whether an honest client is served."""
    url = f"http://{address[0]}:{address[1]}/"
    return urllib3.request("POST", url, body=b"abc", timeout=10).data == b"3"


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
def test_a_request_that_does_not_come_is_cut_off(address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(sent)
        with suppress(ConnectionResetError):
            assert ends(connection) == b""
    assert works(address)


def test_a_head_that_trickles_is_cut_off(address: tuple[str, int]) -> None:
    """A byte now and then does not move the deadline; not in a second request either."""
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"POST / HTTP/1.1\r\n")
        assert trickles(connection) < 20


def test_a_body_that_does_not_come_is_answered_408(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")


def test_a_body_without_end_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = b""
        try:
            for _ in range(100):
                connection.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n")
        except OSError:
            pass
        connection.settimeout(20)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert works(address)


def test_a_long_head_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2**15)
        assert connection.recv(65536).startswith(b"HTTP/1.1 4")


def test_many_idle_connections_keep_nobody_out(address: tuple[str, int]) -> None:
    """A hundred here; benchmarks/registry.py has ten thousand."""
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(address))
        assert works(address)


async def large(_: Message, __: Receive, send: Send) -> None:
    """Answers with more than any buffer holds."""
    await Reply(200, bytes(32 * 2**20), "application/octet-stream").send(send)


def test_a_reader_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "ANSWER_SECONDS", SECONDS)
    with running(large) as url, socket.socket() as connection:
        host, port = url.removeprefix("http://").split(":")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(5 * SECONDS)
        received = 0
        connection.settimeout(5)  # a connection that is still held would run into it
        with suppress(ConnectionError):
            while part := connection.recv(2**20):
                received += len(part)
        assert received < 8 * 2**20


def test_an_answer_is_handed_over_in_parts_and_whole_to_who_reads() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Reply(200, bytes(150_000), "text/x").send(send))
    bodies = [message["body"] for message in sent[1:]]
    assert max(map(len, bodies)) == http_server.PART_BYTES
    assert [message["more_body"] for message in sent[1:]] == [True, True, False]
    assert b"".join(bodies) == bytes(150_000)
    with running(large) as url:
        assert len(urllib3.request("GET", url, timeout=20).data) == 32 * 2**20


def test_no_more_connections_than_there_are_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    for limits, most in (
        ((203, 203), 3),
        ((64, 1024), 824),
        ((64, 64), 1),
        ((2**20, 2**20), http_server.MOST_CONNECTIONS),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), http_server.MOST_CONNECTIONS),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=limits: limits)
        assert http_server.allow_connections() == most
    monkeypatch.setattr(http_server, "allow_connections", lambda: 3)
    with running(echo) as url, ExitStack() as stack:
        host, port = url.removeprefix("http://").split(":")
        held = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(3)]
        with socket.create_connection((host, int(port))) as one, suppress(ConnectionError):
            assert ends(one) == b""
        held[0].close()
        time.sleep(0.1)
        assert works((host, int(port)))
