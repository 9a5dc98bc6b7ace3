"""What a running log finds: files that change under it, and too many open files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.logs import begin, entries, memory_folder, opened
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
