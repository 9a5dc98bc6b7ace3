"""What a challenge needs of suspect and commitment to read scores (SPEC.md 8.4, 8.6, 8.7)."""

from __future__ import annotations

from zkwm_protocols.commitment import Header, LabelMode
from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError
from zkwm_protocols.ranks import MOST_OUTPUTS, Statistic
from zkwm_protocols.schema import require_choice
from zkwm_protocols.score_points import most_triggers
from zkwm_protocols.suspect_identity import SuspectIdentity, SuspectKind


def read_statistic(value: object) -> Statistic:
    """The statistic of a challenge that states one. Raises Malformed, also for matches."""
    statistic = require_choice(value, Statistic, "statistic")
    if statistic == Statistic.MATCHES:
        raise Malformed("a challenge that counts matches states no statistic")
    return statistic


def verify_statistic(statistic: Statistic, suspect: SuspectIdentity, header: Header) -> None:
    """Check that scores can be kept, and that nobody chose the labels; matches need neither.

    Raises InvalidOpening (``challenge.suspect``, ``challenge.commitment``).
    """
    if not statistic.reads_scores:
        return
    if suspect.outputs > MOST_OUTPUTS or suspect.kind == SuspectKind.EXTRACTION:
        raise InvalidOpening(
            f"{statistic} are for suspects that give scores for at most {MOST_OUTPUTS} outputs",
            hint="ask for matches",
            check="challenge.suspect",
        )
    if statistic == Statistic.RELEARNING and suspect.kind != SuspectKind.SAFETENSORS:
        raise InvalidOpening(
            "relearning is for suspects whose weights can be trained here, those of a built-in "
            f"architecture in safetensors; this one is of kind {suspect.kind}",
            hint="where you have its model.safetensors and config.json, challenge their folder; "
            "else ask for scores, ranks or matches",
            check="challenge.suspect",
        )
    if header.label_mode != LabelMode.DERIVED:
        raise InvalidOpening(
            f"{statistic} are for derived labels; the owner declared these",
            hint="ask for matches",
            check="challenge.commitment",
        )


def require_room(statistic: Statistic, header: Header, block_count: int) -> None:
    """Check that the points of ``block_count`` blocks stand in one verdict.

    Raises UsageError (``challenge.reachable``).
    """
    most, size = most_triggers(header.class_count), header.block_size
    if statistic == Statistic.SCORES and block_count * size > most:
        blocks = most // size
        raise UsageError(
            f"{block_count * size:,} triggers are asked for, and a verdict has the points of at "
            f"most {most:,} with {header.class_count} classes",
            hint=f"open at most {blocks * size} triggers" if blocks else "ask for ranks",
            check="challenge.reachable",
        )
