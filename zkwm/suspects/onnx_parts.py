"""An ONNX file and the files that hold its weights: read once, pinned by one digest (SPEC.md 4.3).

``torch.onnx.export`` writes large weights, by default all, to a second file. Only files beside the
model are read, no links, none outside of its folder, and none that is something else by its first
bytes: whoever wrote the model chose the names, and could have chosen that of a key or a passphrase.
"""

from __future__ import annotations

import hashlib
import re
import stat
from codecs import getincrementaldecoder
from collections.abc import Mapping
from pathlib import Path

from zkwm.files import read_limited
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limits import OnnxLimits
from zkwm.suspects.onnx_process import NoReplyError, OnnxProcess
from zkwm.suspects.suspect import CHECK, SuspectFile
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import SuspectUnusable

FILE_LIMIT = 2 << 30
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+ -]{0,199}")
_MENTIONS_FILES = b"location"
_OTHER_FILES = (
    (b"zkwm-", "a file of zkwm's"),
    (b"SQLite format 3\0", "a database"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF-", "a PDF file"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"\x93NUMPY", "a NumPy array"),
)
_TEXT_BYTES = 1 << 16
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def onnx_digest(model: bytes, parts: Mapping[str, bytes] | None) -> bytes:
    """The digest of an ONNX suspect, 32 bytes: of the file alone, or with its files of weights."""
    return pinned_digest(onnx_files("", model, parts))


def onnx_files(
    name: str, model: bytes, parts: Mapping[str, bytes] | None
) -> tuple[SuspectFile, ...]:
    """The file with this name, then its files of weights in ascending order of their names."""
    return (
        SuspectFile.of(name, model),
        *(SuspectFile.of(part, data) for part, data in sorted((parts or {}).items())),
    )


def pinned_digest(files: tuple[SuspectFile, ...]) -> bytes:
    """The suspect's digest, 32 bytes, of what ``onnx_files`` gives."""
    model, *parts = files
    if not parts:
        return model.digest
    listed = [{"name": one.name, "size": one.size, "sha256": one.digest} for one in parts]
    pinned = {"model": model.digest, "files": listed}
    return hashlib.sha256(b"zkwm-onnx-1" + encode(pinned)).digest()


class WeightFiles:
    """Reads the files beside ``model``, at most ``FILE_LIMIT`` bytes in all."""

    def __init__(self, model: Path) -> None:
        self._folder = model.absolute().parent
        self._left = FILE_LIMIT

    def __call__(self, name: str) -> bytes:
        """The bytes of the file. Raises NoReplyError for a name that is no plain file beside."""
        shown = repr(printable(name, 100))
        if not _NAME.fullmatch(name) or name.endswith((".", " ")):
            raise NoReplyError(
                f"its weights lie in {shown}, which does not name a file beside it",
                "save the model again, so that its weights lie in the same folder",
            )
        path = self._folder / name
        try:
            mode = path.lstat().st_mode
        except OSError:
            raise NoReplyError(
                f"its weights lie in the file {shown}, which is not there",
                f"put {printable(name, 100)} beside the model; a model comes with all its files",
            ) from None
        if not stat.S_ISREG(mode):
            raise NoReplyError(
                f"its weights lie in {shown}, which is a link or no file",
                "put the file itself beside the model",
            )
        data = read_limited(path, self._left)
        if other := _other_file(data):
            raise NoReplyError(
                f"its weights lie in {shown}, which is {other} and holds no weights",
                "keep a foreign model in a folder of its own: whoever wrote it chose that name, "
                "and a model could give away what it reads there",
            )
        self._left -= len(data)
        return data


def read_whole(path: Path) -> tuple[bytes, bytes]:
    """The model at ``path`` as one file, its weights in it, and the suspect's digest, 32 bytes.

    The file is parsed in the limited process, and only where it can refer to other files at all.
    Raises CouldNotCheck or Malformed for files that cannot be read, SuspectUnusable (check
    ``suspect.answers``) for weights that are not beside the model.
    """
    model, merged, parts = _read(path)
    return merged, onnx_digest(model, parts)


def read_files(path: Path) -> dict[str, bytes]:
    """The model at ``path`` and its files of weights, by name; raises as ``read_whole`` does."""
    model, _, parts = _read(path)
    return {path.name: model, **parts}


def _other_file(data: bytes) -> str:
    """What a file is that holds no weights by its first bytes (SPEC.md 4.3); empty for any other.

    Numbers have zero bytes and bytes that no text has.
    """
    for magic, what in _OTHER_FILES:
        if data.startswith(magic):
            return what
    try:
        text = getincrementaldecoder("utf-8")().decode(data[:_TEXT_BYTES])
    except UnicodeDecodeError:
        return ""
    return "text" if text and not _CONTROLS.search(text) else ""


def _read(path: Path) -> tuple[bytes, bytes, dict[str, bytes]]:
    """The file itself, the file with its weights in it, and its files of weights by name."""
    model = read_limited(path, FILE_LIMIT, regular=True)
    if _MENTIONS_FILES not in model:
        return model, model, {}
    process = OnnxProcess(model, OnnxLimits(), read_file=WeightFiles(path))
    try:
        merged = process.merged()
    except NoReplyError as reason:
        raise SuspectUnusable(
            f"the ONNX model cannot be read: {reason}", hint=reason.hint, check=CHECK
        ) from None
    finally:
        process.close()
    return model, merged, dict(process.parts or {})
