"""A filled registry and its pages on a server in this process."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import pytest
from fastapi import FastAPI

from tests.support.filled_registry import FilledRegistry
from tests.support.running_server import running
from zkwm.registry_service.pages.page_frame import Pages, PagesSettings, tell_browsers
from zkwm.registry_service.pages.routes import pages_router
from zkwm.registry_service.pages.visitors import Visitors
from zkwm.transparency_log.problem_details import add_problem_details

ADDRESS = "https://registry.example"


@dataclass
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


Get = Callable[..., Got]


@pytest.fixture(scope="session")
def registry() -> FilledRegistry:
    return FilledRegistry()


@pytest.fixture(scope="session")
def url(registry: FilledRegistry) -> Iterator[str]:
    app = FastAPI(openapi_url=None)
    pages = Pages(registry, PagesSettings("Registry <b>", ADDRESS), Visitors(per_minute=10**6))
    app.include_router(pages_router(pages))
    add_problem_details(app)
    tell_browsers(app, pages)
    with running(app) as address:
        yield address


@pytest.fixture
def get(url: str) -> Iterator[Get]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def ask(path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Got:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        verb = method or ("GET" if body is None else "POST")
        connection.request(verb, quote(path, safe="/?=&#%"), body, named)
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        return Got(answer.status, lower, answer.read())

    yield ask
    connection.close()


def form(content: bytes, name: str = "file") -> tuple[bytes, str]:
    """The body of the upload form and its content type."""
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    body = b"--X\r\n" + head.encode() + b"\r\nContent-Type: application/octet-stream\r\n\r\n"
    return body + content + b"\r\n--X--\r\n", "multipart/form-data; boundary=X"
