"""Sizes that a reader can hold in mind: files, functions, parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocols/zkwm_protocols", "zkwm", "cli/zkwm_cli")
FOLDERS = (*PACKAGES, "tests", "benchmarks", "examples", "docs", ".ci")
FILE_LINES = 350
FUNCTION_LINES = 50
PARAMETERS = 10
EXCEPTIONS = {  # public API: what a commitment and a challenge fix, each by its name
    "zkwm/owner/commit.py: commit",
    "zkwm/judge/judge.py: challenge",
    "zkwm/judge/judge.py: challenge_argument",
}


def long_files() -> Iterator[str]:
    """Files of the product, of its tests and of all that is around them, with too many lines."""
    for name, source in _sources(FOLDERS):
        if len(source.splitlines()) > FILE_LINES:
            yield name


def large_functions() -> Iterator[str]:
    """Functions of the product that exceed a limit."""
    for name, source in _sources(PACKAGES):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                _lines(node) > FUNCTION_LINES or _parameters(node) > PARAMETERS
            ):
                yield f"{name}: {node.name}"


def _sources(folders: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Name and text of every Python file in these folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from ``def`` to its end, the docstring aside."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The parameters that a caller passes: all but ``self`` and ``cls``."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    bound = bool(positional) and positional[0].arg in ("self", "cls")
    return len(positional) - bound + len(arguments.kwonlyargs)


def test_files_are_short() -> None:
    assert list(long_files()) == []


def test_functions_are_small() -> None:
    assert set(large_functions()) == EXCEPTIONS
