"""The case as stated and the files that were examined, which text and report both show.

Nobody checked what was stated; the files are those whose bytes were read.
"""

from __future__ import annotations

from zkwm.judge.particulars import FileRole
from zkwm.judge.verdict import Verdict
from zkwm.report.facts import Fact
from zkwm.report.visible import quoted

_ROLES = {
    FileRole.COMMITMENT: "Commitment",
    FileRole.CHALLENGE: "Challenge",
    FileRole.PROOF: "Proof",
    FileRole.SUSPECT: "Model",
    FileRole.REPORT: "Report",
    FileRole.JUDGE_PUBLIC: "Judge's public key",
}
HEADING = "The case, as stated (nobody checked this)"


def particulars(verdict: Verdict) -> tuple[Fact, ...]:
    """Case, parties and the model's origin, each empty where it was not stated."""
    stated = verdict.particulars
    return (
        Fact("Case", stated.case),
        Fact("Owner", stated.owner_name),
        Fact("Judge", stated.judge_name),
        Fact("Model obtained", stated.suspect_from),
        *((Fact("Listing", stated.listing),) if stated.listing else ()),
    )


def as_stated(verdict: Verdict) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """What was stated of the case, under its heading; nothing where nothing was."""
    stated = tuple(
        Fact(fact.name, f"{fact.value} (as stated)") for fact in particulars(verdict) if fact.value
    )
    return ((HEADING, stated),) if stated else ()


def files(verdict: Verdict) -> tuple[tuple[Fact, Fact], ...]:
    """The files that were examined: of each, name and size, and SHA-256 of its bytes."""
    return tuple(
        (
            Fact(
                _ROLES[file.role],
                f"{quoted(file.name)}, {file.size:,} bytes"
                if file.name
                else f"{file.size:,} bytes",
            ),
            Fact("SHA-256", file.digest.hex(), True),
        )
        for file in verdict.files
    )
