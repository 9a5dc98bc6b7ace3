"""A grid as a YAML file: plain values only, each key once, no references, limited in size.

PyYAML, from the extra ``evaluation``, is imported when it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkwm.evaluation.plan.catalogue import require_makeable
from zkwm.evaluation.plan.grid import Grid
from zkwm.extras import require
from zkwm.files import read_limited
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

LIMIT = 256 * 1024


def read_grid(path: str | Path) -> Grid:
    """The grid in a file. Raises UsageError, with the place of the fault, or CouldNotCheck."""
    try:
        grid = Grid.from_map(parse(read_limited(path, LIMIT)))
        require_makeable(grid)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from None
    return grid


def parse(data: bytes) -> dict[str, Any]:
    """The map in a YAML document. Raises UsageError."""
    yaml = _yaml()
    try:
        value = yaml.load(data, Loader=_strict_loader(yaml))
    except yaml.YAMLError as error:
        raise UsageError(" ".join(str(error).split())) from None
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise UsageError("this is no YAML document") from None
    if not isinstance(value, dict):
        raise UsageError("a grid is a map of keys and values")
    return value


def _strict_loader(yaml: ModuleType) -> Any:  # noqa: ANN401
    """SafeLoader, without references (they can expand without bound) and with each key once."""

    class Strict(yaml.SafeLoader):  # type: ignore[name-defined,misc]
        def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
            if self.check_event(yaml.events.AliasEvent):
                raise UsageError("a grid file has no references (&name and *name)")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
            seen = set()
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise UsageError(f"a key is a plain text (line {line})")
                if key.value in seen:
                    raise UsageError(f"the key {key.value!r} stands twice (line {line})")
                seen.add(key.value)
            made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            return made

    return Strict


def _yaml() -> ModuleType:
    require("yaml")
    import yaml

    found: ModuleType = yaml
    return found
