"""Ask a suspect every opened trigger, among decoys if it is remote (SPEC.md section 7).

Each different image is asked once and the first answer counts: it is kept in the judge's ledger,
and a repetition asks only for what is missing. ``zkwm.suspects`` reaches suspects;
``zkwm_protocols.evidence`` says what the matches are worth.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.decoys import natural_count, natural_images, odd_decoys
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.relearned import ranks_when_relearned
from zkwm.judge.results import AnswerRate, Asked, TriggerResult, TriggerStatus
from zkwm.suspects import Answer, Progress, Suspect
from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.opening import CheckedTrigger, LeafStatus
from zkwm_protocols.ranks import Statistic, ranks
from zkwm_protocols.score_points import points
from zkwm_protocols.suspect_identity import SuspectKind

NO_SCORES = "the suspect gives a label and no scores"
TRIGGERS, DECOYS, NATURAL = "triggers", "decoys", "natural images"


@dataclass(frozen=True)
class Asking:
    """What a judge brings to the questions.

    Args:
        ledger: where first answers are kept.
        decoy_key: the 32-byte key of the decoys, by how often the suspect was asked before.
        natural (uint8, (n, channels, height, width)): natural images of the judge's, or None.
        progress: called after each image, then after each round of relearning.
        compare_rates: whether a suspect that leaves triggers unanswered is asked others, too.
    """

    ledger: JudgeLedger
    decoy_key: Callable[[int], bytes]
    natural: NDArray[np.uint8] | None = None
    progress: Progress | None = None
    compare_rates: bool = True


def question(
    suspect: Suspect,
    challenge: OpeningChallenge,
    triggers: tuple[CheckedTrigger, ...],
    asking: Asking,
) -> tuple[tuple[TriggerResult, ...], Asked]:
    """Ask the suspect every valid trigger once, and compare with the challenge's class map.

    A remote suspect gets at least as many decoys, and natural images, in one random order with the
    triggers. Any other gets them only where it leaves triggers unanswered: then their rates tell
    whether it evades.

    Args:
        suspect: the model.
        challenge: has the preprocessing, the class map and the statistic.
        triggers: the opened triggers, their leaves checked.
        asking: the ledger, and what decoys are made of.

    Returns the result of each trigger, in order, and what was asked.
    """
    images = _different([t.pixels for t in triggers if t.pixels is not None])
    # A mark is computed by the judge, all keys at once: nothing is kept and nothing hidden.
    kept = challenge.suspect.kind != SuspectKind.EXTRACTION
    known = asking.ledger.first_answers(challenge, list(images)) if kept else {}
    missing = [image for digest, image in images.items() if digest not in known]
    before = asking.ledger.count_asking(challenge) if missing else _earlier(asking, challenge)
    others: dict[str, list[NDArray[np.uint8]]] = {DECOYS: [], NATURAL: []}
    if missing and suspect.remote:
        others = _others(challenge, images, asking, before)
    answers = _ask(suspect, challenge, [*missing, *others[DECOYS], *others[NATURAL]], asking)
    first = known
    if kept:
        asked_for = {digest: answer for digest, answer in answers.items() if digest in images}
        asking.ledger.keep_answers(challenge, asked_for)
        # Read back: another process may have asked at the same time, and kept its answers first.
        first = asking.ledger.first_answers(challenge, list(images))
    answers |= first
    unanswered = any(answers[digest].output is None for digest in images)
    if kept and asking.compare_rates and not suspect.remote and unanswered:
        others = _others(challenge, images, asking, before)
        answers |= _ask(suspect, challenge, [*others[DECOYS], *others[NATURAL]], asking)
    rates = [
        _rate(kind, [answers[digest] for digest in wanted])
        for kind, wanted in (
            (TRIGGERS, list(images)),
            *((kind, list(_different(batch))) for kind, batch in others.items()),
        )
    ]
    results = tuple(_result(trigger, challenge, answers) for trigger in triggers)
    if challenge.statistic.reads_scores:
        results = _scored(results, challenge, answers, suspect, asking)
    return results, Asked(before, len(known), tuple(rate for rate in rates if rate.asked))


def _earlier(asking: Asking, challenge: OpeningChallenge) -> int:
    """How often the suspect was asked before the asking whose answers all stand."""
    return max(0, asking.ledger.askings(challenge) - 1)


def _ask(
    suspect: Suspect,
    challenge: OpeningChallenge,
    images: list[NDArray[np.uint8]],
    asking: Asking,
) -> dict[bytes, Answer]:
    """The answers to images uint8 (c, h, w), in one random order, by their SHA-256."""
    queries = list(_different(images).values())
    if not queries:
        return {}
    secrets.SystemRandom().shuffle(queries)
    found = suspect.answer(np.stack(queries), challenge.preprocessing, progress=asking.progress)
    return {_digest(image): answer for image, answer in zip(queries, found, strict=True)}


def _others(
    challenge: OpeningChallenge,
    images: dict[bytes, NDArray[np.uint8]],
    asking: Asking,
    before: int,
) -> dict[str, list[NDArray[np.uint8]]]:
    """The decoys and the natural images that are asked beside the triggers, each once."""
    shape, key, count = challenge.suspect.shape, asking.decoy_key(before), len(images)
    batches = {
        DECOYS: odd_decoys(count, shape, key),
        NATURAL: natural_images(natural_count(count), shape, key, asking.natural),
    }
    seen = set(images)
    chosen: dict[str, list[NDArray[np.uint8]]] = {}
    for kind, batch in batches.items():
        new = {digest: image for digest, image in _different(batch).items() if digest not in seen}
        seen |= set(new)
        chosen[kind] = list(new.values())
    return chosen


def _rate(kind: str, answers: Sequence[Answer]) -> AnswerRate:
    """How many of these answers there are, and how many of them have scores."""
    return AnswerRate(
        kind,
        asked=len(answers),
        answered=sum(answer.output is not None for answer in answers),
        scored=sum(answer.scores is not None for answer in answers),
    )


def _scored(
    results: tuple[TriggerResult, ...],
    challenge: OpeningChallenge,
    answers: dict[bytes, Answer],
    suspect: Suspect,
    asking: Asking,
) -> tuple[TriggerResult, ...]:
    """The results with the rank of each label, or the points of each class (SPEC.md 8.4 to 8.7).

    Both depend on all scores together, so they are computed once every answer is there; without
    scores there is no answer.
    """
    rows, labels, scored, images = [], [], [], []
    for number, result in enumerate(results):
        if (
            result.status in (TriggerStatus.MATCH, TriggerStatus.NO_MATCH)
            and result.image is not None
        ):
            scores = answers[_digest(result.image)].scores
            if scores is not None and result.label is not None:
                rows.append(scores[list(challenge.class_map)])
                labels.append(result.label)
                scored.append(number)
                images.append(result.image)
    found: dict[int, dict[str, Any]] = {}
    if rows and challenge.statistic.counts_ranks:
        table = np.stack(rows)
        places = (
            ranks(table, labels)
            if challenge.statistic == Statistic.RANKS
            else ranks_when_relearned(
                suspect, challenge, np.stack(images), labels, table, asking.ledger, asking.progress
            )
        )
        found = {number: {"rank": rank} for number, rank in zip(scored, places, strict=True)}
    elif rows:
        given = points(np.stack(rows))
        found = {number: {"points": r.tobytes()} for number, r in zip(scored, given, strict=True)}
    return tuple(
        replace(result, **found[number])
        if number in found
        else _unscored(result)
        if result.status in (TriggerStatus.MATCH, TriggerStatus.NO_MATCH)
        else result
        for number, result in enumerate(results)
    )


def _unscored(result: TriggerResult) -> TriggerResult:
    """A result whose answer has no scores, which is none where scores are read."""
    problem = result.problem or NO_SCORES
    return replace(result, status=TriggerStatus.NO_ANSWER, answer=None, problem=problem)


def _result(
    trigger: CheckedTrigger, challenge: OpeningChallenge, answers: dict[bytes, Answer]
) -> TriggerResult:
    """The result of one trigger, by the answer to its image."""
    if trigger.status != LeafStatus.VALID or trigger.pixels is None or trigger.label is None:
        status = (
            TriggerStatus.MISSING_LEAF
            if trigger.status == LeafStatus.MISSING
            else TriggerStatus.WRONG_LEAF
        )
        return TriggerResult(trigger.block, trigger.index, status, None, None, None, None)
    answer = answers[_digest(trigger.pixels)]
    expected = challenge.class_map[trigger.label]
    if answer.output is None:
        status = TriggerStatus.NO_ANSWER
    else:
        status = TriggerStatus.MATCH if answer.output == expected else TriggerStatus.NO_MATCH
    return TriggerResult(
        block=trigger.block,
        index=trigger.index,
        status=status,
        image=trigger.pixels,
        label=trigger.label,
        expected_output=expected,
        answer=answer.output,
        problem=answer.problem,
    )


def _different(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
) -> dict[bytes, NDArray[np.uint8]]:
    """The different images, uint8 (c, h, w), by their SHA-256, each once."""
    return {_digest(image): image for image in images}


def _digest(image: NDArray[np.uint8]) -> bytes:
    """SHA-256 of an image's pixels, 32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
