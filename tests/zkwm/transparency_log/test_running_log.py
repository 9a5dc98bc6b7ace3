"""What a running log finds: files that change under it, and too many open files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.faulty_disk import FaultyDisk
from tests.support.logs import (
    begin,
    contents,
    describe,
    entries,
    memory_folder,
    opened,
)
from zkwm.sql_database import DatabaseAwayError
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.rebuild import rebuild
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.refusals import RefusedError
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm_protocols.errors import CouldNotCheck


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        begin(made)
        yield made


@pytest.mark.parametrize("tile", ["tile/1/000.p/1", "tile/0/001.p/44", "tile/entries/001.p/44"])
def test_a_tile_that_changes_while_the_log_runs_is_never_signed(folder: Path, tile: str) -> None:
    """The right edge is read from the disk in the first batch; one bit of it has flipped."""
    with opened(folder) as log:
        log.append(entries(0, 300))
    with opened(folder) as log:
        path = folder / "public" / tile
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        checkpoint = log.files.checkpoint()
        with pytest.raises(CouldNotCheck, match="damaged while it ran"):
            log.append(entries(300, 301))
        assert "damaged" in log.stopped
        assert (log.row.size, log.files.checkpoint()) == (300, checkpoint)
        assert not list((folder / "public").glob("tile/*/001.p/45"))  # nothing was written
        data[-1] ^= 1
        path.write_bytes(data)
    with opened(folder) as log:  # restored: it goes on
        assert log.append(entries(300, 301)).size == 301


class BusyDisk(FaultyDisk):
    """A disk for a process that has no file descriptor left, from the chosen operation on."""

    operation = ""

    def write(self, path: Path, data: bytes) -> None:
        self._open("write")
        super().write(path, data)

    def flush(self, path: Path) -> None:
        self._open("folder" if path.is_dir() else "flush")
        super().flush(path)

    def _open(self, operation: str) -> None:
        if operation == self.operation:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize("operation", ["write", "flush"])
def test_without_a_file_descriptor_a_batch_is_refused_and_the_log_goes_on(
    folder: Path, operation: str
) -> None:
    disk = BusyDisk()
    with opened(folder, disk) as log:
        disk.operation = operation
        for _ in range(3):
            with pytest.raises(CouldNotCheck, match="too many open files"):
                log.append(entries(0, 2))
        assert log.stopped == ""
        disk.operation = ""
        assert log.append(entries(0, 2)).size == 2
        disk.cut_power()  # the folders of the refused batches are durable, too
    with opened(folder) as log:
        assert contents(log) == [one.data for one in entries(0, 2)]


def test_want_of_a_file_descriptor_after_a_file_has_its_name_interrupts_the_log(
    folder: Path,
) -> None:
    """What the disk holds is unknown then: the process itself makes a start before it goes on."""
    disk = BusyDisk()
    with opened(folder, disk) as log:
        disk.operation = "folder"
        with pytest.raises(CouldNotCheck, match="cannot write"):
            log.append(entries(0, 2))
        assert "disk failed" in log.interrupted
        with pytest.raises(RefusedError, match="waits for space"):
            log.append(entries(2, 3))
        disk.operation = ""
        log.resume()
        assert (log.stopped, log.interrupted) == ("", "")
        assert log.append(entries(2, 3)).size == 3
        assert contents(log) == [one.data for one in entries(0, 3)]


@pytest.mark.parametrize("at", range(14))
def test_a_full_disk_at_any_operation_stops_no_log_for_ever(folder: Path, at: int) -> None:
    disk = FaultyDisk(fault="ENOSPC")
    with opened(folder, disk) as log:
        log.append(entries(0, 1))
        disk.at = len(disk.done) + at
        with suppress(CouldNotCheck):
            log.append(entries(1, 3))
        assert log.stopped == ""
        log.resume()
        log.take_in()
        new = [one for one in entries(1, 4) if not log.database.positions([one.statement])]
        log.append(new)
        assert contents(log) == [one.data for one in entries(0, 4)]
    with opened(folder) as log:
        assert contents(log) == [one.data for one in entries(0, 4)]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_database_that_was_away_is_asked_what_it_holds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, swapped: bool
) -> None:
    """A server that restarts: whether the transaction came through, nobody knows before."""
    with opened(folder) as log:
        log.append(entries(0, 1))
        with monkeypatch.context() as patch:
            plain = log.database.swap

            def away(*arguments: object) -> None:
                if swapped:
                    plain(*arguments)
                raise DatabaseAwayError("the server is restarting")

            patch.setattr(log.database, "swap", away)
            with pytest.raises(CouldNotCheck, match="restarting"):
                log.append(entries(1, 2))
        assert log.interrupted == "the server is restarting"
        log.resume()
        log.take_in()
        assert contents(log) == [one.data for one in entries(0, 2)]
        assert log.append(entries(2, 3)).size == 3


def test_another_writer_during_an_interruption_stops_the_log(folder: Path) -> None:
    disk = BusyDisk()
    with opened(folder, disk) as log:
        log.append(entries(0, 2))
        disk.operation = "folder"
        with pytest.raises(CouldNotCheck, match="cannot write"):
            log.append(entries(2, 3))
        disk.operation = ""
        (folder / "writer.lock").unlink()
        log.resume()
        assert "lock was removed" in log.stopped
        with pytest.raises(RefusedError, match="stopped writing"):
            log.append(entries(3, 4))


def test_a_tile_that_cannot_be_opened_for_want_of_descriptors_is_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(folder) as log:
        log.append(entries(0, 2))
    with opened(folder) as log:
        with monkeypatch.context() as patch:
            patch.setattr("builtins.open", _busy)
            with pytest.raises(CouldNotCheck, match="too many open files"):
                log.append(entries(2, 3))
        assert log.stopped == ""
        assert log.append(entries(2, 3)).size == 3


def _busy(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_newer_witnessed_checkpoint_proves_that_the_rest_is_an_old_copy(folder: Path) -> None:
    """Database and checkpoint are of an earlier time; the third file is not, or of another tree."""
    witnessed = folder / "public" / "checkpoint.witnessed"
    with opened(folder) as log:
        log.append(entries(0, 2))
    (folder / "fork").mkdir()
    begin(folder / "fork")
    with opened(folder / "fork") as fork:
        other = fork.append(entries(7, 8)).checkpoint
        newer = fork.append(entries(8, 10)).checkpoint
    for checkpoint, said in ((newer, "tree of size 3"), (other, "two different trees of size 1")):
        witnessed.write_bytes(checkpoint)
        with pytest.raises(CouldNotCheck, match=said), opened(folder):
            pass
    witnessed.unlink()
    with opened(folder) as log:
        assert log.append(entries(2, 3)).size == 3


def test_a_database_is_not_made_from_a_checkpoint_that_is_older_than_the_witnessed_one(
    folder: Path,
) -> None:
    key = TreeKey.generate(KeyKind.LOG, "log.example/real")
    place = folder / "real"
    place.mkdir()
    database = LogDatabase(place / "database.sqlite")
    create_log(place, key, database, FaultyDisk())
    with open_log(place, key, database, describe, FaultyDisk()) as log:
        old = log.append(entries(0, 1)).checkpoint
        newer = log.append(entries(1, 2)).checkpoint
    database.close()
    (place / "public" / "checkpoint").write_bytes(old)
    (place / "public" / "checkpoint.witnessed").write_bytes(newer)
    empty = LogDatabase(place / "empty.sqlite")
    with pytest.raises(CouldNotCheck, match=r"checkpoint\.witnessed"):
        rebuild(place, key.verifiers, empty, describe, adopt_checkpoint=True)
    assert empty.head(key.origin) is None
    (place / "public" / "checkpoint").write_bytes(newer)
    assert rebuild(place, key.verifiers, empty, describe, adopt_checkpoint=True).head.size == 2
    empty.close()
