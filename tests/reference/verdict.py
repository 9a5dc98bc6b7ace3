"""Reading a signed verdict as SPEC.md 10.4 says: which check fails, value by value."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from typing import Any

from tests.reference.cbor import RejectedError, read, write
from tests.reference.commitment import (
    MIB,
    array,
    check_names,
    exact_map,
    file_value,
    integer,
    octets,
    text,
)
from tests.reference.exchange import LAST_MICROSECOND, read_challenge
from tests.reference.judge import CHECKS
from tests.reference.signatures import check_judge, check_signature
from tests.reference.verdict_recount import recount

ARGUMENT_CHECKS = (
    *CHECKS[: CHECKS.index("response.blocks") + 1], "argument.labels", "challenge.network",
    "argument.translation", "argument.agreement", "argument.format", "argument.soundness",
    "argument.proof",
)  # fmt: skip
KEYS = (
    "type", "version", "judge", "outcome", "reason", "hint", "checked", "checks", "commitment",
    "header", "challenge", "proof", "blocks", "triggers", "evidence", "declared_labels_accepted",
    "suspect_record", "versions", "argued", "functions_tried", "asked", "first_seen", "dates",
    "class_names", "particulars", "files",
)  # fmt: skip
MOST = 2**40
_LAST_SECOND = LAST_MICROSECOND // 10**6
ROLES = ("commitment", "challenge", "proof", "suspect", "report", "judge-public")
STATUSES = ("match", "no match", "wrong leaf", "missing leaf", "no answer")


def failing_check(data: bytes, judge: dict[str, Any]) -> str | None:
    """The check that fails for a reader with the judge's public keys; None where none does."""
    try:
        outer = exact_map(file_value("verdict", data, 64 * MIB), "body", "signature")
        body = exact_map(read(octets(outer["body"]), 64 * MIB), *KEYS)
        if body["type"] != "zkwm-verdict" or body["version"] != 4:
            raise RejectedError("another type or version")
        check_judge(body["judge"])
    except RejectedError:
        return "verdict.format"
    if body["judge"] != judge:
        return "verdict.judge"
    try:
        digest = hashlib.sha256(outer["body"]).digest()
        check_signature(judge["signing"], "verdict", digest, outer["signature"])
    except RejectedError:
        return "verdict.signature"
    try:
        _check_contents(body)
        _check_consistency(body)
    except RejectedError:
        return "verdict.format"
    return None


def _check_contents(body: dict[str, Any]) -> None:
    """Types and ranges; raises `RejectedError`."""
    _one_of(body["outcome"], "proven", "not proven", "could not be checked",
            "trust material missing")  # fmt: skip
    text(body["reason"], 4000)
    text(body["hint"], 4000)
    integer(body["checked"], 0, MOST)
    for row in array(body["checks"], 1, 100):
        _, status, detail = array(row, 3, 3)
        _one_of(status, "passed", "failed", "skipped")
        text(detail, 4000)
    for block in array(body["blocks"], 0, 100_000):
        integer(block, 0, 100_000)
    for row in array(body["triggers"], 0, 10_000):
        _check_trigger(array(row, 8, 8))
    if type(body["declared_labels_accepted"]) is not bool:
        raise RejectedError("no boolean")
    names = [text(array(row, 2, 2)[0], 100) for row in array(body["versions"], 0, 64)]
    if names != sorted(set(names)):
        raise RejectedError("versions out of order")
    if body["evidence"] is not None:
        _check_evidence(body["evidence"])
    if body["argued"] is not None:
        _check_argued(body["argued"])
    if body["dates"] is not None:
        _check_dates(body["dates"])
    if body["class_names"] is not None:
        check_names(body["class_names"])
    stated = exact_map(
        body["particulars"], "case", "owner_name", "judge_name", "suspect_from", "listing"
    )
    for value in stated.values():
        text(value, 200)
    for row in array(body["files"], 0, 2000):
        role, name, digest, size = array(row, 4, 4)
        _one_of(role, *ROLES)
        text(name, 200)
        octets(digest, 32)
        integer(size, 0, MOST)


def _check_trigger(row: list[Any]) -> None:
    block, index, status, label, *outputs, place, problem = row
    if isinstance(place, bytes):
        if not 1 <= len(place) <= 1000:
            raise RejectedError("not the points of classes")
    else:
        outputs.append(place)
    integer(block, 0, 100_000)
    integer(index, 0, 100_000)
    _one_of(status, *STATUSES)
    for number, most in ((label, 65_534), *((output, 1_000_000) for output in outputs)):
        if number is not None:
            integer(number, 0, most)
    text(problem, 500)


def _check_evidence(value: Any) -> None:
    fields = exact_map(value, "matches", "trials", "class_count", "terms", "threshold_bits",
                       "needed_matches", "rank_sum")  # fmt: skip
    trials = integer(fields["trials"], 1, 10_000)
    integer(fields["matches"], 0, trials)
    integer(fields["class_count"], 2, 65_535)
    integer(fields["threshold_bits"], 1, 10_000)
    for row in array(fields["terms"], 1, 20):
        name, hundredths, meaning = array(row, 3, 3)
        text(name, 100)
        integer(hundredths, -(2**31), 2**31)
        text(meaning, 500)


def _check_dates(value: Any) -> None:
    fields = exact_map(value, "trust", "needed", "dated", "named", "beacon", "owner_name",
                       "logged", "log_dates", "owner_keys", "people")  # fmt: skip
    octets(fields["trust"], 32)
    integer(fields["needed"], 1, 64)
    if type(fields["named"]) is not bool or type(fields["log_dates"]) is not bool:
        raise RejectedError("no boolean")
    for row in array(fields["logged"], 0, 16):
        _check_logged(row)
    for row in array(fields["owner_keys"], 1, 4):
        _check_owner_key(row)
    for name in array(fields["people"], 0, 64):
        text(name, 100)
    if fields["beacon"] is not None:
        earliest, latest = array(fields["beacon"], 2, 2)
        integer(earliest, 0, integer(latest, 0, LAST_MICROSECOND))
    text(fields["owner_name"], 100)
    for row in array(fields["dated"], 0, 64):
        name, earliest, latest = array(row, 3, 3)
        text(name, 100)
        integer(earliest, 0, integer(latest, 0, LAST_MICROSECOND))


def _check_logged(row: Any) -> None:
    log, index, size, statement, key, seen, witnesses = array(row, 7, 7)
    for name in (log, *array(witnesses, 0, 128)):
        text(name, 255)
    integer(index, 0, 2**63 - 1)
    integer(size, 0, 2**63 - 1)
    octets(statement, 32)
    _check_fingerprint(key)
    if seen is not None:
        earliest, latest = array(seen, 2, 2)
        integer(earliest, 0, integer(latest, 0, LAST_MICROSECOND))


def _check_fingerprint(value: Any) -> None:
    if not re.fullmatch("[a-z2-7]{4}(-[a-z2-7]{4}){7}", text(value, 39)):
        raise RejectedError("no fingerprint")


def _check_owner_key(row: Any) -> None:
    key, persons, revoked, since, successor, contested = array(row, 6, 6)
    _check_fingerprint(key)
    if revoked not in ("", "compromised", "lost", "superseded") or type(contested) is not bool:
        raise RejectedError("no standing of a key")
    integer(since, 0, _LAST_SECOND)
    if successor != "":
        _check_fingerprint(successor)
    for one in array(persons, 0, 64):
        name, authority, known, document, log, index, time, problem = array(one, 8, 8)
        for value, most in ((name, 500), (authority, 64), (log, 255), (problem, 500)):
            text(value, most)
        integer(index, 0, 2**63 - 1)
        integer(time, 0, _LAST_SECOND)
        if document is not None:
            octets(document, 32)
        if known is not None:
            integer(known, 0, _LAST_SECOND)
        if (authority and (problem or not log)) or (known is not None and not authority):
            raise RejectedError("an authority that knows a person, and does not")


def _check_argued(value: Any) -> None:
    fields = exact_map(value, "agreements", "soundness_bits", "soundness_terms")
    _real(fields["soundness_bits"])
    for row in array(fields["agreements"], 0, 20):
        kind, asked, *rest = array(row, 11, 11)
        text(kind, 100)
        for number in rest[:5]:
            integer(number, 0, integer(asked, 0, MOST))
        order, *errors = rest[5:]
        for number in errors if order is None else (order, *errors):
            _real(number)


def _check_consistency(body: dict[str, Any]) -> None:
    """What a verdict must not say against itself; raises `RejectedError`."""
    names = [row[0] for row in body["checks"]]
    status = {row[0]: row[1] for row in body["checks"]}
    argued = body["argued"] is not None
    if names != list(ARGUMENT_CHECKS if argued else CHECKS):
        raise RejectedError("other checks")
    challenge = None
    if body["challenge"] is not None:
        challenge = read_challenge(octets(body["challenge"])) if not argued else _argument(body)
    if argued != (challenge is not None and challenge["mode"] == "argument"):
        raise RejectedError("another mode")
    evidence = body["evidence"]
    bits = None if evidence is None else sum(row[1] for row in evidence["terms"])
    if body["outcome"] == "proven":
        excused = {("commitment.timestamp", "skipped"), ("opening.leaves", "failed")}
        passed = all(one == "passed" or (name, one) in excused for name, one in status.items())
        if not passed or bits is None or bits < 100 * evidence["threshold_bits"]:
            raise RejectedError("not proven")
    if body["outcome"] == "not proven":
        why = ("evidence.threshold", "opening.labels", "argument.labels", "commitment.timestamp")
        if evidence is None or "failed" not in [status.get(name) for name in why]:
            raise RejectedError("no reason for not proven")
    for name, key in (("commitment", "header"), ("challenge", "challenge"), ("response", "proof")):
        if status[f"{name}.format"] == "passed" and body[key] is None:
            raise RejectedError("a file that was read is missing")
    if body["header"] is not None and hashlib.sha256(body["header"]).digest() != body["commitment"]:
        raise RejectedError("another header")
    if challenge is not None:
        if status["challenge.commitment"] == "passed" and (
            challenge["commitment"] != body["commitment"]
        ):
            raise RejectedError("another commitment")
        if status["challenge.judge"] == "passed" and challenge["judge"] != body["judge"]:
            raise RejectedError("another judge's challenge")
    public = b"zkwm-judge-public/1\n" + write(body["judge"])
    known = {"proof": body["proof"], "judge-public": hashlib.sha256(public).digest()}
    if body["challenge"] is not None:
        known["challenge"] = hashlib.sha256(body["challenge"]).digest()
    for role, _, digest, _ in body["files"]:
        if known.get(role, digest) not in (None, digest):
            raise RejectedError("another file")
    recount(body, challenge, status)


def _argument(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a challenge for an argument; its own keys are checked elsewhere."""
    outer = exact_map(file_value("challenge", octets(body["challenge"]), 32 * MIB),
                      "body", "signature")  # fmt: skip
    value: dict[str, Any] = read(octets(outer["body"]), 32 * MIB)
    return value


def _real(value: Any) -> float:
    """A number of at least 0; raises `RejectedError`."""
    number: float = struct.unpack(">d", octets(value, 8))[0]
    if math.isnan(number) or math.copysign(1, number) < 0:
        raise RejectedError("no number of at least 0")
    return number


def _one_of(value: Any, *choices: str) -> None:
    if type(value) is not str or value not in choices:
        raise RejectedError("not one of the texts")
