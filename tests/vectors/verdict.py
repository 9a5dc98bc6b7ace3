"""Makes ``verdict.json``: signed verdicts (SPEC.md 10.4) and changes of them, value by value.

``python -m tests.vectors.verdict`` writes the file. The good verdicts are about the first case of
``exchange.json``, about a challenge for an argument, and about nothing that could be read.
"""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from typing import Any

from tests.reference import evidence as reference
from tests.reference.cbor import read, write
from tests.support.stored_vectors import cases
from tests.vectors.build import (
    JUDGE,
    JUDGE_BOX,
    OTHER_BOX,
    OTHER_JUDGE,
    Change,
    challenge_map,
    file,
    hexadecimal,
    judge_map,
)
from tests.vectors.exchange import BLOCK_SIZE, CLASS_COUNT, CLASS_MAP, INDICES, NAMES, put
from tests.vectors.generate import FOLDER
from zkwm_protocols.keys import SigningKey

LIMIT = 2**26
CHECKED = 1_795_100_000
ARGUMENT_CHECKS = (
    "commitment.format", "commitment.root", "commitment.class_names", "commitment.signature",
    "commitment.timestamp", "challenge.format", "challenge.signature", "challenge.judge",
    "challenge.commitment", "challenge.class_map", "challenge.suspect", "challenge.reachable",
    "response.format", "response.signature", "response.challenge", "response.blocks",
    "argument.labels", "challenge.network", "argument.translation", "argument.agreement",
    "argument.format", "argument.soundness", "argument.proof",
)  # fmt: skip


def real(value: float) -> bytes:
    """A real number of a verdict."""
    return struct.pack(">d", value)


def value_of(data: bytes) -> Any:
    """The value of a whole file."""
    return read(data[data.index(b"\n") + 1 :], LIMIT)


def nothing() -> dict[str, Any]:
    """A verdict on files of which none could be read."""
    names = list(cases()[0].checks)
    return {
        "type": "zkwm-verdict",
        "version": 4,
        "judge": judge_map(),
        "outcome": "could not be checked",
        "reason": "this is not a zkwm commitment file",
        "hint": "",
        "checked": CHECKED,
        "checks": [
            [names[0], "failed", "this is not a zkwm commitment file"],
            *([name, "skipped", "not reached"] for name in names[1:]),
        ],
        "commitment": None,
        "header": None,
        "challenge": None,
        "proof": None,
        "blocks": [],
        "triggers": [],
        "evidence": None,
        "declared_labels_accepted": False,
        "suspect_record": [],
        "versions": [["python", "3.11.2"], ["zkwm", "0.1.0"]],
        "argued": None,
        "functions_tried": None,
        "asked": None,
        "first_seen": None,
        "dates": None,
        "class_names": None,
        "particulars": {
            "case": "12 O 345/25", "owner_name": "Prüfstein GmbH", "judge_name": "",
            "suspect_from": "", "listing": "",
        },
        "files": [],
    }  # fmt: skip


def proven() -> dict[str, Any]:
    """A verdict on the first case of ``exchange.json``, which is proven."""
    case = cases()[0]
    header = value_of(case.commitment)["header"]
    answers = list(case.answers.values())
    triggers = [
        _trigger(index, label, answer)
        for index, label, answer in zip(INDICES, case.labels, answers, strict=True)
    ]
    matches = sum(trigger[2] == "match" for trigger in triggers)
    assert matches == case.matches
    presented = {
        "commitment": case.commitment, "challenge": case.challenge, "proof": case.proof,
        "judge-public": file("judge-public", judge_map()),
    }  # fmt: skip
    return nothing() | {
        "outcome": "proven",
        "reason": f"{matches} of {len(triggers)} triggers match",
        "checks": [[name, status, ""] for name, status in case.checks.items()],
        "commitment": hashlib.sha256(header).digest(),
        "header": header,
        "challenge": case.challenge,
        "proof": hashlib.sha256(case.proof).digest(),
        "blocks": [0, 3],
        "triggers": triggers,
        "evidence": _evidence(matches, len(triggers)),
        "functions_tried": 1,
        "asked": {"earlier": 0, "kept": 0, "rates": [["triggers", 40, 39, 0]]},
        "first_seen": [CHECKED - 1000, CHECKED - 500],
        "class_names": NAMES,
        "files": [
            [role, f"case.{role}", hashlib.sha256(data).digest(), len(data)]
            for role, data in presented.items()
        ],
    }


def _trigger(index: int, label: int | None, answer: int | None) -> list[Any]:
    assert label is not None
    status = "match" if answer == CLASS_MAP[label] else "no match"
    problem = ""
    if answer is None:
        status, problem = "no answer", "timed out"
    return [
        index // BLOCK_SIZE, index, status, label, CLASS_MAP[label], answer, None, problem,
    ]  # fmt: skip


def proven_evidence(*, grinding: int) -> dict[str, Any]:
    """The evidence of ``proven``, with this price of grinding in bits."""
    case = cases()[0]
    return _evidence(case.matches, len(INDICES), grinding)


def _evidence(matches: int, trials: int, grinding: int = 48) -> dict[str, Any]:
    tail = reference.hundredths_below(1 / reference.tail(trials, CLASS_COUNT, matches))
    allowance = reference.allowance(4, 2, 1, 0, 0, grinding)
    needed = next(
        count
        for count in range(trials + 1)
        if reference.hundredths_below(1 / reference.tail(trials, CLASS_COUNT, count)) - allowance
        >= 4000
    )
    return {
        "matches": matches,
        "trials": trials,
        "class_count": CLASS_COUNT,
        "terms": [
            ["matches by chance", tail, "the chance of so many"],
            ["allowances", -allowance, "all that could be chosen"],
        ],
        "threshold_bits": 40,
        "needed_matches": needed,
        "rank_sum": None,
    }


def argued() -> dict[str, Any]:
    """A verdict on an argument whose network is not close enough to the file."""
    body = read(value_of(cases()[0].challenge)["body"], LIMIT)
    body |= {"mode": "argument", "network": bytes(range(32)), "least_matches": 38}
    failing = ARGUMENT_CHECKS.index("argument.agreement")
    marks = ["passed"] * failing + ["failed"] + ["skipped"] * (len(ARGUMENT_CHECKS) - failing - 1)
    marks[ARGUMENT_CHECKS.index("commitment.timestamp")] = "skipped"
    agreement = [
        "random blocks", 200, 120, 150, 110, 20, 9, real(0.75), real(0.25), real(float("inf")),
        real(0.0001),
    ]  # fmt: skip
    return proven() | {
        "outcome": "could not be checked",
        "reason": "the integer network is not close enough to the file",
        "hint": "ask for an opening",
        "checks": [[name, mark, ""] for name, mark in zip(ARGUMENT_CHECKS, marks, strict=True)],
        "challenge": file("challenge", challenge_map(body)),
        "triggers": [],
        "evidence": None,
        "asked": None,
        "argued": {
            "agreements": [agreement], "soundness_bits": real(0.0), "soundness_terms": []
        },
        "files": [],
    }  # fmt: skip


def signed(
    body: dict[str, Any], key: SigningKey = JUDGE, purpose: str = "verdict"
) -> dict[str, Any]:
    """The value of a verdict's file."""
    encoded = write(body)
    digest = hashlib.sha256(encoded).digest()
    return {"body": encoded, "signature": key.sign(purpose, digest)}


CHANGES: dict[str, tuple[str, Change]] = {
    "a key more": ("verdict.format", put("extra", to=1)),
    "an earlier type": ("verdict.format", put("type", to="zkwm-challenge")),
    "the version before": ("verdict.format", put("version", to=3)),
    "an unknown outcome": ("verdict.format", put("outcome", to="acquitted")),
    "not proven, with checks that passed": ("verdict.format", put("outcome", to="not proven")),
    "proven, with a failed check": ("verdict.format", put("checks", 1, 1, to="failed")),
    "proven, with a check not reached": ("verdict.format", put("checks", -1, 1, to="skipped")),
    "proven, with evidence under the threshold": (
        "verdict.format", put("evidence", "terms", 0, 1, to=100),
    ),
    "proven without evidence": ("verdict.format", put("evidence", to=None)),
    "a check left out": ("verdict.format", put("checks", to=lambda rows: rows[:-1])),
    "checks in another order": ("verdict.format", put("checks", to=lambda rows: rows[::-1])),
    "another commitment": ("verdict.format", put("commitment", to=bytes(32))),
    "another proof than the file's": ("verdict.format", put("proof", to=bytes(32))),
    "no challenge": ("verdict.format", put("challenge", to=None)),
    "text that is not printable": ("verdict.format", put("reason", to="a\nb")),
    "versions out of order": ("verdict.format", put("versions", to=lambda rows: rows[::-1])),
    "fewer matches, the same sum": ("verdict.format", put("evidence", "matches", to=37)),
    "more evidence than its matches give": (
        "verdict.format", put("evidence", "terms", 0, 1, to=99_999),
    ),
    "fewer matches needed": ("verdict.format", put("evidence", "needed_matches", to=30)),
    "another threshold than the challenge's": (
        "verdict.format", put("evidence", "threshold_bits", to=39),
    ),
    "more functions tried than were charged": ("verdict.format", put("functions_tried", to=9)),
    "a block that was not demanded": ("verdict.format", put("blocks", to=[0, 1])),
    "a trigger less": ("verdict.format", put("triggers", to=lambda rows: rows[:-1])),
    "a match that is none": ("verdict.format", put("triggers", 7, 5, to=60_000)),
    "another label": ("verdict.format", put("triggers", 0, 3, to=lambda label: (label + 1) % 2)),
    "other class names": ("verdict.format", put("class_names", to=lambda names: names[::-1])),
    "declared labels accepted, of which there are none": (
        "verdict.format", put("declared_labels_accepted", to=True),
    ),
    "could not be checked, and all was": (
        "verdict.format", put("outcome", to="could not be checked"),
    ),
    "more matches than triggers": ("verdict.format", put("evidence", "matches", to=41)),
    "signed by another judge, who names themself": (
        "verdict.judge", put("judge", to=judge_map(OTHER_JUDGE, OTHER_BOX)),
    ),
    "the box of another judge": ("verdict.judge", put("judge", "box", to=OTHER_BOX.public.data)),
}  # fmt: skip


def changed(body: dict[str, Any], change: Change) -> dict[str, Any]:
    """A changed copy."""
    value = copy.deepcopy(body)
    change(value)
    return value


def generate() -> dict[str, Any]:
    """The file as JSON values."""
    from tests.vectors.dated_verdicts import (
        DATED_CHANGES,
        bound,
        dated,
        false_dates,
        logged,
        named,
        not_older,
    )

    good = {
        "proven": proven(), "an argument": argued(), "nothing readable": nothing(),
        "proven, and dated": dated(), "proven, and older": dated(older=True),
        "not older": not_older(), "proven, and older by a log": logged(),
        "proven, older and by a trusted beacon": named(),
        "proven, with the persons behind the owner's key": bound(),
    }  # fmt: skip
    made: list[tuple[str, str | None, dict[str, Any]]] = [
        (name, None, signed(body)) for name, body in good.items()
    ]
    for name, (check, change) in (CHANGES | DATED_CHANGES).items():
        other = name.startswith("signed by another")
        body = changed(proven(), change)
        made.append((name, check, signed(body, OTHER_JUDGE if other else JUDGE)))
    base = signed(proven())
    negative = changed(argued(), put("argued", "agreements", 0, 8, to=struct.pack(">d", -0.0)))
    made += [
        *((name, "verdict.format", signed(body)) for name, body in false_dates().items()),
        ("a negative zero", "verdict.format", signed(negative)),
        ("signed by another key", "verdict.signature", signed(proven(), OTHER_JUDGE)),
        ("altered", "verdict.signature", base | {"body": signed(argued())["body"]}),
        (
            "a signature for the purpose challenge",
            "verdict.signature",
            signed(proven(), purpose="challenge"),
        ),
        ("a challenge as verdict", "verdict.format", value_of(cases()[0].challenge)),
    ]
    return {
        "judge": {
            "signing": JUDGE.to_bytes(), "box": JUDGE_BOX.to_bytes(),
            "public": file("judge-public", judge_map()),
        },
        "body": base["body"],
        "digest": hashlib.sha256(base["body"]).digest(),
        "cases": [
            {"name": name, "check": check, "file": file("verdict", value)}
            for name, check, value in made
        ],
    }  # fmt: skip


def main() -> None:
    """Write the file."""
    text = json.dumps(hexadecimal(generate()), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "verdict.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
