"""Evidence in bits: an exact binomial tail, minus all that could be chosen (SPEC.md section 8).

The decision is made on hundredths of a bit, each term rounded towards less evidence, so that the
printed terms add up to the decision. The tail is the probability that an unrelated function does as
well by luck; it is not the probability that a person copied a model. Instead of matches may count
ranks (``zkwm_protocols.ranks``), or points (``zkwm_protocols.score_points``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, log1p, perm

from zkwm_protocols import rank_tails, ranks, score_tails
from zkwm_protocols.allowances import Term, allowances_of
from zkwm_protocols.errors import UsageError
from zkwm_protocols.log2_bounds import hundredths_down, hundredths_up
from zkwm_protocols.policy import Policy

MAXIMUM_TRIALS = 10_000


@dataclass(frozen=True)
class RankSum:
    """The statistic of ranks: its value, the largest possible, and the least that suffices."""

    value: int
    largest: int
    needed: int | None


@dataclass(frozen=True)
class ScoreSum:
    """The sum of points: its value, the largest possible by this suspect, the least that suffices.

    Largest and needed are of the suspect's own scores: another one has others.
    """

    value: int
    largest: int
    needed: int | None


@dataclass(frozen=True)
class Evidence:
    """The evidence of one case, term by term.

    Args:
        matches: the triggers that match; for information where ranks or points decide.
        trials: the triggers that count.
        class_count: C, the number of classes.
        terms: the lines of the sum.
        threshold_bits: what the judge demands.
        needed_matches: the fewest matches that reach it; None where even all do not, or where
            ranks or points decide.
        rank_sum: the statistic of ranks where it decides, else None.
        score_sum: the sum of points where it decides, else None.
    """

    matches: int
    trials: int
    class_count: int
    terms: tuple[Term, ...]
    threshold_bits: int
    needed_matches: int | None
    rank_sum: RankSum | None = None
    score_sum: ScoreSum | None = None

    @property
    def total_hundredths(self) -> int:
        """All terms together, in hundredths of a bit; negative means less than nothing."""
        return sum(term.hundredths for term in self.terms)

    @property
    def total_bits(self) -> float:
        """All terms together, in bits, for display."""
        return self.total_hundredths / 100

    @property
    def reached(self) -> bool:
        """Whether the total is at least the threshold."""
        return self.total_hundredths >= 100 * self.threshold_bits


def assess(
    matches: int,
    *,
    blocks_used: int,
    block_count: int,
    block_size: int,
    class_count: int,
    policy: Policy,
    map_bits: int = 0,
    rank_sum: int | None = None,
    score_sum: tuple[int, score_tails.ScoreLaw] | None = None,
) -> Evidence:
    """The evidence of ``matches`` triggers among ``blocks_used`` whole blocks (SPEC.md 8.2).

    Args:
        matches: the triggers that match.
        blocks_used: r, the blocks that were opened or argued about.
        block_count: B of the header, always: what was opened before does not lower it.
        block_size: triggers in a block.
        class_count: C, the number of classes.
        policy: what the judge demands.
        map_bits: what the class map costs (``zkwm_protocols.class_names.map_bits``).
        rank_sum: the weighted sum of the ranks (SPEC.md 8.4); decides instead of the matches.
        score_sum: the sum of the points, and its law (SPEC.md 8.6); decides instead of the matches.

    Raises:
        UsageError: the numbers do not fit together.
    """
    trials = blocks_used * block_size
    if trials > MAXIMUM_TRIALS:
        raise UsageError(f"at most {MAXIMUM_TRIALS} triggers in one assessment")
    if not (1 <= blocks_used <= block_count and 0 <= matches <= trials):
        raise UsageError(
            f"expected 1 to {block_count} blocks and 0 to {trials} matches, "
            f"got {blocks_used} and {matches}"
        )
    allowances = allowances_of(blocks_used, block_count, policy, map_bits)
    if rank_sum is not None:
        return _assess_ranks(rank_sum, matches, trials, class_count, policy, allowances)
    if score_sum is not None:
        return _assess_scores(*score_sum, matches, trials, policy, allowances)
    return Evidence(
        matches=matches,
        trials=trials,
        class_count=class_count,
        terms=(_matches_by_chance(matches, trials, class_count), *allowances),
        threshold_bits=policy.threshold_bits,
        needed_matches=needed_matches(
            blocks_used=blocks_used,
            block_count=block_count,
            block_size=block_size,
            class_count=class_count,
            policy=policy,
            map_bits=map_bits,
        ),
    )


def needed_matches(
    *,
    blocks_used: int,
    block_count: int,
    block_size: int,
    class_count: int,
    policy: Policy,
    map_bits: int = 0,
) -> int | None:
    """The fewest matches that reach the threshold; None where even all do not.

    The arguments are those of ``assess``.
    """
    trials = blocks_used * block_size
    allowances = allowances_of(blocks_used, block_count, policy, map_bits)
    return _least(_tail_numerators(trials, class_count), class_count**trials, allowances, policy)


def smallest_reveal(
    *, block_count: int, block_size: int, class_count: int, policy: Policy, map_bits: int = 0
) -> int | None:
    """The fewest blocks that reach the threshold when every trigger matches, or None.

    They hold at most ``MAXIMUM_TRIALS`` triggers, as no assessment takes more. The arguments are
    those of ``assess``.
    """
    terms = allowances_of(block_count, block_count, policy, map_bits)
    fixed = sum(term.hundredths for term in terms)
    demanded = 100 * policy.threshold_bits - fixed
    chance_of_one, everything, choices = class_count**block_size, 1, 1
    for blocks in range(1, min(block_count, MAXIMUM_TRIALS // block_size) + 1):
        everything *= chance_of_one
        choices = choices * (block_count - blocks + 1) // blocks
        coarse = 100 * (everything.bit_length() - choices.bit_length())
        if coarse < demanded - 200:
            continue
        if hundredths_down(everything, 1) - hundredths_up(choices) >= demanded:
            return blocks
    return None


def class_map_bits(outputs: int, class_count: int) -> int:
    """The bits gained by choosing the class map: log2(outputs! / (outputs - C)!), rounded up."""
    return -(-hundredths_up(perm(outputs, class_count)) // 100)


def null_distribution(trials: int, class_count: int) -> tuple[float, ...]:
    """The probabilities of 0 to ``trials`` matches of an unrelated function, for plots."""
    hit, miss = log(1 / class_count), log1p(-1 / class_count)
    return tuple(
        exp(
            lgamma(trials + 1)
            - lgamma(k + 1)
            - lgamma(trials - k + 1)
            + k * hit
            + (trials - k) * miss
        )
        for k in range(trials + 1)
    )


def _matches_by_chance(matches: int, trials: int, class_count: int) -> Term:
    """The term of the exact binomial tail (SPEC.md 8.2)."""
    tail = _tail_numerator(matches, trials, class_count)
    return Term(
        "matches by chance",
        hundredths_down(class_count**trials, tail),
        f"how rarely an unrelated model gives {matches} or more of {trials} labels by luck, each "
        f"drawn from {class_count}",
    )


def _assess_ranks(
    rank_sum: int,
    matches: int,
    trials: int,
    class_count: int,
    policy: Policy,
    allowances: tuple[Term, ...],
) -> Evidence:
    """The evidence where the ranks of the labels decide (SPEC.md 8.4). Raises UsageError."""
    largest = trials * ranks.weights(class_count)[0]
    if not 0 <= rank_sum <= largest:
        raise UsageError(f"expected a sum of ranks from 0 to {largest}, got {rank_sum}")
    demanded = 100 * policy.threshold_bits - sum(term.hundredths for term in allowances)
    chance = Term(
        "ranks by chance",
        rank_tails.rank_hundredths(rank_sum, trials, class_count),
        f"how rarely an unrelated model gives {trials} labels, each drawn from {class_count}, "
        f"ranks that weigh {rank_sum} or more by luck, of {largest}",
    )
    return Evidence(
        matches=matches,
        trials=trials,
        class_count=class_count,
        terms=(chance, *allowances),
        threshold_bits=policy.threshold_bits,
        needed_matches=None,
        rank_sum=RankSum(
            rank_sum, largest, rank_tails.least_rank_sum(demanded, trials, class_count)
        ),
    )


def _assess_scores(
    value: int,
    law: score_tails.ScoreLaw,
    matches: int,
    trials: int,
    policy: Policy,
    allowances: tuple[Term, ...],
) -> Evidence:
    """The evidence where the points of the labels decide (SPEC.md 8.6). Raises UsageError."""
    if len(law.rows) != trials or not 0 <= value <= law.largest:
        raise UsageError(
            f"expected a sum of points from 0 to {law.largest} of {trials} triggers, "
            f"got {value} of {len(law.rows)}"
        )
    demanded = 100 * policy.threshold_bits - sum(term.hundredths for term in allowances)
    chance = Term(
        "points by chance",
        score_tails.score_hundredths(value, law),
        f"how rarely {trials} labels, each drawn from {law.class_count}, get {value} points or "
        f"more of {law.largest} by luck, as this model's own scores give them",
    )
    return Evidence(
        matches=matches,
        trials=trials,
        class_count=law.class_count,
        terms=(chance, *allowances),
        threshold_bits=policy.threshold_bits,
        needed_matches=None,
        score_sum=ScoreSum(value, law.largest, score_tails.least_score_sum(demanded, law)),
    )


def _least(
    tails: Iterator[tuple[int, int]], everything: int, allowances: tuple[Term, ...], policy: Policy
) -> int | None:
    """The least value of a statistic that reaches the threshold; ``tails`` from the top down."""
    demanded = 100 * policy.threshold_bits - sum(term.hundredths for term in allowances)
    least = None
    for value, tail in tails:
        coarse = 100 * (everything.bit_length() - tail.bit_length())
        if coarse < demanded - 200:
            break
        if coarse < demanded + 200 and hundredths_down(everything, tail) < demanded:
            break
        least = value
    return least


def _tail_numerators(trials: int, class_count: int) -> Iterator[tuple[int, int]]:
    """(k, numerator over class_count**trials of P[Binomial >= k]), from k = trials down to 0."""
    total, term = 0, 1
    for k in range(trials, -1, -1):
        total += term
        yield k, total
        term = term * (k * (class_count - 1)) // (trials - k + 1)


@lru_cache(maxsize=256)
def _tail_numerator(matches: int, trials: int, class_count: int) -> int:
    """The numerator over class_count**trials of P[Binomial >= matches]."""
    return next(tail for k, tail in _tail_numerators(trials, class_count) if k == matches)
