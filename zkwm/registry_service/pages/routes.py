"""Which page there is under which path, and how a page tells an error.

The pages take part in no OpenAPI: programs use ``/v1``. A path of theirs answers with a page also
where it fails; other paths only to a browser (``error_page``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from zkwm.registry_service.pages import badge, case_pages, commitment_page, log_page, search
from zkwm.registry_service.pages.file_reading import read_file
from zkwm.registry_service.pages.history import history
from zkwm.registry_service.pages.rendering import STATIC, render, static_file, static_path
from zkwm.registry_service.pages.responses import (
    FOR_EVER,
    NEVER,
    REPORT_POLICY,
    respond,
    wants_page,
)
from zkwm.registry_service.pages.uploads import (
    UPLOAD_LIMIT,
    TooLargeError,
    Upload,
    read_body,
    read_upload,
)
from zkwm.registry_service.pages.view import MOST_ROWS, RegistryView
from zkwm.registry_service.pages.witnesses import signers
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, ZkwmError
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.transparency.note import NOTE_LIMIT

READINGS_AT_ONCE = 2
"""Uploads that are read at a time; one may take seconds and some hundred MiB."""
_PASTED_LIMIT = 3 * NOTE_LIMIT  # percent-encoded, up to three times as long
_SVG = "image/svg+xml"

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
    return _error(request, pages.settings, status, detail, hint) if wants_page(request) else None


def pages_router(pages: Pages) -> APIRouter:
    """All pages, to be included in the service's app."""
    router = APIRouter(include_in_schema=False)
    _add_pages(router, pages)
    _add_files(router, pages)
    _add_forms(router, pages)
    return router


def _add_pages(router: APIRouter, pages: Pages) -> None:
    """The pages that only read."""
    view = pages.view

    def start(request: Request) -> Response:
        state = view.log_state()
        signed = [one for one in signers(state, state.witnessed or state.checkpoint) if one.witness]
        times = [one.time for one in signed if one.time is not None]
        return pages.page(request, "start.html.j2", {
            "here": "start",
            "state": state,
            "witnesses": len({one.name for one in signed}),
            "cosigned": max(times, default=None),
            "newest": history(view, view.newest(8)),
        })  # fmt: skip

    def found(request: Request) -> Response:
        text = request.query_params.get("q", "")[: search.LONGEST_QUERY]
        query = search.read_query(text)
        return pages.page(request, "search.html.j2", {
            "here": "search",
            "query": text,
            "kind": query.kind,
            "value": query.value,
            "found": search.search(view, query),
        })  # fmt: skip

    def key(request: Request) -> Response:
        try:
            fingerprint = require_fingerprint(request.path_params["name"])
        except Malformed:
            return pages.known(request, "key.html.j2", None)
        return pages.known(request, "key.html.j2", commitment_page.key_values(view, fingerprint))

    def log(request: Request) -> Response:
        values = log_page.log_values(view)
        return pages.page(request, "log.html.j2", {"here": "log", **values})

    def by_digest(
        template: str, values: Callable[[RegistryView, bytes], Values | None]
    ) -> Callable[[Request], Response]:
        return lambda request: pages.known(request, template, values(view, _digest(request)))

    for path, answer in (
        ("/", start),
        ("/search", found),
        ("/keys/{name}", key),
        ("/log", log),
        (
            "/commitments/{name}",
            by_digest("commitment.html.j2", commitment_page.commitment_values),
        ),
        ("/models/{name}", by_digest("model.html.j2", case_pages.model_values)),
        ("/claims/{name}", by_digest("claim.html.j2", case_pages.claim_values)),
        ("/verdicts/{name}", by_digest("verdict.html.j2", case_pages.verdict_values)),
    ):
        _add(router, pages, path, answer)


def _add_files(router: APIRouter, pages: Pages) -> None:
    """Badges, reports, files to download, and what pages load."""
    view = pages.view

    def picture(
        make: Callable[[RegistryView, bytes], badge.Badge],
    ) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            made = make(view, _digest(request))
            cache = f"public, max-age={badge.SECONDS}"
            status = 200 if made.known else 404
            return respond(request, badge.badge_svg(made), _SVG, status=status, cache=cache)

        return answer

    def report(request: Request) -> Response:
        kept = view.verdict(_digest(request))
        made = None if kept is None else case_pages.report_of(kept)
        if made is None:
            return pages.known(request, "verdict.html.j2", None)
        return respond(request, made, policy=REPORT_POLICY)

    def verdict_file(request: Request) -> Response:
        kept = view.verdict(_digest(request))
        return _download(request, pages, None if kept is None else kept.file, "verdict")

    def commitment_file(request: Request) -> Response:
        kept = view.commitment(_digest(request))
        data = None if kept is None else kept.commitment.to_bytes()
        return _download(request, pages, data, "commitment")

    def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC or request.url.path != static_path(name):
            return pages.known(request, "error.html.j2", None)
        return respond(request, static_file(name), STATIC[name], cache=FOR_EVER)

    for path, answer in (
        ("/commitments/{name}/badge.svg", picture(badge.commitment_badge)),
        ("/verdicts/{name}/badge.svg", picture(badge.verdict_badge)),
        ("/verdicts/{name}/report", report),
        ("/verdicts/{name}/file", verdict_file),
        ("/commitments/{name}/file", commitment_file),
        ("/static/{digest}/{name}", static),
    ):
        _add(router, pages, path, answer)


def _add_forms(router: APIRouter, pages: Pages) -> None:
    """What takes a file or a text, reads it and forgets it."""
    megabytes = UPLOAD_LIMIT // 2**20

    def empty(request: Request) -> Response:
        values = {"here": "verify", "reading": None, "problem": "", "limit": megabytes}
        return pages.page(request, "verify.html.j2", values, scripted=True)

    async def verify(request: Request) -> Response:
        upload = await read_upload(request.headers.get("content-type", ""), request.stream())
        return await run_in_threadpool(read, request, upload)

    def read(request: Request, upload: Upload) -> Response:
        values = {
            "here": "verify",
            "limit": megabytes,
            "name": upload.name or "a file without a name",
            "size": len(upload.content),
            "sha256": search.sha256_of(upload.content),
            **pages.read(upload),
        }
        status = 200 if values["reading"] else 422
        options = {"status": status, "cache": NEVER, "scripted": True}
        return pages.page(request, "verify.html.j2", values, **options)

    async def compare(request: Request) -> Response:
        body = await read_body(request.stream(), _PASTED_LIMIT)
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=2)
        return await run_in_threadpool(compared, request, fields.get("checkpoint", [""])[0])

    def compared(request: Request, pasted: str) -> Response:
        values = log_page.log_values(pages.view)
        values |= {"here": "log", "pasted": pasted}
        values["comparison"] = log_page.compare(pages.view, pasted)
        return pages.page(request, "log.html.j2", values, cache=NEVER)

    _add(router, pages, "/verify", empty)
    for path, answer in (("/verify", verify), ("/log/compare", compare)):
        router.add_api_route(path, _told_later(pages, answer), methods=["POST"])


def _add(router: APIRouter, pages: Pages, path: str, answer: Callable[[Request], Response]) -> None:
    """A page under a path; errors are told as a page."""

    def told(request: Request) -> Response:
        try:
            return answer(request)
        except ZkwmError as error:
            return _told(request, pages, error)

    router.add_api_route(path, told, methods=["GET", "HEAD"])


def _told_later(pages: Pages, answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """The same for what awaits a body."""

    async def told(request: Request) -> Response:
        try:
            response: Response = await answer(request)
        except (ZkwmError, ValueError) as error:
            return _told(request, pages, error)
        except ClientDisconnect:
            return Response(status_code=400)
        return response

    return told


def _told(request: Request, pages: Pages, error: Exception) -> Response:
    """An error as a page."""
    if isinstance(error, NoSuchPageError):
        status = 404
    elif isinstance(error, TooLargeError):
        status = 413
    else:
        status = 503 if type(error) in (CouldNotCheck, UsageError) else 400
    if not isinstance(error, ZkwmError):
        return _error(request, pages.settings, status, "the form cannot be read", "")
    return _error(request, pages.settings, status, error.message, error.hint)


def _error(
    request: Request, settings: PagesSettings, status: int, detail: str, hint: str
) -> Response:
    """A page about an error; it reads nothing, since that may be what failed."""
    html = render(
        "error.html.j2",
        registry=settings.name, address="", path="", here="", head=None, origin="", most=0,
        status=status, title=HTTPStatus(status).phrase, detail=detail, hint=hint,
    )  # fmt: skip
    return respond(request, html, status=status, cache=NEVER)


def _digest(request: Request) -> bytes:
    """The digest in a path. Raises NoSuchPageError for anything but 64 small digits."""
    name = request.path_params["name"]
    if search.read_query(name) != search.Query("digest", name):
        raise NoSuchPageError(
            "this address has no whole digest in it", hint="a digest has 64 digits"
        )
    return bytes.fromhex(name)


def _download(request: Request, pages: Pages, data: bytes | None, kind: str) -> Response:
    """A file, as an attachment under its digest's name."""
    if data is None:
        return pages.known(request, "error.html.j2", None)
    response = respond(request, data, "application/octet-stream")
    name = f"{request.path_params['name'][:16]}.{kind}"
    response.headers["content-disposition"] = f'attachment; filename="{name}"'
    return response
