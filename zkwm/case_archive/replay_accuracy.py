"""Repeat what the challenge says of the suspect's accuracy on test data (SPEC.md 20.4)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from zkwm.case_archive.asked_again import suspect_again
from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.data.labeled_images import LabeledImages, load_test_data
from zkwm.judge.task_accuracy import drawn_images
from zkwm_protocols.errors import ZkwmError

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
        right = _right(documents, location, data)
    except ZkwmError as error:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, error.message)
    words = f"{right} of {stated.count} test images right"
    if right != stated.right:
        words = f"{words}, and the challenge says {stated.right}"
        return ReplayStep(_NAME, ReplayState.DIFFERS, words)
    return ReplayStep(_NAME, ReplayState.REPEATED, f"{words}, as the challenge says")


def _test_data(files: dict[str, bytes]) -> LabeledImages:
    """The test data of the archive. Raises what ``load_test_data`` raises."""
    ((name, data),) = files.items()
    with tempfile.TemporaryDirectory(prefix="zkwm-case-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return load_test_data(path)


def _right(documents: CaseDocuments, location: str, data: LabeledImages) -> int:
    """How many test images the suspect gets right, fed as the challenge says."""
    challenge = documents.challenge
    with suspect_again(documents, location) as suspect:
        answers = suspect.answer(data.images, challenge.preprocessing)
    return sum(
        answer.output == label for answer, label in zip(answers, data.labels.tolist(), strict=True)
    )
