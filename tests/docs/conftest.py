"""What a page registers and imports is gone after its test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zkwm.attacks import ATTACKS, CLAIMS
from zkwm.extraction.schemes import READERS
from zkwm.watermarks import WATERMARKS


@pytest.fixture(autouse=True)
def registries_as_before(tmp_path: Path) -> Iterator[None]:
    """The tables of names are as before; modules from the page's folder are unloaded."""
    tables: tuple[dict[str, str], ...] = (WATERMARKS, ATTACKS, CLAIMS, READERS)
    copies = [dict(table) for table in tables]
    yield
    for table, copy in zip(tables, copies, strict=True):
        table.clear()
        table.update(copy)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
