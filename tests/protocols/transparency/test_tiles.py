"""Tiles: the examples of C2SP tlog-tiles, the definition by leaves, and strict names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.transparency import Log
from tests.support.tiled_log import TiledLog
from zkwm_protocols.errors import Malformed
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    Tile,
    grown,
    hashes_of,
    read_bundle,
    tiles_between,
    tiles_of,
    width_of,
    write_bundle,
)

NAMES = {  # the first is the specification's example
    Tile(0, 1_234_067): "tile/0/x001/x234/067",
    Tile(0, 0): "tile/0/000",
    Tile(7, 999, 255): "tile/7/999.p/255",
    Tile(63, 1_000, 1): "tile/63/x001/000.p/1",
    Tile(ENTRIES, 256, 9): "tile/entries/256.p/9",
}


def test_names() -> None:
    for tile, path in NAMES.items():
        assert tile.path == path
        assert Tile.from_path(path) == tile


@given(st.integers(-1, 63), st.integers(0, 2**55 - 1), st.integers(1, 256))
def test_names_are_read_back(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert Tile.from_path(tile.path) == tile
    assert len(tile.path) <= 60


@pytest.mark.parametrize(
    "path",
    ["", "tile", "tile/0/0", "tile/0/00", "tile/00/000", "tile/64/000", "tile/0/x000/000",
     "tile/0/001/000", "tile/0/x001/x000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
     "tile/0/000.p/", "/tile/0/000", "tile/0/000/", "tile/0/000\n", "tile/-1/000", "tile/data/000",
     "tile/entries/../000", "tile/0/\u0660\u0660\u0660", "tile/0/" + "x001/" * 40 + "001",
     "tile/0/" + "x999/" * 7 + "999", "TILE/0/000"],
)  # fmt: skip
def test_other_spellings_are_refused(path: str) -> None:
    with pytest.raises(Malformed):
        Tile.from_path(path)


def test_tiles_of_the_specifications_example() -> None:
    """70,000: 273 full tiles and one of 112; one full and one of 17; one of 1."""
    tiles = list(tiles_of(70_000))
    by_level = {level: [tile for tile in tiles if tile.level == level] for level in range(-1, 3)}
    assert sum(len(some) for some in by_level.values()) == len(tiles)
    for level in (ENTRIES, 0):
        assert [tile.width for tile in by_level[level]] == [256] * 273 + [112]
        assert [tile.index for tile in by_level[level]] == list(range(274))
    assert [tile.width for tile in by_level[1]] == [256, 17]
    assert [tile.width for tile in by_level[2]] == [1]
    assert [(tile.level, tile.width) for tile in tiles_of(256)] == [(-1, 256), (0, 256), (1, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 70_000), st.integers(0, 3_000))
@settings(max_examples=30)
def test_what_is_new_in_a_larger_tree(old: int, more: int) -> None:
    new = old + more
    if new <= 5_000 or old % 256 == 0:
        known = set(tiles_of(old))
        expected = [tile for tile in tiles_of(new) if tile not in known]
        assert list(tiles_between(old, new)) == expected
    with pytest.raises(Malformed):
        list(tiles_between(new + 1, new))


def test_growing_step_by_step_gives_the_definitions_tiles() -> None:
    """Each hash of each tile is the root of its leaves, however the log was written."""
    entries = [b"%d" % i for i in range(1_031)]
    slow = Log([leaf_hash(entry) for entry in entries])
    log, at = TiledLog(), 0
    for step in (1, 1, 253, 1, 1, 255, 7, 300, 205, 7):
        log.append(entries[at : at + step])
        at += step
        for tile in tiles_of(at):
            first = tile.index * 256
            if tile.level == ENTRIES:
                found = read_bundle(tile, log.read(tile))
                assert found == entries[first : first + tile.width]
                continue
            span = 256**tile.level
            assert hashes_of(tile, log.read(tile)) == [
                slow.root_of(i * span, (i + 1) * span) for i in range(first, first + tile.width)
            ]
    assert at == len(entries)
    assert TiledLog(entries).head() == log.head()
    assert log.head().root == slow.head(at)


def test_growing_reads_the_right_edge_alone() -> None:
    log = TiledLog([b"%d" % i for i in range(66_000)])
    read: list[str] = []

    def reading(tile: Tile) -> bytes:
        read.append(tile.path)
        return log.read(tile)

    new = dict(grown(66_000, [b"a"] * 300, reading))
    assert read == ["tile/entries/257.p/208", "tile/0/257.p/208", "tile/1/001.p/1"]
    assert [tile.path for tile in new] == [
        "tile/entries/257", "tile/entries/258.p/252", "tile/0/257", "tile/0/258.p/252",
        "tile/1/001.p/2",
    ]  # fmt: skip
    assert list(grown(66_000, [], reading)) == []


def test_hashes_outside_of_the_tree_are_refused() -> None:
    hashes = TiledLog([b"%d" % i for i in range(300)]).hashes()
    assert len(hashes(8, 0)) == 32
    for height, index in ((8, 1), (0, 300), (9, 0), (63, 0), (64, 0), (-1, 0), (0, -1)):
        with pytest.raises(Malformed):
            hashes(height, index)


def test_contents_of_another_length_are_refused() -> None:
    tile = Tile(0, 0, 3)
    for length in (0, 95, 97, 64, 8_192):
        with pytest.raises(Malformed):
            hashes_of(tile, bytes(length))
    log = TiledLog([b"a", b"b"])
    log.files["tile/0/000.p/2"] += b"x"
    with pytest.raises(Malformed):
        log.hashes()(0, 0)


def test_bundles() -> None:
    tile = Tile(ENTRIES, 0, 3)
    data = write_bundle([b"", b"ab", b"c"])
    assert data == bytes.fromhex("000000026162000163")
    assert read_bundle(tile, data) == [b"", b"ab", b"c"]
    for wrong in (data[:-1], data + b"\0", data + b"\0\0", data[:5], b"", data[:-3], b"\xff\xff"):
        with pytest.raises(Malformed):
            read_bundle(tile, wrong)
    assert len(write_bundle([bytes(65_535)])) == 65_537
    for entries in ([bytes(65_536)], [], [b""] * 257):
        with pytest.raises(Malformed):
            write_bundle(entries)


def test_widths() -> None:
    assert [width_of(0, i, 600) for i in range(4)] == [256, 256, 88, 0]
    assert width_of(1, 0, 600) == 2
    assert width_of(2, 0, 600) == 0
    assert width_of(ENTRIES, 2, 600) == 88
