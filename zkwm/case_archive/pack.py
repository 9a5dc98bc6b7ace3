"""Pack the files of one case into an archive (SPEC.md 20.1, 20.2 and 20.3)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from zkwm.case_archive.container import write_archive
from zkwm.case_archive.documents import CaseDocuments, read_documents
from zkwm.case_archive.extracted_mark import pack_mark, require_mark_needed
from zkwm.case_archive.manifest import (
    NEEDED,
    ONE_EACH,
    ArchivedFile,
    ArchiveRole,
    CaseManifest,
)
from zkwm.case_archive.recognize import (
    document_role,
    is_model,
    kept_statements,
    other_role,
    read_given,
    require_names,
    suspect_files,
)
from zkwm_protocols.challenge import Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError
from zkwm_protocols.opened_triggers import write_opened
from zkwm_protocols.opening import Opening

if TYPE_CHECKING:
    from zkwm.judge.key_file import JudgeKey
    from zkwm.suspects import ExtractionSettings

_TRUST_NAME = "judge.trust"
"""What a trust folder is called in an archive."""
_MISSING = {
    ArchiveRole.JUDGE_PUBLIC: "the judge's public key (judge.key.pub)",
    ArchiveRole.PROOF: "the owner's answer (a proof)",
}


def pack_case(
    files: Sequence[str | Path],
    *,
    triggers: JudgeKey | None = None,
    extraction: ExtractionSettings | None = None,
) -> tuple[bytes, CaseManifest]:
    """An archive of the files of one case, and its manifest.

    Args:
        files: the documents, the model (an .onnx file, .safetensors or a folder), reports and so
            on, in any order; each is recognized by its content.
        triggers: the judge's secret keys, where the opened triggers are to go into the archive.
        extraction: how the mark of the case is extracted, as for its challenge; the model's weights
            are then among ``files``. The reference goes into the archive, too.

    Raises:
        UsageError: a file is secret, not recognized, or not of this case; something is missing.
        CouldNotCheck: a file cannot be read, or a signature does not verify.
    """
    paths = [Path(file) for file in files]
    given = {path: read_given(path) for path in paths if not is_model(path)}
    roles = {path: document_role(path, data) for path, data in given.items()}
    contents: dict[str, bytes] = {}
    for path, role in roles.items():
        if role is not None:
            _add(contents, role, _TRUST_NAME if path.is_dir() else path.name, given[path])
    _require_needed(contents)
    challenge = Challenge.from_bytes(_only(contents, ArchiveRole.CHALLENGE))
    for path, data in given.items():
        if roles[path] is None:
            role = other_role(path, data, challenge, triggers=triggers is not None)
            _add(contents, role, path.name, data)
    _add_statements(contents, paths)
    _add_models(contents, [path for path in paths if is_model(path)], challenge, extraction)
    documents = read_documents(_manifest(contents), contents)
    if triggers is not None:
        _add(
            contents, ArchiveRole.OPENED_TRIGGERS, "opened.triggers", _unsealed(documents, triggers)
        )
    manifest = _manifest(contents)
    _require_one_case(read_documents(manifest, contents))
    return write_archive(manifest, contents), manifest


def _add_models(
    contents: dict[str, bytes],
    models: Sequence[Path],
    challenge: Challenge,
    extraction: ExtractionSettings | None,
) -> None:
    """Put the suspect's files into the archive, and those with which a mark is extracted."""
    if models or extraction is not None:
        require_mark_needed(challenge, extraction)
    if extraction is not None and len(models) != 1:
        raise UsageError(
            "the mark of this case is extracted from one model",
            hint="give its weights among the files; the reference is no file of its own, but a "
            "part of `extraction`",
        )
    for path in models:
        if extraction is None:
            for name, data in suspect_files(path, challenge).items():
                _add(contents, ArchiveRole.SUSPECT, name, data)
        else:
            for (role, name), data in pack_mark(path, extraction, challenge).items():
                _add(contents, role, name, data)


def _add_statements(contents: dict[str, bytes], paths: Sequence[Path]) -> None:
    """Put what the judge's trust folder says of the owner's keys into the archive, each once."""
    commitment = Commitment.from_bytes(_only(contents, ArchiveRole.COMMITMENT))
    for path in paths:
        for name, data in kept_statements(path, commitment).items():
            if data not in contents.values():
                _add(contents, ArchiveRole.STATEMENT, name, data)


def _add(contents: dict[str, bytes], role: ArchiveRole, name: str, data: bytes) -> None:
    """Put a file under its role. Raises UsageError where there is one already."""
    if role in ONE_EACH and any(path.startswith(f"{role}/") for path in contents):
        raise UsageError(
            f"two files are each a {role}, and a case has one",
            hint="give the files of one case; each case is an archive of its own",
        )
    require_names([*contents, f"{role}/{name}"])
    contents[f"{role}/{name}"] = data


def _manifest(contents: dict[str, bytes]) -> CaseManifest:
    """The manifest of these files. Raises UsageError for a name that no file may have there."""
    try:
        entries = [
            ArchivedFile.of(ArchiveRole(path.partition("/")[0]), path.partition("/")[2], data)
            for path, data in contents.items()
        ]
        return CaseManifest(version("zkwm"), tuple(sorted(entries)))
    except Malformed as error:
        raise UsageError(
            error.message, hint="rename the file: letters, digits and . _ + - are possible"
        ) from None


def _require_needed(contents: dict[str, bytes]) -> None:
    """Raise UsageError where a document is missing without which there is no case."""
    for role in NEEDED:
        if not any(path.startswith(f"{role}/") for path in contents):
            raise UsageError(f"{_MISSING.get(role, f'the {role}')} is missing", hint="give it, too")


def _only(contents: dict[str, bytes], role: ArchiveRole) -> bytes:
    """The one file of a role."""
    return next(data for path, data in contents.items() if path.startswith(f"{role}/"))


def _unsealed(documents: CaseDocuments, key: JudgeKey) -> bytes:
    """The file of the triggers that were opened to this judge. Raises UsageError for no opening."""
    from zkwm_protocols.opening import open_sealed

    challenge, response = documents.challenge, documents.response
    if not isinstance(challenge, OpeningChallenge) or not isinstance(response, Opening):
        raise UsageError("in this case nothing was opened", hint="leave `triggers` out")
    if key.public != documents.judge:
        raise UsageError(
            "the triggers were opened to another judge",
            hint="only the judge of the case can add them: give their key",
        )
    blocks = open_sealed(documents.commitment, challenge, response, key.box)
    return write_opened(challenge, blocks)


def _require_one_case(documents: CaseDocuments) -> None:
    """Raise UsageError unless the files are of one case."""
    if documents.trust is None and documents.commitment.header.timestamp_authority is not None:
        raise UsageError(
            "the commitment names a timestamp authority, and whom the judge trusts is missing",
            hint="give the judge's trust folder, too",
        )
    try:
        documents.require_one_case()
    except InvalidOpening as error:
        raise UsageError(
            f"the files are not of one case: {error.message}",
            hint="give the challenge, and the proof and verdict about it",
        ) from None
    if others := documents.other_files():
        raise UsageError(
            f"the files are not of one case: {others[0]}",
            hint="give the very files that the verdict was made from",
        )
