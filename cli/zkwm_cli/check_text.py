"""What ``zkwm check`` tells a person: answers by block, then each way of answering a judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zkwm.report.visible import by_luck, quoted
from zkwm_cli.consent import name_blocks
from zkwm_cli.exits import one_line
from zkwm_cli.option_names import in_options
from zkwm_cli.terminal import duration
from zkwm_protocols.allowances import most_functions
from zkwm_protocols.opened_words import counted_words, opened_words
from zkwm_protocols.policy import MOST_FUNCTIONS
from zkwm_protocols.suspect_identity import SuspectKind

if TYPE_CHECKING:
    from zkwm.owner.suspect_check import ArgumentCheck, OpeningCheck, SuspectCheck
    from zkwm_protocols.evidence import Evidence

_SHOWN_BLOCKS = 40
_SHOWN_TEXT = 500
_NAME = 12


def check_text(found: SuspectCheck) -> str:
    """The whole text, ending in a line break."""
    lines = [
        "A look in private: nothing left this machine, and nothing was recorded.",
        "",
        *_answers(found),
    ]
    for opening in found.openings:
        lines += ["", f"An opening, {opening.statistic} counted"]
        lines += _opening(found, opening)
    if any(opening.statistic.counts_ranks for opening in found.openings):
        lines += _relearning(found)
    if not found.openings:
        lines += ["", "An opening", _row("not possible", "every block is spent")]
    if found.argument is not None:
        lines += ["", "An argument in zero knowledge", *_argument(found, found.argument)]
    return "\n".join(lines) + "\n"


def _answers(found: SuspectCheck) -> Iterator[str]:
    """The suspect, and how many triggers of each block match."""
    suspect, size = found.suspect, found.block_size
    luck = by_luck(found.triggers, found.class_count)
    yield _row("suspect", f"{quoted(suspect.description, _SHOWN_TEXT)} ({suspect.kind})")
    yield _row("its digest", suspect.digest.hex())
    marked = suspect.kind == SuspectKind.EXTRACTION
    name = "bits" if marked else "triggers"
    yield _row(name, f"{found.matches:,} of {found.triggers:,} match; {luck} would by luck")
    for block in found.blocks[:_SHOWN_BLOCKS]:
        silent = size - block.answered
        answered = f", {silent} without an answer" if silent else ""
        spent = ", spent" if block.spent else ""
        yield _row(f"block {block.block}", f"{block.matches} of {size}{answered}{spent}")
    rest = found.blocks[_SHOWN_BLOCKS:]
    if rest:
        matches, spent_count = sum(b.matches for b in rest), sum(b.spent for b in rest)
        yield _row(
            "other blocks",
            f"{matches:,} of {len(rest) * size:,} in {len(rest):,} blocks, {spent_count:,} spent; "
            "--json lists all",
        )
    yield _row("tried", _tried(found))
    if found.map_bits:
        yield _row("class map", f"follows from no names: {found.map_bits:,} bits are deducted")


def _tried(found: SuspectCheck) -> str:
    """Which of all functions tried the bits count this one as, and why."""
    given = found.answers_given
    counted = f"counted as function {found.functions_tried:,} of those tried on this commitment"
    if not given:
        return f"{counted}; your vault has answered no judge about it (else --functions-tried)"
    return (
        f"{counted}; your vault has answered {given:,} challenge{'' if given == 1 else 's'} about "
        "it, each perhaps of another function (else --functions-tried)"
    )


def _opening(found: SuspectCheck, opening: OpeningCheck) -> Iterator[str]:
    """What an opening would show, and what it costs."""
    evidence = opening.evidence
    ranks, points = evidence.rank_sum, evidence.score_sum
    total = ranks or points
    needed = evidence.needed_matches if total is None else total.needed
    demand = "even all would not be enough" if needed is None else f"{needed:,} needed"
    shown = f"{evidence.matches:,} of {evidence.trials:,} {counted_words(found.suspect.kind)} match"
    if ranks is not None:
        shown += f", their ranks weigh {ranks.value:,} of {ranks.largest:,}"
    if points is not None:
        shown += f", their labels have {points.value:,} points of {points.largest:,}"
    shown += f"; {demand}"
    blocks = name_blocks(opening.blocks[:_SHOWN_BLOCKS])
    more = len(opening.blocks) - _SHOWN_BLOCKS
    yield _row("would show", shown)
    yield _row("evidence", _bits(found, evidence) + _up_to(found, evidence))
    yield _row(
        "costs",
        f"{blocks}{f' and {more:,} more' if more > 0 else ''}, then spent; "
        f"{opening.unspent_after:,} unspent left",
    )
    asked = len(opening.blocks) * found.block_size
    what = opened_words(found.suspect.kind)
    yield _row("takes", f"a judge who asks for {asked:,} {what} (--reveal {asked})")
    if opening.chosen:
        numbers = ",".join(str(block) for block in opening.blocks)
        yield _row(
            "answer by",
            f"zkwm prove --blocks {numbers}: these match best; the first ones that are free, which "
            "it opens by itself, show less",
        )


def _relearning(found: SuspectCheck) -> Iterator[str]:
    """That a judge with these weights has one statistic more, which takes too long to look at."""
    from zkwm_protocols.relearning import FOLDS, Form

    if found.suspect.kind == SuspectKind.SAFETENSORS:
        copies = sum(form.trained for form in Form) * (FOLDS - 1)
        yield ""
        yield "An opening, relearning counted"
        yield _row(
            "not tried",
            f"it trains {copies} copies, seconds of one core for a small network and minutes or "
            "more for a larger one: ask the judge for it where ranks are too few "
            "(`--statistic relearning`); a choice of yours costs 2 bits",
        )


def _argument(found: SuspectCheck, argument: ArgumentCheck) -> Iterator[str]:
    """What an argument would show, and what it costs; or why there is none."""
    if argument.refusal:
        yield _row("not possible", one_line(argument.refusal))
        if argument.hint:
            yield _row("instead", one_line(in_options(argument.hint)))
        return
    triggers = len(argument.blocks) * found.block_size
    yield _row(
        "would show",
        f"at least {argument.least_matches:,} of {triggers:,} triggers match"
        if argument.reached
        else f"nothing: {argument.matches:,} of {triggers:,} triggers match in the integer network,"
        f" {argument.least_matches:,} needed",
    )
    if argument.evidence is not None and argument.reached:
        yield _row("of which", f"{argument.matches:,} do, in the integer network")
        yield _row("evidence", _bits(found, argument.evidence))
    beyond = argument.bits_released >= argument.bit_limit
    told = f"bit {argument.bits_released + 1} of {argument.bit_limit} about this commitment"
    told += ", and takes --exceed-limit" if beyond else ""
    yield _row("costs", f"no block; {told}")
    if argument.cost is not None:
        cost = argument.cost
        yield _row(
            "the proof",
            f"about {duration(cost.prove_seconds)}, {cost.peak_bytes / 2**30:.1f} GiB of memory, "
            f"{cost.proof_bytes / 2**20:.1f} MiB",
        )


def _bits(found: SuspectCheck, evidence: Evidence) -> str:
    """What a judge would be left with, and would decide."""
    if found.declared_labels:
        return "the labels are declared: a verdict states no bits, and needs a judge who allows it"
    outcome = "proven" if evidence.reached else "not proven"
    left = (
        f"{evidence.total_bits:.2f} bits"
        if evidence.total_hundredths > 0
        else f"no bits ({evidence.total_bits:.2f} after all allowances)"
    )
    return f"{left} left of {evidence.threshold_bits} demanded: {outcome}"


def _up_to(found: SuspectCheck, evidence: Evidence) -> str:
    """Up to which function tried it would be proven, as a judge may count more or fewer of them."""
    spare = evidence.total_hundredths - 100 * evidence.threshold_bits
    most = most_functions(found.functions_tried, spare)
    if found.declared_labels or not most:
        return ""
    if evidence.reached:
        shown = "any number of functions" if most == MOST_FUNCTIONS else f"function {most:,}"
        return f" (up to {shown} tried)"
    return f"; it would be up to function {most:,} tried"


def _row(name: str, value: str) -> str:
    """A name and its value in two columns."""
    return f"  {name:<{_NAME}}  {value}"
