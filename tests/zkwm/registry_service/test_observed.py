"""Metrics, health, and log lines: what an operator reads, and what strangers do not."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3
from fastapi import FastAPI

from tests.support.running_server import running
from zkwm.registry_service.json_logs import json_logs, without_secrets
from zkwm.registry_service.metrics import Gauge, Metrics
from zkwm.registry_service.observed import Ready, observed
from zkwm_protocols.errors import CouldNotCheck

SAMPLE = re.compile(
    r'[a-z_]+(\{[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*\})? -?[0-9.e+-]+'
)


@contextmanager
def served(metrics: Metrics, ready: Ready = lambda: "") -> Iterator[str]:
    """An app with one route, watched."""
    app = FastAPI()

    @app.get("/v1/things/{name}")
    def thing(name: str) -> str:
        if name == "bad":
            raise RuntimeError("s3cret")
        return name

    with running(observed(app, metrics, ready)) as url:
        yield url


def get(url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    once = {"Connection": "close", **headers}  # the server closes it after an error
    return urllib3.request("GET", url, headers=once, retries=False, timeout=20)


def test_requests_are_counted_by_route_and_the_format_is_prometheus() -> None:
    def gauges() -> list[Gauge]:
        return [Gauge("zkwm_jobs", "Jobs.", 3, {"kind": 'a"b\\c\nd'}), Gauge("zkwm_x", "X.", 0.5)]

    def broken() -> list[Gauge]:
        raise CouldNotCheck("the database is away")

    metrics = Metrics(gauges, broken)
    with served(metrics) as url:
        for name in ("a", "b", "c"):
            assert get(f"{url}/v1/things/{name}").status == 200
        assert get(f"{url}/v1/things/bad").status == 500
        assert get(f"{url}/nothing/{'x' * 50}").status == 404
        answer = get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.data.decode().splitlines()
    assert all(line.startswith("# ") or SAMPLE.fullmatch(line) for line in lines)
    route = 'method="GET",route="/v1/things/{name}"'
    assert f'zkwm_http_requests_total{{{route},status="200"}} 3' in lines
    assert f'zkwm_http_requests_total{{{route},status="500"}} 1' in lines
    assert 'zkwm_http_requests_total{method="GET",route="other",status="404"} 1' in lines
    assert f'zkwm_http_request_seconds_bucket{{{route},le="+Inf"}} 4' in lines
    assert f"zkwm_http_request_seconds_count{{{route}}} 4" in lines
    assert 'zkwm_jobs{kind="a\\"b\\\\c\\nd"} 3' in lines
    assert len([line for line in lines if line.startswith("# TYPE zkwm_jobs ")]) == 1
    assert "xxx" not in answer.data.decode()  # nothing that a client sends is a label


def test_metrics_are_for_this_machine_alone() -> None:
    with served(Metrics()) as url:
        assert get(f"{url}/metrics").status == 200
        for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
            assert get(f"{url}/metrics", **{header: "127.0.0.1"}).status == 404


@pytest.mark.parametrize("reason", ["", "the log has stopped writing: No space on /secret/path"])
def test_ready_or_not_and_strangers_are_not_told_why(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with served(Metrics(), lambda: reason) as url:
        ready, healthy = get(f"{url}/readyz"), get(f"{url}/healthz")
    assert healthy.status == 200
    assert ready.status == (503 if reason else 200)
    assert b"/secret/path" not in ready.data
    assert not reason or reason in caplog.text


def test_a_database_that_is_away_is_not_ready() -> None:
    def away() -> str:
        raise CouldNotCheck("the database cannot be used")

    with served(Metrics(), away) as url:
        assert get(f"{url}/readyz").status == 503


def test_log_lines_are_json_without_secrets() -> None:
    secrets = [
        "zkwm_0123456789abcdef_" + "A" * 43, "whsec_" + "B" * 44, "Bearer CCCCCC",
        "postgresql://desk:DDDDDD@host/db", "password=EEEEEE", "api_key=FFFFFF",
    ]  # fmt: skip
    stream, logger = io.StringIO(), logging.getLogger("zkwm.test")
    with json_logs(stream):
        for secret in secrets:
            logger.info("it says %s", secret, extra={"fields": {"place": secret, "number": 7}})
        try:
            raise RuntimeError(secrets[0])
        except RuntimeError:
            logger.exception("it failed\n\x1b[31m")
        with served(Metrics()) as url:
            get(f"{url}/v1/things/private-name?key=GGGGGG")
    logger.info("after the end")
    lines = stream.getvalue().splitlines()
    values = [json.loads(line) for line in lines]
    assert all({"time", "level", "logger", "message"} <= set(value) for value in values)
    for hidden in ("AAAA", "BBBB", "CCCC", "DDDD", "EEEE", "FFFF", "GGGG", "private-name", "\x1b"):
        assert hidden not in stream.getvalue()
    assert (values[0]["number"], values[6]["exception"]) == (7, "RuntimeError")
    (request,) = [value for value in values if value["message"] == "request"]
    assert (request["route"], request["status"]) == ("/v1/things/{name}", 200)
    assert "zkwm_0123456789abcdef_***" in values[0]["message"]
    assert "after the end" not in stream.getvalue()


def test_what_is_no_secret_stays() -> None:
    for text in ("delivery failed: it answers 500", "https://a.example/b?c=d", "user@example"):
        assert without_secrets(text) == text
