"""A running log: registers statements, proves them, and serves its files (SPEC.md 25.6).

What FastAPI answers is ``/v1``; checkpoint and tiles are answered before it, since they are most of
what is asked. The base of the larger service (claims, pages) mounts ``routes`` as it is.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi import Path as PathParameter

from zkwm.transparency_log.admission import Admission, Asker
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.entries import Entry, HeadRow
from zkwm.transparency_log.http_server import App, Message, Receive, Send, problem, read_body
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.log_bodies import EntryBody, FoundBody, LogBody, RegisteredBody
from zkwm.transparency_log.problem_details import add_problem_details, described, response
from zkwm.transparency_log.proofs import Proofs
from zkwm.transparency_log.readers import Readers
from zkwm.transparency_log.refusals import BAD_REQUEST, RefusedError
from zkwm.transparency_log.sequencer import Registered, Sequencer
from zkwm.transparency_log.static_files import StaticFiles
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.transparency.note_keys import VerifierKey

Found = TypeVar("Found")
STATEMENT_TYPE = "application/cose"
PROOF_TYPE = "text/plain; charset=utf-8"
MOST_FOUND = 100
_REGISTER_SECONDS = 30.0
_QUERIES_AT_ONCE = 4
_MOST_QUERIES = 64
"""Queries that run or wait; more are told to come back."""
_TEXT = Annotated[str, Query(pattern="^[!-~]+$", max_length=500)]
_KEY = Annotated[str, Query(pattern="^[!-~]+$", max_length=500)]
_HEX = Annotated[str, Query(pattern="^[0-9a-f]{64}$")]
_DIGEST = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$")]


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
        admission: Admission,
        readers: Readers | None = None,
    ) -> None:
        """``witnessed`` gives the largest tree that has the cosignatures of the log's policy.

        Without ``readers`` nobody is counted who reads.
        """
        self.log = log
        self.keys = keys
        self.sequencer = sequencer
        self.statements = statements
        self.admission = admission
        self.readers = readers
        self.proofs = Proofs(log.files)
        self._witnessed = witnessed
        self._threads = ThreadPoolExecutor(_QUERIES_AT_ONCE, "log-query")
        self._queries = 0

    async def register(
        self, data: bytes, asker: Asker | None = None
    ) -> tuple[RegisteredBody, bool]:
        """Have a statement appended; ``asker`` is who ``admission`` let in.

        Returns: the acknowledgment, and whether the statement was there before. Raises RefusedError
        for bytes that are no statement, or where nothing is taken; CouldNotCheck.
        """
        if asker is not None:
            self.admission.charge(asker, len(data))
        try:
            entry = self.statements.read(data)  # a thread would cost as much again
        except ZkwmError as error:
            raise RefusedError(
                error.message, hint=error.hint, status=BAD_REQUEST, retry_seconds=0
            ) from None
        future = asyncio.wrap_future(self.sequencer.submit(entry))
        async with asyncio.timeout(_REGISTER_SECONDS):
            done = await future
        if done.again and asker is not None:
            self.admission.give_back(asker, len(data))
        return self._body(entry, done), done.again

    async def ask(self, question: Callable[[LogDatabase], Found]) -> Found:
        """What the database answers, in a thread, so that nothing else waits for it.

        Raises RefusedError where too many ask at a time; CouldNotCheck.
        """
        if self._queries >= _MOST_QUERIES:
            raise RefusedError("too many ask the log's index at this time", retry_seconds=2)
        self._queries += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, question, self.log.database)
        finally:
            self._queries -= 1

    def close(self) -> None:
        """End the threads. Safe to call twice."""
        self._threads.shutdown()

    def prove(self, index: int) -> Response:
        """The answer with the proof of an entry: C2SP tlog-proof. Raises CouldNotCheck."""
        made = self.proofs.proof(index, self.row_for(index))
        return Response(made.proof, media_type=PROOF_TYPE, headers={"cache-control": "no-cache"})

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
    """The answers below ``/v1``. The app that includes them needs ``add_problem_details``."""
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
        responses={200: {"model": RegisteredBody}, **described(_REFUSALS)},
    )
    async def register(request: Request, answer: Response) -> Any:  # noqa: ANN401
        """Register a signed statement (COSE_Sign1, at most 65,535 bytes).

        201: it is durable, and in the log's signed tree. 200: it was there before.
        """
        asker = await service.admission.admit(request.scope)
        try:
            body = await read_body(request.receive)
            if body is None:
                return response(problem(413, "a statement has at most 65,535 bytes"))
            done, again = await service.register(body, asker)
        except TimeoutError:
            return response(problem(408, "the statement did not come, or was not signed, in time"))
        answer.status_code = 200 if again else 201
        return done

    _add_proofs(router, service)
    _add_listing(router, service)
    return router


def _add_proofs(router: APIRouter, service: LogService) -> None:
    """The proofs of entries: by the statement, and by what it is about and who signed it."""

    @router.get("/proof/{digest}", response_class=Response, responses=_PROOF_ANSWERS)
    async def proof(digest: _DIGEST, key: _KEY) -> Response:
        """The proof (C2SP tlog-proof) of the first entry about this digest, such as D, by a key.

        The key is named by its fingerprint: anybody can register something about any digest.
        """
        about = bytes.fromhex(digest)
        found = await service.ask(lambda index: index.find(subject=about, key=key, limit=1))
        if not found:
            return response(problem(404, "the log has no entry about this digest by this key"))
        return service.prove(found[0].position)

    @router.get("/statement/{statement}", response_class=Response, responses=_PROOF_ANSWERS)
    async def proof_of_statement(statement: _DIGEST) -> Response:
        """The proof (C2SP tlog-proof) of the statement whose bytes have this SHA-256."""
        wanted = bytes.fromhex(statement)
        found = await service.ask(lambda index: index.stated(wanted))
        if found is None:
            return response(problem(404, "the log has no such statement"))
        return service.prove(found.position)


def _add_listing(router: APIRouter, service: LogService) -> None:
    """The index."""

    @router.get("/entries", responses=described(_LISTING_REFUSALS))
    async def entries(
        digest: _HEX | None = None,
        issuer: _TEXT | None = None,
        kind: _TEXT | None = None,
        after: Annotated[int, Query(ge=-1, lt=2**63)] = -1,
    ) -> FoundBody:
        """Entries by digest, issuer and kind, each with the key that signed it.

        100 at a time are read: with digest and issuer, fewer may be answered, also none.
        """
        about = None if digest is None else bytes.fromhex(digest)
        by = issuer if about is None else None  # strangers add to a digest as much as they like
        found = await service.ask(
            lambda index: index.find(
                subject=about, issuer=by, kind=kind, after=after, limit=MOST_FOUND
            )
        )
        last = found[-1].position if len(found) == MOST_FOUND else None
        chosen = [one for one in found if issuer in (None, one.issuer)]
        return FoundBody(entries=[EntryBody.of(one) for one in chosen], after=last)


_REFUSALS = {
    400: "It is no statement that the log takes.",
    408: "It did not come in time.",
    413: "It is too long.",
    429: "Too many registrations by this asker.",
    503: "The log takes nothing now.",
    507: "The log's disk is nearly full.",
}
_LISTING_REFUSALS = {
    422: "A parameter is none.",
    429: "Too many reads by this address.",
    503: "Too many ask at this time.",
}
_PROOF_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}},
    **described({404: "The log has no such entry.", 422: "A parameter is none.",
                 429: "Too many reads by this address.", 503: "Too many ask at this time."}),
}  # fmt: skip


def application(service: LogService) -> App:
    """The whole app: files first, then ``/v1``."""
    inner = FastAPI(
        title="zkwm log", version="1", docs_url=None, redoc_url=None, redirect_slashes=False
    )
    inner.include_router(routes(service))
    add_problem_details(inner)
    return with_files(service, inner)


def with_files(service: LogService, inner: App) -> App:
    """An app before which the log's files are answered, and those who read too often."""
    files = StaticFiles(service.log.files, lambda: service.log.row.size)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        reply = files.answer(scope)
        if reply is None and service.readers is not None:
            reply = await service.readers.refusal(scope)
        if reply is not None:
            await reply.send(send)
            return
        await inner(scope, receive, send)

    return app
