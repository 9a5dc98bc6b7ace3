"""Read NumPy's .npy and .npz files from strangers, bounded before anything is unpacked.

``numpy.load`` unpacks a file before its size can be checked, so it is not used. Arrays of Python
objects (pickles) are never read.
"""

from __future__ import annotations

import ast
import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm_protocols.errors import Malformed

MAX_BYTES = 1 << 31
_MAX_MEMBERS = 64
_MAX_HEADER = 10_000
_MAX_AXES = 32
_MAX_RATIO = 200
"""Images shrink less; what unpacks to more than 64 MiB and this times the file is refused."""
_FREE_BYTES = 1 << 26
_HINT = "give a file that numpy.savez wrote, a folder of images, or write it again"
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _read_array(file: IO[bytes], where: str, limit: int) -> NDArray[Any]:
    """Read one .npy stream of at most ``limit`` bytes of data, with nothing after it.

    ``where`` names the file in errors. Raises Malformed.
    """
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy would repair a header of Python 2 and say so
            version = npy.read_magic(file)
            header = io.BytesIO(_header(file, 2 if version == (1, 0) else 4))
            shape, fortran, dtype = read_header[version](header, max_header_size=_MAX_HEADER)
    except Exception:  # numpy parses Python text here: its errors are an open list
        raise Malformed(f"{where} is not a numpy array of a known version") from None
    if dtype.hasobject or dtype.kind not in "biuf":
        raise Malformed(f"{where} holds {dtype}, not numbers")
    whole = all(type(side) is int and 0 <= side < 1 << 62 for side in shape)
    if not whole or len(shape) > _MAX_AXES:
        raise Malformed(f"{where} claims the shape {str(shape)[:100]}")
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise Malformed(f"{where} would take {size} bytes; at most {limit} are read")
    data = file.read(size + 1)
    if len(data) != size:
        raise Malformed(f"{where} holds more or less data than its header says")
    if size == 0 and max(shape, default=0) > limit:
        raise Malformed(f"{where} claims the shape {str(shape)[:100]}")
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes], width: int) -> bytes:
    """The header of a .npy stream and its length before it, in ``width`` bytes.

    It is a literal: what is none would be repaired by numpy in time that grows with the square of
    its length. Raises ValueError, SyntaxError, MemoryError or RecursionError otherwise.
    """
    length = file.read(width)
    size = int.from_bytes(length, "little")
    if len(length) != width or size > _MAX_HEADER:
        raise ValueError("no header")
    text = file.read(size)
    ast.literal_eval(text.decode("latin-1"))
    return length + text


def read_npy(data: bytes, where: str, *, limit: int = MAX_BYTES) -> NDArray[Any]:
    """Read the array of numbers in the .npy file ``data``, read-only; ``where`` names the file.

    Raises Malformed for anything else, object arrays and more than ``limit`` bytes included.
    """
    return _read_array(io.BytesIO(data), where, limit)


def read_npz(data: bytes, where: str, *, limit: int = MAX_BYTES) -> Mapping[str, NDArray[Any]]:
    """Read all arrays of numbers in the .npz file ``data``, by name.

    Arrays of text (lists of file names, say) are left out. Raises Malformed where the archive is
    damaged, encrypted, packed in an unusual way, or unpacks to more than ``limit`` bytes in all.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS:
                raise Malformed(
                    f"{where} has {len(members)} members; at most {_MAX_MEMBERS} are read"
                )
            left = min(limit, max(_FREE_BYTES, _MAX_RATIO * len(data)))
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    raise Malformed(f"{where} is no .npz file: it has a member {member.filename!r}")
                if member.compress_type not in _PACKINGS or member.flag_bits & 1:
                    raise Malformed(f"{name} in {where} is encrypted or packed in an unusual way")
                with archive.open(member) as file:
                    if _is_text(file):
                        continue
                with archive.open(member) as file:
                    arrays[name] = _read_array(file, f"{name} in {where}", left)
                    left -= arrays[name].nbytes
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
        raise Malformed(f"{where} is not an intact .npz file", hint=_HINT) from None
    return arrays


def _is_text(file: IO[bytes]) -> bool:
    """Whether a .npy stream holds strings (such arrays are left out, not refused)."""
    start = file.read(128)
    return b"'descr': '<U" in start or b"'descr': '|S" in start


def read_arrays(path: str | Path, *, limit: int = MAX_BYTES) -> Mapping[str, NDArray[Any]]:
    """Read the arrays of a .npz file by name, or that of a .npy file under the name "".

    Raises CouldNotCheck where the file cannot be read, Malformed where it is not such a file.
    """
    data = read_limited(path, limit)
    if data[:6] == b"\x93NUMPY":
        return {"": read_npy(data, str(path), limit=limit)}
    return read_npz(data, str(path), limit=limit)
