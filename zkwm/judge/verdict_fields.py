"""The parts of a verdict as values of SPEC.md 3.2, and back: what a verdict's file holds (10.4).

Readers bound and check every value; whoever wrote it may be anybody. Texts of the verification
(reasons, names of files) may hold anything: what is not printable is replaced when it is written.
``zkwm.judge.argued_fields`` has those of an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from zkwm.judge.checks import ARGUMENT_TITLES, TITLES
from zkwm.judge.particulars import MOST_CHARACTERS, CaseParticulars, FileDigest, FileRole
from zkwm.judge.results import (
    AnswerRate,
    Asked,
    Check,
    CheckStatus,
    FirstSeen,
    TriggerResult,
    TriggerStatus,
)
from zkwm_protocols.allowances import Term
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import Malformed, Unsupported, UsageError
from zkwm_protocols.evidence import MAXIMUM_TRIALS, Evidence, RankSum, ScoreSum
from zkwm_protocols.ranks import MOST_OUTPUTS, Statistic
from zkwm_protocols.schema import (
    NOT_PRINTABLE,
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_map,
    require_text,
)

MOST_TEXT = 4_000
MOST_RECORDS = 100_000
_MOST = 2**40
_MOST_HUNDREDTHS = 2**31
_OUTPUTS = 1_000_000
_SHORT = 500


def plain(text: str, most: int = MOST_TEXT) -> str:
    """``text`` as a file may hold it: U+FFFD for what is not printable, cut to ``most``."""
    shown = re.sub(NOT_PRINTABLE, "\ufffd", text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def write_checks(checks: Sequence[Check]) -> list[Any]:
    """Id, status and detail of each; the titles follow from the ids."""
    return [[check.id, check.status.value, plain(check.detail)] for check in checks]


def read_checks(value: object) -> tuple[Check, ...]:
    """Exactly the checks of an opening or of an argument, in their order. Raises Malformed."""
    rows = [require_list(row, 3, 3) for row in require_list(value, 1, 100)]
    titles = next(
        (known for known in (TITLES, ARGUMENT_TITLES) if [row[0] for row in rows] == list(known)),
        None,
    )
    if titles is None:
        raise Malformed("a verdict lists every check of an opening or an argument, in order")
    return tuple(
        Check(
            name,
            titles[name],
            require_choice(status, CheckStatus, "status of a check"),
            require_text(detail, MOST_TEXT),
        )
        for name, status, detail in rows
    )


def write_triggers(triggers: Sequence[TriggerResult]) -> list[Any]:
    """Each opened trigger without its image."""
    return [
        [
            int(one.block),
            int(one.index),
            str(one.status),
            *map(_whole, (one.label, one.expected_output, one.answer)),
            _whole(one.rank) if one.points is None else one.points,
            plain(one.problem, _SHORT),
        ]
        for one in triggers
    ]


def read_triggers(value: object) -> tuple[TriggerResult, ...]:
    """The opened triggers, without images. Raises Malformed."""
    results = []
    for row in require_list(value, 0, MAXIMUM_TRIALS):
        block, index, status, label, expected, answer, place, problem = require_list(row, 8, 8)
        points = require_bytes(place) if isinstance(place, bytes) else None
        if points is not None and not 1 <= len(points) <= MOST_OUTPUTS:
            raise Malformed(f"a trigger has points of 1 to {MOST_OUTPUTS} classes")
        results.append(
            TriggerResult(
                require_integer(block, 100_000),
                require_integer(index, 100_000),
                require_choice(status, TriggerStatus, "status of a trigger"),
                None,
                _optional(label, 65_534),
                _optional(expected, _OUTPUTS),
                _optional(answer, _OUTPUTS),
                require_text(problem, _SHORT),
                None if points is not None else _optional(place, _OUTPUTS),
                points,
            )
        )
    return tuple(results)


def write_evidence(evidence: Evidence | None) -> dict[str, Any] | None:
    """The sum, term by term."""
    if evidence is None:
        return None
    total = evidence.rank_sum or evidence.score_sum
    return {
        "matches": int(evidence.matches),
        "trials": evidence.trials,
        "class_count": evidence.class_count,
        "terms": [[term.name, term.hundredths, term.meaning] for term in evidence.terms],
        "threshold_bits": evidence.threshold_bits,
        "needed_matches": evidence.needed_matches,
        "rank_sum": None if total is None else [int(total.value), total.largest, total.needed],
    }


def read_evidence(value: object, challenge: Challenge | None) -> Evidence | None:
    """The sum, by what the challenge counts. Raises Malformed."""
    if value is None:
        return None
    fields = require_map(
        value, "matches trials class_count terms threshold_bits needed_matches rank_sum", "evidence"
    )
    terms = []
    for row in require_list(fields["terms"], 1, 20):
        name, hundredths, meaning = require_list(row, 3, 3)
        bits = require_integer(hundredths, _MOST_HUNDREDTHS, -_MOST_HUNDREDTHS)
        terms.append(Term(require_text(name, 100), bits, require_text(meaning, _SHORT)))
    trials = require_integer(fields["trials"], MAXIMUM_TRIALS, 1)
    total = None if fields["rank_sum"] is None else _read_sum(fields["rank_sum"])
    scored = challenge is not None and challenge.statistic == Statistic.SCORES
    return Evidence(
        matches=require_integer(fields["matches"], trials),
        trials=trials,
        class_count=require_integer(fields["class_count"], 65_535, 2),
        terms=tuple(terms),
        threshold_bits=require_integer(fields["threshold_bits"], 10_000, 1),
        needed_matches=_optional(fields["needed_matches"], trials),
        rank_sum=RankSum(*total) if total and not scored else None,
        score_sum=ScoreSum(*total) if total and scored else None,
    )


def _read_sum(value: object) -> tuple[int, int, int | None]:
    """Value, largest and needed sum. Raises Malformed."""
    total, largest, needed = require_list(value, 3, 3)
    most = require_integer(largest, _MOST)
    return require_integer(total, most), most, _optional(needed, most)


def write_record(record: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What a remote suspect was asked and answered. Raises UsageError for too many images."""
    if len(record) > MOST_RECORDS:
        raise UsageError(
            f"the suspect was asked more than {MOST_RECORDS:,} images, and a verdict's file lists "
            "each",
            hint="open the suspect anew for this case",
        )
    return [
        [
            bytes.fromhex(one["image"]),
            _whole(one["output"]),
            plain(one["problem"], _SHORT),
            one["attempts"],
            round(1000 * one["seconds"]),
        ]
        for one in record
    ]


def read_record(value: object) -> tuple[dict[str, Any], ...]:
    """The same as JSON values. Raises Malformed."""
    found = []
    for row in require_list(value, 0, MOST_RECORDS):
        image, output, problem, attempts, milliseconds = require_list(row, 5, 5)
        found.append(
            {
                "image": require_bytes(image, 32).hex(),
                "output": _optional(output, _OUTPUTS),
                "problem": require_text(problem, _SHORT),
                "attempts": require_integer(attempts, _MOST),
                "seconds": require_integer(milliseconds, _MOST) / 1000,
            }
        )
    return tuple(found)


def write_asked(asked: Asked | None) -> dict[str, Any] | None:
    """How the suspect was asked."""
    if asked is None:
        return None
    rates = [[rate.kind, rate.asked, rate.answered, rate.scored] for rate in asked.rates]
    return {"earlier": asked.earlier, "kept": asked.kept, "rates": rates}


def read_asked(value: object) -> Asked | None:
    """How the suspect was asked. Raises Malformed."""
    if value is None:
        return None
    fields = require_map(value, "earlier kept rates", "how the suspect was asked")
    rates = []
    for row in require_list(fields["rates"], 0, 10):
        kind, asked, answered, scored = require_list(row, 4, 4)
        most = require_integer(asked, _MOST)
        rates.append(
            AnswerRate(
                require_text(kind, 100),
                most,
                require_integer(answered, most),
                require_integer(scored, most),
            )
        )
    earlier, kept = (require_integer(fields[name], _MOST) for name in ("earlier", "kept"))
    return Asked(earlier, kept, tuple(rates))


def read_first_seen(value: object) -> FirstSeen | None:
    """When the judge first saw commitment and suspect. Raises Malformed."""
    if value is None:
        return None
    return FirstSeen(*(require_integer(seconds, _MOST) for seconds in require_list(value, 2, 2)))


def write_versions(versions: Mapping[str, str]) -> list[Any]:
    """Name and version of the software, ascending by name."""
    pairs = ((plain(name, 100), plain(version, _SHORT)) for name, version in versions.items())
    return [[name, version] for name, version in sorted(pairs)]


def read_versions(value: object) -> dict[str, str]:
    """The software by name. Raises Malformed."""
    rows = [require_list(row, 2, 2) for row in require_list(value, 0, 64)]
    names = [require_text(name, 100) for name, _ in rows]
    if names != sorted(set(names)):
        raise Malformed("the names of the software are ascending, each once")
    return {name: require_text(version, _SHORT) for name, version in rows}


def read_particulars(value: object) -> CaseParticulars:
    """The case as stated. Raises Malformed."""
    fields = require_map(
        value, "case owner_name judge_name suspect_from listing", "particulars of the case"
    )
    return CaseParticulars(
        **{name: require_text(text, MOST_CHARACTERS) for name, text in fields.items()}
    )


def write_files(files: Sequence[FileDigest]) -> list[Any]:
    """Role, name, SHA-256 and size of each file."""
    return [
        [str(one.role), plain(one.name, MOST_CHARACTERS), one.digest, one.size] for one in files
    ]


def read_files(value: object) -> tuple[FileDigest, ...]:
    """The files. Raises Malformed."""
    found = []
    for row in require_list(value, 0, 2_000):
        role, name, digest, size = require_list(row, 4, 4)
        found.append(
            FileDigest(
                require_choice(role, FileRole, "role of a file"),
                require_text(name, MOST_CHARACTERS),
                require_bytes(digest, 32),
                require_integer(size, _MOST),
            )
        )
    return tuple(found)


def _whole(value: int | None) -> int | None:
    """An integer of the profile, whatever kind of integer it was."""
    return None if value is None else int(value)


def _optional(value: object, most: int) -> int | None:
    """An integer from 0 to ``most``, or None. Raises Malformed."""
    return None if value is None else require_integer(value, most)


@contextmanager
def format_errors() -> Iterator[None]:
    """Give what is not in its format the check ``verdict.format``."""
    try:
        yield
    except (Malformed, Unsupported) as error:
        error.check = "verdict.format"
        raise
