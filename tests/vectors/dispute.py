"""Makes ``dispute.json``: signed verdicts on disputes (SPEC.md 28.7) and changes of them.

``python -m tests.vectors.dispute`` writes the file. Each good verdict is one row of the tables of
28.4 and 28.6; each bad one says something else than its own facts.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from tests.reference.cbor import write
from tests.vectors.build import (
    JUDGE,
    JUDGE_BOX,
    OTHER_BOX,
    OTHER_JUDGE,
    Change,
    file,
    hexadecimal,
    judge_map,
)
from tests.vectors.exchange import put
from tests.vectors.generate import FOLDER
from zkwm_protocols.keys import SigningKey

DAY = 86_400_000_000
MONTH = 1_790_000_000_000_000


def key_row(key: SigningKey) -> list[Any]:
    """A key, whose it is, and who says so (26.7)."""
    place = ["log.example/1", 7, MONTH // 10**6]
    persons = [
        ["ACME Ltd", "state", MONTH // 10**6, None, *place, ""],
        ["Acme", "", None, bytes(range(32)), *place, ""],
        ["Mallory", "", None, None, "", 0, 0, "the log's proof does not verify"],
    ]
    return [key.public.fingerprint(), persons, "lost", 1, "", False]


def party(name: str, days: int | None, key: SigningKey | None = None) -> dict[str, Any]:
    """A party whose commitment existed so many days after the first."""
    existed = None if days is None else [MONTH + days * DAY, MONTH + days * DAY + 1_000_000]
    return {
        "name": name, "called": name.title(), "commitment": hashlib.sha256(name.encode()).digest(),
        "owner_keys": [] if key is None else [key_row(key)], "existed": existed, "logged": [],
        "problem": "",
        "dated": [] if existed is None else [["exampletime", *existed]],
    }  # fmt: skip


def model(name: str, by: str, days: int | None, *, contested: bool = False) -> dict[str, Any]:
    """A model that somebody published on some day."""
    begin = None if days is None else MONTH + days * DAY
    published = None
    if begin is not None:
        published = {"earliest": begin, "latest": begin + DAY - 1, "source": "a page"}
    return {
        "name": name, "published_by": by, "kind": "onnx", "contested": contested, "problem": "",
        "digest": hashlib.sha256(name.encode()).digest(), "published": published,
    }  # fmt: skip


def claim(mark: str, model: str, outcome: str = "proven", *objections: str) -> dict[str, Any]:
    """What was found of a mark in a model."""
    numbers = {"proven": (9_309, 50, 50), "not proven": (-7_000, 5, 50)}
    bits, matches, trials = numbers.get(outcome, (None, None, None))
    return {
        "mark": mark, "model": model, "outcome": outcome, "basis": "judge's word",
        "detail": "as its judge says", "bits": bits, "matches": matches, "trials": trials,
        "judge": "", "challenge": None, "proof": None, "issued": None, "blocks": [0],
        "objections": [[rule, "because"] for rule in objections],
    }  # fmt: skip


def body(
    outcome: str, rule: str, claims: list[dict[str, Any]], *, supported: str = "", **changes: Any
) -> dict[str, Any]:
    """The body of a verdict; Acme is older than Doe's model, and Doe's commitment is not."""
    return {
        "type": "zkwm-dispute-verdict", "version": 2, "judge": judge_map(),
        "title": "Acme v. Doe", "outcome": outcome, "supported": supported, "rule": rule,
        "reason": "as the rules say", "checked": MONTH // 10**6 + 10**7, "trust": bytes(range(32)),
        "parties": [party("acme", 0), party("doe", 30)],
        "models": [
            model("suspect", "doe", 20, contested=True), model("original", "acme", 10),
        ],
        "claims": claims, "remarks": [["28.3.2", "acme is older"]], "not_checked": [],
        "equivocations": [], "files": [["case", "CASE.yaml", bytes(32), 7]],
        "versions": [["zkwm", "0.1.0"]], "people": ["state"], **changes,
    }  # fmt: skip


def theft() -> dict[str, Any]:
    """The owner against a thief who overwrites and registers later."""
    claims = [
        claim("acme", "suspect"), claim("doe", "suspect"), claim("doe", "original", "not proven"),
    ]  # fmt: skip
    parties = [party("acme", 0, JUDGE), party("doe", 30)]
    return body("supported", "28.6.1", claims, supported="acme", parties=parties)


def elsewhere(**dates: int | None) -> dict[str, Any]:
    """Another publisher's model, and other dates."""
    days = {"acme": 0, "doe": 0, "suspect": 20} | dates
    return {
        "parties": [party("acme", days["acme"]), party("doe", days["doe"])],
        "models": [
            model("suspect", "somebody", days["suspect"], contested=True),
            model("original", "acme", 10),
        ],
    }  # fmt: skip


def good() -> dict[str, dict[str, Any]]:
    """Verdicts that follow from their facts, by name."""
    both = [claim("acme", "suspect"), claim("doe", "suspect")]
    return {
        "the owner against a thief": theft(),
        "nobody: own product": body("not supported", "28.6.6", [claim("doe", "suspect")]),
        "nobody: the mark is not there": body(
            "not supported", "28.6.6", [claim("acme", "suspect", "not proven")]
        ),
        "nobody: an objection": body(
            "not supported", "28.6.6", [claim("acme", "suspect", "proven", "28.5.4")]
        ),
        "nobody: too late": body(
            "not supported", "28.6.6", [claim("acme", "suspect")], **elsewhere(acme=40)
        ),
        "undecided between two": body("undecided", "28.6.2", both, **elsewhere()),
        "told apart by a product": body(
            "supported", "28.6.1", [*both, claim("doe", "original")], supported="doe", **elsewhere()
        ),
        "undecided in time": body(
            "undecided", "28.6.5", [claim("acme", "suspect")], **elsewhere(acme=20)
        ),
        "not checked": body(
            "could not be checked", "28.6.3", [claim("acme", "suspect", "could not be checked")]
        ),
        "no date of the commitment": body(
            "trust material missing", "28.6.4", [claim("acme", "suspect")], **elsewhere(acme=None)
        ),
        "no date of the model": body(
            "trust material missing", "28.6.4", [claim("acme", "suspect")],
            **elsewhere(suspect=None),
        ),
    }  # fmt: skip


CHANGES: dict[str, tuple[str, Change]] = {
    "a key more": ("dispute.format", put("extra", to=1)),
    "a version to come": ("dispute.format", put("version", to=3)),
    "an earlier version": ("dispute.format", put("version", to=1)),
    "another party": ("dispute.format", put("supported", to="doe")),
    "another rule": ("dispute.format", put("rule", to="28.6.2")),
    "another outcome": ("dispute.format", put("outcome", to="undecided")),
    "an unknown outcome": ("dispute.format", put("outcome", to="won")),
    "the owner's own product": ("dispute.format", put("models", 0, "published_by", to="acme")),
    "a later commitment": ("dispute.format", put("parties", 0, "existed", to=[2**51, 2**51])),
    "an objection that was passed over": (
        "dispute.format", put("claims", 0, "objections", to=[["28.5.1", "x"]]),
    ),
    "a mark that was not found": ("dispute.format", put("claims", 0, "outcome", to="not proven")),
    "no model of the dispute": ("dispute.format", put("models", 0, "contested", to=False)),
    "a claim of nobody": ("dispute.format", put("claims", 0, "mark", to="nobody")),
    "a claim twice": ("dispute.format", put("claims", to=lambda rows: [*rows, rows[0]])),
    "a party twice": ("dispute.format", put("parties", to=lambda rows: [*rows, rows[0]])),
    "a key of a party twice": (
        "dispute.format", put("parties", 0, "owner_keys", to=lambda rows: [*rows, rows[0]]),
    ),
    "a person by an authority, with a problem": (
        "dispute.format", put("parties", 0, "owner_keys", 0, 1, 0, 7, to="revoked"),
    ),
    "a person by an authority, in no log": (
        "dispute.format", put("parties", 0, "owner_keys", 0, 1, 0, 4, to=""),
    ),
    "a key by its fingerprint alone": (
        "dispute.format", put("parties", 0, "owner_keys", 0, to="zk1"),
    ),
    "those who know persons in another order": (
        "dispute.format", put("people", to=["zoo", "state"]),
    ),
    "evidence that is none": ("dispute.format", put("equivocations", to=[b"junk"])),
    "text that is not printable": ("dispute.format", put("reason", to="a\nb")),
    "signed by another judge, who names themself": (
        "dispute.judge", put("judge", to=judge_map(OTHER_JUDGE, OTHER_BOX)),
    ),
}  # fmt: skip


def signed(
    value: dict[str, Any], key: SigningKey = JUDGE, purpose: str = "dispute-verdict"
) -> bytes:
    """The file of a verdict."""
    encoded = write(value)
    signature = key.sign(purpose, hashlib.sha256(encoded).digest())
    return file("dispute-verdict", {"body": encoded, "signature": signature})


def generate() -> dict[str, Any]:
    """The file as JSON values."""
    made: list[tuple[str, str | None, bytes]] = [
        (name, None, signed(value)) for name, value in good().items()
    ]
    for name, (check, change) in CHANGES.items():
        value = copy.deepcopy(theft())
        change(value)
        key = OTHER_JUDGE if name.startswith("signed by another") else JUDGE
        made.append((name, check, signed(value, key)))
    made += [
        ("signed by another key", "dispute.signature", signed(theft(), OTHER_JUDGE)),
        (
            "a signature for the purpose verdict",
            "dispute.signature",
            signed(theft(), purpose="verdict"),
        ),
    ]
    return {
        "judge": {
            "signing": JUDGE.to_bytes(), "box": JUDGE_BOX.to_bytes(),
            "public": file("judge-public", judge_map()),
        },
        "cases": [{"name": name, "check": check, "file": data} for name, check, data in made],
    }  # fmt: skip


def main() -> None:
    """Write the file."""
    text = json.dumps(hexadecimal(generate()), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "dispute.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
