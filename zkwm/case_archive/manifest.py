"""The manifest of a case archive: every file with its role, size and digest (SPEC.md 20.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from zkwm.case_archive.json_document import decode_document, encode_document
from zkwm_protocols.errors import Malformed

SCHEMA = "zkwm/case-manifest/v1"
NAME = "manifest.json"
FILE_LIMIT = 1 << 20
MOST_FILES = 100
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,100}")
# as the files of weights beside an ONNX model (SPEC.md 4.3): no folder, no hidden file, no end
# that Windows drops
_NAME = re.compile(r"[A-Za-z0-9_+-](?:[A-Za-z0-9._+ -]{0,198}[A-Za-z0-9_+-])?")


class ArchiveRole(StrEnum):
    """What a file is to the case; also the folder in which it lies."""

    COMMITMENT = "commitment"
    CHALLENGE = "challenge"
    PROOF = "proof"
    VERDICT = "verdict"
    JUDGE_PUBLIC = "judge-public"
    SUSPECT = "suspect"
    OPENED_TRIGGERS = "opened-triggers"
    REPORT = "report"
    TEMPLATE = "template"
    PREPROCESSING = "preprocessing"
    TEST_DATA = "test-data"
    EXTRACTION = "extraction"
    REFERENCE = "reference"
    PROBES = "probes"
    TRUST = "trust"
    STATEMENT = "statement"


_SEVERAL = {
    ArchiveRole.SUSPECT, ArchiveRole.REFERENCE, ArchiveRole.REPORT, ArchiveRole.STATEMENT,
}  # fmt: skip
ONE_EACH = frozenset(ArchiveRole) - _SEVERAL
"""Roles that one file of a case can have."""
NEEDED = (
    ArchiveRole.COMMITMENT, ArchiveRole.CHALLENGE, ArchiveRole.PROOF, ArchiveRole.JUDGE_PUBLIC,
)  # fmt: skip
"""Roles without which there is no case."""


@dataclass(frozen=True, order=True)
class ArchivedFile:
    """One file of an archive: ``role/name``, its size and SHA-256 (32 bytes)."""

    path: str
    size: int
    digest: bytes

    @classmethod
    def of(cls, role: ArchiveRole, name: str, data: bytes) -> ArchivedFile:
        """The entry of a file with these bytes. Raises Malformed for a name that none may have."""
        path = f"{role}/{name}"
        require_path(path)
        return cls(path, len(data), hashlib.sha256(data).digest())

    @property
    def role(self) -> ArchiveRole:
        """Its role."""
        return ArchiveRole(self.path.partition("/")[0])

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.partition("/")[2]


@dataclass(frozen=True)
class CaseManifest:
    """The files of an archive, in the order of their paths, and the release that packed them."""

    version: str
    files: tuple[ArchivedFile, ...]

    def __post_init__(self) -> None:
        """Refuse lists that no case can have. Raises Malformed."""
        paths = [file.path for file in self.files]
        if len(paths) > MOST_FILES:
            raise Malformed(f"a case has at most {MOST_FILES} files")
        if paths != sorted(set(paths)):
            raise Malformed("the manifest lists a file twice, or not in order")
        if len({path.lower() for path in paths}) != len(paths):
            raise Malformed("two files of the case have names that differ in case alone")
        roles = [file.role for file in self.files]
        for role in sorted(ONE_EACH):
            if roles.count(role) > 1:
                raise Malformed(f"the case has more than one {role}")
        for role in NEEDED:
            if role not in roles:
                raise Malformed(f"the case has no {role}")
        if not _VERSION.fullmatch(self.version):
            raise Malformed("the manifest names no release of zkwm")

    def to_bytes(self) -> bytes:
        """The one encoding of the manifest."""
        files = [
            {"path": file.path, "bytes": file.size, "sha256": file.digest.hex()}
            for file in self.files
        ]
        return encode_document(SCHEMA, {"version": self.version, "files": files})

    @classmethod
    def from_bytes(cls, data: bytes) -> CaseManifest:
        """Read ``to_bytes``. Raises Malformed, and Unsupported for another schema."""
        what = "the manifest of the archive"
        value = decode_document(data, SCHEMA, what=what, limit=FILE_LIMIT)
        broken = Malformed(f"{what} is not of its format")
        if not isinstance(value.get("files"), list) or not isinstance(value.get("version"), str):
            raise broken
        manifest = cls(value["version"], tuple(_read_file(one) for one in value["files"]))
        if manifest.to_bytes() != data:
            raise Malformed(f"{what} is not in its one encoding")
        return manifest


def require_path(path: str) -> None:
    """Raise Malformed unless ``path`` is ``role/name``: no other folder, no ``..``, no root."""
    role, _, name = path.partition("/")
    if role not in set(ArchiveRole) or not _NAME.fullmatch(name):
        shown = path[:100].encode("ascii", "backslashreplace").decode()
        raise Malformed(
            f"the archive has a file {shown!r}, and files of a case lie in the folder of their "
            "role under a plain name"
        )


def require_contents(manifest: CaseManifest, contents: Mapping[str, bytes]) -> None:
    """Raise Malformed unless these are exactly the manifest's files, byte for byte."""
    listed = {file.path: file for file in manifest.files}
    for path in contents:
        if path not in listed:
            raise Malformed(f"the archive has a file {path} that its manifest does not list")
    for path, file in listed.items():
        data = contents.get(path)
        if data is None:
            raise Malformed(f"the manifest lists {path}, which is not in the archive")
        if (len(data), hashlib.sha256(data).digest()) != (file.size, file.digest):
            raise Malformed(f"{path} in the archive is not the file that the manifest lists")


def _read_file(value: Any) -> ArchivedFile:  # noqa: ANN401
    """A line of the manifest. Raises Malformed."""
    broken = Malformed("a file in the manifest has path, bytes and sha256")
    if not isinstance(value, dict) or set(value) != {"path", "bytes", "sha256"}:
        raise broken
    path, size, digest = value["path"], value["bytes"], value["sha256"]
    if not isinstance(path, str) or type(size) is not int or not isinstance(digest, str):
        raise broken
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or size < 0:
        raise broken
    require_path(path)
    return ArchivedFile(path, size, bytes.fromhex(digest))
