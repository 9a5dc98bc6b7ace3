"""Ranks of labels among the scores of learners that relearn the labels before (SPEC.md 8.7).

A round is given the labels that it learns and no others. What comes out is kept in the judge's
ledger, so that a verification that is repeated on another machine counts the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.ledger import JudgeLedger
from zkwm.suspects import Answer, Progress, Suspect
from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.encoding import encode
from zkwm_protocols.relearning import CHUNK, Form, most_gradients, relearned_ranks, rounds_of
from zkwm_protocols.suspect_identity import Preprocessing

_TRIED = 2 * CHUNK
"""Images that tell beforehand whether a suspect can be trained, and for how long."""


def ranks_when_relearned(
    suspect: Suspect,
    challenge: OpeningChallenge,
    images: NDArray[np.uint8],
    labels: Sequence[int],
    scores: NDArray[np.float64],
    ledger: JudgeLedger,
    progress: Progress | None = None,
) -> tuple[int, ...]:
    """The rank of each label in the round of its part, 0 the highest.

    Args:
        suspect: the model.
        challenge: has the preprocessing and the class map.
        images (uint8, (n, c, h, w)): the triggers that were answered, in order of block and index.
        labels: theirs.
        scores (float64, (n, C)): what the suspect answered, column y for label y.
        ledger: where the first result is kept.
        progress: called after each round, with those done and those in all.

    Raises what ``Suspect.relearn`` raises.
    """
    rounds = rounds_of(len(labels))
    described = encode([images.tobytes(), list(labels), list(challenge.class_map)])
    trained = hashlib.sha256(described).digest()
    places = [
        [
            [
                hashlib.sha256(encode([trained, form.value, number, i])).digest()
                for i in asked.tolist()
            ]
            for number, (_, asked) in enumerate(rounds)
        ]
        for form in Form
    ]
    names = [name for rows in places for one in rows for name in one]
    kept = ledger.first_answers(challenge, names, trained)
    if len(kept) < len(names):
        tables = suspect.relearn(
            images, labels, rounds, challenge.preprocessing, challenge.class_map, progress=progress
        )
        found = {
            name: Answer(int(np.nan_to_num(row).argmax()), scores=row)
            for rows, given in zip(places, tables, strict=True)
            for one, table in zip(rows, given, strict=True)
            for name, row in zip(one, table, strict=True)
        }
        ledger.keep_answers(challenge, found, trained)
        # Read back: another process may have been faster.
        kept = ledger.first_answers(challenge, names, trained)
    shape = (-1, len(challenge.class_map))
    relearned = [
        [np.array([kept[name].scores for name in one], np.float64).reshape(shape) for one in rows]
        for rows in places
    ]
    return relearned_ranks(scores, relearned, labels)


def try_relearning(
    suspect: Suspect, preprocessing: Preprocessing, class_map: Sequence[int]
) -> None:
    """Train on random images before a block is spent, which also tells the time it takes.

    One step on as many as training has in memory at once, and as many asked, in each form. What the
    regression holds of more triggers, it does not try.

    Raises what ``Suspect.relearn`` raises.
    """
    shape = (_TRIED, *suspect.identity.shape)
    images = np.frombuffer(
        hashlib.shake_256(b"zkwm tries to train").digest(prod(shape)), np.uint8
    ).reshape(shape)
    labels = [number % len(class_map) for number in range(_TRIED)]
    places = np.arange(_TRIED)
    rounds = [(places[:CHUNK], places[CHUNK:])]
    suspect.relearn(images, labels, rounds, preprocessing, class_map, most_steps=1)


def most_relearning_seconds(suspect: Suspect, trigger_count: int) -> float | None:
    """Seconds of all training at most, by the last rounds; None where there were none."""
    if suspect.gradient_seconds is None:
        return None
    return suspect.gradient_seconds * most_gradients(trigger_count)
