"""Endpoints that hang, drip, flood or break off. Time limits are short, so that tests are quick."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest

from tests.support.http_endpoint import (
    IMAGES,
    PATIENT,
    PLAIN,
    SHAPE,
    first_answer,
    open_endpoint,
    send,
)
from tests.support.onnx_case import unusable
from zkwm.suspects import Answer, HttpSettings
from zkwm.suspects.http_suspect import GONE

SHORT = HttpSettings(request_seconds=0.3, attempts=2, backoff_seconds=0.01)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with unusable("connection failed"):
        open_endpoint(f"http://127.0.0.1:{port}/", outputs=None)


def test_a_server_that_hangs(serve: Any, within: Any) -> None:
    server = serve(lambda *_: server.stop.wait(20) and None)
    with within(10):
        assert first_answer(server.url, http=SHORT) == Answer(None, "timed out")
    assert len(server.queries) == 2


@pytest.mark.parametrize("part", ["head", "body", "body without a length", "headers without end"])
def test_a_server_that_drips(serve: Any, within: Any, part: str) -> None:
    def reply(handler: Any, _: Any) -> Any:
        start = b"HTTP/1.1 200 OK\r\n"
        if part == "head":
            server.drip(handler, start * 100, 0.02)
        elif part == "headers without end":
            handler.wfile.write(start)
            server.drip(handler, b"X-A: b\r\n" * 5000, 0.002)
        else:
            length = b"" if "without" in part else b"Content-Length: 1000\r\n"
            handler.wfile.write(start + length + b"Connection: close\r\n\r\n")
            server.drip(handler, b" " * 999 + b'{"label":1}', 0.02)

    server = serve(reply)
    with within(10):
        assert first_answer(server.url, http=SHORT) == Answer(None, "timed out")


def test_a_server_that_accepts_and_says_nothing(within: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, within(10):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert first_answer(url, http=SHORT) == Answer(None, "timed out")


def test_a_huge_reply(serve: Any, within: Any) -> None:
    def reply(handler: Any, _: Any) -> Any:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(b"[" * 65_536)

    server = serve(reply)
    with within(10):
        assert first_answer(server.url) == Answer(None, "its reply is too large")
    assert len(server.queries) == 1


def test_a_compressed_reply_is_not_unpacked(serve: Any) -> None:
    server = serve(lambda handler, _: send(handler, b"\x1f\x8b", Content_Encoding="gzip"))
    assert "compressed" in first_answer(server.url).problem


@pytest.mark.parametrize("data", [b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 70_000])
def test_a_server_that_does_not_speak_http(serve: Any, data: bytes) -> None:
    def reply(handler: Any, _: Any) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    assert first_answer(serve(reply).url) == Answer(None, "the connection failed")


@pytest.mark.parametrize(
    "reply_text",
    [
        b'Content-Length: 100\r\n\r\n{"label": 1}',
        b'Transfer-Encoding: chunked\r\n\r\nc\r\n{"label": 1}\r\n',
    ],
)
def test_a_reply_cut_short_is_no_answer(serve: Any, reply_text: bytes) -> None:
    def reply(handler: Any, _: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + reply_text)
        handler.close_connection = True

    server = serve(reply)
    assert first_answer(server.url) == Answer(None, "the connection failed")
    assert len(server.queries) == 2


def test_the_time_for_all_images(serve: Any, within: Any) -> None:
    server = serve(lambda *_: server.stop.wait(0.3) or {"label": 1})
    settings = HttpSettings(total_seconds=1, request_seconds=5)
    suspect = open_endpoint(server.url, http=settings)
    with within(10):
        answers = suspect.answer(IMAGES, PLAIN)
    suspect.close()
    assert answers[0] == Answer(1)
    assert answers[-1] == Answer(None, "not asked: the time for all images ran out")
    assert len(server.queries) < 5


def test_endless_continue_is_bounded(serve: Any, within: Any) -> None:
    def reply(handler: Any, _: Any) -> None:
        while not server.stop.is_set():
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    server = serve(reply)
    with within(10):
        assert first_answer(server.url, http=SHORT) == Answer(None, "timed out")


def test_a_dead_server_is_given_up_after_ten_images(serve: Any) -> None:
    server = serve(lambda handler, _: send(handler, b"down", 500))
    images = np.random.default_rng(1).integers(0, 256, (14, *SHAPE), dtype=np.uint8)
    suspect = open_endpoint(server.url)
    answers = suspect.answer(images, PLAIN)
    assert len(server.queries) == 10 * PATIENT.attempts
    assert [answer.problem for answer in answers[10:]] == [GONE] * 4
    assert len(suspect.records) == 10
    suspect.close()
