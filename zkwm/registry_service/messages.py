"""What the API takes and gives as JSON. Times are seconds since 1970, digests hexadecimal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zkwm.marketplace.cases import MOST_REASON, Case, CaseState
from zkwm.registry_database.events import Event, EventKind
from zkwm.registry_service.commitments import Registered
from zkwm.registry_service.problems import Refused
from zkwm_protocols.challenge import Challenge

HEX = "^[0-9a-f]{64}$"
FINGERPRINT = "^([a-z2-7]{4}-){7}[a-z2-7]{4}$"

Digest = Annotated[str, Path(pattern=HEX, description="64 characters of 0-9 and a-f")]
After = Annotated[str | None, Query(pattern=HEX, description="the last one that was seen")]
Limit = Annotated[int, Query(ge=1, le=100)]

Text = TypeVar("Text", bound=BaseModel)


class Given(BaseModel):
    """What a client sends: nothing beside what is described."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CommitmentGiven(Given):
    """A commitment's file, and the statement (COSE) by which an owner makes it public."""

    commitment: str = Field(json_schema_extra={"contentEncoding": "base64"})
    statement: str = Field(json_schema_extra={"contentEncoding": "base64"})


class VerdictGiven(Given):
    """A signed verdict's file, and the judge's statement (COSE) of its digest."""

    verdict: str = Field(json_schema_extra={"contentEncoding": "base64"})
    statement: str = Field(json_schema_extra={"contentEncoding": "base64"})


class ReasonGiven(Given):
    """Why a claim is withdrawn."""

    reason: str = Field(default="", max_length=MOST_REASON)


class DeadlineGiven(Given):
    """Another deadline, in seconds from now; null for none."""

    answer_within: int | None = Field(ge=0, le=36_500 * 86_400)


class CommitmentBody(BaseModel):
    """A registered commitment."""

    digest: str
    owner_keys: list[str]
    registered: int
    shape: list[int]
    class_count: int
    class_names: list[str] | None
    block_size: int
    block_count: int
    label_mode: Literal["derived", "declared"]
    holder: str
    entry: int | None

    @classmethod
    def of(cls, found: Registered) -> CommitmentBody:
        """As JSON."""
        return cls.model_validate({**asdict(found), **_lists(found)})


class CommitmentsBody(BaseModel):
    """Commitments in the order of their registration; ``after`` for the next ones."""

    commitments: list[CommitmentBody]
    after: str | None


class ClaimBody(BaseModel):
    """A claim: what a judge asked an owner about a model, and how it stands."""

    challenge: str
    commitment: str
    state: CaseState
    model: str
    suspect: str
    mode: str
    judge: str
    purpose: str
    listing: str
    holder: str
    asked: int
    answer_by: int | None
    answered: int | None
    decided: int | None
    withdrawn: int | None
    reason: str
    outcome: str

    @classmethod
    def of(cls, case: Case, challenge: Challenge) -> ClaimBody:
        """As JSON."""
        times = ("asked", "answer_by", "answered", "decided", "withdrawn")
        return cls(
            challenge=case.id,
            commitment=case.commitment,
            state=case.state,
            model=case.model,
            suspect=challenge.suspect.kind,
            mode=challenge.mode,
            judge=challenge.judge.fingerprint(),
            purpose=challenge.purpose,
            listing=case.listing,
            holder=case.holder,
            reason=case.reason,
            outcome=case.outcome,
            **{name: getattr(case, name) for name in times},
        )


class CaseBody(BaseModel):
    """A claim in a list."""

    challenge: str
    commitment: str
    state: CaseState
    model: str
    listing: str
    holder: str
    asked: int
    answer_by: int | None
    outcome: str

    @classmethod
    def of(cls, case: Case) -> CaseBody:
        """As JSON."""
        own = {name: getattr(case, name) for name in cls.model_fields if name != "challenge"}
        return cls(challenge=case.id, **own)


class ClaimsBody(BaseModel):
    """Claims in the order in which they were asked; ``after`` for the next ones."""

    claims: list[CaseBody]
    after: str | None


class EventBody(BaseModel):
    """Something that happened; ``subject`` is a commitment, or a claim's challenge."""

    number: int
    time: int
    kind: EventKind
    subject: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> EventBody:
        """As JSON."""
        return cls.model_validate(asdict(event))


class EventsBody(BaseModel):
    """Events in their order; ``after`` is the number to ask with next time."""

    events: list[EventBody]
    after: int


class HashesBody(BaseModel):
    """A proof of RFC 9162: its hashes."""

    hashes: list[str]


class JudgesBody(BaseModel):
    """The judges whose challenges and verdicts count here, by fingerprint."""

    judges: list[str]


def read_json(model: type[Text], body: bytes) -> Text:
    """A body as JSON. Raises Refused (422)."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(422, f"the body: {where}: {first['msg']}") from None


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that is read by ``read_json``."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def file_body(*media_types: str) -> dict[str, Any]:
    """What OpenAPI says of a body that is a file."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": dict.fromkeys(media_types, binary)}}


def file_answer(description: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of an answer that is a file."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": description, "content": {FILE: binary}}}


FILE = "application/octet-stream"


def _lists(found: Registered) -> dict[str, Any]:
    """Tuples as lists, which strict JSON has."""
    names = found.class_names
    return {
        "owner_keys": list(found.owner_keys),
        "shape": list(found.shape),
        "class_names": None if names is None else list(names),
    }
