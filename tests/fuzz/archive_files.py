"""Archives of a case: ZIP files as strangers make them."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random

from tests.fuzz.byte_changes import change_bytes, chosen, mixed
from tests.fuzz.harness import Kind
from tests.fuzz.text_changes import change_json
from tests.support.archives import CONTENTS, archive, honest_files, manifest_of, zip_of
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.case_archive.manifest import NAME, Manifest


def archive_kind() -> Kind:
    """A case archive; what is read is written back as the same bytes."""
    more = CONTENTS | {"report/a.html": b"<html>", "verdict/a.verdict": b"a verdict"}
    samples = [archive(), archive(more)]

    def change(data: bytes, random: Random) -> bytes:
        """Bytes of the file, or another manifest before honest files."""
        if random.random() < 0.6:
            return change_bytes(data, random)
        contents = more if len(data) > len(samples[0]) else CONTENTS
        written = change_json(manifest_of(contents).to_bytes(), random)
        if random.random() < 0.5:
            with suppress(ValueError, RecursionError):
                written = (json.dumps(json.loads(written), indent=2) + "\n").encode()
        return zip_of([(NAME, written), *honest_files(contents)[1:]])

    def again(read: tuple[Manifest, dict[str, bytes]]) -> bytes:
        return write_archive(*read)

    return Kind("case archive", mixed(chosen(samples), change), read_archive, again=again)


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [archive_kind()]
