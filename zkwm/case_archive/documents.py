"""The parsed files of one case, and whether they are of one case (SPEC.md 20.4)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from zkwm.case_archive.extracted_mark import ExtractedMark
from zkwm.case_archive.manifest import ArchiveRole, CaseManifest
from zkwm.judge.particulars import FileRole
from zkwm.judge.verdict import Verdict
from zkwm_protocols.argument_response import Response, read_response
from zkwm_protocols.challenge import Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opened_triggers import read_opened
from zkwm_protocols.opening import OpenedBlock, Opening
from zkwm_protocols.suspect_identity import SuspectKind
from zkwm_protocols.trust import Trust
from zkwm_protocols.verdict_file import is_trusted

MODELS = (".onnx", ".safetensors")
_REPLAYED = (
    FileRole.COMMITMENT, FileRole.CHALLENGE, FileRole.PROOF, FileRole.SUSPECT,
    FileRole.JUDGE_PUBLIC,
)  # fmt: skip
"""Files of a verdict that a replay reads; a report is for people alone."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class CaseDocuments:
    """What an archive holds, parsed; nothing but the verdict's signature is verified yet.

    Attributes:
        manifest: the list of files.
        contents: their bytes by path.
        commitment, challenge, response: the dispute.
        judge: the judge's public keys.
        verdict: their verdict; None where there is none.
        opened: the triggers that were packed on request; None without.
        trust: whom the judge trusts to date the commitment; None without.
        mark: how a mark is extracted from the suspect; None where the archive does not say it.
        statements: what logs have about the owner's keys, beside the commitment's file.
    """

    manifest: CaseManifest
    contents: Mapping[str, bytes]
    commitment: Commitment
    challenge: Challenge
    response: Response
    judge: JudgePublic
    verdict: Verdict | None = None
    opened: tuple[OpenedBlock, ...] | None = None
    trust: Trust | None = None
    mark: ExtractedMark | None = None
    statements: tuple[LoggedStatement, ...] = ()

    def files(self, role: ArchiveRole) -> dict[str, bytes]:
        """The files of a role, by their own names."""
        return {
            file.name: self.contents[file.path] for file in self.manifest.files if file.role == role
        }

    def trusting(self, trust: Trust) -> CaseDocuments:
        """The same documents for a reader who trusts these authorities."""
        return replace(self, commitment=replace(self.commitment, authorities=trust.authorities))

    def require_one_case(self) -> None:
        """Check every signature, and that the files answer each other (SPEC.md 9.1, 9.2).

        Raises what the commitment, the challenge and the response raise, InvalidOpening
        (``challenge.judge``) for another judge's challenge.
        """
        self.commitment.verify()
        self.challenge.verify_signature()
        if self.challenge.judge != self.judge:
            raise InvalidOpening(
                "the challenge was issued by another judge than the archive's",
                check="challenge.judge",
            )
        self.challenge.verify_against(self.commitment)
        self.response.verify_signatures(self.commitment.header)
        self.response.verify_against(self.commitment, self.challenge)
        if self.trust is not None:
            self._require_judges_trust(self.trust)

    def _require_judges_trust(self, trust: Trust) -> None:
        """Raise InvalidOpening (``commitment.timestamp``) for another trust than the judge's."""
        dating = None if self.verdict is None else self.verdict.dating
        named = {self.challenge.trust, None if dating is None else dating.trust} - {None}
        if {trust.digest} != named:
            raise InvalidOpening(
                "the trust folder is not the one by whose digest the judge dated the commitment",
                check="commitment.timestamp",
            )

    def other_files(self) -> list[str]:
        """The files of which verdict and archive do not say the same, in words; none if all fit."""
        if self.verdict is None:
            return []
        stated = {role: set[bytes]() for role in _REPLAYED}
        for file in self.verdict.files:
            if file.role in stated:
                stated[file.role].add(file.digest)
        archived = {role: set[bytes]() for role in _REPLAYED}
        for entry in self.manifest.files:
            if entry.role in set(map(str, _REPLAYED)):
                archived[FileRole(entry.role)].add(entry.digest)
        return [
            f"the {role} of the verdict is another file"
            for role in _REPLAYED
            if archived[role] and archived[role] != stated[role]
        ]

    def unnamed_reports(self) -> list[str]:
        """The names of reports that no verdict of the judge's names by their digest."""
        files = () if self.verdict is None else self.verdict.files
        named = {file.digest for file in files if file.role == FileRole.REPORT}
        reports = self.files(ArchiveRole.REPORT)
        return [name for name, data in reports.items() if sha256(data).digest() not in named]

    @contextmanager
    def suspect_at(self) -> Iterator[Path | None]:
        """The suspect's file in a folder that is there for a while; None where it is not packed."""
        files = self.files(ArchiveRole.SUSPECT)
        if not files:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="zkwm-case-") as folder:
            for name, data in files.items():
                (Path(folder) / name).write_bytes(data)
            yield Path(folder) / suspect_file(files)


def read_documents(
    manifest: CaseManifest, contents: Mapping[str, bytes], judge: JudgePublic | str | None = None
) -> CaseDocuments:
    """Parse the files of an archive; each error names its file.

    Args:
        manifest: the list of files.
        contents: their bytes by path.
        judge: the keys that whoever asks trusts, or a fingerprint; None takes the archive's own.

    Raises Malformed or Unsupported for a file that cannot be read, InvalidSignature
    (``verdict.judge``) where the archive's judge is not ``judge``, and for a verdict that they did
    not sign.
    """
    paths = {file.role: file.path for file in manifest.files}

    def parsed(role: ArchiveRole, parse: Callable[[bytes], Parsed]) -> Parsed:
        """The file of a role, parsed."""
        try:
            return parse(contents[paths[role]])
        except ZkwmError as error:
            message = f"{paths[role]} in the archive: {error.message}"
            raise type(error)(message, hint=error.hint, check=error.check) from None

    archived = parsed(ArchiveRole.JUDGE_PUBLIC, JudgePublic.from_bytes)
    if judge is not None and not is_trusted(archived, judge):
        raise InvalidSignature(
            f"the archive is of another judge's case ({archived.fingerprint()})",
            hint="compare the fingerprint with what that judge published",
            check="verdict.judge",
        )
    documents = CaseDocuments(
        manifest,
        contents,
        parsed(ArchiveRole.COMMITMENT, Commitment.from_bytes),
        parsed(ArchiveRole.CHALLENGE, Challenge.from_bytes),
        parsed(ArchiveRole.PROOF, read_response),
        archived,
    )
    if ArchiveRole.VERDICT in paths:
        verdict = parsed(ArchiveRole.VERDICT, lambda data: Verdict.from_bytes(data, archived))
        documents = replace(documents, verdict=verdict)
    if ArchiveRole.OPENED_TRIGGERS in paths:
        documents = replace(documents, opened=parsed(
            ArchiveRole.OPENED_TRIGGERS, lambda data: _opened(data, documents)
        ))  # fmt: skip
    if ArchiveRole.TRUST in paths:
        trust = parsed(ArchiveRole.TRUST, Trust.from_bytes)
        documents = replace(documents, trust=trust).trusting(trust)
    for role, path in ((file.role, file.path) for file in manifest.files):
        if role == ArchiveRole.STATEMENT:
            statement = _statement(path, contents[path], documents.commitment)
            documents = replace(documents, statements=(*documents.statements, statement))
    if ArchiveRole.EXTRACTION in paths:
        mark = parsed(ArchiveRole.EXTRACTION, ExtractedMark.from_bytes)
        documents = replace(documents, mark=mark)
    _require_extraction(documents)
    if documents.files(ArchiveRole.SUSPECT):
        suspect_file(documents.files(ArchiveRole.SUSPECT))
    return documents


def is_about_owner(one: LoggedStatement, commitment: Commitment) -> bool:
    """Whether a statement is about a key of the commitment's owner, which then signed it."""
    return one.is_about_a_key and one.statement.key in commitment.header.owner_keys


def _statement(path: str, data: bytes, commitment: Commitment) -> LoggedStatement:
    """A logged statement about an owner's key. Raises Malformed or Unsupported, naming the file."""
    try:
        statement = LoggedStatement.from_bytes(data)
    except (Malformed, InvalidSignature) as error:
        raise Malformed(f"{path} in the archive: {error.message}", hint=error.hint) from None
    if not is_about_owner(statement, commitment):
        raise Malformed(
            f"{path} in the archive is not about a key of the commitment's owner",
            hint="leave it out: a case has statements about its owner's keys alone",
        )
    return statement


def suspect_file(files: Mapping[str, bytes]) -> str:
    """The name of the model among a suspect's files. Raises Malformed for several, or none."""
    models = [name for name in files if name.endswith(MODELS)]
    if len(models) != 1:
        raise Malformed("the suspect of a case is one .onnx file or one .safetensors")
    return models[0]


def in_files(kind: str) -> bool:
    """Whether a kind of suspect is in files, which can be packed and asked again."""
    return kind in (SuspectKind.ONNX, SuspectKind.SAFETENSORS, SuspectKind.EXTRACTION)


def _require_extraction(documents: CaseDocuments) -> None:
    """Raise Malformed for what only an extracted mark has, in another case or by itself."""
    mine = (ArchiveRole.EXTRACTION, ArchiveRole.REFERENCE, ArchiveRole.PROBES)
    given = [role for role in mine if documents.files(role)]
    extracted = documents.challenge.suspect.kind == SuspectKind.EXTRACTION
    if given and (documents.mark is None or not extracted):
        raise Malformed(
            f"the archive has a {given[0]}, and no mark that is extracted with it",
            hint="get the archive again from whoever packed it",
        )


def _opened(data: bytes, documents: CaseDocuments) -> tuple[OpenedBlock, ...]:
    """The triggers that were opened. Raises Malformed where nothing was to be opened."""
    challenge, response = documents.challenge, documents.response
    if not isinstance(challenge, OpeningChallenge) or not isinstance(response, Opening):
        raise Malformed("opened triggers in a case in which nothing was to be opened")
    return read_opened(data, documents.commitment, challenge, response)
