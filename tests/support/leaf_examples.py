"""Image and leaf gadgets of random triggers, filled in by the prover, for the tests of both."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from zkwm_protocols.argument.relation import blake2s_witness
from zkwm_protocols.argument.relation.image import ImageGadget
from zkwm_protocols.argument.relation.leaf import LeafGadget
from zkwm_protocols.argument.relation.lookup_tables import Tables

# One block, not full and full; two, not full and full; three; 13.
SHAPES = [(1, 1, 1), (1, 2, 11), (1, 5, 5), (1, 2, 43), (3, 5, 7), (1, 28, 28)]
LABELS = np.array([0xFFFF, 0, 258], dtype=np.uint16)
MARGIN = 3
"""Cells and lookups behind the two gadgets."""


@dataclass
class Example:
    image: ImageGadget
    leaf: LeafGadget
    tables: Tables
    images: np.ndarray
    salts: np.ndarray
    cells: np.ndarray
    rows: np.ndarray
    public: np.ndarray
    digests: np.ndarray


def make_example(shape: tuple[int, int, int], labels: np.ndarray = LABELS) -> Example:
    generator = np.random.default_rng(sum(shape))
    image = ImageGadget(shape)
    leaf = LeafGadget(shape, image.cell_count)
    tables = Tables(SimpleNamespace(tables=()), {8})
    count = len(labels)
    images = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
    salts = generator.integers(0, 256, (count, 32), dtype=np.uint8)
    cells = np.full((image.cell_count + leaf.cell_count + MARGIN, count), 77, dtype=np.uint32)
    rows = np.full((count, image.lookup_count + leaf.lookup_count + MARGIN), -77, dtype=np.int32)
    image.fill(images, salts, cells, rows, tables)
    digests = blake2s_witness.fill(
        leaf, images, salts, labels, cells, rows, tables, image.lookup_count
    )
    fields = labels.astype(">u2").reshape(-1, 1).view(np.uint8)
    public = np.concatenate([fields, digests], axis=1).T
    return Example(image, leaf, tables, images, salts, cells, rows, public, digests)
