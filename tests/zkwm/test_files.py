"""Files whole or not at all: limits, overwriting, full disks, disks without hard links."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from zkwm.files import read_limited, write_atomic
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError


def test_writes_and_reads(tmp_path):
    write_atomic(tmp_path / "a", b"content", mode=0o600)
    assert read_limited(tmp_path / "a", 7) == b"content"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_refuses_a_file_over_the_limit(tmp_path):
    write_atomic(tmp_path / "a", b"content")
    with pytest.raises(Malformed, match="larger than the 6 bytes"):
        read_limited(tmp_path / "a", 6)


@pytest.mark.parametrize("name", ["missing", "folder", "nul\0name"])
def test_reading_what_is_no_file(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(CouldNotCheck, match="cannot read"):
        read_limited(f"{tmp_path}/{name}", 10)


def test_never_overwrites_unasked(tmp_path):
    write_atomic(tmp_path / "a", b"old")
    with pytest.raises(UsageError, match="exists") as caught:
        write_atomic(tmp_path / "a", b"new")
    assert "another name" in caught.value.hint
    assert (tmp_path / "a").read_bytes() == b"old"
    write_atomic(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a", b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CouldNotCheck, match="No space left"):
        write_atomic(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_disk_without_hard_links(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_atomic(tmp_path / "a", b"content")
    with pytest.raises(UsageError, match="exists"):
        write_atomic(tmp_path / "a", b"other")
    assert (tmp_path / "a").read_bytes() == b"content"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_group_reads_only_what_is_its_own(tmp_path, monkeypatch):
    """Until the group is set, the file has that of its writer, who may not mean it to read."""
    before = []
    real = os.chown

    def look(descriptor, user, group):
        before.append(os.fstat(descriptor).st_mode & 0o777)
        real(descriptor, user, -1)

    monkeypatch.setattr(os, "chown", look)
    write_atomic(tmp_path / "a", b"content", mode=0o640, group=os.getgid() + 1)
    assert before == [0o600]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_is_refused_at_once_where_a_file_is_meant(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CouldNotCheck, match="not a regular file"):
        read_limited(tmp_path / "pipe", 10, regular=True)
    write_atomic(tmp_path / "a", b"content")
    assert read_limited(tmp_path / "a", 10, regular=True) == b"content"


def test_no_device_pipe_or_folder_is_replaced(tmp_path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    for path in (pipe, folder, tmp_path / "link"):
        with pytest.raises(UsageError, match="not a regular file"):
            write_atomic(path, b"data", overwrite=True)
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "pipe"]


def test_standard_output_is_no_file_to_replace_even_where_it_leads_to_one(tmp_path):
    """/dev/stdout leads to a regular file where a shell redirects it; root could replace it."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom zkwm.files import require_replaceable\n"
        "try:\n    require_replaceable(Path('/dev/stdout'))\n"
        "except Exception as error:\n    sys.exit(type(error).__name__)\n"
    )
    with (tmp_path / "redirected").open("wb") as file:
        run = subprocess.run([sys.executable, "-c", code], stdout=file, stderr=subprocess.PIPE)
    assert run.stderr.decode().strip() == "UsageError"
