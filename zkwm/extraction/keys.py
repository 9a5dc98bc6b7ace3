"""The secret keys with which a mark is read, and their streams (SPEC.md 19.1 and 19.2).

A key is committed to in place of a trigger image; its derived label is the bit that the marked
model gives. Streams are defined byte by byte in whole numbers, so that every implementation expands
a key alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed, UsageError

if TYPE_CHECKING:
    from zkwm.extraction.reader import Scheme


KEY_BYTES = 32
KEY_SHAPE = (1, 1, KEY_BYTES)
SCHEME_BYTES = 16
SECRET_BYTES = 14
LARGEST_LAYER = 65_535
BITS = 2
PURPOSE = b"extraction"
"""The context under which an owner's vault derives the secrets of keys."""

_STREAM, _SCHEME = b"zkwm-stream-1", b"zkwm-scheme-1"


@dataclass(frozen=True)
class ExtractionKey:
    """One key of 32 bytes.

    Attributes:
        layer: 0 to 65,535; its meaning is the scheme's.
        scheme: 16 bytes, the ``scheme_tag``.
        secret: 14 random bytes.

    Raises Malformed for other sizes.
    """

    layer: int
    scheme: bytes
    secret: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.layer <= LARGEST_LAYER:
            raise Malformed("the layer of a key is 0 to 65,535")
        if len(self.scheme) != SCHEME_BYTES or len(self.secret) != SECRET_BYTES:
            raise Malformed("a key has 16 bytes of its scheme and 14 secret ones")

    def __repr__(self) -> str:
        """The layer only: the rest is secret."""
        return f"ExtractionKey(layer {self.layer})"

    @property
    def seed(self) -> bytes:
        """All but the layer, 30 bytes, from which streams are expanded."""
        return self.scheme + self.secret

    def to_leaf(self) -> NDArray[np.uint8]:
        """The committed image uint8 (1, 1, 32): the layer in 2 bytes, big endian, and the seed."""
        data = self.layer.to_bytes(2, "big") + self.seed
        return np.frombuffer(data, np.uint8).reshape(KEY_SHAPE).copy()

    @classmethod
    def from_leaf(cls, leaf: NDArray[np.uint8]) -> ExtractionKey:
        """Read a committed key, uint8 (1, 1, 32). Raises Malformed for another shape."""
        if leaf.shape != KEY_SHAPE or leaf.dtype != np.uint8:
            raise Malformed("a key is 32 bytes of shape (1, 1, 32)")
        data = leaf.tobytes()
        return cls(int.from_bytes(data[:2], "big"), data[2:18], data[18:])

    def stream(self, purpose: str, count: int) -> bytes:
        """The first ``count`` bytes of this key's stream for a purpose (ASCII, up to 255 bytes).

        SHAKE-256 of ``zkwm-stream-1``, the purpose's length in one byte, the purpose, the seed.
        """
        name = purpose.encode("ascii")
        return hashlib.shake_256(_STREAM + bytes([len(name)]) + name + self.seed).digest(count)

    def signs(self, purpose: str, count: int) -> NDArray[np.int8]:
        """``count`` independent fair signs, int8: bit 1 is +1 and bit 0 is -1.

        The bits of the stream, the most significant of each byte first.
        """
        packed = np.frombuffer(self.stream(purpose, -(-count // 8)), np.uint8)
        return np.unpackbits(packed, count=count).astype(np.int8) * np.int8(2) - np.int8(1)

    def normals(self, purpose: str, count: int) -> NDArray[np.float64]:
        """``count`` numbers that are close to standard normal, float64.

        Each is (the sum of the next 12 bytes of the stream - 1530) / 256: exact in float32 too,
        variance 0.99998, between -6 and 6. Independent, and symmetric about zero. Reserved: no
        scheme reads them today, but SPEC.md 19.2 and its vectors have them.
        """
        data = np.frombuffer(self.stream(purpose, 12 * count), np.uint8).reshape(count, 12)
        sums = data.sum(axis=1, dtype=np.int64) - 1530
        values: NDArray[np.float64] = sums.astype(np.float64) / 256
        return values

    def choices(self, purpose: str, count: int, bound: int) -> NDArray[np.int64]:
        """``count`` different numbers from 0 to ``bound`` - 1, uniform, in the order drawn.

        As ``different_numbers`` of this key's stream for the purpose.
        """
        return different_numbers(lambda length: self.stream(purpose, length), count, bound)


def read_keys(leaves: NDArray[np.uint8]) -> list[ExtractionKey]:
    """The keys of leaves, uint8 (n, 1, 1, 32). Raises Malformed for another shape."""
    return [ExtractionKey.from_leaf(leaf) for leaf in leaves]


def different_numbers(stream: Callable[[int], bytes], count: int, bound: int) -> NDArray[np.int64]:
    """``count`` different numbers from 0 to ``bound`` - 1, int64, uniform, in the order drawn.

    ``stream`` gives the first bytes of an endless stream, which is read as big-endian words of 8
    bytes; a word from floor(2^64 / bound) * bound on is skipped, then word mod bound is taken
    unless it was taken before. Raises UsageError for more numbers than there are.
    """
    if not 0 <= count <= bound < 1 << 32:
        raise UsageError(f"{count} different numbers below {bound} do not exist")
    limit = (1 << 64) // bound * bound if bound else 0
    asked = 2 * count + 16
    while True:
        words = np.frombuffer(stream(8 * asked), ">u8").tolist()
        taken = list(dict.fromkeys(word % bound for word in words if word < limit))
        if len(taken) >= count:
            return np.array(taken[:count], np.int64)
        asked *= 2


def judged_parameters(scheme: Scheme) -> dict[str, int | bool | str]:
    """The parameters of a scheme that its bits depend on; a float as the text of its repr."""
    declared = {field.name for field in fields(scheme)}
    values = {name: getattr(scheme, name) for name in scheme.judged if name in declared}
    return {name: repr(v) if isinstance(v, float) else v for name, v in values.items()}


def scheme_tag(scheme: Scheme) -> bytes:
    """The tag of a scheme and its judged parameters, 16 bytes, which each of its keys carries.

    The first bytes of SHA-256 of ``zkwm-scheme-1`` and the CBOR map of name and judged parameters
    (SPEC.md 19.1). It is committed to before labels exist, so that nobody can search for a
    parameter that fits the labels.
    """
    described = encode({"scheme": scheme.name, "parameters": judged_parameters(scheme)})
    return hashlib.sha256(_SCHEME + described).digest()[:SCHEME_BYTES]
