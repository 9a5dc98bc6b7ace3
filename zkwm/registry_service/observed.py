"""An app that is watched: requests counted and logged, ``/healthz``, ``/readyz``, ``/metrics``.

``/healthz`` says that the process answers, ``/readyz`` that it takes entries and reads its
database. ``/metrics`` is for this machine alone: neither for another address nor through a web
server before this one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable

from zkwm.registry_service.metrics import CONTENT_TYPE, Metrics
from zkwm.transparency_log.http_server import App, Message, Receive, Reply, Send, problem
from zkwm.transparency_log.log_service import LogService
from zkwm_protocols.errors import CouldNotCheck

Ready = Callable[[], str]
"""Why the registry cannot work now, in words for its operator; empty if it can."""
_FILES = {"checkpoint": "/checkpoint", "tile": "/tile"}
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
_FORWARDED = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")
_NO_STORE = ((b"cache-control", b"no-store"),)
_LOGGER = logging.getLogger(__name__)


def observed(app: App, metrics: Metrics, ready: Ready) -> App:
    """``app``, counted and logged, with the three answers for operators."""

    async def watched(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            reply = await _answer(scope, metrics, ready)
            if reply is None:
                await app(scope, receive, noted)
            else:
                await reply.send(noted)
        finally:
            _note(scope, metrics, status, time.perf_counter() - begun)

    return watched


def not_writing(service: LogService) -> str:
    """Why a log takes no entries; empty if it does."""
    return service.log.stopped or service.log.held


async def _answer(scope: Message, metrics: Metrics, ready: Ready) -> Reply | None:
    """The answer of one of the three, None for every other path."""
    path = scope["path"]
    if path not in ("/healthz", "/readyz", "/metrics"):
        return None
    if scope["method"] not in ("GET", "HEAD"):
        return problem(405, "this is only read")
    if path == "/healthz":
        return Reply(200, b"ok\n", "text/plain; charset=utf-8", _NO_STORE)
    if path == "/readyz":
        return await asyncio.to_thread(_readiness, ready)
    if not _is_here(scope):
        return problem(404, "there is nothing here")
    content = await asyncio.to_thread(metrics.render)
    return Reply(200, content, CONTENT_TYPE, _NO_STORE)


def _readiness(ready: Ready) -> Reply:
    """Whether the registry can work; strangers are not told why not."""
    try:
        reason = ready()
    except CouldNotCheck as error:
        reason = error.message
    if not reason:
        return Reply(200, b"ready\n", "text/plain; charset=utf-8", _NO_STORE)
    _LOGGER.warning("not ready: %s", reason)
    return problem(503, "this registry takes nothing now", "try again later")


def _is_here(scope: Message) -> bool:
    """Whether a request comes from this machine, and from nobody behind a web server on it."""
    if any(name.lower() in _FORWARDED for name, _ in scope["headers"]):
        return False
    try:
        return ipaddress.ip_address(scope["client"][0]).is_loopback
    except (TypeError, ValueError, IndexError):
        return False


def _note(scope: Message, metrics: Metrics, status: int, seconds: float) -> None:
    """Count a request, and log it unless it read a file: those are most, and tell nothing."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = getattr(scope.get("route"), "path", "")
    file = _FILES.get(scope["path"].split("/")[1] if "/" in scope["path"] else "")
    if not route and scope["path"] in ("/healthz", "/readyz", "/metrics"):
        route = scope["path"]
    metrics.count(method, route or file or "other", status, seconds)
    if route and route not in ("/healthz", "/readyz", "/metrics"):
        fields = {
            "method": method, "route": route, "status": status, "seconds": round(seconds, 4),
        }  # fmt: skip
        _LOGGER.info("request", extra={"fields": fields})
