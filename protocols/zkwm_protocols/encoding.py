"""Strict deterministic CBOR, the frame of every zkwm file, and the digest of tensors.

SPEC.md sections 3.2 to 3.4. The profile is small on purpose: null, booleans, integers of at most
64 bits, byte strings, text, arrays, and maps with text keys; one encoding for each value. cbor2
encodes and decodes; this module bounds and checks what goes in and comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import IO, Any, TypeAlias

import cbor2

from zkwm_protocols.errors import Malformed, Unsupported

Value: TypeAlias = Any
"""None, bool, int, bytes, str, list of values, dict from str to value."""

MAXIMUM_DEPTH = 8
MAXIMUM_ITEMS = 1_000_000
_LARGE, _PART = 1 << 23, 1 << 16
FILE_VERSIONS = {"commitment": 3}
"""The version in a file's first line (SPEC.md 3.3), where it is not 1."""


def encode(value: Value) -> bytes:
    """The one encoding of a value (SPEC.md 3.2). Raises Malformed for one outside the profile."""
    _require_profile(value)
    return cbor2.dumps(value, canonical=True)


def encode_large(value: Value) -> bytes:
    """``encode`` of a value with long byte strings: they are copied once, not three times."""
    return _written(value, b"")


def hash_large(start: bytes, value: Value) -> bytes:
    """SHA-256 of ``start`` and ``encode_large(value)``, 32 bytes, without the bytes in between."""
    _require_profile(value)
    stream = _Hashed(start)
    _encoder(stream, parts=True).encode(value)
    return stream.digest.digest()


def decode(data: bytes, *, limit: int) -> Value:
    """Read one value of at most ``limit`` bytes (SPEC.md 3.2).

    Raises Malformed unless ``data`` is exactly the deterministic encoding of a value of the
    profile: no tags, floats, indefinite lengths, duplicate keys, long integers or bytes left over.
    """
    return _decode(data, 0, limit)


def pack(kind: str, value: Value) -> bytes:
    """A whole file: the line ``zkwm-<kind>/<version>`` and the value (SPEC.md 3.3)."""
    return _written(value, first_line(kind) + b"\n")


def unpack(kind: str, data: bytes, *, limit: int) -> Value:
    """The value of a whole file of the given kind. Raises Malformed; Unsupported for a version."""
    require_kind(kind, data)
    return _decode(data, data.index(b"\n") + 1, limit)


def require_kind(kind: str, data: bytes) -> None:
    """Refuse the first bytes of a file of another kind or version, and what is no file of zkwm's.

    Raises Malformed; Unsupported for another version.
    """
    end = data.find(b"\n", 0, 64)
    magic = data[:end] if end >= 0 else b""
    if magic == first_line(kind):
        return
    if magic.startswith(f"zkwm-{kind}/".encode("ascii")):
        raise _of_another_version(kind, magic)
    if magic.startswith(b"zkwm-"):
        other = magic[5:].decode("ascii", "replace").partition("/")[0]
        raise Malformed(
            f"this is a zkwm file of another kind ({other!r}), not a {kind}",
            hint=f"give a file of the kind {kind}",
        )
    raise Malformed(f"this is not a zkwm {kind} file", hint=f"give a file of the kind {kind}")


def _of_another_version(kind: str, magic: bytes) -> Unsupported:
    """The error for a file of a version that this release does not read."""
    found, own = magic.rpartition(b"/")[2], FILE_VERSIONS.get(kind, 1)
    if not found.isdigit() or len(found) > 4:
        found = b"another"
    hint = "use the zkwm release that wrote it, or a newer one"
    if found.isdigit() and int(found) < own:
        hint = "have it made anew with this release, or use the earlier one that wrote it"
    return Unsupported(
        f"this is a zkwm {kind} file of version {found.decode('ascii')}, and this release reads "
        f"version {own}",
        hint=hint,
    )


def first_line(kind: str) -> bytes:
    """The first line of a file of the given kind, without its line feed."""
    return f"zkwm-{kind}/{FILE_VERSIONS.get(kind, 1)}".encode("ascii")


def tensor_digest(tensors: Iterable[tuple[str, str, tuple[int, ...], bytes]]) -> bytes:
    """The canonical digest of named tensors, 32 bytes (SPEC.md 3.4).

    Each tensor is (name, dtype such as ``float32``, shape, little-endian bytes in C order). The
    order of the argument does not matter. Raises Malformed when a name occurs twice.
    """
    ordered = sorted(tensors, key=lambda tensor: tensor[0].encode("utf-8", "surrogatepass"))
    names = [tensor[0] for tensor in ordered]
    if len(set(names)) != len(names):
        raise Malformed("two tensors have one name")
    digest = hashlib.sha256(b"zkwm-tensors-1")
    for name, dtype, shape, data in ordered:
        entry = encode([name, dtype, list(shape), len(data)])
        digest.update(len(entry).to_bytes(8, "big") + entry)
        digest.update(data)
    return digest.digest()


def _decode(data: bytes, start: int, limit: int) -> Value:
    """The value that the bytes from ``start`` on encode, ``decode`` says how. Copies none of them.

    What it was decoded to is encoded again and compared as it comes.
    """
    view = memoryview(data)[start:]
    if len(view) > limit:
        raise Malformed(f"expected at most {limit} bytes, got {len(view)}")
    _require_bounded_nesting(view)
    try:
        stream = BytesIO(data)
        stream.seek(start)
        value = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        raise Malformed("not well-formed CBOR") from None
    _require_profile(value)
    same = _Compared(view)
    _encoder(same, parts=len(view) > _LARGE).encode(value)
    if not same.whole:
        raise Malformed("not in the one deterministic CBOR encoding")
    return value


def _written(value: Value, start: bytes) -> bytes:
    """``start`` and the encoding of a value."""
    _require_profile(value)
    stream = BytesIO()
    stream.write(start)
    _encoder(stream, parts=True).encode(value)
    return stream.getvalue()


def _encoder(stream: IO[bytes], *, parts: bool) -> cbor2.CBOREncoder:
    """An encoder of the deterministic form; with ``parts`` long byte strings go in parts.

    cbor2 copies whatever it is given twice before it writes it.
    """
    encoders: dict[type, Callable[[cbor2.CBOREncoder, Any], None]] | None = None
    if parts:
        encoders = {bytes: _write_in_parts}
    return cbor2.CBOREncoder(stream, canonical=True, encoders=encoders)


def _write_in_parts(encoder: cbor2.CBOREncoder, data: bytes) -> None:
    """Encode a byte string."""
    if len(data) <= _PART:
        encoder.encode_bytes(data)
        return
    encoder.encode_length(2, len(data))
    for place in range(0, len(data), _PART):
        encoder.write(data[place : place + _PART])


class _Hashed(BytesIO):
    """A file to write to that keeps a digest only."""

    def __init__(self, start: bytes) -> None:
        super().__init__()
        self.digest = hashlib.sha256(start)

    def write(self, data: Any) -> int:  # noqa: ANN401  (bytes, or what is like them)
        """Hash the next bytes."""
        self.digest.update(data)
        return len(data)


class _Compared(BytesIO):
    """A file to write to that keeps nothing: what is written has to be these bytes."""

    def __init__(self, expected: memoryview) -> None:
        super().__init__()
        self._left, self._same = expected, True

    @property
    def whole(self) -> bool:
        """Whether exactly these bytes were written."""
        return self._same and not self._left

    def write(self, data: Any) -> int:  # noqa: ANN401  (bytes, or what is like them)
        """Compare the next bytes."""
        view = memoryview(data)
        self._same = self._same and self._left[: len(view)] == view
        self._left = self._left[len(view) :]
        return len(view)


def _require_profile(value: Value) -> None:
    """Raise Malformed for a value outside the profile."""
    if _count_profile(value, MAXIMUM_DEPTH) > MAXIMUM_ITEMS:
        raise Malformed(f"a value of more than {MAXIMUM_ITEMS:,} items")


def _count_profile(value: Value, depth: int) -> int:
    """The number of items in ``value``, itself and map keys included.

    Raises Malformed outside the profile, or nested deeper than ``depth``.
    """
    if value is None or isinstance(value, bool | bytes):
        return 1
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
            raise Malformed("text with a surrogate")
        return 1
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise Malformed("an integer of more than 64 bits")
        return 1
    if isinstance(value, list | dict) and depth == 0:
        raise Malformed("nested too deeply")
    if isinstance(value, list):
        return 1 + sum(_count_profile(item, depth - 1) for item in value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Malformed("a map key that is not text")
        return 1 + sum(
            _count_profile(key, depth - 1) + _count_profile(item, depth - 1)
            for key, item in value.items()
        )
    raise Malformed(f"a value of a type outside the profile ({type(value).__name__})")


def _cut_off(data: memoryview, least: int) -> Malformed:
    """The error for a value that announces more bytes, at least ``least``, than there are."""
    return Malformed(
        f"cut off, or damaged: {len(data):,} bytes are there, and it announces at least {least:,}",
        hint="get the whole file again, or put back a copy of it",
    )


def _require_bounded_nesting(data: memoryview) -> None:
    """Walk the item heads once, before the decoder builds anything: depth, lengths and kinds.

    Bounds the decoder's recursion and its allocations by the bytes that are really there.
    """
    position, items = 0, 0
    open_items = [1]
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        open_items[-1] -= 1
        items += 1
        if items > MAXIMUM_ITEMS:
            raise Malformed("not well-formed CBOR")
        if position >= len(data):
            raise _cut_off(data, position + 1)
        major, additional = data[position] >> 5, data[position] & 31
        position += 1
        if major == 7:
            if additional not in (20, 21, 22):
                raise Malformed("CBOR of a kind outside the profile")
            continue
        if additional > 27 or major == 6:
            raise Malformed("CBOR of a kind outside the profile")
        width = 0 if additional < 24 else 1 << (additional - 24)
        argument = additional
        if width:
            argument = int.from_bytes(data[position : position + width], "big")
            position += width
        if major in (0, 1):
            continue
        if argument > len(data) - position:
            raise _cut_off(data, position + argument)
        if major in (2, 3):
            position += argument
            continue
        if len(open_items) > MAXIMUM_DEPTH:
            raise Malformed("nested too deeply")
        open_items.append(argument * (2 if major == 5 else 1))
    if position != len(data):
        raise Malformed("bytes left over after the value")
