"""The map of docs/architecture.md: its files and names exist, and it names every package."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.test_layers import LAYERS
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = TEXT[TEXT.index("## Walk 1") : TEXT.index("## Where to change")]
ROOMS = re.findall(r"^\| `([^`]+\.py)`(?: `([^`]+)`)? \|", WALKS, flags=re.MULTILINE)
BASES = (ROOT, ROOT / "protocols/zkwm_protocols", ROOT / "cli/zkwm_cli", ROOT / "zkwm")


def test_there_are_two_walks() -> None:
    assert WALKS.count("\n## Walk") == 1
    assert len(ROOMS) >= 30


@pytest.mark.parametrize(("path", "name"), ROOMS, ids=lambda part: str(part))
def test_each_room_of_the_walks_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    if name:
        assert name in {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }


def test_each_file_and_folder_of_the_map_exists() -> None:
    table = TEXT[TEXT.index("## The map") : TEXT.index("### cli/zkwm_cli")]
    for row in re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            candidates = [base / name for base in BASES]
            candidates += [base / f"{name}.py" for base in BASES]
            assert any(path.exists() for path in candidates), name


def test_the_contract_is_that_of_the_test() -> None:
    block = TEXT.split("```text\n")[1].split("```")[0]
    shown = [re.findall(r"zkwm[a-z_.]*", line.split("   ")[0]) for line in block.splitlines()]
    assert shown == LAYERS
