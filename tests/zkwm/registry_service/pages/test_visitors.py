"""Many visitors: one address has a rate, and pages never take the threads of the API."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from itertools import islice
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from tests.support.filled_registry import FilledRegistry
from tests.support.running_server import running
from zkwm.registry_service.pages.page_frame import Pages, PagesSettings
from zkwm.registry_service.pages.rendering import static_path
from zkwm.registry_service.pages.routes import pages_router
from zkwm.registry_service.pages.view import LogState
from zkwm.registry_service.pages.visitors import MOST_SENDING_OF_ONE, MOST_WAITING, Visitors
from zkwm.transparency_log.admission import by_address

PROXY = "127.0.0.1"


@pytest.fixture(params=[3])
def url(registry: FilledRegistry, request: pytest.FixtureRequest) -> Iterator[str]:
    """The pages, where each address has so many a minute, behind a web server; and an API."""
    app = FastAPI(openapi_url=None)
    visitors = Visitors(by_address([PROXY]), request.param)
    app.include_router(pages_router(Pages(registry, PagesSettings(), visitors)))

    @app.get("/v1/api")
    def api() -> str:
        return "answered"

    with running(app) as address:
        yield address


def status(url: str, path: str, **headers: str) -> tuple[int, str]:
    """The status of an answer, and after how many seconds to come again."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=40)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=names)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("retry-after", "")


def test_an_address_has_a_rate_and_the_next_one_its_own(url: str) -> None:
    first, second = {"X_Forwarded_For": "192.0.2.1"}, {"X_Forwarded_For": "192.0.2.1, 192.0.2.2"}
    assert [status(url, "/verify", **first)[0] for _ in range(4)] == [200, 200, 200, 429]
    assert 1 <= int(status(url, "/log", **first)[1]) <= 20
    assert status(url, static_path("pages.css"), **first)[0] == 200
    assert status(url, "/v1/api", **first)[0] == 200
    assert status(url, "/verify", **second)[0] == 200


@pytest.mark.parametrize("url", [1000], indirect=True)
def test_slow_pages_leave_the_api_its_threads(
    url: str, registry: FilledRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is read only once this test lets it be."""
    go_on, state = threading.Event(), registry.log_state()

    def slowly() -> LogState:
        assert go_on.wait(30)
        return state

    monkeypatch.setattr(registry, "log_state", slowly)
    with ThreadPoolExecutor(MOST_WAITING + 10) as many:
        try:
            asked = [many.submit(status, url, "/log") for _ in range(MOST_WAITING + 10)]
            refused = islice(as_completed(asked, timeout=30), 10)
            assert [one.result()[0] for one in refused] == [503] * 10
            assert status(url, "/v1/api")[0] == 200
        finally:
            go_on.set()
        assert sorted(one.result()[0] for one in asked) == [200] * MOST_WAITING + [503] * 10


@pytest.mark.parametrize("url", [1000], indirect=True)
def test_slow_senders_hold_nobody_elses_turn(url: str) -> None:
    """Two bodies of one address that do not end: a third waits for them, another address not."""
    place, body = urlsplit(url), "checkpoint=x"
    head = (
        "POST /log/compare HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {}\r\n"
        f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with ExitStack() as stack:

        def send(address: str, text: str) -> socket.socket:
            made = socket.create_connection((place.hostname, place.port), timeout=20)
            stack.callback(made.close)
            made.sendall((head.format(address) + text).encode())
            return made

        slow = [send("192.0.2.1", body[:-1]) for _ in range(MOST_SENDING_OF_ONE)]
        until = time.monotonic() + 20
        while not send("192.0.2.1", body).recv(12).endswith(b"503"):
            assert time.monotonic() < until
        assert send("192.0.2.2", body).recv(12).endswith(b"200")
        for one in slow:
            one.sendall(body[-1:].encode())
            assert one.recv(12).endswith(b"200")
        assert send("192.0.2.1", body).recv(12).endswith(b"200")
