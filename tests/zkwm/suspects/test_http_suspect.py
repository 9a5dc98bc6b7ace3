"""Endpoints on 127.0.0.1: the protocol, retries, records, and changing answers."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from itertools import count
from typing import Any

import numpy as np
import pytest

from tests.support.http_endpoint import IMAGES, PLAIN, first_answer, open_endpoint, send
from tests.support.onnx_case import unusable
from zkwm.suspects import Answer, HttpSettings
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def pixels(query: dict[str, Any]) -> list[int]:
    return list(base64.b64decode(query["image"]))


def test_scores_and_the_protocol(serve: Any) -> None:
    server = serve(lambda _, query: {"scores": pixels(query)})
    suspect = open_endpoint(server.url, outputs=None, headers={"Authorization": "Bearer s3cret"})
    seen: list[tuple[int, int]] = []
    answers = suspect.answer(IMAGES, PLAIN, progress=lambda done, of: seen.append((done, of)))
    suspect.close()
    assert answers == tuple(Answer(int(image.argmax())) for image in IMAGES)
    assert seen[-1] == (6, 6)
    assert suspect.remote
    assert suspect.identity.kind == "http"
    assert suspect.identity.outputs == 4
    assert suspect.identity.description == server.url
    expected = hashlib.sha256(b"zkwm-endpoint-1" + server.url.encode()).digest()
    assert suspect.identity.digest == expected
    assert len(server.queries) == 7
    assert server.queries[0]["image"] == base64.b64encode(bytes([128] * 4)).decode()
    assert server.queries[1] == {
        "schema": "zkwm/query/v1",
        "shape": [1, 2, 2],
        "image": base64.b64encode(IMAGES[0].tobytes()).decode(),
    }
    for headers in server.headers:
        assert headers["Authorization"] == "Bearer s3cret"
        assert headers["Content-Type"] == "application/json"
        assert headers["User-Agent"] == "zkwm"
    assert "s3cret" not in repr(suspect) + repr(suspect.records) + repr(vars(suspect))


def test_the_url_is_asked_unchanged(serve: Any) -> None:
    server = serve(lambda _, query: {"label": 1})
    assert first_answer(server.url + "?version=2&x=%20") == Answer(1)
    assert first_answer(server.url.removesuffix("/ask")) == Answer(1)
    assert server.targets == ["/ask?version=2&x=%20", "/"]


def test_labels_need_the_number_of_outputs(serve: Any) -> None:
    server = serve(lambda _, query: {"label": pixels(query)[0] % 4})
    with unusable("labels") as caught:
        open_endpoint(server.url, outputs=None)
    assert "number of its outputs" in caught.value.hint
    suspect = open_endpoint(server.url)
    assert len(server.queries) == 1, "nothing is asked when the number is given"
    expected = tuple(Answer(int(image[0, 0, 0]) % 4) for image in IMAGES)
    assert suspect.answer(IMAGES, PLAIN) == expected
    suspect.close()


def test_records(serve: Any) -> None:
    server = serve(lambda _, query: {"scores": [0, 1, 0, 0]} if pixels(query)[0] else b"garbage")
    suspect = open_endpoint(server.url)
    images = IMAGES[:2].copy()
    images[:, 0, 0, 0] = (7, 0)
    answers = suspect.answer(images, PLAIN)
    suspect.close()
    assert answers == (Answer(1), Answer(None, "its reply is not the JSON of the protocol"))
    assert [record.answer for record in suspect.records] == list(answers)
    for image, record in zip(images, suspect.records, strict=True):
        assert record.image_digest == hashlib.sha256(image.tobytes()).digest()
        assert record.attempts == 1
        assert 0 <= record.seconds < 5


def test_a_suspect_that_changes_its_answers_is_asked_once(serve: Any) -> None:
    numbers = count()
    server = serve(lambda *_: {"label": next(numbers) % 4})
    suspect = open_endpoint(server.url)
    twice = np.concatenate([IMAGES[:1], IMAGES[1:2], IMAGES[:1]])
    assert suspect.answer(twice, PLAIN) == (Answer(0), Answer(1), Answer(0))
    assert suspect.answer(IMAGES[:1], PLAIN) == (Answer(0),)
    assert len(server.queries) == len(suspect.records) == 2
    suspect.close()


def test_a_number_of_outputs_that_changes(serve: Any) -> None:
    numbers = count(4)
    server = serve(lambda *_: {"scores": [0] * next(numbers)})
    suspect = open_endpoint(server.url, outputs=None)
    assert suspect.answer(IMAGES[:1], PLAIN) == (Answer(None, "5 outputs instead of 4"),)
    suspect.close()


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_passing_failure_is_retried(serve: Any, status: int) -> None:
    numbers = count()

    def reply(handler: Any, _: Any) -> Any:
        if next(numbers) == 0:
            return send(handler, b"wait", status)
        return {"label": 3}

    server = serve(reply)
    suspect = open_endpoint(server.url)
    assert suspect.answer(IMAGES[:2], PLAIN) == (Answer(3), Answer(3))
    assert [record.attempts for record in suspect.records] == [2, 1]
    suspect.close()


def test_a_lasting_failure_is_given_up(serve: Any) -> None:
    server = serve(lambda handler, _: send(handler, b"", 500))
    assert first_answer(server.url) == Answer(None, "HTTP 500")
    assert len(server.queries) == 2
    with unusable("HTTP 500") as caught:
        open_endpoint(server.url, outputs=None)
    assert caught.value.check == "suspect.answers"


def test_retry_after_is_respected(serve: Any) -> None:
    numbers = count()

    def reply(handler: Any, _: Any) -> Any:
        if next(numbers) == 0:
            return send(handler, b"", 429, Retry_After="1")
        return {"label": 3}

    server = serve(reply)
    suspect = open_endpoint(server.url)
    assert suspect.answer(IMAGES[:1], PLAIN) == (Answer(3),)
    assert suspect.records[0].seconds >= 1
    suspect.close()


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (302, "it redirects (HTTP 302), which is not followed"),
        (307, "it redirects (HTTP 307), which is not followed"),
        (204, "HTTP 204"),
        (401, "HTTP 401"),
        (404, "HTTP 404"),
    ],
)
def test_other_replies_are_final(serve: Any, status: int, problem: str) -> None:
    server = serve(lambda handler, _: send(handler, b"", status, Location="/other"))
    assert first_answer(server.url) == Answer(None, problem)
    assert server.targets == ["/ask"]


def test_a_connection_that_breaks_is_retried(serve: Any) -> None:
    numbers = count()

    def reply(handler: Any, _: Any) -> Any:
        if next(numbers) == 1:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return None
        return {"label": 2}

    server = serve(reply)
    suspect = open_endpoint(server.url)
    assert suspect.answer(IMAGES[:3], PLAIN) == (Answer(2),) * 3
    assert [record.attempts for record in suspect.records] == [1, 2, 1]
    suspect.close()


def test_a_slow_server_within_the_limit(serve: Any) -> None:
    server = serve(lambda *_: server.stop.wait(0.1) or {"label": 1})
    assert first_answer(server.url) == Answer(1)


@pytest.mark.parametrize("chunked", [False, True])
def test_the_connection_is_kept(serve: Any, chunked: bool) -> None:
    ports = set()

    def reply(handler: Any, _: Any) -> Any:
        ports.add(handler.client_address)
        if not chunked:
            return {"label": 1}
        text = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"lab\r\n'
        return handler.wfile.write(text + b'7\r\nel": 1}\r\n0\r\n\r\n') and None

    suspect = open_endpoint(serve(reply).url)
    assert suspect.answer(IMAGES, PLAIN) == (Answer(1),) * 6
    assert [record.attempts for record in suspect.records] == [1] * 6
    assert len(ports) == 1
    suspect.close()


def test_the_rate_is_kept(serve: Any) -> None:
    server = serve(lambda *_: {"label": 1})
    suspect = open_endpoint(server.url, http=HttpSettings(requests_per_second=20))
    assert suspect.answer(IMAGES, PLAIN) == (Answer(1),) * 6
    assert sum(record.seconds for record in suspect.records) >= 5 / 20 - 0.01
    suspect.close()


def test_preprocessing_belongs_to_the_endpoint(serve: Any) -> None:
    server = serve(lambda *_: {"label": 1})
    suspect = open_endpoint(server.url)
    for rule in (
        Preprocessing(scale="raw"),
        Preprocessing(layout="nhwc"),
        Preprocessing(mean=("0.5",), std=("0.5",)),
    ):
        with unusable("own preprocessing"):
            suspect.answer(IMAGES, rule)
    with pytest.raises(UsageError, match="shape"):
        suspect.answer(IMAGES[:, 0], PLAIN)
    assert not server.queries


def test_no_proxy_from_the_environment(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    assert first_answer(serve(lambda *_: {"label": 1}).url) == Answer(1)


def test_no_secret_in_the_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    server = serve(lambda handler, _: send(handler, b"", 401))
    first_answer(server.url, headers={"X-Key": "s3cret"})
    assert "s3cret" not in caplog.text


def test_one_request_at_a_time_leaves_no_thread_behind(serve: Any) -> None:
    server = serve(lambda *_: {"label": 1})
    suspect = open_endpoint(server.url)
    suspect.answer(IMAGES, PLAIN)
    suspect.close()
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
