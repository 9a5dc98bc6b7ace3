"""Archives of a case, and ZIP files that only look like one. Not a test."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable

from zkwm.case_archive.container import write_archive
from zkwm.case_archive.manifest import NAME, ArchivedFile, ArchiveRole, CaseManifest

CONTENTS = {
    "challenge/a.challenge": b"a challenge",
    "commitment/a.commitment": b"a commitment",
    "judge-public/judge.key.pub": b"a key",
    "proof/a.proof": b"a proof",
    "suspect/model.onnx": b"a model" * 20,
}
Change = Callable[[zipfile.ZipInfo], None]


def manifest_of(contents: dict[str, bytes], version: str = "0.1.0") -> CaseManifest:
    """The manifest of these files."""
    entries = [
        ArchivedFile.of(ArchiveRole(path.partition("/")[0]), path.partition("/")[2], data)
        for path, data in contents.items()
    ]
    return CaseManifest(version, tuple(sorted(entries)))


def archive(contents: dict[str, bytes] | None = None) -> bytes:
    """A valid archive, as far as its reader looks."""
    contents = CONTENTS if contents is None else contents
    return write_archive(manifest_of(contents), contents)


def zip_of(
    files: Iterable[tuple[str, bytes]], change: Change | None = None, comment: bytes = b""
) -> bytes:
    """A ZIP file with the headers of an archive; ``change`` gets each header first."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            if change is not None:
                change(entry)
            made.writestr(entry, data, entry.compress_type)
        made.comment = comment
    return stream.getvalue()


def honest_files(contents: dict[str, bytes] | None = None) -> list[tuple[str, bytes]]:
    """The files of a valid archive in its order, the manifest first."""
    contents = CONTENTS if contents is None else contents
    return [(NAME, manifest_of(contents).to_bytes()), *sorted(contents.items())]
