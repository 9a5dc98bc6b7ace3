"""Archives of a case: ZIP files as strangers make them."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random

from tests.fuzz.byte_changes import change_bytes, chosen, mixed
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.text_changes import change_json
from tests.support.archives import CONTENTS, archive, honest_files, manifest_of, zip_of
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.case_archive.extracted_mark import ExtractedMark
from zkwm.case_archive.manifest import NAME, CaseManifest
from zkwm.extraction.schemes import make_reader, reader_class
from zkwm_protocols.errors import UsageError


def changed_document(data: bytes, random: Random) -> bytes:
    """Another JSON document, half of the time in the encoding of those in archives."""
    written = change_json(data, random)
    if random.random() < 0.5:
        with suppress(ValueError, RecursionError):
            written = (json.dumps(json.loads(written), indent=2) + "\n").encode()
    return written


def archive_kind() -> Kind:
    """A case archive; what is read is written back as the same bytes."""
    more = CONTENTS | {"report/a.html": b"<html>", "verdict/a.verdict": b"a verdict"}
    samples = [archive(), archive(more)]

    def change(data: bytes, random: Random) -> bytes:
        """Bytes of the file, or another manifest before honest files."""
        if random.random() < 0.6:
            return change_bytes(data, random)
        contents = more if len(data) > len(samples[0]) else CONTENTS
        written = changed_document(manifest_of(contents).to_bytes(), random)
        return zip_of([(NAME, written), *honest_files(contents)[1:]])

    def again(read: tuple[CaseManifest, dict[str, bytes]]) -> bytes:
        return write_archive(*read)

    return Kind("case archive", mixed(chosen(samples), change), read_archive, again=again)


def mark_kind() -> Kind:
    """How a mark is extracted, as an archive says it."""
    samples = [
        ExtractedMark("uchida", {}).to_bytes(),
        ExtractedMark("dynamarks", {"classes": "all", "floor": 1e-05, "layer": 3}).to_bytes(),
    ]
    return Kind("extracted mark", mixed(chosen(samples), changed_document),
                ExtractedMark.from_bytes, again=lambda mark: mark.to_bytes())  # fmt: skip


def reader_kind() -> Kind:
    """The reader of a mark that an archive names, by ``extraction.json``."""
    samples = [
        ExtractedMark("uchida", {}).to_bytes(),
        ExtractedMark("deepsigns", {"floor": 0.1}).to_bytes(),
    ]

    def read(data: bytes) -> object:
        mark = ExtractedMark.from_bytes(data)
        return reader_class(mark.watermark), make_reader(mark.watermark, **mark.parameters)

    return Kind("extraction.json", mixed(chosen(samples), changed_document), read,
                (*DOCUMENT_ERRORS, UsageError))  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [archive_kind(), mark_kind(), reader_kind()]
