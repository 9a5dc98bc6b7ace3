"""Answers with the headers that pages need: a strict content security policy, and caching.

Nothing in a page is inline, and nothing comes from elsewhere; pages have no cookies.
"""

from __future__ import annotations

import hashlib

from fastapi import Request, Response

POLICY = (
    "default-src 'none'; style-src 'self'; script-src {}; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""A report is one file with its style inside, that loads and runs nothing."""
HTML = "text/html; charset=utf-8"
REVALIDATE, FOR_EVER, NEVER = "no-cache", "public, max-age=31536000, immutable", "no-store"


def respond(
    request: Request,
    content: str | bytes,
    media_type: str = HTML,
    *,
    status: int = 200,
    cache: str = REVALIDATE,
    policy: str | None = None,
    scripted: bool = False,
) -> Response:
    """An answer; 304 where the client has it already.

    Args:
        request: what was asked.
        content: the body.
        media_type: of the body.
        status: of the answer.
        cache: the Cache-Control.
        policy: the content security policy; None for that of pages.
        scripted: whether the page loads this service's own script.
    """
    data = content.encode() if isinstance(content, str) else content
    headers = {
        "cache-control": cache,
        "content-security-policy": policy or POLICY.format("'self'" if scripted else "'none'"),
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
    if media_type == "image/svg+xml":  # badges and the icon are shown on other sites
        headers["cross-origin-resource-policy"] = "cross-origin"
    if status == 200 and cache != NEVER:
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers["etag"] = tag
        known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
        if tag in known or f"W/{tag}" in known:
            return Response(status_code=304, headers=headers)
    return Response(data, status, headers, media_type)


def wants_page(request: Request) -> bool:
    """Whether a browser asks: it takes HTML, and names it before JSON or anything."""
    accepted = [part.strip() for part in request.headers.get("accept", "").lower().split(",")]
    for one in accepted:
        kind = one.partition(";")[0]
        if kind in ("text/html", "application/xhtml+xml"):
            return True
        if kind in ("application/json", "application/problem+json", "*/*"):
            return False
    return False
