"""What a start finds: older copies, mixed copies, damage, two writers; and tile boundaries."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faulty_disk import FaultyDisk
from tests.support.logs import (
    TestSigner,
    begin,
    contents,
    describe,
    entries,
    memory_folder,
    opened,
    require_prefix,
)
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.recovery import open_log
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.merkle import root
from zkwm_protocols.transparency.tree import TreeHead


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        begin(made)
        yield made


def grow(folder: Path, start: int, end: int) -> TreeHead:
    """Append entries and end."""
    with opened(folder) as log:
        row = log.append(entries(start, end))
    return TreeHead(row.size, row.root)


def copy(folder: Path, name: str) -> Path:
    """A copy of the log's files and database."""
    kept = folder.parent / f"{folder.name}-{name}"
    shutil.copytree(folder, kept)
    return kept


def restore(kept: Path, folder: Path, name: str) -> None:
    """Put one part of a copy over the log's."""
    target = folder / name
    if target.is_dir():
        shutil.rmtree(target)
        shutil.copytree(kept / name, target)
    else:
        for part in folder.glob(f"{name}*"):
            part.unlink()
        shutil.copy(kept / name, target)


@pytest.mark.parametrize("sizes", [(0, 1), (1, 2), (255, 257), (256, 512), (257, 300), (3, 600)])
def test_a_tree_is_that_of_rfc_9162_at_every_boundary(folder: Path, sizes: tuple[int, int]) -> None:
    first = grow(folder, 0, sizes[0]) if sizes[0] else TreeHead(0, root([]))
    grow(folder, sizes[0], sizes[1])
    with opened(folder) as log:
        assert contents(log) == [one.data for one in entries(0, sizes[1])]
        assert log.row.root == root([one.data for one in entries(0, sizes[1])])
        require_prefix(log, first)


@pytest.mark.slow
def test_a_tree_is_that_of_rfc_9162_where_a_third_level_begins(folder: Path) -> None:
    """65,535, 65,536 and 65,537 entries, each tree after a start of its own."""
    data = [one.data for one in entries(0, 65_537)]
    start = 0
    for size in (65_535, 65_536, 65_537):
        head = grow(folder, start, size)
        assert head == TreeHead(size, root(data[:size]))
        start = size
    with opened(folder) as log:
        assert contents(log) == data
        require_prefix(log, TreeHead(65_535, root(data[:65_535])))


def test_an_old_copy_of_the_files_under_a_newer_row_is_refused(folder: Path) -> None:
    grow(folder, 0, 3)
    kept = copy(folder, "old")
    grow(folder, 3, 5)
    restore(kept, folder, "public")
    shutil.rmtree(kept)
    before = LogDatabase(folder / "database.sqlite").head("log.example/test")
    with pytest.raises(CouldNotCheck, match="do not hold the tree"), opened(folder):
        pass
    assert (folder / "public" / "checkpoint").read_bytes() != before.checkpoint


def test_an_old_copy_of_the_database_is_brought_forward(folder: Path) -> None:
    grow(folder, 0, 3)
    kept = copy(folder, "old")
    last = grow(folder, 3, 300)
    restore(kept, folder, "database.sqlite")
    shutil.rmtree(kept)
    with opened(folder) as log:
        assert TreeHead(log.row.size, log.row.root) == last
        assert log.database.next_position() == 300
        assert log.database.positions([entries(200, 201)[0].statement]) != {}


@pytest.mark.parametrize("name", ["public", "database.sqlite"])
def test_a_copy_that_went_another_way_is_refused(folder: Path, name: str) -> None:
    grow(folder, 0, 3)
    other = copy(folder, "other")
    grow(folder, 3, 5)
    grow(other, 10, 14 if name == "public" else 11)
    restore(other, folder, name)
    shutil.rmtree(other)
    with pytest.raises(CouldNotCheck), opened(folder):
        pass


def test_same_size_another_tree_is_refused(folder: Path) -> None:
    grow(folder, 0, 3)
    other = copy(folder, "other")
    grow(folder, 3, 5)
    grow(other, 10, 12)
    restore(other, folder, "public")
    shutil.rmtree(other)
    with pytest.raises(CouldNotCheck, match="two different trees of size 5"), opened(folder):
        pass


def test_a_lost_row_is_refused_and_another_log_s_too(folder: Path) -> None:
    grow(folder, 0, 3)
    (folder / "database.sqlite").rename(folder / "away")
    with pytest.raises(CouldNotCheck, match="has no row"), opened(folder):
        pass
    (folder / "away").replace(folder / "database.sqlite")
    database = LogDatabase(folder / "database.sqlite")
    with (
        pytest.raises(UsageError),
        open_log(folder, TestSigner("other.example"), database, describe),
    ):
        pass


def test_a_removed_checkpoint_is_written_again(folder: Path) -> None:
    head = grow(folder, 0, 3)
    (folder / "public" / "checkpoint").unlink()
    with opened(folder):
        assert TestSigner().read((folder / "public" / "checkpoint").read_bytes()) == head


@pytest.mark.parametrize("tile", ["tile/0/000.p/3", "tile/entries/000.p/3"])
def test_a_damaged_right_edge_is_refused(folder: Path, tile: str) -> None:
    grow(folder, 0, 3)
    path = folder / "public" / tile
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CouldNotCheck), opened(folder):
        pass


def test_a_second_writer_is_refused(folder: Path) -> None:
    with opened(folder) as log:
        with pytest.raises(CouldNotCheck, match="another process writes"), opened(folder):
            pass
        log.append(entries(0, 1))


def test_a_writer_whose_row_was_swapped_shows_no_tree(folder: Path) -> None:
    """Two machines with a copy each of the files, and one database: only one signs on."""
    other = copy(folder, "other")
    with opened(folder) as first, opened(other, location=folder / "database.sqlite") as second:
        first.append(entries(0, 2))
        with pytest.raises(CouldNotCheck, match="another process has written"):
            second.append(entries(5, 6))
        assert TestSigner().read((other / "public" / "checkpoint").read_bytes()).size == 0
        with pytest.raises(CouldNotCheck, match="has stopped"):
            second.append(entries(6, 7))
    shutil.rmtree(other)


def test_a_writer_whose_lock_was_taken_away_stops(folder: Path) -> None:
    with opened(folder) as log:
        (folder / "writer.lock").unlink()
        with pytest.raises(CouldNotCheck, match="lock"):
            log.append(entries(0, 1))


def test_after_a_failed_flush_nothing_more_is_written(folder: Path) -> None:
    disk = FaultyDisk()
    with opened(folder, disk) as log:
        disk.at, disk.fault = len(disk.done) + 4, "EIO"
        with pytest.raises(CouldNotCheck):
            log.append(entries(0, 1))
        count = len(disk.done)
        with pytest.raises(CouldNotCheck, match="has stopped"):
            log.append(entries(1, 2))
        assert len(disk.done) == count


def test_the_order_of_durable_writes(folder: Path) -> None:
    """Entries, hashes, row, checkpoint: each durable before the next begins (SPEC.md 25.2)."""
    disk = FaultyDisk()
    with opened(folder, disk) as log:
        disk.done.clear()
        log.append(entries(0, 1))
    done = [operation for operation, _ in disk.done]
    names = [name for operation, name in disk.done if operation == "rename"]
    assert names == ["1", "1", "checkpoint"]
    plain = [operation for operation in done if operation != "folder"]
    assert plain == [
        *["write", "write", "flush", "flush"],
        *["rename", *["flush"] * 4],  # the bundle; new folders, too
        *["rename", *["flush"] * 3],  # the hashes
        *["swap", "swapped", "write", "flush", "rename", "flush"],
    ]
