"""Servers that are slow, endless, compressed or elsewhere, and names that change their meaning."""

from __future__ import annotations

import socket
import threading
import time
import zlib

import pytest

from tests.support.hostile_server import Behavior, drips, endless, says, serving
from zkwm.outgoing_http import resolution
from zkwm.outgoing_http.connection import Connection, Failure, NoReplyError, Reply, Request
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import locate
from zkwm.outgoing_http.rules import OWN_WORD, STRANGER, Rules

PUBLIC = "93.184.216.34"
OK = "HTTP/1.1 200 OK"


def ask(url: str, rules: Rules = OWN_WORD, seconds: float = 0.4, limit: int = 1000) -> Reply:
    location = locate(url, hint="")
    connection = Connection(location, rules)
    try:
        return connection.exchange(Request(location.path), Deadline(seconds), limit=limit)
    finally:
        connection.close()


def slow_body(client: socket.socket) -> None:
    """A byte of the body every 50 ms, each in time for a socket's timeout."""
    client.sendall(f"{OK}\r\nContent-Length: 900\r\n\r\n".encode())
    for _ in range(900):
        client.sendall(b"a")
        time.sleep(0.05)


def bomb(client: socket.socket) -> None:
    """A kilobyte that becomes a megabyte where somebody unpacks it."""
    body = zlib.compress(bytes(1 << 20))
    head = f"{OK}\r\nContent-Encoding: deflate\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)


CASES = {
    "slow headers": (drips, Failure.LATE),
    "slow body": (slow_body, Failure.LATE),
    "silence": (lambda client: time.sleep(2), Failure.LATE),
    "endless body": (endless("text/plain"), Failure.TOO_LARGE),
    "announced as huge": (says(OK, "Content-Length: 900000000000", body=b"a"), Failure.BROKEN),
    "compressed": (bomb, Failure.COMPRESSED),
    "cut short": (says(OK, "Content-Length: 9", body=b"abc"), Failure.BROKEN),
    "chunks cut short": (
        says(OK, "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"), Failure.BROKEN,
    ),
    "many headers": (says(OK, *(f"X-{one}: a" for one in range(500))), Failure.BROKEN),
    "long header": (says(OK, f"X: {'a' * 100_000}"), Failure.BROKEN),
    "no HTTP": (says("SSH-2.0-OpenSSH_9.2"), Failure.BROKEN),
    "nothing": (lambda client: None, Failure.BROKEN),
}  # fmt: skip


@pytest.mark.parametrize(("behavior", "failure"), CASES.values(), ids=CASES)
def test_whatever_a_server_does_it_ends_in_time(behavior: Behavior, failure: Failure) -> None:
    begun = time.monotonic()
    with serving(behavior) as url, pytest.raises(NoReplyError) as caught:
        ask(url)
    assert caught.value.failure is failure
    assert time.monotonic() - begun < 10  # a loaded machine; 45 without a deadline
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer)]


def test_a_handshake_that_drips_ends_in_time() -> None:
    """A record of TLS that is announced as long, and comes a byte at a time."""

    def behave(client: socket.socket) -> None:
        client.sendall(b"\x16\x03\x03\x3f\xff")
        for _ in range(600):
            client.sendall(b"\x02")
            time.sleep(0.05)

    begun = time.monotonic()
    with serving(behave) as url, pytest.raises(NoReplyError) as caught:
        ask(url.replace("http://", "https://"))
    assert caught.value.failure is Failure.LATE
    assert time.monotonic() - begun < 10


def test_a_lookup_that_hangs_ends_in_time_and_there_are_never_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freed, begun = threading.Event(), time.monotonic()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: freed.wait(30) and [])
    monkeypatch.setattr(resolution, "_LOOKUPS", threading.BoundedSemaphore(2))
    for _ in range(4):
        with pytest.raises(NoReplyError) as caught:
            ask("http://a.example/", seconds=0.1)
        assert caught.value.failure is Failure.LATE
    assert len([one for one in threading.enumerate() if one.name == "lookup"]) == 2
    assert time.monotonic() - begun < 10
    freed.set()
    for one in threading.enumerate():
        if one.name == "lookup":
            one.join()


def test_a_redirect_to_a_private_address_is_a_reply_and_nothing_more() -> None:
    asked: list[str] = []
    with serving(lambda client: asked.append("private")) as private:
        answer = says("HTTP/1.1 307 X", f"Location: {private}", "Content-Length: 0")
        with serving(answer) as url:
            reply = ask(url, seconds=10)
    assert (reply.status, asked) == (307, [])


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that are connected to; nobody is there."""
    found: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        found.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    return found


def test_a_port_where_nothing_listens_is_told_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoReplyError, match="nothing listens at that address and port") as caught:
        ask(f"http://127.0.0.1:{port}/", OWN_WORD, seconds=10)
    assert caught.value.failure is Failure.BROKEN


def test_a_name_that_changes_its_meaning_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch, connected: list[tuple[str, int]]
) -> None:
    """DNS rebinding: public for who checks, loopback for who connects."""
    answers = [PUBLIC, "127.0.0.1", "127.0.0.1"]
    looked_up: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        looked_up.append(host)
        family, address = socket.AF_INET, answers[len(looked_up) - 1]
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(NoReplyError) as caught:
        ask("https://rebinding.example/", STRANGER, seconds=10)
    assert caught.value.failure is Failure.BROKEN
    assert (connected, looked_up) == ([(PUBLIC, 443)], ["rebinding.example"])
    with pytest.raises(NoReplyError) as caught:  # the next request looks again, and checks again
        ask("https://rebinding.example/", STRANGER, seconds=10)
    assert caught.value.failure is Failure.FORBIDDEN
    assert connected == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::a00:1]", "[2002:7f00:1::]", "localhost"]
)
def test_a_stranger_reaches_nobody_in_here(host: str, connected: list[tuple[str, int]]) -> None:
    with pytest.raises(NoReplyError) as caught:
        ask(f"https://{host}/", STRANGER, seconds=10)
    assert caught.value.failure in (Failure.FORBIDDEN, Failure.BROKEN)
    assert connected == []
