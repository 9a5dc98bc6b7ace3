"""Repeat what the challenge says of the suspect's accuracy on test data (SPEC.md 20.4)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.case_archive.asked_again import suspect_again
from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.case_archive.other_rounding import rounded_preprocessings
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.data.labeled_images import LabeledImages, load_test_data
from zkwm.judge.task_accuracy import drawn_images
from zkwm.suspects import Suspect
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.suspect_identity import Preprocessing

_NAME = "accuracy"


def repeat_accuracy(documents: CaseDocuments, location: str) -> ReplayStep | None:
    """The accuracy on the test data in the archive, measured again; None without test data.

    ``location`` is that of the suspect's file.
    """
    stated = documents.challenge.test_accuracy
    files = documents.files(ArchiveRole.TEST_DATA)
    if stated is None or not files:
        return None
    try:
        data = drawn_images(_test_data(files), documents.challenge)
        if data.digest() != stated.data:
            return ReplayStep(_NAME, ReplayState.DIFFERS, "these are not the challenge's test data")
        with suspect_again(documents, location) as suspect:
            right = _right(suspect, documents.challenge.preprocessing, data)
            words = f"{right.sum()} of {stated.count} test images right"
            if right.sum() == stated.right:
                return ReplayStep(_NAME, ReplayState.REPEATED, f"{words}, as the challenge says")
            words = f"{words}, and the challenge says {stated.right}"
            return _within_rounding(suspect, documents.challenge, data, right, words)
    except ZkwmError as error:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, error.message)


def _within_rounding(
    suspect: Suspect,
    challenge: Challenge,
    data: LabeledImages,
    right: NDArray[np.bool_],
    words: str,
) -> ReplayStep:
    """The step where another number is right: it differs, unless the last bits of pixels decide.

    ``right``, bool (n,), are the answers of this machine. Raises what asking the suspect raises.
    """
    assert challenge.test_accuracy is not None
    try:
        moved = rounded_preprocessings(suspect, challenge)
    except ZkwmError:
        return ReplayStep(_NAME, ReplayState.DIFFERS, words)
    unsettled = np.zeros(len(right), np.bool_)
    for preprocessing in moved:
        unsettled |= _right(suspect, preprocessing, data) != right
    count = int(unsettled.sum())
    words += f"; where the last bits of pixels differ, {count} answers change"
    reach = count + -(-count // 4)
    state = ReplayState.REPEATED
    if abs(int(right.sum()) - challenge.test_accuracy.right) > reach:
        state = ReplayState.DIFFERS
    return ReplayStep(_NAME, state, words)


def _test_data(files: dict[str, bytes]) -> LabeledImages:
    """The test data of the archive. Raises what ``load_test_data`` raises."""
    ((name, data),) = files.items()
    with tempfile.TemporaryDirectory(prefix="zkwm-case-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return load_test_data(path)


def _right(
    suspect: Suspect, preprocessing: Preprocessing, data: LabeledImages
) -> NDArray[np.bool_]:
    """Which test images the suspect gets right, bool (n,)."""
    outputs = [answer.output for answer in suspect.answer(data.images, preprocessing)]
    pairs = zip(outputs, data.labels.tolist(), strict=True)
    return np.array([output == label for output, label in pairs], np.bool_)
