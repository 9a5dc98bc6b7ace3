"""Verdicts with dates (SPEC.md 8.5, 10.4), good ones and such as contradict themselves."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.reference.cbor import read, write
from tests.reference.signatures import fingerprint
from tests.support.stored_vectors import cases
from tests.vectors.build import Change, challenge_map, file
from tests.vectors.exchange import put
from tests.vectors.verdict import LIMIT, proven, proven_evidence, value_of

OWNER, *OTHERS = (
    fingerprint("zkwm-key-1", key) for key in read(proven()["header"], LIMIT)["owner_keys"]
)
ACME = ["ACME Ltd", "state", 1_789_000_000, None, "log.example/1", 3, 1_788_000_000, ""]
SELF = ["Acme", "", None, bytes(32), "log.example/1", 2, 1_787_000_000, ""]
LOST = ["Doe", "", None, None, "", 0, 0, "too few witnesses signed this checkpoint"]
"""Persons by an authority, by a document alone, and by a log's proof that does not verify."""


def _keys(
    *persons: list[Any], key: str = OWNER, ended: tuple[Any, ...] = ("", 0, "", False)
) -> list[Any]:
    """The rows of the owners' keys: persons behind the first one, and nobody behind the others."""
    return [[key, list(persons), *ended], *([one, [], "", 0, "", False] for one in OTHERS)]


DATES: dict[str, Any] = {
    "trust": bytes(range(32)), "needed": 1, "named": False, "beacon": None, "owner_name": "acme",
    "logged": [], "log_dates": False, "owner_keys": _keys(), "people": [],
    "dated": [
        ["exampletime", 1_790_000_000_000_000, 1_790_000_001_000_000],
        ["othertime", 1_790_000_100_000_000, 1_790_000_100_500_000],
    ],
}  # fmt: skip
"""By two authorities, before the suspect of ``exchange.json`` was published."""


def _logged(**changes: Any) -> dict[str, Any]:
    """The dates of a judge who lets a log date, and trusts no authority."""
    entry = {
        "log": "log.example/1", "index": 4, "size": 9, "statement": bytes(32), "key": OWNER,
        "seen": [1_789_999_700_000_000, 1_790_000_300_000_000], "witnesses": ["a", "b"],
    } | changes  # fmt: skip
    return DATES | {"dated": [], "logged": [list(entry.values())], "log_dates": True}


def _trusting(**policy: bool) -> bytes:
    """The challenge of ``exchange.json`` by a judge who trusts those of ``DATES``."""
    body = read(value_of(cases()[0].challenge)["body"], LIMIT)
    body |= {"trust": DATES["trust"], "policy": body["policy"] | policy}
    return file("challenge", challenge_map(body))


def dated(**policy: bool) -> dict[str, Any]:
    """The proven verdict with dates; ``policy`` is what else the challenge demands."""
    body, challenge = proven(), _trusting(**policy)
    body["checks"][4][1] = "passed"
    return body | {"challenge": challenge, "dates": DATES, "files": []}


def not_older() -> dict[str, Any]:
    """A verdict that is not proven because the commitment has to be older, and is not."""
    body = dated(older=True)
    body["checks"][4][1] = "failed"
    late = DATES | {"dated": [["exampletime", 1_794_900_000_000_000, 1_794_900_001_000_000]]}
    return body | {"outcome": "not proven", "dates": late}


def logged() -> dict[str, Any]:
    """The proven verdict, older by the witnesses of a log alone."""
    return dated(older=True) | {"dates": _logged()}


def bound() -> dict[str, Any]:
    """The proven verdict, with all that can be shown of the owner's key."""
    known = _keys(
        SELF, ACME, LOST, ended=("superseded", 1_789_500_000, "-".join(["aaaa"] * 8), True)
    )
    return dated() | {"dates": DATES | {"owner_keys": known, "people": ["state"]}}


def named() -> dict[str, Any]:
    """The proven verdict of a commitment that names the authority of its labels' beacon.

    The judge trusts it, so that grinding is paid for at 40 bits, and the claim is as young as the
    token of the beacon.
    """
    body = dated(older=True, trusted_beacon=True)
    header = write(read(body["header"], LIMIT) | {"timestamp_authority": bytes(range(32, 64))})
    digest = hashlib.sha256(header).digest()
    asked = read(value_of(body["challenge"])["body"], LIMIT)
    challenge = challenge_map(asked | {"commitment": digest, "beacon": bytes(range(64, 96))})
    evidence = proven_evidence(grinding=40)
    return body | {
        "commitment": digest, "header": header, "challenge": file("challenge", challenge),
        "evidence": evidence, "dates": DATES | {"named": True, "beacon": DATES["dated"][1][1:]},
    }  # fmt: skip


def false_dates() -> dict[str, dict[str, Any]]:
    """Bodies whose dates, checks and outcomes do not fit each other, by name."""
    late = not_older()
    late["checks"][4][1] = "passed"
    return {
        "proven, though it is not older": late | {"outcome": "proven"},
        "not proven by a date that is older": not_older() | {"dates": DATES},
        "a beacon trusted where none is named": dated(trusted_beacon=True),
        "a beacon where none is named": dated()
        | {"dates": DATES | {"beacon": DATES["dated"][0][1:]}},
        "an authority named, and not in the header": dated()
        | {"dates": DATES | {"named": True, "beacon": DATES["dated"][0][1:]}},
        "not proven, and no date known": not_older() | {"dates": DATES | {"needed": 3}},
        "a log that dates, though nobody lets it": logged()
        | {"dates": _logged() | {"log_dates": False}},
        "an entry without witnesses that dates": logged() | {"dates": _logged(witnesses=[])},
        "an entry of somebody else's": logged() | {"dates": _logged(key="-".join(["aaaa"] * 8))},
        "an entry behind the end of its log": logged() | {"dates": _logged(index=9)},
        "an entry after the suspect": logged()
        | {"dates": _logged(seen=[1_794_900_000_000_000, 1_794_900_001_000_000])},
        "a beacon trusted, and grinding paid for without one": named()
        | {"evidence": proven_evidence(grinding=48)},
        "named, and no beacon where one is trusted": named()
        | {"dates": DATES | {"named": True, "beacon": None}},
        "fewer authorities than needed": dated() | {"dates": DATES | {"needed": 3}},
        "the person behind somebody else's key": dated()
        | {"dates": DATES | {"owner_keys": _keys(ACME, key="-".join(["aaaa"] * 8))}},
        "a key twice": dated() | {"dates": DATES | {"owner_keys": [*_keys(), *_keys()][:4]}},
        "no key of the owner": dated() | {"dates": DATES | {"owner_keys": []}},
        "a person by an authority, and a problem": dated()
        | {"dates": DATES | {"owner_keys": _keys([*ACME[:7], "revoked"])}},
        "a person by an authority, and no log": dated()
        | {"dates": DATES | {"owner_keys": _keys([*ACME[:4], "", 0, 0, ""])}},
        "not revoked by nobody": dated()
        | {"dates": DATES | {"owner_keys": _keys([*SELF[:2], 1, *SELF[3:]])}},
    }


DATED_CHANGES: dict[str, tuple[str, Change]] = {
    "a date that nobody gives": (
        "verdict.format", put("checks", 4, 1, to="passed"),
    ),
    "dates by somebody whom the challenge does not trust": (
        "verdict.format", put("challenge", to=_trusting()),
    ),
    "a date, and the check skipped": ("verdict.format", put("dates", to=DATES)),
    "authorities out of order": (
        "verdict.format", put("dates", to=DATES | {"dated": DATES["dated"][::-1]}),
    ),
}  # fmt: skip
