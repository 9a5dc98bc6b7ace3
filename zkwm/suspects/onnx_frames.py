"""Length-prefixed frames between the judge and the process that runs an ONNX file.

A frame is its length in 8 big-endian bytes, then the payload: raw bytes, so that neither side
unpickles what the other sent.
"""

from __future__ import annotations

from typing import BinaryIO

_CHUNK = 1 << 20
_SHORT = 1 << 16


class FrameError(Exception):
    """The other side closed the stream, or announced a frame above the limit."""


def write_frame(stream: BinaryIO, *parts: bytes | memoryview) -> None:
    """Write the concatenation of ``parts`` (views are of bytes) as one frame. Raises FrameError."""
    length = sum(len(part) for part in parts)
    pieces = (length.to_bytes(8, "big"), *parts)
    try:
        # a short frame at once: every write may wake the reader
        for piece in (b"".join(pieces),) if length < _SHORT else pieces:
            _write_all(stream, piece)
    except (OSError, ValueError):
        raise FrameError("cannot write") from None


def read_frame(stream: BinaryIO, limit: int) -> bytes:
    """Read the payload of the next frame. Raises FrameError if it exceeds ``limit`` or is cut."""
    length = int.from_bytes(_read_all(stream, 8), "big")
    if length > limit:
        raise FrameError("too long")
    return _read_all(stream, length)


def _write_all(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Write all bytes; a raw stream may take fewer at once."""
    view = memoryview(data)
    while view:
        written = stream.write(view[:_CHUNK])
        view = view[written:]


def _read_all(stream: BinaryIO, length: int) -> bytes:
    """Read exactly ``length`` bytes in bounded chunks. Raises FrameError."""
    data = bytearray()
    while len(data) < length:
        try:
            chunk = stream.read(min(_CHUNK, length - len(data)))
        except (OSError, ValueError):
            raise FrameError("cannot read") from None
        if not chunk:
            raise FrameError("closed")
        data += chunk
    return bytes(data)
