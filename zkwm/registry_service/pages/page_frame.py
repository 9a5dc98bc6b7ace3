"""The frame of every page, and how a page tells an error.

A page names the registry, and the log as it was when the page was made: printed, it stays true.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from zkwm.registry_service.pages.file_reading import read_file
from zkwm.registry_service.pages.rendering import render
from zkwm.registry_service.pages.responses import NEVER, respond, wants_page
from zkwm.registry_service.pages.uploads import TooLargeError, Upload
from zkwm.registry_service.pages.view import MOST_ROWS, RegistryView
from zkwm_protocols.errors import CouldNotCheck, UsageError, ZkwmError

READINGS_AT_ONCE = 2
"""Uploads that are read at a time; one may take seconds and some hundred MiB."""

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


class Pages:
    """The pages of one registry."""

    def __init__(self, view: RegistryView, settings: PagesSettings) -> None:
        self.view = view
        self.settings = settings
        self.readings = threading.BoundedSemaphore(READINGS_AT_ONCE)

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

    def read(self, upload: Upload) -> Values:
        """What an upload says. Raises CouldNotCheck while too many are read."""
        if not self.readings.acquire(blocking=False):
            raise CouldNotCheck(
                "too many files are being read now", hint="try again in some seconds"
            )
        try:
            reading, found = read_file(self.view, upload)
        except ZkwmError as error:
            return {"reading": None, "problem": error.message, "hint": error.hint}
        finally:
            self.readings.release()
        return {"reading": reading, "found": found, "problem": ""}


def error_page(
    request: Request, pages: Pages, status: int, detail: str, hint: str = ""
) -> Response | None:
    """An error as a page where a browser asks for one; None where a program does."""
    return error_of(request, pages.settings, status, detail, hint) if wants_page(request) else None


def tell(request: Request, pages: Pages, error: Exception) -> Response:
    """An error as a page."""
    if isinstance(error, NoSuchPageError):
        status = 404
    elif isinstance(error, TooLargeError):
        status = 413
    else:
        status = 503 if type(error) in (CouldNotCheck, UsageError) else 400
    if not isinstance(error, ZkwmError):
        return error_of(request, pages.settings, status, "the form cannot be read", "")
    return error_of(request, pages.settings, status, error.message, error.hint)


def error_of(
    request: Request, settings: PagesSettings, status: int, detail: str, hint: str
) -> Response:
    """A page about an error; it reads nothing, since that may be what failed."""
    html = render(
        "error.html.j2",
        registry=settings.name, address="", path="", here="", head=None, origin="", most=0,
        status=status, title=HTTPStatus(status).phrase, detail=detail, hint=hint,
    )  # fmt: skip
    return respond(request, html, status=status, cache=NEVER)
