"""Every error of a FastAPI app as problem details (RFC 9457), also the framework's own."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from zkwm.transparency_log.http_server import PROBLEM_TYPE, Reply, problem, problem_of
from zkwm_protocols.errors import ZkwmError

SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457); hint says what to do next.",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "hint": {"type": "string"},
    },
}


def described(answers: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Errors for FastAPI's ``responses``: from status to when it is given.

    Give 422 to every route that has parameters, or FastAPI describes another body.
    """
    content = {PROBLEM_TYPE: {"schema": SCHEMA}}
    return {code: {"description": text, "content": content} for code, text in answers.items()}


def add_problem_details(app: FastAPI) -> None:
    """Let an app answer its errors as problem details: the library's, 404, 405 and 422."""
    app.add_exception_handler(ZkwmError, _refused)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RequestValidationError, _not_valid)


def response(reply: Reply) -> Response:
    """A reply as FastAPI's."""
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.content, reply.status, headers=headers, media_type=reply.media_type)


async def _refused(_: Request, error: Exception) -> Response:
    """What the library refuses. Other errors are raised again."""
    if not isinstance(error, ZkwmError):
        raise error
    return response(problem_of(error))


async def _of_framework(_: Request, error: Exception) -> Response:
    """No such path, or no such method on it."""
    if not isinstance(error, HTTPException):
        raise error
    reply = problem(error.status_code, str(error.detail))
    more = ((name.lower().encode(), text.encode()) for name, text in (error.headers or {}).items())
    return response(Reply(reply.status, reply.content, reply.media_type, tuple(more)))


async def _not_valid(_: Request, error: Exception) -> Response:
    """A parameter that is none: which one, and why, without repeating it."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5]
    ]
    return response(problem(422, "; ".join(found), "see /openapi.json for what is expected"))
