"""Signed notes: a text, an empty line, and lines that sign the text (C2SP signed-note).

This module cuts a note into its parts, each of which has one spelling, and says nothing about who
signed: see ``checkpoint`` for that. SPEC.md 23.3.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from zkwm_protocols.errors import Malformed

NOTE_LIMIT = 256 * 1024
"""Bytes of a note: 64 signatures of ML-DSA-44, of 3.3 kB each, and a text beside."""
MOST_SIGNATURES = 64
LONGEST_NAME = 255
"""Bytes of a name or origin: a cosignature by ML-DSA-44 has one byte for the length."""
KEY_ID_BYTES = 4

_DASH = "\N{EM DASH} "
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: the key's name, its id (4 bytes), and what the key made.

    Raises Malformed for a name or an id that is none, or without a signature.
    """

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        require_key_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise Malformed("a signature of a note has a key id of 4 bytes and some more")

    def to_line(self) -> str:
        """The line, with its line feed."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"

    @classmethod
    def from_line(cls, line: str) -> NoteSignature:
        """Read ``to_line``, its line feed left out. Raises Malformed."""
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise Malformed("a signature line of a note is a dash, a name and base64")
        data = from_base64(encoded)
        return cls(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


@dataclass(frozen=True)
class Note:
    """A text, which ends in a line feed, and its signature lines in their order."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is handed on."""
        return (self.text + "\n" + "".join(one.to_line() for one in self.signatures)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Note:
        """Read a note of at most ``NOTE_LIMIT`` bytes and 64 signatures.

        Raises Malformed for anything but its one spelling: UTF-8 without control characters, line
        feeds alone and at the end, standard base64 with all padding.
        """
        text = decode_text(data, NOTE_LIMIT)
        end = text.rfind("\n\n")
        if end < 0 or not text.endswith("\n"):
            raise Malformed("a note is a text, an empty line, and lines that end in a line feed")
        return cls(text[: end + 1], read_signature_lines(text[end + 2 :]))


def read_signature_lines(text: str) -> tuple[NoteSignature, ...]:
    """1 to 64 signature lines, each with its line feed. Raises Malformed."""
    lines = text.split("\n")
    if lines.pop() != "" or not 1 <= len(lines) <= MOST_SIGNATURES:
        raise Malformed(f"a note has 1 to {MOST_SIGNATURES} signature lines")
    return tuple(NoteSignature.from_line(line) for line in lines)


def decode_text(data: bytes, limit: int) -> str:
    """UTF-8 of at most ``limit`` bytes, no control character but the line feed in it.

    Raises Malformed.
    """
    if len(data) > limit:
        raise Malformed(f"expected at most {limit:,} bytes, got {len(data):,}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    if _CONTROL.search(text):
        raise Malformed("a control character; lines end in a line feed alone")
    return text


def require_key_name(name: str) -> str:
    """A name of 1 to 255 bytes without spaces, plus or controls. Raises Malformed."""
    if (
        not name
        or len(name.encode("utf-8", "replace")) > LONGEST_NAME
        or "+" in name
        or any(one.isspace() or one < " " or "\ud800" <= one <= "\udfff" for one in name)
    ):
        raise Malformed(
            f"the name of a key has 1 to {LONGEST_NAME} bytes, no space and no plus",
            hint="use the address of log or witness without its scheme, such as example.com/log",
        )
    return name


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Read ``to_base64``. Raises Malformed for any other spelling, unused bits included."""
    if not text.isascii() or not _BASE64.fullmatch(text):
        raise Malformed("not base64")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Malformed("not base64") from None
    if to_base64(data) != text:
        raise Malformed("base64 with bits that are not used")
    return data
