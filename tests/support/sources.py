"""The product's source files, each parsed once in a process."""

from __future__ import annotations

import ast
import functools
from pathlib import Path


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file, which tests only read."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, in the order of ``ast.walk``."""
    return tuple(ast.walk(parsed(path)))
