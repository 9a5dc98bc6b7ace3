"""The API of claims: ask, answer, extend, withdraw, decide; and who reads them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from zkwm.marketplace import cases
from zkwm.marketplace.cases import CaseState
from zkwm.registry_service import claims
from zkwm.registry_service.api_keys import ApiKey, Scope
from zkwm.registry_service.bodies import from_base64
from zkwm.registry_service.callers import PRIVATE, require_holder
from zkwm.registry_service.messages import (
    FILE,
    HEX,
    After,
    CaseBody,
    ClaimBody,
    ClaimsBody,
    DeadlineGiven,
    Digest,
    Limit,
    ReasonGiven,
    VerdictGiven,
    file_answer,
    file_body,
    json_body,
    read_json,
)
from zkwm.registry_service.problems import Refused
from zkwm.registry_service.registry import Registry
from zkwm.transparency_log.log_service import STATEMENT_TYPE
from zkwm_protocols.cose.statement import STATEMENT_LIMIT

TWO_WEEKS = 14 * 86_400
CHALLENGE_LIMIT = 8 * 2**20
ANSWER_LIMIT = 64 * 2**20
VERDICT_LIMIT = 16 * 2**20
_SMALL = 8 * 2**10
_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": ClaimBody, "description": "It was there before."}
}
_ListingId = Annotated[str, Query(max_length=200, pattern=r"^[!-~]*$")]


def routes(registry: Registry) -> APIRouter:
    """The answers below ``/v1/claims`` and ``/v1/verdicts``."""
    router = APIRouter(prefix="/v1", tags=["claims"])
    _add_reading(router, registry)
    _add_files(router, registry)
    _add_asking(router, registry)
    _add_answering(router, registry)
    _add_ending(router, registry)
    _add_deciding(router, registry)
    return router


def _add_reading(router: APIRouter, registry: Registry) -> None:
    """The answers that everybody reads."""

    @router.get("/claims")
    def search(
        state: CaseState | None = None,
        commitment: Annotated[str | None, Query(pattern=HEX)] = None,
        model: Annotated[str | None, Query(pattern=HEX)] = None,
        listing: _ListingId | None = None,
        after: After = None,
        limit: Limit = 100,
    ) -> ClaimsBody:
        """Claims by state, commitment, model (the suspect's digest) and listing."""
        found = cases.select_cases(
            registry.database,
            state=state,
            commitment=None if commitment is None else bytes.fromhex(commitment),
            model=None if model is None else bytes.fromhex(model),
            listing=listing,
            after=None if after is None else bytes.fromhex(after),
            limit=limit,
        )
        return ClaimsBody(
            claims=[CaseBody.of(one) for one in found],
            after=found[-1].id if len(found) == limit else None,
        )

    @router.get("/claims/{challenge}", responses={404: {}})
    def one(challenge: Digest) -> ClaimBody:
        """A claim by its challenge's digest."""
        return ClaimBody.of(*claims.find(registry.database, bytes.fromhex(challenge)))


def _add_files(router: APIRouter, registry: Registry) -> None:
    """The answers that are files."""
    caller = Depends(registry.callers.require(Scope.CLAIMS))

    @router.get(
        "/claims/{challenge}/challenge",
        response_class=Response,
        responses={**file_answer("The challenge's file."), 404: {}},
    )
    def challenge_file(challenge: Digest) -> Response:
        """The challenge that a claim asks, for the owner."""
        _, found = claims.find(registry.database, bytes.fromhex(challenge))
        return Response(found.to_bytes(), media_type=FILE)

    @router.get(
        "/claims/{challenge}/answer",
        response_class=Response,
        responses={**file_answer("The answer's file."), 404: {}},
    )
    def answer_file(
        challenge: Digest,
        key: ApiKey = caller,
    ) -> Response:
        """The owner's last answer, for whoever asked."""
        name = bytes.fromhex(challenge)
        require_holder(key, claims.find(registry.database, name)[0].holder)
        found = claims.answer_file(registry.database, name)
        return Response(found, media_type=FILE, headers=PRIVATE)

    @router.get(
        "/claims/{challenge}/verdict",
        response_class=Response,
        responses={**file_answer("The verdict's file."), 404: {}},
    )
    def claims_verdict(challenge: Digest) -> Response:
        """The judge's signed verdict on a claim."""
        found = claims.verdict_file(registry.database, bytes.fromhex(challenge))
        return Response(found, media_type=FILE)

    @router.get(
        "/verdicts/{digest}",
        response_class=Response,
        responses={**file_answer("The verdict's file."), 404: {}},
    )
    def verdict(digest: Digest) -> Response:
        """A signed verdict by the SHA-256 of its file, as the log has it."""
        found = claims.verdict_file(registry.database, bytes.fromhex(digest))
        return Response(found, media_type=FILE)


def _add_asking(router: APIRouter, registry: Registry) -> None:
    """The answers to those who ask."""
    caller = Depends(registry.callers.require(Scope.CLAIMS))

    @router.post(
        "/claims",
        status_code=201,
        response_model=ClaimBody,
        responses={**_AGAIN, 409: {}},
        openapi_extra=file_body(FILE),
    )
    async def ask(
        request: Request,
        response: Response,
        key: ApiKey = caller,
        listing: _ListingId = "",
        answer_within: Annotated[int, Query(ge=0, le=3650 * 86_400)] = TWO_WEEKS,
    ) -> Any:  # noqa: ANN401
        """Open a claim: the body is a challenge that a judge of this registry signed.

        The owner has ``answer_within`` seconds; then the claim is overdue. ``listing`` is the
        marketplace's own name for the offer.
        """
        registry.log.admission.require_space()
        file = await registry.bodies.read(request, CHALLENGE_LIMIT)
        challenge = await run_in_threadpool(
            claims.check_challenge, registry.database, registry.judges, file
        )
        case, new = await run_in_threadpool(
            claims.ask, registry.database, challenge, listing, answer_within, key.holder
        )
        response.status_code = 201 if new else 200
        return ClaimBody.of(case, challenge)

    @router.post(
        "/claims/{challenge}/deadline",
        responses={404: {}, 409: {}},
        openapi_extra=json_body(DeadlineGiven),
    )
    async def extend(request: Request, challenge: Digest, key: ApiKey = caller) -> ClaimBody:
        """Give the owner of a claim another deadline, from now."""
        given = read_json(DeadlineGiven, await registry.bodies.read(request, _SMALL))
        name = bytes.fromhex(challenge)
        case, found = await run_in_threadpool(claims.find, registry.database, name)
        require_holder(key, case.holder)
        case = await run_in_threadpool(cases.extend, registry.database, name, given.answer_within)
        return ClaimBody.of(case, found)


def _add_answering(router: APIRouter, registry: Registry) -> None:
    """The answer to owners."""

    @router.post(
        "/claims/{challenge}/answer",
        status_code=201,
        response_model=ClaimBody,
        responses={**_AGAIN, 404: {}, 409: {}},
        openapi_extra=file_body(FILE),
        dependencies=[Depends(registry.callers.require(Scope.ANSWER))],
    )
    async def answer(
        request: Request,
        response: Response,
        challenge: Digest,
    ) -> Any:  # noqa: ANN401
        """Hand in the owner's answer to a claim: the body is the file of ``zkwm prove``.

        The owner signed it; whose API key brings it does not matter.
        """
        name = bytes.fromhex(challenge)
        _, found = await run_in_threadpool(claims.find, registry.database, name)
        registry.log.admission.require_space()
        file = await registry.bodies.read(request, ANSWER_LIMIT)
        case, new = await run_in_threadpool(claims.answer, registry.database, name, file)
        response.status_code = 201 if new else 200
        return ClaimBody.of(case, found)


def _add_ending(router: APIRouter, registry: Registry) -> None:
    """The answers that end a claim without a verdict."""
    caller = Depends(registry.callers.require(Scope.CLAIMS))

    @router.post(
        "/claims/{challenge}/withdrawal",
        responses={404: {}, 409: {}},
        openapi_extra=json_body(ReasonGiven),
    )
    async def withdraw(
        request: Request,
        challenge: Digest,
        key: ApiKey = caller,
    ) -> ClaimBody:
        """Withdraw a claim that the key's holder asked."""
        given = read_json(ReasonGiven, await registry.bodies.read(request, _SMALL))
        name = bytes.fromhex(challenge)
        case, found = await run_in_threadpool(claims.find, registry.database, name)
        require_holder(key, case.holder)
        case = await run_in_threadpool(claims.withdraw, registry.database, name, given.reason)
        return ClaimBody.of(case, found)

    @router.post(
        "/claims/{challenge}/owner-withdrawal",
        responses={404: {}, 409: {}},
        openapi_extra=file_body(STATEMENT_TYPE),
        dependencies=[Depends(registry.callers.require(Scope.ANSWER))],
    )
    async def withdraw_own(
        request: Request,
        challenge: Digest,
    ) -> ClaimBody:
        """Withdraw a claim by its owner's signature: the body is a dispute's statement (COSE).

        It says ``withdrawn``, and names commitment, suspect and challenge file. It goes into the
        log. Whose API key brings it does not matter.
        """
        name = bytes.fromhex(challenge)
        _, found = await run_in_threadpool(claims.find, registry.database, name)
        data = await registry.bodies.read(request, STATEMENT_LIMIT)
        await run_in_threadpool(claims.check_withdrawal, registry.database, name, data)
        await registry.append(data, request.scope)
        case = await run_in_threadpool(
            claims.withdraw, registry.database, name, "withdrawn by the owner's signature"
        )
        return ClaimBody.of(case, found)


def _add_deciding(router: APIRouter, registry: Registry) -> None:
    """The answer to judges."""
    caller = Depends(registry.callers.require(Scope.DECIDE))

    @router.post(
        "/claims/{challenge}/verdict",
        status_code=201,
        response_model=ClaimBody,
        responses={**_AGAIN, 404: {}, 409: {}},
        openapi_extra=json_body(VerdictGiven),
    )
    async def decide(
        request: Request,
        response: Response,
        challenge: Digest,
        key: ApiKey = caller,
    ) -> Any:  # noqa: ANN401
        """Hand in the signed verdict of a claim's judge, with their statement for the log.

        A verdict that is kept is replaced only by one whose checks came at least as far.
        """
        name = bytes.fromhex(challenge)
        case, _ = await run_in_threadpool(claims.find, registry.database, name)
        require_holder(key, case.holder)
        limit = 4 * (VERDICT_LIMIT + STATEMENT_LIMIT) // 3 + 1024
        given = read_json(VerdictGiven, await registry.bodies.read(request, limit))
        file = from_base64(given.verdict, "verdict")
        statement = from_base64(given.statement, "statement")
        if len(file) > VERDICT_LIMIT:
            raise Refused(413, f"a verdict has at most {VERDICT_LIMIT:,} bytes here")
        verdict, again = await run_in_threadpool(
            claims.check_verdict, registry.database, registry.judges, name, file, statement
        )
        index = await registry.append(statement, request.scope)
        kept, found = await run_in_threadpool(
            claims.decide, registry.database, name, verdict, file, index
        )
        response.status_code = 200 if again else 201
        return ClaimBody.of(kept, found)
