"""Ask a suspect every opened trigger, among decoys if it is remote (SPEC.md section 7).

Each different image is asked once and the first answer counts. ``zkwm.suspects`` reaches suspects;
``zkwm_protocols.evidence`` says what the matches are worth.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.verdict import TriggerResult, TriggerStatus
from zkwm.suspects import Answer, Progress, Suspect
from zkwm.triggers import generate
from zkwm.triggers.public_families import LEAST_BITS
from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.opening import CheckedTrigger, LeafStatus
from zkwm_protocols.ranks import Statistic, ranks

NO_SCORES = "the suspect gives a label and no scores"


def question(
    suspect: Suspect,
    challenge: OpeningChallenge,
    triggers: tuple[CheckedTrigger, ...],
    decoys: NDArray[np.uint8],
    *,
    progress: Progress | None = None,
) -> tuple[TriggerResult, ...]:
    """Ask the suspect every valid trigger once, and compare with the challenge's class map.

    Args:
        suspect: the model.
        challenge: has the preprocessing, the class map and the statistic.
        triggers: the opened triggers, their leaves checked.
        decoys (uint8, (n, channels, height, width)): asked too if the suspect is remote, in one
            random order with the triggers; their answers do not count. A decoy that repeats
            another, or a trigger, is dropped. Random images make up for any that are missing.
        progress: called after each image.

    Returns the result of each trigger, in order.
    """
    images = _different([t.pixels for t in triggers if t.pixels is not None])
    queries = list(images.values())
    if suspect.remote:
        different = _different([decoy for decoy in decoys if decoy.tobytes() not in images])
        queries += _decoys(list(different.values()), len(queries), challenge.suspect.shape)
    order = list(range(len(queries)))
    secrets.SystemRandom().shuffle(order)
    answers: dict[bytes, Answer] = {}
    if queries:
        shuffled = np.stack([queries[i] for i in order])
        for image, answer in zip(
            shuffled,
            suspect.answer(shuffled, challenge.preprocessing, progress=progress),
            strict=True,
        ):
            answers[image.tobytes()] = answer
    results = tuple(_result(trigger, challenge, answers) for trigger in triggers)
    return (
        _ranked(results, challenge, answers) if challenge.statistic == Statistic.RANKS else results
    )


def _ranked(
    results: tuple[TriggerResult, ...], challenge: OpeningChallenge, answers: dict[bytes, Answer]
) -> tuple[TriggerResult, ...]:
    """The results with the rank of each label (SPEC.md 8.4); without scores there is no answer.

    Ranks depend on all scores together, so they are computed once every answer is there.
    """
    rows, labels, scored = [], [], []
    for number, result in enumerate(results):
        if (
            result.status in (TriggerStatus.MATCH, TriggerStatus.NO_MATCH)
            and result.image is not None
        ):
            scores = answers[result.image.tobytes()].scores
            if scores is not None and result.label is not None:
                rows.append(scores[list(challenge.class_map)])
                labels.append(result.label)
                scored.append(number)
    rank_of = dict(zip(scored, ranks(np.stack(rows), labels) if rows else (), strict=True))
    return tuple(
        replace(result, rank=rank_of[number])
        if number in rank_of
        else replace(result, status=TriggerStatus.NO_ANSWER, problem=result.problem or NO_SCORES)
        if result.status in (TriggerStatus.MATCH, TriggerStatus.NO_MATCH)
        else result
        for number, result in enumerate(results)
    )


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
    answer = answers[trigger.pixels.tobytes()]
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


def _different(images: list[NDArray[np.uint8]]) -> dict[bytes, NDArray[np.uint8]]:
    """The different images, uint8 (c, h, w), by their bytes, each once."""
    return {image.tobytes(): image for image in images}


def _decoys(
    decoys: list[NDArray[np.uint8]], count: int, shape: tuple[int, int, int]
) -> list[NDArray[np.uint8]]:
    """At least ``count`` decoys, uint8 (c, h, w): those given, and random images.

    Random ones are of the public family ``abstract``, or independent pixels where images are too
    small for it.
    """
    missing = count - len(decoys)
    if missing <= 0:
        return decoys
    if math.prod(shape) < LEAST_BITS:
        random = np.frombuffer(secrets.token_bytes(missing * math.prod(shape)), dtype=np.uint8)
        return [*decoys, *random.reshape(missing, *shape)]
    half = -(-missing // 2)
    drawn = generate("abstract", half, shape, key=secrets.token_bytes(32), block_size=half)
    return [*decoys, *drawn.images, *drawn.decoys]
