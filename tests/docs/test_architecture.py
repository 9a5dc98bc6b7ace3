"""The map of docs/architecture.md: it names each module once, and its walks lead somewhere."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.test_layers import LAYERS
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = TEXT[TEXT.index("## Walk 1") : TEXT.index("## Where to change")]
ROOMS = re.findall(r"^\| `([^`]+\.py)`(?: `([^`]+)`)? \|", WALKS, flags=re.MULTILINE)


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


def test_the_map_names_each_module_once() -> None:
    """Each row names files or folders that exist; each module stands in one, or in its folder."""
    sections = re.split(
        r"^### ", TEXT[TEXT.index("## The map") : TEXT.index("### tests")], flags=re.M
    )
    for section in sections[1:]:
        base = ROOT / section[: section.index("\n")].split(":")[0]
        rows = re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE)
        names = [base / name for row in rows for name in re.findall(r"`([^`]+)`", row)]
        assert [
            name for name in names if not (name.is_dir() or name.with_suffix(".py").exists())
        ] == []
        for path in base.rglob("*.py"):
            if path.stem not in ("__init__", "__main__"):
                module = path.with_suffix("")
                assert sum(name in (module, *module.parents) for name in names) == 1, path


def test_the_contract_is_that_of_the_test() -> None:
    block = TEXT.split("```text\n")[1].split("```")[0]
    shown = [re.findall(r"zkwm[a-z_.]*", line.split("   ")[0]) for line in block.splitlines()]
    assert shown == LAYERS
