"""What strangers make a server hold at a time: short and long bodies, and answers nobody reads."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack

import pytest
import urllib3

from tests.support.running_server import running
from zkwm.transparency_log import http_server
from zkwm.transparency_log.http_server import (
    BODY_LIMIT,
    PART_BYTES,
    Bounded,
    Message,
    Receive,
    Reply,
    Send,
    read_body,
)

LONG = 8 * 2**20


async def one_message(_: Message, __: Receive, send: Send) -> None:
    """Answers as Starlette does: the whole of a long body in one message."""
    headers = [(b"content-length", b"%d" % LONG)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(LONG)})


def test_slow_readers_of_long_answers_hold_no_more_than_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who asks for a long file and does not read it keeps it in memory: not without end."""
    defaults = (http_server.MOST_BODY_BYTES, 3 * LONG)
    monkeypatch.setattr(Bounded.__init__, "__defaults__", defaults)
    with running(one_message) as url:
        host, port = url.removeprefix("http://").split(":")
        with ExitStack() as stack:
            for _ in range(3):
                slow = stack.enter_context(socket.socket())
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                slow.connect((host, int(port)))
                slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert slow.recv(1)
            refused = urllib3.request("GET", url, retries=False)
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        time.sleep(0.2)
        assert len(urllib3.request("GET", url, retries=False).data) == LONG


def test_an_answer_in_one_message_is_handed_over_in_parts() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    asyncio.run(Bounded(one_message)({"type": "http"}, receive, send))
    assert {len(message["body"]) for message in sent[1:]} == {PART_BYTES}
    assert [message["more_body"] for message in sent[-2:]] == [True, False]


def test_long_bodies_keep_no_short_one_out() -> None:
    """One body of 64 MiB, or many, leaves room for statements; each kind has a bound."""

    async def whole(_: Message, receive: Receive, send: Send) -> None:
        body = await read_body(receive, LONG)
        await Reply(200, b"%d" % len(body or b""), "text/plain").send(send)

    bounded = Bounded(whole, most_bytes=2 * BODY_LIMIT)

    async def ask(length: int, hold: asyncio.Event | None = None) -> int:
        sent: list[Message] = []
        parts = [bytes(BODY_LIMIT)] * (length // BODY_LIMIT) + [bytes(length % BODY_LIMIT)]

        async def receive() -> Message:
            if len(parts) == 1 and hold is not None:
                await hold.wait()
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Message) -> None:
            sent.append(message)

        await bounded({"type": "http"}, receive, send)
        return int(sent[0]["status"])

    async def together() -> None:
        hold = asyncio.Event()
        long = asyncio.create_task(ask(3 * BODY_LIMIT, hold))
        await asyncio.sleep(0)
        assert await ask(2 * BODY_LIMIT) == 503, "long ones share what is theirs"
        assert await ask(BODY_LIMIT) == 200
        hold.set()
        assert await long == 200
        assert await ask(3 * BODY_LIMIT) == 200

    asyncio.run(together())
