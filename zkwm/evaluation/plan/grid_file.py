"""Read a grid from a YAML file: plain values, each key once, no references, limited in size.

PyYAML is imported when it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkwm.evaluation.plan.catalogue import require_entries
from zkwm.evaluation.plan.grid import Grid
from zkwm.files import read_limited
from zkwm_protocols.errors import Malformed, UsageError

if TYPE_CHECKING:
    from types import ModuleType

LIMIT = 256 * 1024
_HINT = "a grid is a YAML file, such as examples/grids/smoke.yaml in the repository"
_LONGEST_VALUE = 1000
_LONGEST_MESSAGE = 500


def read_grid(path: str | Path) -> Grid:
    """The grid in a file.

    Raises:
        UsageError: The file is no grid; the message names the file and the place of the fault.
        Malformed: The file is larger than ``LIMIT``.
        CouldNotCheck: The file cannot be read.
    """
    try:
        grid = Grid.from_map(parse(read_limited(path, LIMIT)))
        require_entries(grid)
    except (UsageError, Malformed) as error:
        told = error.message  # it may repeat a value, and a value may be a long list
        if len(told) > _LONGEST_MESSAGE:
            told = f"{told[:_LONGEST_MESSAGE]} ..."
        raise type(error)(f"{path}: {told}", hint=error.hint) from None
    return grid


def parse(data: bytes) -> dict[str, Any]:
    """The map in a YAML document. Raises UsageError where there is none."""
    import yaml

    try:
        value = yaml.load(data, Loader=_strict_loader(yaml))  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        if isinstance(error, yaml.reader.ReaderError):
            raise Malformed("this is no grid: it is not a file of text", hint=_HINT) from None
        raise UsageError(" ".join(str(error).split()), hint=_HINT) from None
    except UsageError:
        raise
    except Exception:  # PyYAML's constructors raise whatever the conversion does
        raise UsageError("this is no YAML document, or a value does not fit its type") from None
    if not isinstance(value, dict):
        raise Malformed("this is no grid: a grid is a map of keys and values", hint=_HINT)
    return value


def _strict_loader(yaml: ModuleType) -> Any:  # noqa: ANN401
    """A SafeLoader that refuses references (they can expand without bound) and repeated keys."""

    class Strict(yaml.SafeLoader):  # type: ignore[name-defined,misc]
        def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
            if self.check_event(yaml.events.AliasEvent):
                raise UsageError("a grid file has no references (&name and *name)")
            node = super().compose_node(parent, index)
            if isinstance(node, yaml.ScalarNode) and len(node.value) > _LONGEST_VALUE:
                line = node.start_mark.line + 1
                raise UsageError(f"a value of more than {_LONGEST_VALUE} characters (line {line})")
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
            seen = set()
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise UsageError(f"a key is a plain text (line {line})")
                if key.value in seen:
                    raise UsageError(f"the key {key.value!r} occurs twice (line {line})")
                seen.add(key.value)
            mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            return mapping

    return Strict
