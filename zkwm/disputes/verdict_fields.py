"""The parts of a dispute's verdict as CBOR values, and back (SPEC.md 28.7)."""

from __future__ import annotations

from typing import Any

from zkwm.disputes.case_file import MOST_FILES, MOST_MODELS, MOST_PARTIES, MOST_TEXT
from zkwm.disputes.logged import MOST_EVIDENCE
from zkwm.disputes.results import (
    Basis,
    Found,
    FoundClaim,
    FoundModel,
    FoundParty,
    LogPlace,
    Objection,
)
from zkwm.judge.owner_keys import MOST_KEYS, OwnerKey
from zkwm.judge.verdict import Outcome
from zkwm_protocols.commitment import MAXIMUM_LEAVES
from zkwm_protocols.dates import MOST_MICROSECONDS, Interval, Published
from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import (
    NOT_PRINTABLE,
    require_boolean,
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_map,
    require_optional_bytes,
    require_text,
)
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.trust import MOST_AUTHORITIES, require_name

MOST_WORDS = 4_000
MOST_TIME = 2**63 - 1
_MOST_PLACES = 16
_MOST_OBJECTIONS = 1_000
_MOST_BITS = 2**40 - 1


def plain(text: str) -> str:
    """``text`` as a verdict may hold it: what is not printable replaced, and cut."""
    return NOT_PRINTABLE.sub("\ufffd", text)[:MOST_WORDS]


def write_found(found: Found) -> dict[str, Any]:
    """Parties, models and claims."""
    return {
        "parties": [_write_party(one) for one in found.parties],
        "models": [_write_model(one) for one in found.models],
        "claims": [_write_claim(one) for one in found.claims],
    }


def read_found(fields: dict[str, Any]) -> Found:
    """Read ``write_found``. Raises Malformed, also where names do not fit each other."""
    found = Found(
        tuple(_read_party(one) for one in require_list(fields["parties"], 1, MOST_PARTIES)),
        tuple(_read_model(one) for one in require_list(fields["models"], 1, MOST_MODELS)),
        tuple(_read_claim(one) for one in require_list(fields["claims"], 1, MOST_FILES)),
    )
    parties = [one.name for one in found.parties]
    models = [one.name for one in found.models]
    cells = [(one.mark, one.model) for one in found.claims]
    if any(len(set(names)) < len(names) for names in (parties, models, cells)):
        raise Malformed("a name, or a claim, stands there twice")
    digests = [one.commitment for one in found.parties if one.commitment is not None]
    if len(set(digests)) < len(digests):
        raise Malformed("two parties have one commitment")
    if not {mark for mark, _ in cells} <= set(parties) or not {m for _, m in cells} <= set(models):
        raise Malformed("a claim names no party or no model")
    return found


def write_words(rows: tuple[Objection, ...]) -> list[list[str]]:
    """Rules with what they say."""
    return [[one.section, plain(one.words)] for one in rows]


def read_words(value: object) -> tuple[Objection, ...]:
    """Read ``write_words``. Raises Malformed."""
    found = []
    for row in require_list(value, 0, _MOST_OBJECTIONS):
        section, words = require_list(row, 2, 2)
        found.append(Objection(require_text(section, 20), require_text(words, MOST_WORDS)))
    return tuple(found)


def read_evidence(value: object) -> tuple[Equivocation, ...]:
    """Files of evidence against logs. Raises Malformed."""
    files = require_list(value, 0, MOST_EVIDENCE)
    return tuple(Equivocation.from_bytes(require_bytes(one)) for one in files)


def read_texts(value: object) -> tuple[str, ...]:
    """Sentences. Raises Malformed."""
    return tuple(require_text(one, MOST_WORDS) for one in require_list(value, 0, 10_000))


def read_people(value: object) -> tuple[str, ...]:
    """The names of those who know persons. Raises Malformed unless they ascend, each once."""
    rows = require_list(value, 0, MOST_AUTHORITIES)
    names = tuple(require_name(require_text(one, 64)) for one in rows)
    if list(names) != sorted(set(names)):
        raise Malformed("those who know persons are ascending, each once")
    return names


def _write_party(one: FoundParty) -> dict[str, Any]:
    return {
        "name": one.name,
        "called": one.called,
        "commitment": one.commitment,
        "owner_keys": [key.to_list() for key in one.keys],
        "existed": _write_interval(one.existed),
        "dated": [[name, at.earliest, at.latest] for name, at in one.dated],
        "logged": [[place.origin, place.index, place.time] for place in one.logged],
        "problem": plain(one.problem),
    }


def _read_party(value: object) -> FoundParty:
    fields = require_map(
        value, "name called commitment owner_keys existed dated logged problem", "a party"
    )
    dated = []
    for row in require_list(fields["dated"], 0, MOST_AUTHORITIES):
        name, *moments = require_list(row, 3, 3)
        dated.append((require_text(name, 100), _read_moments(moments)))
    logged = []
    for row in require_list(fields["logged"], 0, _MOST_PLACES):
        origin, index, time = require_list(row, 3, 3)
        at = None if time is None else require_integer(time, MOST_TIME)
        logged.append(LogPlace(require_text(origin, 255), require_integer(index, MOST_TIME), at))
    return FoundParty(
        require_name(require_text(fields["name"], 64)),
        require_text(fields["called"], MOST_TEXT),
        require_optional_bytes(fields["commitment"], 32),
        _read_keys(fields["owner_keys"]),
        _read_interval(fields["existed"]),
        tuple(dated),
        tuple(logged),
        require_text(fields["problem"], MOST_WORDS),
    )


def _read_keys(value: object) -> tuple[OwnerKey, ...]:
    """The owner's keys with whose they are. Raises Malformed, also for one that is twice there."""
    keys = tuple(OwnerKey.from_list(one) for one in require_list(value, 0, MOST_KEYS))
    if len({one.key for one in keys}) < len(keys):
        raise Malformed("a key stands there twice")
    return keys


def _write_model(one: FoundModel) -> dict[str, Any]:
    return {
        "name": one.name,
        "published_by": one.published_by,
        "kind": one.kind,
        "digest": one.digest,
        "published": None if one.published is None else one.published.to_map(),
        "contested": one.contested,
        "problem": plain(one.problem),
    }


def _read_model(value: object) -> FoundModel:
    fields = require_map(
        value, "name published_by kind digest published contested problem", "a model"
    )
    published = fields["published"]
    return FoundModel(
        require_name(require_text(fields["name"], 64)),
        require_text(fields["published_by"], MOST_TEXT),
        require_text(fields["kind"], 20),
        require_optional_bytes(fields["digest"], 32),
        None if published is None else Published.from_map(published),
        require_boolean(fields["contested"]),
        require_text(fields["problem"], MOST_WORDS),
    )


def _write_claim(one: FoundClaim) -> dict[str, Any]:
    return {
        "mark": one.mark,
        "model": one.model,
        "outcome": one.outcome.value,
        "basis": one.basis.value,
        "detail": plain(one.detail),
        "bits": one.bits,
        "matches": one.matches,
        "trials": one.trials,
        "judge": one.judge,
        "challenge": one.challenge,
        "proof": one.proof,
        "issued": one.issued,
        "blocks": list(one.blocks),
        "objections": write_words(one.objections),
    }


def _read_claim(value: object) -> FoundClaim:
    fields = require_map(
        value,
        "mark model outcome basis detail bits matches trials judge challenge proof issued blocks"
        " objections",
        "a claim",
    )
    return FoundClaim(
        require_text(fields["mark"], 64),
        require_text(fields["model"], 64),
        require_choice(fields["outcome"], Outcome, "outcome"),
        require_choice(fields["basis"], Basis, "basis"),
        require_text(fields["detail"], MOST_WORDS),
        _optional(fields["bits"], least=-_MOST_BITS),
        _optional(fields["matches"]),
        _optional(fields["trials"]),
        require_text(fields["judge"], 100),
        require_optional_bytes(fields["challenge"], 32),
        require_optional_bytes(fields["proof"], 32),
        _optional(fields["issued"]),
        tuple(
            require_integer(block, MAXIMUM_LEAVES)
            for block in require_list(fields["blocks"], 0, MAXIMUM_LEAVES)
        ),
        read_words(fields["objections"]),
    )


def _optional(value: object, least: int = 0) -> int | None:
    return None if value is None else require_integer(value, _MOST_BITS, least)


def _write_interval(interval: Interval | None) -> list[int] | None:
    return None if interval is None else [interval.earliest, interval.latest]


def _read_interval(value: object) -> Interval | None:
    return None if value is None else _read_moments(require_list(value, 2, 2))


def _read_moments(moments: list[Any]) -> Interval:
    earliest, latest = (require_integer(one, MOST_MICROSECONDS) for one in moments)
    return Interval(earliest, latest)
