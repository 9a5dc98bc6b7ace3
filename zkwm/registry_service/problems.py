"""Errors of the API as problem details (RFC 9457), whatever raises them.

Not found, not allowed and not readable are told alike: ``title``, ``status``, ``detail``, and what
to do next in ``hint``. What may name files or addresses is the operator's, and told as 503.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response

from zkwm.registry_database.database import DamagedRow
from zkwm.transparency_log.http_server import Reply, problem, problem_of
from zkwm.transparency_log.problem_details import add_problem_details, response
from zkwm.transparency_log.refusals import RefusedError
from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing, UsageError, ZkwmError

_MOST_DETAIL = 1000
_OPERATORS = (RefusedError, CouldNotCheck, TrustMaterialMissing)


class Refused(Exception):
    """A request that is answered with an error of this status, in words for strangers."""

    def __init__(
        self, status: int, detail: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})


def add_problems(app: FastAPI) -> None:
    """Answer every error of an app with problem details."""
    add_problem_details(app)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(ZkwmError, _library)
    app.add_exception_handler(TimeoutError, _late)


async def _refused(_: Request, error: Exception) -> Response:
    """An error of the API's own. Others are raised again."""
    if not isinstance(error, Refused):
        raise error
    told = problem(error.status, error.detail[:_MOST_DETAIL], error.hint)
    more = ((name.encode(), value.encode()) for name, value in error.headers.items())
    return response(Reply(told.status, told.content, told.media_type, tuple(more)))


async def _library(_: Request, error: Exception) -> Response:
    """An error of the library: 400; 409 where it does not fit to what is kept; 503 for neither."""
    if not isinstance(error, ZkwmError):
        raise error
    if type(error) in _OPERATORS or isinstance(error, DamagedRow):
        return response(problem_of(error))
    status = 409 if isinstance(error, UsageError) else 400
    return response(problem(status, error.message[:_MOST_DETAIL], error.hint))


async def _late(_: Request, __: Exception) -> Response:
    """A body, or the log's signature, that did not come in time."""
    return response(problem(408, "the request did not come, or was not done, in time"))
