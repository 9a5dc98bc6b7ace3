"""Repeat what the challenge says of the suspect's accuracy on test data (SPEC.md 20.4)."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.case_archive.other_rounding import Askings, NoOtherRoundingError, Replaying
from zkwm.case_archive.rounded_answers import ANOTHER_MACHINE
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.data.labeled_images import LabeledImages, load_test_data
from zkwm.judge.task_accuracy import drawn_images
from zkwm.suspects import Progress, Suspect
from zkwm.suspects.suspect import OF_THE_MACHINE
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.suspect_identity import Preprocessing

_NAME = "accuracy"
_MORE_TIME = "give it more time for an answer (`image_seconds`), or ask on a faster machine"


def repeat_accuracy(
    documents: CaseDocuments, location: str, replaying: Replaying
) -> ReplayStep | None:
    """The accuracy on the test data in the archive, measured again; None without test data.

    ``location`` is that of the suspect's file.
    """
    stated = documents.challenge.test_accuracy
    files = documents.files(ArchiveRole.TEST_DATA)
    if stated is None or not files:
        return None
    askings = Askings(documents, location, replaying)
    try:
        data = drawn_images(_test_data(files), documents.challenge)
        if data.digest() != stated.data:
            return ReplayStep(_NAME, ReplayState.DIFFERS, "these are not the challenge's test data")
        if len(data.images) != stated.count:
            words = f"these are {len(data.images)} images, and the challenge says {stated.count}"
            return ReplayStep(_NAME, ReplayState.DIFFERS, words)
        here = askings.first(partial(_measured, data))
        count = int(here.right.sum())
        words = f"{count} of {stated.count} test images right"
        if count == stated.right:
            return ReplayStep(_NAME, ReplayState.REPEATED, f"{words}, as the challenge says")
        words = f"{words}, and the challenge says {stated.right}"
        return askings.weighed(_within_rounding(askings, data, here, stated.right, words))
    except ZkwmError as error:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, error.message, error.hint)


@dataclass(frozen=True)
class _Measured:
    """Which test images a suspect got right, and to which it had no time or memory, bool (n,)."""

    right: NDArray[np.bool_]
    missing: NDArray[np.bool_]


def _within_rounding(
    askings: Askings, data: LabeledImages, here: _Measured, stated: int, words: str
) -> ReplayStep:
    """The step where another number is right: it differs, unless rounding decides.

    Raises what asking the suspect raises.
    """
    unsettled, missing = np.zeros(len(here.right), np.bool_), here.missing.copy()
    found = [int(here.right.sum())]
    try:
        for other in askings.others(partial(_measured, data)):
            unsettled |= other.right != here.right
            missing |= other.missing
            found.append(int(other.right.sum()))
        words += f"; with other rounding, {(unsettled & ~missing).sum()} answers change"
    except NoOtherRoundingError:
        pass
    count, unanswered = int((unsettled & ~missing).sum()), int(missing.sum())
    beyond = abs(found[0] - stated) - count - -(-count // 4)
    least, most = min(found), max(found)
    wide = most - least + 1
    if unanswered:
        words += f"; {unanswered} have no answer here"
    if beyond <= 0 and not unanswered:
        if not least - wide <= stated <= most + wide:
            words += f", and {least} to {most} are right, far from {stated}"
            return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words, ANOTHER_MACHINE)
        return ReplayStep(_NAME, ReplayState.REPEATED, words)
    if beyond > unanswered and stated < found[0] and askings.nearly_late:
        words += "; an image takes so long that answers may have come too late at the judge's"
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words, ANOTHER_MACHINE)
    if beyond <= unanswered:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words, _MORE_TIME)
    return ReplayStep(_NAME, ReplayState.DIFFERS, words)


def _test_data(files: dict[str, bytes]) -> LabeledImages:
    """The test data of the archive. Raises what ``load_test_data`` raises."""
    ((name, data),) = files.items()
    with tempfile.TemporaryDirectory(prefix="zkwm-case-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return load_test_data(path)


def _measured(
    data: LabeledImages, suspect: Suspect, preprocessing: Preprocessing, progress: Progress
) -> _Measured:
    """Which test images the suspect gets right."""
    answers = suspect.answer(data.images, preprocessing, progress=progress)
    pairs = zip([answer.output for answer in answers], data.labels.tolist(), strict=True)
    right = np.array([output == label for output, label in pairs], np.bool_)
    missing = np.array([answer.problem in OF_THE_MACHINE for answer in answers], np.bool_)
    return _Measured(right, missing)
