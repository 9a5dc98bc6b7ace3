"""The ZIP file of a case: one fixed form, the same bytes for the same files (SPEC.md 20.1).

Everything is stored, never compressed, in one order, with one time. A reader refuses by name
whatever else a ZIP file could be: what two programs could read in two ways is no evidence.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from zkwm.case_archive.manifest import FILE_LIMIT as MANIFEST_LIMIT
from zkwm.case_archive.manifest import (
    MOST_FILES,
    NAME,
    CaseManifest,
    require_contents,
    require_path,
)
from zkwm_protocols.errors import Malformed, UsageError

ARCHIVE_LIMIT = (2 << 30) - 1
"""Bytes of the largest archive; ZIP64 begins at twice as many."""
_TIME = (1980, 1, 1, 0, 0, 0)
_REGULAR = 0o100644 << 16
_MADE_BY = bytes([20, 3])
"""Version 2.0 of the format, on Unix."""
_LONGEST_PATH = 300
_END, _LOCAL, _CENTRAL = 22, 30, 46
_HINT = "get the archive again from whoever packed it; zkwm case pack makes such files"


def write_archive(manifest: CaseManifest, contents: Mapping[str, bytes]) -> bytes:
    """The archive of these files: the manifest first, then the files in its order.

    Raises Malformed where contents and manifest differ, UsageError for more than 2 GiB.
    """
    require_contents(manifest, contents)
    if sum(map(len, contents.values())) + MANIFEST_LIMIT > ARCHIVE_LIMIT:
        raise UsageError(
            "the files of the case have more than 2 GiB together",
            hint="leave the model out (zkwm case check says then what it could not repeat)",
        )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for path, data in ((NAME, manifest.to_bytes()), *sorted(contents.items())):
            archive.writestr(_entry(path), data)
    return stream.getvalue()


def read_archive(data: bytes) -> tuple[CaseManifest, dict[str, bytes]]:
    """Manifest and contents of an archive. Raises Malformed, or Unsupported for its schema."""
    if len(data) > ARCHIVE_LIMIT:
        raise Malformed("a case archive has at most 2 GiB")
    entries = _entries(data)
    if not entries or entries[0].filename != NAME:
        raise Malformed("the archive does not begin with its manifest", hint=_HINT)
    found: dict[str, bytes] = {}
    position = 0
    for entry in entries:
        position, content = _content(data, entry, position)
        if entry.filename in found:
            raise Malformed(f"the archive has two files {entry.filename}", hint=_HINT)
        found[entry.filename] = content
    if data[position:] != _directory(entries, position):
        raise Malformed("the archive's list of its files is not in its one form", hint=_HINT)
    manifest = CaseManifest.from_bytes(found.pop(NAME))
    require_contents(manifest, found)
    if list(found) != [file.path for file in manifest.files]:
        raise Malformed("the files of the archive are not in the manifest's order", hint=_HINT)
    return manifest, found


def _entry(path: str) -> zipfile.ZipInfo:
    """The header of a file: all that is not name, size and checksum is fixed."""
    entry = zipfile.ZipInfo(path, _TIME)
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system, entry.create_version, entry.extract_version = 3, 20, 20
    entry.external_attr = _REGULAR
    return entry


def _entries(data: bytes) -> list[zipfile.ZipInfo]:
    """The central directory, after its size and number of files were looked at."""
    end = data[-_END:]
    if len(end) < _END or end[:4] != b"PK\x05\x06":
        raise Malformed(
            "this is not a case archive, or something stands behind its end", hint=_HINT
        )
    disk, first, here, count, size, offset, comment = struct.unpack("<4H2LH", end[4:])
    if 0xFFFF in (disk, here, count) or 0xFFFFFFFF in (size, offset):
        raise Malformed("the archive is of ZIP64, which no case archive is", hint=_HINT)
    if disk or first or here != count or comment:
        raise Malformed("the archive has several parts, or a comment", hint=_HINT)
    if count > MOST_FILES + 1 or size > count * (_CENTRAL + _LONGEST_PATH):
        raise Malformed(f"a case archive has at most {MOST_FILES} files", hint=_HINT)
    if offset + size + _END != len(data):
        raise Malformed("the archive has bytes around its list of files", hint=_HINT)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError):
        raise Malformed("this is not a case archive", hint=_HINT) from None
    if len(entries) != count:
        raise Malformed("the archive states another number of files than it has", hint=_HINT)
    return entries


def _directory(entries: list[zipfile.ZipInfo], position: int) -> bytes:
    """The central directory and its end, as they have to stand behind the files (APPNOTE 4.3).

    The reader of Python's library passes over fields that point behind the directory, so what it
    understood is written again.
    """
    listed = b""
    for entry in entries:
        header = entry.FileHeader(zip64=False)  # its fields stand in both headers
        fixed = struct.pack("<3H2L", 0, 0, 0, _REGULAR, entry.header_offset)
        listed += b"PK\x01\x02" + _MADE_BY + header[4:_LOCAL] + fixed + header[_LOCAL:]
    count = len(entries)
    end = struct.pack("<4H2LH", 0, 0, count, count, len(listed), position, 0)
    return listed + b"PK\x05\x06" + end


def _content(data: bytes, entry: zipfile.ZipInfo, position: int) -> tuple[int, bytes]:
    """Where the next file begins, and the content of this one. Raises Malformed."""
    name = entry.filename
    if name != NAME:
        require_path(name)
    if entry.orig_filename != name:
        raise Malformed(f"the archive has a file {name} whose name has a zero byte", hint=_HINT)
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise Malformed(f"{name} is compressed in the archive", hint=_HINT)
    if entry.flag_bits:
        raise Malformed(f"{name} is encrypted in the archive, or has other flags", hint=_HINT)
    if entry.external_attr != _REGULAR or entry.internal_attr:
        raise Malformed(f"{name} is a link in the archive, or no plain file", hint=_HINT)
    if entry.extra or entry.comment:
        raise Malformed(f"{name} has more than its content in the archive", hint=_HINT)
    fixed = _entry(name)
    for field in ("date_time", "create_system", "create_version", "extract_version", "volume"):
        if getattr(entry, field) != getattr(fixed, field):
            raise Malformed(f"{name} has another time or origin than a case archive's", hint=_HINT)
    start = position + _LOCAL + len(name)
    # the two headers of a file have to say the same, or two programs read two archives
    if entry.header_offset != position or data[position:start] != entry.FileHeader(zip64=False):
        raise Malformed(f"{name} has two headers in the archive that differ", hint=_HINT)
    content = data[start : start + entry.file_size]
    if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
        raise Malformed(f"{name} is damaged in the archive", hint=_HINT)
    return start + entry.file_size, content
