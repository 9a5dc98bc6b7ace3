"""A log's folder that somebody else made: what is in it may be no file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.tile_folder import TileFolder
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.transparency.tiles import Tile


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/entries/x001/000"])
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    files = TileFolder(tmp_path, Disk())
    with pytest.raises(CouldNotCheck, match="not a regular file"):
        files.checkpoint() if name == "checkpoint" else files.read(Tile.from_path(name))
