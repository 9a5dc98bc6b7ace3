"""What every new challenge has, whatever it asks for: suspect, class map, nonce (SPEC.md 6.1).

And the blocks that it asks for: whole ones, or those that were opened before.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.relearned import try_relearning
from zkwm.judge.task_accuracy import TaskData, measure_accuracy
from zkwm.quantizer.agreement_bounds import require_agreement, require_translation
from zkwm.quantizer.network_agreement import Agreement, measure_agreement
from zkwm.suspects import Suspect
from zkwm.suspects.score_check import require_scores
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.challenge_body import NONCE_BYTES
from zkwm_protocols.class_map import class_map_cost, usual_class_map
from zkwm_protocols.class_names import require_names
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opened_words import opened_words
from zkwm_protocols.ranks import MOST_OUTPUTS, Statistic
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind

if TYPE_CHECKING:
    from zkwm_protocols.integer_network.model import IntegerNetwork


def make_frame(
    judge: JudgePublic,
    commitment: Commitment,
    suspect: Suspect,
    purpose: str,
    class_map: tuple[int, ...] | None,
    excluded_blocks: tuple[int, ...],
    suspect_classes: tuple[str, ...] | None,
) -> dict[str, Any]:
    """These fields, as arguments of a challenge's constructor, with a fresh nonce.

    Without a class map it is that of equal names where both sides have names, else the identity.
    Raises InvalidOpening: for a class that no output has (``challenge.class_map``), for other names
    than those by which the suspect is read (``challenge.suspect``); Malformed.
    """
    if suspect_classes is None:
        suspect_classes = suspect.output_names
    suspect.check_output_names(suspect_classes)
    if suspect_classes is not None:
        require_names(suspect_classes)
    if class_map is None:
        class_map = usual_class_map(commitment, suspect_classes)
    return {
        "commitment": commitment.digest,
        "suspect": suspect.identity,
        "class_map": class_map,
        "suspect_classes": suspect_classes,
        "judge": judge,
        "nonce": secrets.token_bytes(NONCE_BYTES),
        "excluded_blocks": tuple(sorted(set(excluded_blocks))),
        "purpose": purpose,
        "issued": int(time.time()),
    }


def frame_bits(commitment: Commitment, frame: dict[str, Any]) -> int:
    """What the class map of a challenge in the making costs (``Challenge.map_bits``)."""
    outputs, class_map = frame["suspect"].outputs, frame["class_map"]
    if not 2 <= len(class_map) <= outputs:
        return 0  # the challenge itself is refused
    return class_map_cost(class_map, frame["suspect"], frame["suspect_classes"], commitment)


def try_out(
    suspect: Suspect,
    preprocessing: Preprocessing,
    frame: dict[str, Any],
    test_data: TaskData | None,
    *,
    statistic: Statistic = Statistic.MATCHES,
) -> None:
    """Ask the suspect a few images; put its accuracy into ``frame`` where there are test data.

    Where scores are to be read (``statistic``) its answers need them; where relearning is counted
    it is trained on a few images.

    Raises SuspectUnusable (``suspect.answers``), UsageError for data that do not fit.
    """
    suspect.check_preprocessing(preprocessing)
    answers = suspect.try_out(preprocessing)
    if statistic == Statistic.RELEARNING and suspect.identity.kind == SuspectKind.SAFETENSORS:
        try_relearning(suspect, preprocessing, frame["class_map"])  # others are refused by kind
    if statistic.reads_scores and answers and suspect.identity.outputs <= MOST_OUTPUTS:
        require_scores(answers, statistic)
    if test_data is None:
        return
    measured = measure_accuracy(
        suspect,
        preprocessing,
        test_data.images,
        nonce=frame["nonce"],
        class_map=frame["class_map"],
        suspect_classes=frame["suspect_classes"],
        progress=test_data.progress,
    )
    frame["test_accuracy"] = measured.accuracy
    if test_data.report is not None:
        test_data.report(measured)


def require_close(
    challenge: ArgumentChallenge,
    network: IntegerNetwork,
    suspect: Suspect,
    images: NDArray[np.uint8] | None,
    report: Callable[[tuple[Agreement, ...]], None] | None,
) -> None:
    """Compare suspect and integer network, and report it (SPEC.md 18.1).

    ``images`` (uint8, (n, channels, height, width)) are of the suspect's task, or None. Raises
    SuspectUnusable (``argument.translation``, ``argument.agreement``).
    """
    agreements = measure_agreement(
        network, suspect, challenge.preprocessing, nonce=challenge.nonce, images=images,
        class_map=challenge.class_map,
    )  # fmt: skip
    if report is not None:
        report(agreements)
    require_translation(agreements)
    require_agreement(agreements)


def asked_blocks(
    ledger: JudgeLedger,
    commitment: Commitment,
    suspect: Suspect,
    reveal: int | tuple[int, ...],
) -> tuple[int, tuple[int, ...]]:
    """How many blocks are asked for, and which where opened ones are weighed again, ascending.

    ``reveal`` is a number of triggers, or these blocks. Raises UsageError for a part of a block,
    and for a block that was not opened.
    """
    size = commitment.header.block_size
    if isinstance(reveal, int):
        if reveal < 1 or reveal % size:
            what = opened_words(suspect.identity.kind)
            raise UsageError(
                f"{what} are revealed in whole blocks of {size}, not {reveal}",
                hint=f"reveal {max(1, round(reveal / size)) * size}",
            )
        return reveal // size, ()
    opened = ledger.opened_blocks(commitment.digest, suspect.identity)
    if not reveal or not set(reveal) <= set(opened):
        raise UsageError(
            "only blocks that were opened to this judge about this suspect can be weighed "
            f"again: {', '.join(map(str, opened)) or 'none so far'}",
            hint="name some of these, or ask for new ones",
        )
    again = tuple(sorted(set(reveal)))
    return len(again), again
