"""The API of commitments: register, fetch, search."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from zkwm.registry_service import commitments
from zkwm.registry_service.api_keys import ApiKey, Scope
from zkwm.registry_service.bodies import from_base64
from zkwm.registry_service.commitments import Wanted
from zkwm.registry_service.messages import (
    FILE,
    FINGERPRINT,
    HEX,
    After,
    CommitmentBody,
    CommitmentGiven,
    CommitmentsBody,
    Digest,
    Limit,
    file_answer,
    file_body,
    json_body,
    read_json,
)
from zkwm.registry_service.registry import Registry
from zkwm_protocols.commitment import FILE_LIMIT
from zkwm_protocols.cose.statement import STATEMENT_LIMIT

_BODY_LIMIT = 4 * (FILE_LIMIT + STATEMENT_LIMIT) // 3 + 1024
_BODY = file_body(FILE)
_BODY["requestBody"]["content"] |= json_body(CommitmentGiven)["requestBody"]["content"]
_SHAPE = r"^[1-9][0-9]{0,5}x[1-9][0-9]{0,5}x[1-9][0-9]{0,5}$"
_Names = Annotated[list[Annotated[str, Query(min_length=1, max_length=200)]], Query(max_length=10)]


def routes(registry: Registry) -> APIRouter:
    """The answers below ``/v1/commitments``."""
    router = APIRouter(prefix="/v1/commitments", tags=["commitments"])
    _add_registering(router, registry)
    _add_search(router, registry)

    @router.get("/{digest}", responses={404: {}})
    def one(digest: Digest) -> CommitmentBody:
        """A commitment by its digest D."""
        return CommitmentBody.of(commitments.find_one(registry.database, bytes.fromhex(digest)))

    @router.get(
        "/{digest}/file",
        response_class=Response,
        responses={**file_answer("The commitment's file."), 404: {}},
    )
    def file(digest: Digest) -> Response:
        """The file of a commitment, with the dates of all who registered it."""
        found = commitments.commitment_file(registry.database, bytes.fromhex(digest))
        return Response(found, media_type=FILE)

    return router


def _add_search(router: APIRouter, registry: Registry) -> None:
    """The answer that finds."""

    @router.get("")
    def search(
        owner: Annotated[str | None, Query(pattern=FINGERPRINT)] = None,
        digest: Annotated[str | None, Query(pattern="^([0-9a-f]{2}){1,32}$")] = None,
        model: Annotated[str | None, Query(pattern=HEX)] = None,
        class_name: _Names = [],  # noqa: B006 (FastAPI copies it)
        shape: Annotated[str | None, Query(pattern=_SHAPE)] = None,
        class_count: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
        after: After = None,
        limit: Limit = commitments.MOST_FOUND,
    ) -> CommitmentsBody:
        """Find commitments: what is given has to hold together.

        By the fingerprint of an owner's key, the first bytes of the digest, the digest of a model
        on which they are claimed, names of classes (each among theirs), shape (as 3x32x32) and
        number of classes. ``after`` is the digest of the last one that was seen.
        """
        channels = None if shape is None else tuple(int(part) for part in shape.split("x"))
        wanted = Wanted(
            owner=owner,
            digest=None if digest is None else bytes.fromhex(digest),
            model=None if model is None else bytes.fromhex(model),
            class_names=class_name,
            shape=None if channels is None else (channels[0], channels[1], channels[2]),
            class_count=class_count,
        )
        last = None if after is None else bytes.fromhex(after)
        found = commitments.find(registry.database, wanted, after=last, limit=limit)
        return CommitmentsBody(
            commitments=[CommitmentBody.of(one) for one in found],
            after=found[-1].digest if len(found) == limit else None,
        )


def _add_registering(router: APIRouter, registry: Registry) -> None:
    """The answer that registers."""
    caller = Depends(registry.callers.require(Scope.REGISTER))

    @router.post(
        "",
        status_code=201,
        response_model=CommitmentBody,
        responses={200: {"model": CommitmentBody, "description": "It was registered before."}},
        openapi_extra=_BODY,
    )
    async def register(
        request: Request,
        response: Response,
        key: ApiKey = caller,
    ) -> Any:  # noqa: ANN401
        """Register a commitment with its owner's signed statement, which goes into the log.

        201: it is kept, and its statement durable in the log; /v1/proof/{digest}?key= proves it.
        200: it was there. Its file then has the timestamps and log proofs of both, those first that
        verify here: the owner's signature does not cover them. The body is JSON with file and
        statement, or the file alone where it has the statement from a log.
        """
        file, given = _given(request, await registry.bodies.read(request, _BODY_LIMIT))
        commitment, statement = await run_in_threadpool(commitments.check_registration, file, given)
        index = await registry.append(statement, request.scope)
        new = await run_in_threadpool(
            commitments.keep, registry.database, commitment, key.holder, index, registry.known
        )
        response.status_code = 201 if new else 200
        found = await run_in_threadpool(commitments.find_one, registry.database, commitment.digest)
        return CommitmentBody.of(found)


def _given(request: Request, body: bytes) -> tuple[bytes, bytes | None]:
    """File and statement of a body. Raises Refused (422)."""
    if request.headers.get("content-type", "").partition(";")[0].strip() == FILE:
        return body, None
    given = read_json(CommitmentGiven, body)
    return from_base64(given.commitment, "commitment"), from_base64(given.statement, "statement")
