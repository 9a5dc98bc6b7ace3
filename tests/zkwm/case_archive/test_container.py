"""The archive of a case: one form, and every other ZIP file is refused by name."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import struct
import warnings
import zipfile
from typing import Any

import pytest

from tests.support.archives import CONTENTS, archive, honest_files, manifest_of, zip_of
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.case_archive.manifest import MOST_FILES, NAME, ArchivedFile, ArchiveRole, CaseManifest
from zkwm_protocols.errors import Malformed, Unsupported

GOOD = archive()
END = 22


def test_it_is_read_back_and_any_program_reads_it() -> None:
    manifest, contents = read_archive(GOOD)
    assert (manifest, contents) == (manifest_of(CONTENTS), CONTENTS)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [NAME, *sorted(CONTENTS)]


def test_the_same_files_give_the_same_bytes() -> None:
    """Known bytes, so that no version of Python or of zlib changes them (SPEC.md 20.1)."""
    backwards = dict(reversed(CONTENTS.items()))
    assert write_archive(manifest_of(backwards), backwards) == GOOD
    assert zip_of(honest_files()) == GOOD
    digest = "4f5cc1638392d86470cf5e2acb49e2f392ec2a90dcf8de871fbe7d09c4d6f012"
    assert hashlib.sha256(GOOD).hexdigest() == digest


def changed(name: str, **fields: Any) -> bytes:
    """The archive with other fields in the headers of one file."""

    def change(entry: zipfile.ZipInfo) -> None:
        if entry.filename == name:
            for field, value in fields.items():
                setattr(entry, field, value)

    return zip_of(honest_files(), change)


def with_path(path: str) -> bytes:
    """An archive with one file more, of which the manifest knows nothing."""
    return zip_of([*honest_files(), (path, b"x")])


def doubled() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zip_of([*honest_files(), ("suspect/model.onnx", CONTENTS["suspect/model.onnx"])])


def zip64() -> bytes:
    """A ZIP64 file: sizes in an extra field, and 0xFFFF where the numbers were."""
    end = GOOD.rindex(b"PK\x05\x06")
    return GOOD[:end] + GOOD[end : end + 8] + b"\xff" * 12 + GOOD[end + 20 :]


def zip64_entries() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in honest_files():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            with made.open(entry, "w", force_zip64=True) as file:
                file.write(data)
    return stream.getvalue()


def overlapping() -> bytes:
    """Two entries of the list lead to the same bytes, as in bombs that nothing compresses."""
    data, path = bytearray(GOOD), b"suspect/model.onnx"
    second = data.rindex(path) - 46
    struct.pack_into("<L", data, second + 42, data.index(b"proof/a.proof") - 30)
    return bytes(data)


def with_gap() -> bytes:
    """Bytes between the files and their list."""
    data = bytearray(GOOD)
    offset = struct.unpack_from("<L", data, len(data) - 6)[0]
    struct.pack_into("<L", data, len(data) - 6, offset + 3)
    return bytes(data[:offset] + b"abc" + data[offset:])


def two_headers() -> bytes:
    """The header beside the content names another file than the list of files does."""
    place = GOOD.index(b"suspect/model.onnx")
    return GOOD[:place] + b"suspect/other.onnx" + GOOD[place + 18 :]


def other_method() -> bytes:
    """The header beside the content says deflated, the list of files says stored."""
    place = GOOD.index(b"suspect/model.onnx") - 30 + 8
    return GOOD[:place] + b"\x08\x00" + GOOD[place + 2 :]


def behind_the_list(place: int) -> bytes:
    """The last entry of the list has a field of four bytes, which would lie behind the list."""
    data = bytearray(GOOD)
    struct.pack_into("<H", data, data.rindex(b"PK\x01\x02") + place, 4)
    return bytes(data)


def manifest_with(**changes: Any) -> bytes:
    """The archive with another manifest."""
    value = json.loads(manifest_of(CONTENTS).to_bytes()) | changes
    text = (json.dumps(value, indent=2) + "\n").encode()
    return zip_of([(NAME, text), *sorted(CONTENTS.items())])


FILES = json.loads(manifest_of(CONTENTS).to_bytes())["files"]
REFUSED = {
    "no ZIP file": b"hello",
    "empty": b"",
    "truncated": GOOD[:-1],
    "trailing data": GOOD + b"x",
    "leading data": b"x" + GOOD,
    "a comment": zip_of(honest_files(), comment=b"hello"),
    "compressed": zip_of(
        honest_files(), lambda entry: setattr(entry, "compress_type", zipfile.ZIP_DEFLATED)
    ),
    "a bomb": zip_of(
        [*honest_files(), ("report/r.html", bytes(1 << 22))],
        lambda entry: setattr(entry, "compress_type", zipfile.ZIP_DEFLATED),
    ),
    "other compression": zip_of(
        honest_files(), lambda entry: setattr(entry, "compress_type", zipfile.ZIP_BZIP2)
    ),
    "a name twice": doubled(),
    "absolute": with_path("/etc/passwd"),
    "absolute in a role": with_path("suspect//etc/passwd"),
    "above": with_path("suspect/../../x"),
    "a folder in a role": with_path("suspect/a/b"),
    "a folder": with_path("suspect/"),
    "backslashes": with_path("suspect\\..\\x"),
    "a drive": with_path("C:/x"),
    "no role": with_path("secrets/x"),
    "hidden": with_path("suspect/.x"),
    "ends in a dot": with_path("suspect/x."),
    "no ASCII": with_path("suspect/ä.onnx"),
    "a zero byte": GOOD.replace(b"suspect/model.onnx", b"suspect/model\0onnx"),
    "a symbolic link": changed("suspect/model.onnx", external_attr=0o120777 << 16),
    "executable": changed("suspect/model.onnx", external_attr=0o100755 << 16),
    "encrypted": GOOD.replace(b"\x14\x00\x00\x00\x00\x00", b"\x14\x00\x01\x00\x00\x00"),
    "another time": changed("proof/a.proof", date_time=(2026, 1, 1, 0, 0, 0)),
    "another system": changed("proof/a.proof", create_system=0),
    "an extra field": changed("proof/a.proof", extra=b"\x99\x99\x01\x00x"),
    "an extra field behind the list": behind_the_list(30),
    "a comment behind the list": behind_the_list(32),
    "a comment on a file": changed("proof/a.proof", comment=b"x"),
    "ZIP64": zip64(),
    "ZIP64 in the headers": zip64_entries(),
    "overlapping": overlapping(),
    "a gap": with_gap(),
    "two headers": two_headers(),
    "another method in one header": other_method(),
    "damaged": GOOD.replace(b"a modela model", b"b modela model", 1),
    "a file that the manifest does not list": with_path("report/r.html"),
    "a file that is not there": zip_of(honest_files()[:-1]),
    "another file than the manifest's": zip_of([*honest_files()[:-1], ("suspect/model.onnx", b"")]),
    "another order": zip_of([honest_files()[0], *honest_files()[:0:-1]]),
    "no manifest": zip_of(honest_files()[1:]),
    "the manifest is not first": zip_of([*honest_files()[1:], honest_files()[0]]),
    "too many files": zip_of(
        [*honest_files(), *((f"report/{n}.html", b"") for n in range(MOST_FILES))]
    ),
    "a manifest that is no JSON": zip_of([(NAME, b"{"), *sorted(CONTENTS.items())]),
    "a manifest nested deeply": zip_of([(NAME, b"[" * 100_000), *sorted(CONTENTS.items())]),
    "a manifest in another encoding": zip_of(
        [(NAME, manifest_of(CONTENTS).to_bytes().replace(b"  ", b" ")), *sorted(CONTENTS.items())]
    ),
    "a manifest with more": manifest_with(more=1),
    "a manifest of no release": manifest_with(version="\x1b[31m"),
    "a manifest with a file twice": manifest_with(files=[*FILES, FILES[-1]]),
    "a manifest with a path outside": manifest_with(files=[*FILES, FILES[-1] | {"path": "../x"}]),
    "a manifest with a size that is none": manifest_with(files=[FILES[0] | {"bytes": "1"}]),
    "a manifest without a proof": manifest_with(files=[FILES[0]]),
    "two commitments": zip_of(
        [honest_files()[0], *sorted([*CONTENTS.items(), ("commitment/b.commitment", b"x")])]
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_whatever_else_a_zip_file_could_be_is_refused(data: bytes) -> None:
    assert data != GOOD
    with pytest.raises(Malformed) as caught:
        read_archive(data)
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


def test_another_schema_is_refused_by_name() -> None:
    with pytest.raises(Unsupported):
        read_archive(manifest_with(schema="zkwm/case-manifest/v2"))


def test_each_file_of_an_archive_is_bound_by_its_manifest() -> None:
    """Any byte that changes, in any place, is refused."""
    for place, bit in itertools.product(range(len(GOOD)), (0, 2, 7)):
        data = bytearray(GOOD)
        data[place] ^= 1 << bit
        with pytest.raises((Malformed, Unsupported)):
            read_archive(bytes(data))


@pytest.mark.parametrize(
    "paths",
    [
        {"report/A.html": b"", "report/a.html": b""},
        {"verdict/a": b"", "verdict/b": b""},
        {f"report/{n}.html": b"" for n in range(MOST_FILES)},
    ],
)
def test_lists_that_no_case_can_have(paths: dict[str, bytes]) -> None:
    with pytest.raises(Malformed):
        manifest_of(CONTENTS | paths)


def test_a_manifest_and_its_files_have_to_agree() -> None:
    manifest = manifest_of(CONTENTS)
    for contents in (CONTENTS | {"report/a.html": b""}, CONTENTS | {"proof/a.proof": b"other"}):
        with pytest.raises(Malformed):
            write_archive(manifest, contents)
    with pytest.raises(Malformed):
        CaseManifest("0.1.0", manifest.files[::-1])
    with pytest.raises(Malformed):
        ArchivedFile.of(ArchiveRole.REPORT, "../x", b"")
