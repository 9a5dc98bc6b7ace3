"""A suspect and the triggers that it is asked by their owner, and what its answers are worth.

``zkwm.owner.check`` asks. Evidence counts the first blocks that are unspent, as
``zkwm.owner.prove`` opens them unless it is told others, or the best ones where fewer suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm.data import ImageData
from zkwm.owner.suspect_check import OpeningCheck
from zkwm.owner.vault import VaultState
from zkwm.suspects import Answer, Progress, Suspect
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.evidence import MAXIMUM_TRIALS, Evidence, assess
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import MOST_OUTPUTS, Statistic, ranks, weighted_sum, weights
from zkwm_protocols.score_points import most_triggers, points
from zkwm_protocols.score_tails import ScoreLaw, score_sum
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind


@dataclass(frozen=True)
class Inquiry:
    """What is asked, and how.

    Args:
        state: the vault's.
        commitment: the owner's.
        suspect: the model, open.
        preprocessing: how pixels become its input.
        class_map: its output for each label.
        map_bits: what the class map costs.
        policy: what a judge would demand.
        images (uint8, (n, channels, height, width)): all triggers.
        labels (int64, (n,)): their labels.
        test_data: labeled images of the suspect's task, or None.
        progress: called with the images answered so far, and those in all.
    """

    state: VaultState
    commitment: Commitment
    suspect: Suspect
    preprocessing: Preprocessing
    class_map: tuple[int, ...]
    map_bits: int
    policy: Policy
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_data: ImageData | None
    progress: Progress | None

    def indices(self, blocks: tuple[int, ...]) -> list[int]:
        """The numbers of all triggers of these blocks."""
        size = self.commitment.header.block_size
        return [index for block in blocks for index in range(block * size, (block + 1) * size)]

    def expected(self, blocks: tuple[int, ...]) -> NDArray[np.int64]:
        """The outputs that stand for the labels of these blocks' triggers, int64 (n,)."""
        return np.array(self.class_map, np.int64)[self.labels[self.indices(blocks)]]

    def most_blocks(self, free: tuple[int, ...]) -> tuple[int, ...]:
        """The first of these blocks, as many as one assessment takes."""
        return free[: MAXIMUM_TRIALS // self.commitment.header.block_size]

    def weigh(
        self,
        matches: int,
        blocks: int,
        rank_sum: int | None = None,
        score_sum: tuple[int, ScoreLaw] | None = None,
    ) -> Evidence:
        """The evidence of matches, ranks or points among so many blocks, after all allowances."""
        header = self.commitment.header
        return assess(
            matches,
            blocks_used=blocks,
            block_count=header.block_count,
            block_size=header.block_size,
            class_count=header.class_count,
            policy=self.policy,
            map_bits=self.map_bits,
            rank_sum=rank_sum,
            score_sum=score_sum,
        )


@dataclass(frozen=True)
class Answered:
    """The suspect's answers to all triggers, in their order."""

    inquiry: Inquiry
    answers: tuple[Answer, ...]

    def count(self, blocks: tuple[int, ...]) -> int:
        """The triggers of these blocks that got an answer."""
        return sum(self.answers[i].output is not None for i in self.inquiry.indices(blocks))

    def matches(self, blocks: tuple[int, ...]) -> int:
        """The triggers of these blocks that got the output of their label."""
        given = [self.answers[i].output for i in self.inquiry.indices(blocks)]
        expected = self.inquiry.expected(blocks)
        return sum(
            output == wanted for output, wanted in zip(given, expected.tolist(), strict=True)
        )

    def openings(self, free: tuple[int, ...]) -> Iterator[OpeningCheck]:
        """What an opening of unspent blocks would show, by matches, then by ranks and points.

        Both need scores, and labels that nobody chose (SPEC.md 8.4, 8.6).
        """
        most = self.inquiry.most_blocks(free)
        if not most:
            return
        ways = [(Statistic.MATCHES, self._by_matches)]
        if self._scored(most):
            ways += [(Statistic.RANKS, self._by_ranks), (Statistic.SCORES, self._by_points)]
        header = self.inquiry.commitment.header
        room = most_triggers(header.class_count) // header.block_size
        for statistic, weigh in ways:
            limit = room if statistic == Statistic.SCORES else len(most)
            if limit:
                blocks, evidence = _fewest(weigh, most[:limit])
                first = blocks
                if len(blocks) > 1 or not evidence.reached:
                    best = _fewest(weigh, self._best(free, statistic)[:limit])
                    if _better(best, (blocks, evidence)):
                        blocks, evidence = best
                yield OpeningCheck(
                    statistic, blocks, len(free) - len(blocks), evidence, blocks != first
                )

    def _best(self, free: tuple[int, ...], statistic: Statistic) -> tuple[int, ...]:
        """As many blocks as one assessment takes, those first that match best.

        Where scores are read those first whose labels rank highest, by the medians of all.
        """
        by_matches = sorted(free, key=lambda block: (-self.matches((block,)), block))
        most = self.inquiry.most_blocks(tuple(by_matches))
        if statistic == Statistic.MATCHES:
            return most
        header = self.inquiry.commitment.header
        weight, total = weights(header.class_count), dict.fromkeys(most, 0)
        for index, rank in self._ranked(most):
            total[index // header.block_size] += weight[rank]
        return tuple(sorted(most, key=lambda block: -total[block]))

    def _ranked(self, blocks: tuple[int, ...]) -> list[tuple[int, int]]:
        """(number, rank of its label) of every trigger of these blocks that has scores."""
        inquiry, rows, indices = self.inquiry, [], []
        for index in inquiry.indices(blocks):
            scores = self.answers[index].scores
            if scores is not None:
                rows.append(scores[list(inquiry.class_map)])
                indices.append(index)
        found = ranks(np.stack(rows), inquiry.labels[indices].tolist()) if rows else ()
        return list(zip(indices, found, strict=True))

    def _scored(self, blocks: tuple[int, ...]) -> bool:
        """Whether a judge can read scores."""
        inquiry = self.inquiry
        identity = inquiry.suspect.identity
        return (
            identity.kind != SuspectKind.EXTRACTION
            and identity.outputs <= MOST_OUTPUTS
            and inquiry.commitment.header.label_mode == LabelMode.DERIVED
            and any(self.answers[i].scores is not None for i in inquiry.indices(blocks))
        )

    def _by_matches(self, blocks: tuple[int, ...]) -> Evidence:
        """The evidence of the matches in these blocks."""
        return self.inquiry.weigh(self.matches(blocks), len(blocks))

    def _by_ranks(self, blocks: tuple[int, ...]) -> Evidence:
        """The evidence of the ranks in these blocks; without scores a trigger weighs nothing."""
        inquiry = self.inquiry
        found = tuple(rank for _, rank in self._ranked(blocks))
        total = weighted_sum(found, inquiry.commitment.header.class_count)
        return inquiry.weigh(self.matches(blocks), len(blocks), total)

    def _by_points(self, blocks: tuple[int, ...]) -> Evidence:
        """The evidence of the points in these blocks; without scores a trigger is a loss."""
        inquiry, indices = self.inquiry, self.inquiry.indices(blocks)
        rows = [self.answers[index].scores for index in indices]
        found = [row[list(inquiry.class_map)] for row in rows if row is not None]
        table = iter(points(np.stack(found)) if found else ())
        given = [None if row is None else next(table).tobytes() for row in rows]
        law = ScoreLaw.of(given, inquiry.commitment.header.class_count)
        value = score_sum(given, inquiry.labels[indices].tolist())
        return inquiry.weigh(self.matches(blocks), len(blocks), score_sum=(value, law))


def _better(one: tuple[tuple[int, ...], Evidence], other: tuple[tuple[int, ...], Evidence]) -> bool:
    """Whether blocks reach the threshold where others do not, or are fewer."""
    if one[1].reached and other[1].reached:
        return len(one[0]) < len(other[0])
    return one[1].reached


def _fewest(
    weigh: Callable[[tuple[int, ...]], Evidence], blocks: tuple[int, ...]
) -> tuple[tuple[int, ...], Evidence]:
    """The first of the blocks that reach the threshold, else all; ascending, with their evidence.

    Doubled until they reach it, then halved in between: a commitment may have 10,000 blocks, and
    evidence nearly always grows with their number.
    """
    below, size = 0, 1
    evidence = weigh(_first(blocks, size))
    while not evidence.reached and size < len(blocks):
        below, size = size, min(2 * size, len(blocks))
        evidence = weigh(_first(blocks, size))
    while evidence.reached and size - below > 1:
        middle = (below + size) // 2
        found = weigh(_first(blocks, middle))
        if found.reached:
            size, evidence = middle, found
        else:
            below = middle
    return _first(blocks, size), evidence


def _first(blocks: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The first of the blocks, ascending."""
    return tuple(sorted(blocks[:size]))
