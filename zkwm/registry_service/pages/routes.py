"""Which page there is under which path.

The pages take part in no OpenAPI: programs use ``/v1``. A path of theirs answers with a page also
where it fails; other paths only to a browser (``page_frame.error_page``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from zkwm.registry_service.pages import badge, case_pages, commitment_page, log_page, search
from zkwm.registry_service.pages.history import history
from zkwm.registry_service.pages.page_frame import NoSuchPageError, Pages, Values, tell
from zkwm.registry_service.pages.rendering import STATIC, static_file, static_path
from zkwm.registry_service.pages.responses import (
    FOR_EVER,
    NEVER,
    REPORT_POLICY,
    respond,
)
from zkwm.registry_service.pages.uploads import (
    UPLOAD_LIMIT,
    NotAFormError,
    Upload,
    read_body,
    read_upload,
)
from zkwm.registry_service.pages.view import RegistryView
from zkwm.registry_service.pages.witnesses import signers
from zkwm_protocols.errors import Malformed, ZkwmError
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.transparency.note import NOTE_LIMIT

SHOWN_NEWEST = 8
"""Entries of the log on the first page."""
_PASTED_LIMIT = 3 * NOTE_LIMIT  # percent-encoded, up to three times as long
_SVG = "image/svg+xml"


def pages_router(pages: Pages) -> APIRouter:
    """All pages, to be included in the service's app."""
    router = APIRouter(include_in_schema=False)
    _add_pages(router, pages)
    _add_files(router, pages)
    _add_forms(router, pages)
    return router


def _add_pages(router: APIRouter, pages: Pages) -> None:
    """The pages that only read."""

    def by_digest(
        template: str, values: Callable[[RegistryView, bytes], Values | None]
    ) -> Callable[[Request], Response]:
        return lambda request: pages.known(request, template, values(pages.view, _digest(request)))

    for path, answer in (
        ("/", partial(_start, pages)),
        ("/search", partial(_found, pages)),
        ("/keys/{name}", partial(_key, pages)),
        ("/log", partial(_log, pages)),
        (
            "/commitments/{name}",
            by_digest("commitment.html.j2", commitment_page.commitment_values),
        ),
        ("/models/{name}", by_digest("model.html.j2", case_pages.model_values)),
        ("/claims/{name}", by_digest("claim.html.j2", case_pages.claim_values)),
        ("/verdicts/{name}", by_digest("verdict.html.j2", case_pages.verdict_values)),
    ):
        _add(router, pages, path, answer)


def _start(pages: Pages, request: Request) -> Response:
    """Search, the log in short, its newest entries."""
    view, state = pages.view, pages.view.log_state()
    signed = [one for one in signers(state, state.witnessed or state.checkpoint) if one.witness]
    values = {
        "here": "start",
        "state": state,
        "witnesses": len({one.name for one in signed}),
        "cosigned": max((one.time for one in signed if one.time is not None), default=None),
        "newest": history(view, view.newest(SHOWN_NEWEST)),
    }
    return pages.page(request, "start.html.j2", values)


def _found(pages: Pages, request: Request) -> Response:
    """What a visitor looks for."""
    text = request.query_params.get("q", "")[: search.LONGEST_QUERY]
    query = search.read_query(text)
    values = {
        "here": "search",
        "query": text,
        "kind": query.kind,
        "value": query.value,
        "found": search.search(pages.view, query),
    }
    return pages.page(request, "search.html.j2", values)


def _key(pages: Pages, request: Request) -> Response:
    """A key."""
    try:
        fingerprint = require_fingerprint(request.path_params["name"])
    except Malformed:
        return pages.known(request, "key.html.j2", None)
    values = commitment_page.key_values(pages.view, fingerprint)
    return pages.known(request, "key.html.j2", values)


def _log(pages: Pages, request: Request) -> Response:
    """The log."""
    return pages.page(request, "log.html.j2", {"here": "log", **log_page.log_values(pages.view)})


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
    ):
        _add(router, pages, path, answer)
    _add(router, pages, "/static/{digest}/{name}", static, counted=False)


def _add_forms(router: APIRouter, pages: Pages) -> None:
    """What takes a file or a text, reads it and forgets it."""
    megabytes = UPLOAD_LIMIT // 2**20

    def empty(request: Request) -> Response:
        values = {"here": "verify", "reading": None, "problem": "", "limit": megabytes}
        return pages.page(request, "verify.html.j2", values, scripted=True)

    async def verify(request: Request, visitor: str) -> Response:
        with pages.visitors.sending(visitor):
            upload = await read_upload(request.headers.get("content-type", ""), request.stream())
        with pages.reading():
            return await pages.visitors.run(read, request, upload)

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

    async def compare(request: Request, visitor: str) -> Response:
        with pages.visitors.sending(visitor):
            body = await read_body(request.stream(), _PASTED_LIMIT)
        try:
            fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=2)
        except ValueError:
            raise NotAFormError("expected a form with one text") from None
        pasted = fields.get("checkpoint", [""])[0]
        return await pages.visitors.run(compared, request, pasted)

    def compared(request: Request, pasted: str) -> Response:
        values = log_page.log_values(pages.view)
        values |= {"here": "log", "pasted": pasted}
        values["comparison"] = log_page.compare(pages.view, pasted)
        return pages.page(request, "log.html.j2", values, cache=NEVER)

    _add(router, pages, "/verify", empty)
    for path, answer in (("/verify", verify), ("/log/compare", compare)):
        router.add_api_route(path, _told_later(pages, answer), methods=["POST"])


def _add(
    router: APIRouter,
    pages: Pages,
    path: str,
    answer: Callable[[Request], Response],
    *,
    counted: bool = True,
) -> None:
    """A page under a path, ``counted`` among those of its visitor; errors are told as a page."""

    async def told(request: Request) -> Response:
        try:
            if counted:
                await pages.visitors.admit(request.scope)
            return await pages.visitors.run(answer, request)
        except ZkwmError as error:
            return tell(request, pages, error)

    router.add_api_route(path, told, methods=["GET", "HEAD"])


def _told_later(
    pages: Pages, answer: Callable[[Request, str], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """The same for what awaits a body, and is told whose it is."""

    async def told(request: Request) -> Response:
        try:
            return await answer(request, await pages.visitors.admit(request.scope))
        except (ZkwmError, TimeoutError) as error:
            return tell(request, pages, error)
        except ClientDisconnect:
            return Response(status_code=400)

    return told


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
