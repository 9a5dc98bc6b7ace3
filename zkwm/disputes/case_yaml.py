"""YAML of a stranger as lists, maps and texts: composed to nodes, never constructed.

No tag makes an object, an alias or a key that stands twice is refused, and a text is a text
whatever it looks like, so that no date or number is read in two ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zkwm_protocols.errors import Malformed

if TYPE_CHECKING:
    import yaml

MOST_CHARACTERS = 256 * 1024
MOST_NODES = 10_000
DEEPEST = 6


def read_yaml(data: bytes) -> Any:  # noqa: ANN401
    """The value of one YAML document: lists, maps with keys of text, and texts.

    Raises Malformed.
    """
    import yaml

    try:
        text = data.decode("utf-8")
        if len(text) > MOST_CHARACTERS:
            raise Malformed(f"a case has at most {MOST_CHARACTERS:,} characters")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise Malformed("the case is not text in UTF-8", hint="save it as UTF-8") from None
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())[:300]
        raise Malformed(
            f"the case is no YAML: {told}", hint="docs/disputes.md shows how a case is written"
        ) from None
    except (RecursionError, ValueError):
        raise Malformed("the case is nested too deeply") from None
    if root is None:
        raise Malformed("the case is empty", hint="docs/disputes.md shows how a case is written")
    return _Plain().value(root, 0)


class _Plain:
    """Turns nodes into values; each node once, so that aliases cannot expand."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, depth: int) -> Any:  # noqa: ANN401
        """The value of a node. Raises Malformed for aliases, tags, and past the limits."""
        import yaml

        where = f"line {node.start_mark.line + 1} of the case"
        if id(node) in self._seen:
            raise Malformed(f"{where}: references (&, *) are not read", hint="write it twice")
        if len(self._seen) >= MOST_NODES or depth > DEEPEST:
            raise Malformed(f"{where}: too many entries, or nested too deeply")
        self._seen.add(id(node))
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise Malformed(f"{where}: tags (!) are not read", hint="leave the tag out")
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        found: dict[str, Any] = {}
        for key, item in node.value:
            name = self.value(key, depth + 1)
            if not isinstance(name, str):
                raise Malformed(f"{where}: a key is text")
            if name in found:
                raise Malformed(f"{where}: the key {name[:40]!r} stands there twice")
            found[name] = self.value(item, depth + 1)
        return found
