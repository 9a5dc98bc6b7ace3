"""What a verdict is about, beyond its checks: the case as stated, and the files by digest.

Nobody checks the particulars: whoever runs the verification types them, and every form of the
verdict marks them "as stated". The digests are computed from the very bytes that were examined.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.schema import require_text

MOST_CHARACTERS = 200


@dataclass(frozen=True)
class CaseParticulars:
    """The case as stated, each a text of at most 200 printable characters, empty where not stated.

    Args:
        case: the case, such as a file number.
        owner_name: who claims ownership.
        judge_name: who judges.
        suspect_from: where the suspect comes from, and how it was obtained.
        listing: the listing of a marketplace.

    Raises UsageError for a text that is longer, or not printable (SPEC.md 3.2).
    """

    case: str = ""
    owner_name: str = ""
    judge_name: str = ""
    suspect_from: str = ""
    listing: str = ""

    def __post_init__(self) -> None:
        for one in fields(self):
            try:
                require_text(getattr(self, one.name), MOST_CHARACTERS)
            except Malformed as error:
                name = one.name.replace("_", " ")
                raise UsageError(
                    f"particulars of the case, {name}: {error.message}",
                    hint=f"shorten it to {MOST_CHARACTERS} characters on one line",
                ) from None

    def to_json(self) -> dict[str, str]:
        """The same as JSON values."""
        return dict(vars(self))


NOT_STATED = CaseParticulars()


class FileRole(StrEnum):
    """What a file is to the case."""

    COMMITMENT = "commitment"
    CHALLENGE = "challenge"
    PROOF = "proof"
    SUSPECT = "suspect"
    REPORT = "report"
    JUDGE_PUBLIC = "judge-public"


@dataclass(frozen=True)
class FileDigest:
    """One file: its role, the name that it had (empty where nobody says), SHA-256 and size."""

    role: FileRole
    name: str
    digest: bytes
    size: int

    @classmethod
    def of(cls, role: FileRole, name: str, data: bytes) -> FileDigest:
        """The digest of a file's bytes."""
        return cls(role, file_name(name), hashlib.sha256(data).digest(), len(data))

    def named(self, name: str) -> FileDigest:
        """The same file under another name."""
        return replace(self, name=file_name(name))

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "role": self.role,
            "name": self.name,
            "sha256": self.digest.hex(),
            "bytes": self.size,
        }


def file_name(path: str) -> str:
    """The last part of a path as printable text of at most 200 characters, for people.

    Folders stay out: they tell about the machine of whoever checked.
    """
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "?" for c in last)[:MOST_CHARACTERS]
