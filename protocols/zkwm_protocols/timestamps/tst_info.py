"""What an authority says in a token: TSTInfo of RFC 3161, as data (SPEC.md 22.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat import asn1

from zkwm_protocols.errors import Malformed, Unsupported
from zkwm_protocols.timestamps import structures
from zkwm_protocols.timestamps.authority import MAXIMUM_ACCURACY
from zkwm_protocols.timestamps.evidence import MAXIMUM_NONCE
from zkwm_protocols.timestamps.structures import decode, digest_name, encoding, malformed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
MAXIMUM_SERIAL = 2**160
_GENERALIZED_TIME = b"\x18"
_TIME = re.compile(rb"([0-9]{14})(?:\.([0-9]{0,8}[1-9]))?Z")


@dataclass(frozen=True)
class TokenInfo:
    """The signed content of a token. Times are microseconds since 1970-01-01 00:00 UTC.

    Args:
        imprint: the SHA-256 digest that was given to the authority.
        policy: object identifier of the authority's policy.
        serial: the token's number.
        gen_time: the time, rounded down.
        rounding: 1 where rounding lost a part of a microsecond, else 0.
        accuracy: microseconds; None where it is absent.
        nonce: None where it is absent.
        tsa: the authority's name, DER of a GeneralName; None where it is absent.
    """

    imprint: bytes
    policy: str
    serial: int
    gen_time: int
    rounding: int
    accuracy: int | None
    nonce: int | None
    tsa: bytes | None

    @property
    def time(self) -> datetime:
        """``gen_time`` as a datetime."""
        return as_datetime(self.gen_time)


def as_datetime(microseconds: int) -> datetime:
    """Microseconds since 1970-01-01 00:00 UTC as a datetime."""
    return EPOCH + timedelta(microseconds=microseconds)


def as_microseconds(time: datetime) -> int:
    """A datetime as whole microseconds since 1970-01-01 00:00 UTC."""
    return (time - EPOCH) // timedelta(microseconds=1)


def read_info(data: bytes) -> TokenInfo:
    """Read TSTInfo, DER.

    Raises Malformed or Unsupported (``timestamp.format``; ``timestamp.imprint`` for another hash
    than SHA-256; ``timestamp.time`` for a time or accuracy that is none).
    """
    info = decode(structures.TstInfo, data, "what the authority says")
    if info.version != 1:
        raise Unsupported("TSTInfo of another version than 1", check="timestamp.format")
    if not 0 <= info.serial < MAXIMUM_SERIAL:
        raise malformed("a token's serial number has at most 160 bits and no sign")
    if info.nonce is not None and not 0 <= info.nonce < 256**MAXIMUM_NONCE:
        raise malformed(f"a token's nonce has at most {MAXIMUM_NONCE} bytes and no sign")
    if any(extension.critical for extension in info.extensions or []):
        raise Unsupported("the token has a critical extension", check="timestamp.format")
    if info.tsa is not None and len(info.tsa) != 1:
        raise malformed("a token names its authority once")
    if digest_name(info.imprint.algorithm) != "sha256" or len(info.imprint.digest) != 32:
        raise Malformed("the token's imprint is not of SHA-256", check="timestamp.imprint")
    gen_time, rounding = _read_time(info.gen_time)
    return TokenInfo(
        imprint=info.imprint.digest,
        policy=info.policy.dotted_string,
        serial=info.serial,
        gen_time=gen_time,
        rounding=rounding,
        accuracy=None if info.accuracy is None else _read_accuracy(info.accuracy),
        nonce=info.nonce,
        tsa=None if info.tsa is None else encoding(info.tsa[0]),
    )


def _read_time(element: asn1.TLV) -> tuple[int, int]:
    """Microseconds since 1970, rounded down, and 1 where rounding lost something.

    GeneralizedTime by RFC 3161, section 2.4.2: seconds, ``Z``, a fraction without trailing zeros.
    """
    match = _TIME.fullmatch(bytes(element.data))
    if bytes(element.tag_bytes) != _GENERALIZED_TIME or match is None:
        raise Malformed("the token's time is no GeneralizedTime of DER", check="timestamp.time")
    digits, fraction = match[1].decode("ascii"), (match[2] or b"").decode("ascii")
    year, *rest = (int(digits[:4]), *(int(digits[i : i + 2]) for i in range(4, 14, 2)))
    month, day, hour, minute, second = rest
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Malformed("the token's time is none", check="timestamp.time") from None
    if not EPOCH <= time < LATEST:
        raise Malformed("the token's time is before 1970 or after 9000", check="timestamp.time")
    nanoseconds = int(fraction.ljust(9, "0"))
    return as_microseconds(time) + nanoseconds // 1000, int(nanoseconds % 1000 > 0)


def _read_accuracy(accuracy: structures.Accuracy) -> int:
    """Microseconds. Raises Malformed (``timestamp.time``)."""
    seconds, millis, micros = (part or 0 for part in accuracy.parts())
    if not all(part is None or 1 <= part <= 999 for part in accuracy.parts()[1:]):
        raise Malformed(
            "milli- and microseconds of an accuracy are 1 to 999", check="timestamp.time"
        )
    total = seconds * 1_000_000 + millis * 1000 + micros
    if seconds < 0 or total > MAXIMUM_ACCURACY:
        raise Malformed("an accuracy is at most a year, and has no sign", check="timestamp.time")
    return total
