"""JSON, YAML and lines of text: trees written as people and programs write them, well and badly."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.trees import Nested, Pairs, Tree, Written, change_tree

_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-0", "1" * 5_000, "0.1e1", "01", "1_000",
            "0x10", "1e-999", "1E400", "123456789012345678901234567890"]  # fmt: skip
_YAML = ["&a 1", "*a", "!!python/object/apply:os.system [ls]", "!!binary aGFsbG8=", "2026-13-45",
         "!!timestamp 99999-99-99", "1:70:99", "~", "yes", "? [1, 2] : 3", "<<: 1", "|\n  x\n",
         "!!int x", "!!float .", "0o9", "!!set {a}", "\t", "%YAML 1.2", "--- a\n--- b"]  # fmt: skip
_LINES = ["", " ", "#", "\r", "\x0b", "\x00", "a: b", ":", "7.000e+00", "1e99", "-1", "65535",
          "\u2028", "\u202e", "\ufeff", "x" * 3_000, "é", "::", "Host: x", "A: \x7f"]  # fmt: skip


def change_json(data: bytes, random: Random) -> bytes:
    """The JSON of a changed tree."""
    try:
        tree = json_tree(json.loads(data))
    except (ValueError, RecursionError):
        return data
    return written(change_tree(tree, random), random, _NUMBERS).encode("utf-8", "surrogatepass")


def change_yaml(data: bytes, random: Random) -> bytes:
    """The YAML of a changed tree, which began as JSON."""
    try:
        tree = json_tree(json.loads(data))
    except (ValueError, RecursionError):
        return data
    text = written(change_tree(tree, random), random, [*_NUMBERS, *_YAML])
    return text.encode("utf-8", "surrogatepass")


def change_lines(data: bytes, random: Random) -> bytes:
    """Lines with one of them changed, moved, repeated or left out."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    at = random.randrange(len(lines))
    ways: list[Callable[[], object]] = [
        lambda: lines.insert(at, random.choice(_LINES)),
        lambda: lines.__setitem__(at, random.choice(_LINES)),
        lambda: lines.insert(at, lines[at]),
        lambda: lines.pop(at),
        lambda: random.shuffle(lines),
        lambda: lines.__setitem__(at, lines[at] + random.choice(_LINES)),
        lambda: lines.extend([random.choice(lines)] * 2_000),
    ]
    random.choice(ways)()
    feed = random.choice(["\n", "\n", "\n", "\r\n", "\r", "\x0c"])
    return feed.join(lines).encode("utf-8", "surrogateescape")


def json_tree(value: Any) -> Tree:
    """The tree of a JSON value."""
    if isinstance(value, dict):
        return Pairs(tuple((key, json_tree(item)) for key, item in value.items()))
    return [json_tree(item) for item in value] if isinstance(value, list) else value


def written(tree: Tree, random: Random, odd: list[str]) -> str:
    """The JSON text of a tree, now and then with numbers or values that are ``odd``."""
    if random.random() < 0.01:
        return random.choice(odd)
    if isinstance(tree, Pairs):
        entries = [f"{_key(key)}: {written(value, random, odd)}" for key, value in tree.entries]
        return "{" + ", ".join(entries) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(written(item, random, odd) for item in tree) + "]"
    if isinstance(tree, Nested):
        return written(tree.tree, random, odd)
    if isinstance(tree, Written):
        return tree.data.decode("latin-1")
    if isinstance(tree, bytes):
        return json.dumps(base64.b64encode(tree).decode())
    return json.dumps(tree)


def _key(key: object) -> str:
    """A key: a text, as JSON wants it, or what it must not be."""
    return json.dumps(key) if not isinstance(key, bytes) else "b"
