"""A running log: registers statements, proves them, and serves its files (SPEC.md 25.6).

What FastAPI answers is ``/v1``; checkpoint and tiles are answered before it, since they are most of
what is asked. The base of the larger service (claims, pages) mounts ``routes`` as it is.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel

from zkwm.transparency_log.database import HeadRow
from zkwm.transparency_log.entries import Entry, IndexedEntry
from zkwm.transparency_log.http_server import (
    App,
    Message,
    Receive,
    Reply,
    Send,
    problem,
    problem_of,
    read_body,
)
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.proofs import Proofs
from zkwm.transparency_log.sequencer import Registered, Sequencer
from zkwm.transparency_log.static_files import StaticFiles
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.transparency.note_keys import VerifierKey

STATEMENT_TYPE = "application/cose"
PROOF_TYPE = "text/plain; charset=utf-8"
MOST_FOUND = 100
_REGISTER_SECONDS = 30.0
_TEXT = Annotated[str, Query(pattern="^[!-~]+$", max_length=500)]
_DIGEST = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]


class RegisteredBody(BaseModel):
    """What is acknowledged: it is durable, and in the signed tree of the proof."""

    index: int
    size: int
    again: bool
    receipt: str
    proof: str


class EntryBody(BaseModel):
    """One entry of the index."""

    index: int
    statement: str
    digest: str
    issuer: str
    kind: str


class FoundBody(BaseModel):
    """Entries in the order of the log; ``after`` for the next ones, null at the end."""

    entries: list[EntryBody]
    after: int | None


class LogBody(BaseModel):
    """Which log this is."""

    origin: str
    keys: list[str]
    size: int


class Statements(Protocol):
    """What entries of this log are, and what proves one beside the proof of C2SP."""

    def read(self, data: bytes) -> Entry:
        """Check an entry. Raises Malformed, Unsupported or InvalidSignature."""

    def receipt(self, entry: Entry, index: int, row: HeadRow, path: Sequence[bytes]) -> bytes:
        """The COSE receipt of an entry in this tree; ``path`` is its inclusion proof."""


class LogService:
    """Everything that a request needs; made once, used by one event loop."""

    def __init__(
        self,
        log: Log,
        keys: tuple[VerifierKey, ...],
        sequencer: Sequencer,
        statements: Statements,
        witnessed: Callable[[], HeadRow | None],
    ) -> None:
        """``witnessed`` gives the largest tree that has the cosignatures of the log's policy."""
        self.log = log
        self.keys = keys
        self.sequencer = sequencer
        self.statements = statements
        self.proofs = Proofs(log.files)
        self._witnessed = witnessed

    async def register(self, data: bytes) -> tuple[RegisteredBody, bool]:
        """Have a statement appended. Raises CouldNotCheck, Malformed or InvalidSignature."""
        entry = self.statements.read(data)  # a thread would cost as much again
        future = asyncio.wrap_future(self.sequencer.submit(entry))
        async with asyncio.timeout(_REGISTER_SECONDS):
            done = await future
        return self._body(entry, done), done.again

    def row_for(self, index: int) -> HeadRow:
        """The tree in which an entry is proven: with cosignatures where there is one."""
        witnessed = self._witnessed()
        return witnessed if witnessed is not None and index < witnessed.size else self.log.row

    def _body(self, entry: Entry, done: Registered) -> RegisteredBody:
        """The acknowledgment of a statement."""
        proven = self.proofs.proof(done.position, self.row_for(done.position))
        path = self.proofs.path(done.position, done.row.size)
        receipt = self.statements.receipt(entry, done.position, done.row, path)
        return RegisteredBody(
            index=done.position,
            size=proven.size,
            again=done.again,
            receipt=base64.b64encode(receipt).decode("ascii"),
            proof=proven.proof.decode(),
        )


def routes(service: LogService) -> APIRouter:
    """The answers below ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["log"])

    @router.get("/log")
    async def log() -> LogBody:
        """Which log this is, by whose keys, and how large its tree is."""
        keys = [key.to_text() for key in service.keys]
        return LogBody(origin=service.keys[0].name, keys=keys, size=service.log.row.size)

    @router.post(
        "/entries",
        status_code=201,
        response_model=RegisteredBody,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {STATEMENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
        responses={code: {"description": text} for code, text in _REFUSALS.items()},
    )
    async def register(request: Request, response: Response) -> Any:  # noqa: ANN401
        """Register a signed statement (COSE_Sign1, at most 65,535 bytes).

        201: it is durable, and in the log's signed tree. 200: it was there before.
        """
        try:
            body = await read_body(request.receive)
            if body is None:
                return _response(problem(413, "a statement has at most 65,535 bytes"))
            done, again = await service.register(body)
        except TimeoutError:
            return _response(problem(408, "the statement did not come, or was not signed, in time"))
        response.status_code = 200 if again else 201
        return done

    _add_reading(router, service)
    return router


def _add_reading(router: APIRouter, service: LogService) -> None:
    """The answers that only read the index and the tree."""

    @router.get("/proof/{digest}", response_class=Response, responses=_PROOF_ANSWERS)
    async def proof(digest: _DIGEST) -> Response:
        """The proof (C2SP tlog-proof) of the first entry about this digest, such as D."""
        found = service.log.database.find(subject=bytes.fromhex(digest), limit=1)
        if not found:
            return _response(problem(404, "the log has no entry about this digest"))
        index = found[0].position
        made = service.proofs.proof(index, service.row_for(index))
        return Response(made.proof, media_type=PROOF_TYPE, headers={"cache-control": "no-cache"})

    @router.get("/entries")
    async def entries(
        digest: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
        issuer: _TEXT | None = None,
        kind: _TEXT | None = None,
        after: Annotated[int, Query(ge=-1, lt=2**63)] = -1,
    ) -> FoundBody:
        """Entries by digest, issuer and kind, at most 100 at a time."""
        found = service.log.database.find(
            subject=None if digest is None else bytes.fromhex(digest),
            issuer=issuer, kind=kind, after=after, limit=MOST_FOUND,
        )  # fmt: skip
        last = found[-1].position if len(found) == MOST_FOUND else None
        return FoundBody(entries=[_entry(one) for one in found], after=last)


_REFUSALS = {
    200: "It was registered before.",
    400: "It is no statement that the log takes.",
    408: "It did not come in time.",
    413: "It is too long.",
    503: "The log takes nothing now.",
}
_PROOF_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}},
    404: {"description": "The log has no entry about this digest."},
}


def application(service: LogService) -> App:
    """The whole app: files first, then ``/v1``."""
    inner = FastAPI(title="zkwm log", docs_url=None, redoc_url=None, version="1")
    inner.include_router(routes(service))
    inner.add_exception_handler(ZkwmError, _refused)
    files = StaticFiles(service.log.files, lambda: service.log.row.size)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        reply = files.answer(scope)
        if reply is not None:
            await reply.send(send)
            return
        await inner(scope, receive, send)

    return app


async def _refused(_: Request, error: Exception) -> Response:
    """What the library refuses, as problem details. Other errors are raised again."""
    if not isinstance(error, ZkwmError):
        raise error
    return _response(problem_of(error))


def _entry(entry: IndexedEntry) -> EntryBody:
    """An entry of the index as JSON."""
    return EntryBody(
        index=entry.position, statement=entry.statement.hex(), digest=entry.subject.hex(),
        issuer=entry.issuer, kind=entry.kind,
    )  # fmt: skip


def _response(reply: Reply) -> Response:
    """A reply as FastAPI's."""
    return Response(reply.content, reply.status, media_type=reply.media_type)
