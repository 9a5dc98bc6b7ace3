"""The terms of a case: what a challenge may say beside commitment, suspect and triggers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

from zkwm.judge.task_accuracy import TaskData
from zkwm.quantizer.network_agreement import DRAWN
from zkwm_protocols.dates import Published
from zkwm_protocols.errors import UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.suspect_identity import Preprocessing
from zkwm_protocols.trust import Trust

_LONGEST = timedelta(days=36_500)


class Terms(TypedDict, total=False):
    """Options of ``Judge.challenge``, which documents them.

    ``excluded_blocks`` stay out beside those that were opened to the marketplace; ``statistic`` is
    ``matches``, or ``ranks``, ``scores`` or ``relearning``, which an argument does not have;
    ``policy`` is that of the marketplace where none is given, and so is ``trust``, which may be a
    folder too. The verdict needs the same: give it to ``settle`` where it is not the marketplace's
    own any more.
    """

    purpose: str
    preprocessing: Preprocessing | None
    class_map: tuple[int, ...] | None
    suspect_classes: tuple[str, ...] | None
    excluded_blocks: tuple[int, ...]
    policy: Policy | None
    statistic: str
    test_data: TaskData | None
    published: Published | None
    trust: Trust | str | Path | None


def argument_terms(reveal: int | tuple[int, ...] | None, size: int, terms: Terms) -> dict[str, Any]:
    """The terms as those of ``Judge.challenge_argument``, about blocks of ``size`` triggers.

    Suspect and integer network are compared on the first 200 images of the test data too. Raises
    UsageError for what an argument does not have.
    """
    own: dict[str, Any] = dict(terms)
    if own.pop("statistic", Statistic.MATCHES) != Statistic.MATCHES:
        raise UsageError("an argument shows matches", hint="ask for an opening to read scores")
    if isinstance(reveal, tuple):
        raise UsageError("an argument opens nothing that could be weighed again")
    if reveal is not None and (reveal < 1 or reveal % size):
        raise UsageError(f"{reveal} triggers are not a number of whole blocks of {size}")
    data = terms.get("test_data")
    return {
        **own,
        "blocks": None if reveal is None else reveal // size,
        "images": None if data is None else data.images.images[:DRAWN],
    }


def whole_seconds(time: timedelta | None) -> int | None:
    """A time to answer in whole seconds; None is none. Raises UsageError for a negative one."""
    if time is None:
        return None
    if not timedelta(0) <= time <= _LONGEST:
        raise UsageError("answer_within is between nothing and a hundred years")
    return int(time.total_seconds())
