"""A judge who signs a sum of ranks that is none: SPEC.md 10.4, of whatever size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reference.verdict import failing_check
from tests.support.dispute import CLASSES
from tests.support.signed_verdicts import add_to, resigned, signed_verdict
from zkwm.judge.verdict import Verdict
from zkwm_protocols.errors import Malformed
from zkwm_protocols.ranks import Statistic, weights
from zkwm_protocols.verdict_file import VerdictFile

CHANGES: dict[str, Callable[[Any], object]] = {
    "more evidence": lambda value: value["evidence"]["terms"][0].__setitem__(
        1, value["evidence"]["terms"][0][1] + 100
    ),
    "a larger sum": lambda value: add_to(value["evidence"]["rank_sum"], 0, 1),
    "a larger whole": lambda value: add_to(value["evidence"]["rank_sum"], 1, 1),
    "less needed": lambda value: add_to(value["evidence"]["rank_sum"], 2, -1),
}


def _silenced(value: Any) -> None:
    """A trigger that the suspect did not answer, with the rank that it had."""
    row = next(row for row in value["triggers"] if row[2] == "no match")
    row[2], row[5], row[7] = "no answer", None, "it took too long"


def _unranked(value: Any) -> None:
    """An answered trigger whose rank weighs nothing, left out."""
    row = next(row for row in value["triggers"] if weights(CLASSES)[row[6]] == 0)
    row[6] = None


CHANGES |= {"a rank without an answer": _silenced, "an answer without a rank": _unranked}


@pytest.mark.parametrize("count", [100, pytest.param(6_700, marks=pytest.mark.slow)])
def test_a_sum_of_ranks_is_recounted(count: int, quick_labels: None) -> None:
    """6,700 triggers weigh 40,200: earlier readers left such a sum to the judge."""
    judge, file = signed_verdict(Statistic.RANKS, count, strength=1.0)
    assert count < 5000 or count * weights(CLASSES)[0] > 40_000
    read = Verdict.from_bytes(file, judge.public)
    assert read.evidence is not None
    assert read.evidence.rank_sum is not None
    for name, change in CHANGES.items():
        with pytest.raises(Malformed) as refused:
            Verdict.from_bytes(resigned(judge, file, change), judge.public)
        assert refused.value.check == "verdict.format", name


def test_the_reference_recounts_it_too(quick_labels: None) -> None:
    judge, file = signed_verdict(Statistic.RANKS, strength=1.0)
    public = VerdictFile.from_bytes(file).fields()["judge"]
    assert failing_check(file, public) is None
    for name, change in CHANGES.items():
        assert failing_check(resigned(judge, file, change), public) == "verdict.format", name
