"""Every k-th operation of a short history fails: nothing acknowledged is lost, no second tree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.faulty_disk import Fault, FaultyDisk, Killed
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
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.transparency.tree import TreeHead

BATCHES = {0: ((0, 1), (1, 4), (4, 5)), 255: ((0, 2), (2, 3))}
"""What is appended to a log of this size; to 255 entries across the end of a tile."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


@pytest.fixture(scope="module")
def starts(folder: Path) -> dict[int, Path]:
    """A log without entries, and one of 255."""
    found = {}
    for size in (0, 255):
        found[size] = folder / f"start{size}"
        found[size].mkdir()
        begin(found[size])
        with opened(found[size]) as log:
            if size:
                log.append(entries(1000, 1000 + size))
    return found


class History:
    """What clients have been told, and what anybody could have read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: dict[int, bytes] = {}
        self.seen: list[TreeHead] = []

    def look(self) -> None:
        """Read the checkpoint as a client does."""
        head = TestSigner().read((self.folder / "public" / "checkpoint").read_bytes())
        self.seen.append(head)

    def write(self, disk: FaultyDisk, batches: tuple[tuple[int, int], ...]) -> bool:
        """Append batches until the disk fails; whether all came through."""
        try:
            with opened(self.folder, disk) as log:
                for start, end in batches:
                    self.look()
                    first = log.row.size
                    log.append(entries(start, end))
                    self.acknowledged |= {
                        first + number: entry.data
                        for number, entry in enumerate(entries(start, end))
                    }
        except (Killed, CouldNotCheck):
            return False
        finally:
            self.look()
        return True

    def check(self) -> None:
        """After a clean start all that was told still holds, and the log goes on."""
        with opened(self.folder) as log:
            held = contents(log)
            assert {at: held[at] for at in self.acknowledged} == self.acknowledged
            for head in self.seen:
                require_prefix(log, head)
            assert log.database.next_position() == log.row.size
            indexed = log.database.positions([describe(data).statement for data in held])
            assert sorted(indexed.values()) == list(range(log.row.size))
            log.append(entries(90, 92))
            assert contents(log) == [*held, *(one.data for one in entries(90, 92))]


def operations(start: Path, target: Path, batches: tuple[tuple[int, int], ...]) -> int:
    """How many operations the history has when nothing fails."""
    shutil.copytree(start, target)
    disk = FaultyDisk()
    history = History(target)
    assert history.write(disk, batches)
    history.check()
    shutil.rmtree(target)
    return len(disk.done)


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        (0, "power"),
        (255, "kill"),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in [(0, "kill"), (0, "EIO"), (255, "power"), (255, "ENOSPC")]
        ),
    ],
)
def test_a_fault_at_every_operation_loses_nothing(
    folder: Path, starts: dict[int, Path], size: int, fault: Fault
) -> None:
    target, batches = folder / "try", BATCHES[size]
    for at in range(operations(starts[size], target, batches)):
        shutil.copytree(starts[size], target)
        history = History(target)
        history.write(FaultyDisk(at, fault), batches)
        history.check()
        shutil.rmtree(target)


@pytest.mark.parametrize(
    "fault", ["power", *(pytest.param(one, marks=pytest.mark.slow) for one in ("kill", "EIO"))]
)
def test_a_fault_at_every_operation_of_the_repair_loses_nothing(
    folder: Path, starts: dict[int, Path], fault: Fault
) -> None:
    """The first writer ends when its entries are durable and nothing is signed."""
    broken, target = folder / "broken", folder / "try"
    shutil.copytree(starts[255], broken)
    disk = FaultyDisk()
    with suppress(Killed), opened(broken, disk) as log:
        disk.at = next_swap(disk)
        disk.fault = "kill"
        log.append(entries(0, 3))
    count = operations(broken, target, ())
    assert count > 10
    for at in range(count):
        shutil.copytree(broken, target)
        history = History(target)
        history.write(FaultyDisk(at, fault), ())
        history.check()
        shutil.rmtree(target)
    shutil.rmtree(broken)


def next_swap(disk: FaultyDisk) -> int:
    """An operation that no history reaches, moved to the next swap as it is counted."""
    plain = disk.count

    def count(operation: str, name: str) -> bool:
        plain(operation, name)
        return operation == "swap"

    disk.count = count
    return -1
