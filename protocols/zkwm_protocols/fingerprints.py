"""Fingerprints: how people compare keys (SPEC.md 4.1, 4.2)."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed

_FINGERPRINT = re.compile(r"[a-z2-7]{4}(-[a-z2-7]{4}){7}")


def fingerprint_of(prefix: bytes, value: dict[str, Any]) -> str:
    """The first 160 bits of SHA-256 of prefix and encoded map, in groups of four base32 letters."""
    digest = hashlib.sha256(prefix + encode(value)).digest()[:20]
    text = base64.b32encode(digest).decode("ascii").lower()
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def fingerprint_bytes(fingerprint: str) -> bytes:
    """The 20 bytes that a fingerprint spells. Raises Malformed for what is none."""
    return base64.b32decode(require_fingerprint(fingerprint).replace("-", "").upper())


def read_fingerprint(text: str) -> str:
    """A fingerprint as a person types or copies it: capitals, and spaces or no dashes, are fine.

    Raises Malformed for anything but 32 characters of a-z and 2-7, a part of one included.
    """
    letters = re.sub(r"[\s-]", "", text).lower()
    if not re.fullmatch(r"[a-z2-7]{32}", letters):
        raise Malformed(
            f"this is no fingerprint: it has {len(letters)} letters and digits, and a fingerprint "
            "has 8 groups of 4 of a-z and 2-7",
            hint="give the whole fingerprint, as the judge told it",
        )
    return "-".join(letters[i : i + 4] for i in range(0, 32, 4))


def require_fingerprint(text: object) -> str:
    """A fingerprint as ``PublicKey.fingerprint`` writes it. Raises Malformed for anything else."""
    if not isinstance(text, str) or not _FINGERPRINT.fullmatch(text):
        raise Malformed("a fingerprint is eight groups of four of a-z and 2-7, joined by '-'")
    return text
