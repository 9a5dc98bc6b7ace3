"""The frame of every page, and how a page tells an error.

A page names the registry, and the log as it was when the page was made: printed, it stays true.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response

from zkwm.registry_service.pages.file_reading import read_file
from zkwm.registry_service.pages.rendering import render
from zkwm.registry_service.pages.responses import NEVER, respond, wants_page
from zkwm.registry_service.pages.uploads import NotAFormError, TooLargeError, Upload
from zkwm.registry_service.pages.view import MOST_ROWS, RegistryView
from zkwm.registry_service.pages.visitors import BusyError, TooOftenError, Visitors
from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing, UsageError, ZkwmError

READINGS_AT_ONCE = 4
"""Uploads that are read at a time; one may take seconds and some hundred MiB."""
_LOGGER = logging.getLogger(__name__)

Values = dict[str, Any]


@dataclass(frozen=True)
class PagesSettings:
    """What the operator says of the service: its name, and its own address or nothing.

    The address, such as ``https://registry.example``, stands in badges and on paper. It is never
    taken from a request, whose sender could choose it.
    """

    name: str = "zkwm registry"
    address: str = ""


class NoSuchPageError(UsageError):
    """Nothing is known under this path."""


_TOLD: dict[type[ZkwmError], int] = {
    NoSuchPageError: 404,
    TooLargeError: 413,
    NotAFormError: 400,
    TooOftenError: 429,
    BusyError: 503,
}
_OPERATORS = (CouldNotCheck, UsageError, TrustMaterialMissing)
"""Errors, exactly of these types, that may name files or addresses of the service."""


class Pages:
    """The pages of one registry."""

    def __init__(
        self, view: RegistryView, settings: PagesSettings, visitors: Visitors | None = None
    ) -> None:
        self.view = view
        self.settings = settings
        self.visitors = visitors or Visitors()
        self._readings = threading.BoundedSemaphore(READINGS_AT_ONCE)

    def page(self, request: Request, template: str, values: Values, **options: Any) -> Response:  # noqa: ANN401
        """A page with its frame: the registry's name, and the log when it was made."""
        checkpoint = self.view.log_state().checkpoint.checkpoint
        frame = {
            "registry": self.settings.name,
            "address": self.settings.address.rstrip("/"),
            "path": request.url.path if request.method in ("GET", "HEAD") else "",
            "here": "",
            "head": checkpoint.head,
            "origin": checkpoint.origin,
            "most": MOST_ROWS,
        }
        return respond(request, render(template, **{**frame, **values}), **options)

    def known(self, request: Request, template: str, values: Values | None) -> Response:
        """A page about something. Raises NoSuchPageError where nothing is known of it."""
        if values is None:
            raise NoSuchPageError(
                "the registry knows nothing under this address",
                hint="look for the whole digest or fingerprint; it may be registered elsewhere",
            )
        return self.page(request, template, values)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read an upload. Raises BusyError where too many others are read."""
        if not self._readings.acquire(blocking=False):
            raise BusyError("too many files are being read now", hint="try again in some seconds")
        try:
            yield
        finally:
            self._readings.release()

    def read(self, upload: Upload) -> Values:
        """What an upload says, or why it cannot be read."""
        try:
            reading, found = read_file(self.view, upload)
        except ZkwmError as error:
            if type(error) in _OPERATORS:
                raise
            return {"reading": None, "problem": error.message, "hint": error.hint}
        return {"reading": reading, "found": found, "problem": ""}


def error_page(
    request: Request, pages: Pages, status: int, detail: str, hint: str = ""
) -> Response | None:
    """An error as a page where a browser asks for one; None where a program does."""
    return error_of(request, pages.settings, status, detail, hint) if wants_page(request) else None


def tell(request: Request, pages: Pages, error: Exception) -> Response:
    """An error as a page.

    What visitors did is told in full. The rest may name files, and is the operator's: they read it
    in the service's log.
    """
    settings = pages.settings
    if isinstance(error, TimeoutError):
        return error_of(request, settings, 408, "what was sent did not come in time", "")
    if isinstance(error, ZkwmError):
        for kind, status in _TOLD.items():
            if isinstance(error, kind):
                page = error_of(request, settings, status, error.message, error.hint)
                if isinstance(error, TooOftenError):
                    page.headers["retry-after"] = str(error.retry_seconds)
                return page
        _LOGGER.warning("a page could not be made: %s", error.message)
    hint = "try again later; the operator sees why"
    return error_of(request, settings, 503, "this cannot be shown now", hint)


def error_of(
    request: Request, settings: PagesSettings, status: int, detail: str, hint: str
) -> Response:
    """A page about an error; it reads nothing, since that may be what failed."""
    if detail == HTTPStatus.NOT_FOUND.phrase:  # a path that the service has nothing under
        detail = "there is no page with this address"
    html = render(
        "error.html.j2",
        registry=settings.name, address="", path="", here="", head=None, origin="", most=0,
        status=status, title=HTTPStatus(status).phrase, detail=detail, hint=hint,
    )  # fmt: skip
    return respond(request, html, status=status, cache=NEVER)


def tell_browsers(app: FastAPI, pages: Pages) -> None:
    """Let every error that an app tells as problem details (RFC 9457) be a page in a browser."""
    for kind, handler in list(app.exception_handlers.items()):
        app.exception_handlers[kind] = partial(_told_browser, pages, handler)


async def _told_browser(pages: Pages, handler: Any, request: Request, error: Exception) -> Response:  # noqa: ANN401
    """What a handler answers, as a page where a browser asks and it is problem details."""
    answer: Response = await handler(request, error)
    if answer.media_type != "application/problem+json":
        return answer
    told = json.loads(bytes(answer.body))
    page = error_page(request, pages, told["status"], told["detail"], told.get("hint", ""))
    for name in ("www-authenticate", "retry-after", "allow"):
        if page is not None and name in answer.headers:
            page.headers[name] = answer.headers[name]
    return answer if page is None else page
