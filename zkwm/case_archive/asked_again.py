"""The suspect of an archive, opened again as the challenge says (SPEC.md 20.4)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.extracted_mark import mark_settings
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.suspects import OnnxLimits, Suspect, open_suspect
from zkwm.suspects.onnx_suspect import OnnxSuspect
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable, ZkwmError
from zkwm_protocols.suspect_identity import SuspectKind

_NAME = "suspect"


@contextmanager
def suspect_again(
    documents: CaseDocuments, location: str, limits: OnnxLimits | None = None, *, order: int = 0
) -> Iterator[Suspect]:
    """The suspect whose file is at ``location``. Raises what opening it raises.

    A mark is extracted with the archive's reference and probes; these are drawn by the challenge.
    An ONNX file adds up in an ``order`` of 1 to 7, or in its own; ``limits`` are its time and
    memory.
    """
    pinned = documents.challenge.suspect
    if pinned.kind == SuspectKind.ONNX:
        with OnnxSuspect(
            Path(location), shape=pinned.shape, outputs=pinned.outputs,
            limits=limits or OnnxLimits(), output=pinned.output, order=order,
        ) as suspect:  # fmt: skip
            yield suspect
        return
    if pinned.kind != SuspectKind.EXTRACTION:
        with open_suspect(
            location, shape=pinned.shape, outputs=pinned.outputs, onnx=limits
        ) as suspect:
            yield suspect
        return
    if documents.mark is None:
        raise SuspectUnusable("the archive does not say how the mark is extracted")
    reference = documents.files(ArchiveRole.REFERENCE)
    probes = documents.files(ArchiveRole.PROBES)
    with tempfile.TemporaryDirectory(prefix="zkwm-case-") as folder:
        for name, data in reference.items():
            (Path(folder) / name).write_bytes(data)
        settings = mark_settings(
            documents.mark,
            Path(folder) if reference else None,
            next(iter(probes.values()), None),
        )
        with open_suspect(
            location,
            shape=pinned.shape,
            outputs=pinned.outputs,
            extraction=settings,
            onnx=limits,
        ) as suspect:
            suspect.draw_probes(documents.challenge.nonce)
            yield suspect


def repeat_mark(documents: CaseDocuments, location: str | None) -> ReplayStep:
    """The step "suspect" of a mark that is extracted: weights, scheme, reference and probes."""
    if location is None:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, "the model is not in the archive")
    pinned = documents.challenge.suspect
    try:
        with suspect_again(documents, location) as suspect:
            suspect.check_committed(documents.commitment.header)
            digest = suspect.identity.digest
    except InvalidOpening as error:
        return ReplayStep(_NAME, ReplayState.DIFFERS, error.message)
    except ZkwmError as error:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, error.message)
    if digest != pinned.digest:
        words = "weights, scheme, reference and probes are not those that the challenge names"
        return ReplayStep(_NAME, ReplayState.DIFFERS, words)
    words = "weights, scheme, reference and probes are those that the challenge names, by digest"
    return ReplayStep(_NAME, ReplayState.REPEATED, words)
