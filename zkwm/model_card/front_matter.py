"""Where claims stand in a card: under ``zkwm`` in the YAML on top of a README.md (SPEC.md 21).

The YAML is a stranger's. It is composed to nodes, never constructed: no tag makes an object, and a
text is a text whatever it looks like. Only the lines of the key ``zkwm`` are ever changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zkwm.model_card.claim import CardClaim
from zkwm_protocols.errors import Malformed, UsageError

if TYPE_CHECKING:
    import yaml

KEY = "zkwm"
FILE_LIMIT = 8 * 2**20
FRONT_MATTER_LIMIT = 256 * 1024
"""Characters of YAML; PyYAML reads some tens of thousands in a second."""
MOST_CLAIMS = 100
_MOST_NODES = 10_000
_DEEPEST = 10
# as huggingface_hub finds it: a line of ---, YAML, and another such line
_BLOCK = re.compile(
    r"^(\ufeff?\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|$))"
)
# a line with its end, or, in one step from its start, what stands behind the last end
_LINE = re.compile(
    r"[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+"
)
_MARK = "\ufeff"
_REWRITE = "remove the key zkwm from the card, or mend it, and run zkwm card again"


def read_claims(data: bytes) -> tuple[CardClaim, ...]:
    """The claims of a card, none where it has no front matter or no key ``zkwm``.

    Raises Malformed for a card, or a claim in it, that cannot be read.
    """
    block = _BLOCK.search(_text(data))
    return () if block is None else _claims(_own_value(_keys(block[2])))


def with_claim(data: bytes, claim: CardClaim) -> bytes:
    """The card with this claim; one of the same commitment is replaced, all else stays.

    Raises Malformed as ``read_claims`` does, UsageError for front matter in one line of braces.
    """
    text = _text(data)
    block = _BLOCK.search(text)
    end = _line_end(text)
    if block is None:
        start = _MARK if text.startswith(_MARK) else ""
        body = text.removeprefix(_MARK)
        new_card = f"{start}---{end}{section([claim], end)}---{end}{body}".encode()
        _require_unchanged([], new_card, [claim])
        return new_card
    front = block[2]
    keys = _keys(front)
    others = [one for one in _claims(_own_value(keys)) if one.commitment != claim.commitment]
    lines = _lines(front)
    first, last = _own_lines(keys, len(lines))
    new = section([*others, claim], end).removesuffix(end)
    before, after = "".join(lines[:first]), "".join(lines[last:])
    if before and not before.endswith(("\n", "\r", "\x85", "\u2028", "\u2029")):
        before += end
    changed = before + new + (end + after if after else "")
    written = (text[: block.start(2)] + changed + text[block.end(2) :]).encode()
    _require_unchanged(keys, written, [*others, claim])
    return written


def _require_unchanged(
    keys: list[tuple[yaml.Node, yaml.Node]], written: bytes, claims: list[CardClaim]
) -> None:
    """Raise UsageError unless the new card has these claims and the old one's other keys."""
    try:
        block = _BLOCK.search(_text(written))
        now = [] if block is None else _keys(block[2])
        same = _others(now) == _others(keys) and read_claims(written) == tuple(claims)
    except Malformed:
        same = False
    if not same:
        raise UsageError(
            "the metadata of the card cannot be changed without changing more than zkwm's part",
            hint="write it in YAML's block style, as hubs do, and run zkwm card again",
        )


def _others(keys: list[tuple[yaml.Node, yaml.Node]]) -> list[str]:
    """All keys but ``zkwm`` with their values, in YAML."""
    import yaml

    return [yaml.serialize(part) for pair in keys if pair[0].value != KEY for part in pair]


def section(claims: Sequence[CardClaim], end: str = "\n") -> str:
    """The key ``zkwm`` with its claims in YAML, as it stands in a card."""
    import yaml

    value = {KEY: [claim.to_map() for claim in claims]}
    dumped: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6)
    return dumped.replace("\n", end)


def _text(data: bytes) -> str:
    """The card's text. Raises Malformed."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(
            "the card is not text in UTF-8", hint="save the README.md as UTF-8"
        ) from None


def _keys(front: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """Keys and values of the front matter as nodes; none where it is empty. Raises Malformed."""
    import yaml

    if len(front) > FRONT_MATTER_LIMIT:
        raise Malformed(f"a card with more than {FRONT_MATTER_LIMIT:,} characters of metadata")
    try:
        root = yaml.compose(front, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())[:300]
        raise Malformed(
            f"the metadata of the card is no YAML: {told}",
            hint="mend the lines between the two --- on top of the README.md",
        ) from None
    except (RecursionError, ValueError):
        raise Malformed("the metadata of the card is nested too deeply") from None
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise Malformed("the metadata of the card is no map of keys and values")
    return list(root.value)


def _own(keys: list[tuple[yaml.Node, yaml.Node]]) -> tuple[yaml.Node, yaml.Node] | None:
    """The key ``zkwm`` and its value, or None. Raises Malformed where it occurs twice."""
    own = [(key, value) for key, value in keys if key.value == KEY]
    if len(own) > 1:
        raise Malformed("the key zkwm occurs twice in the card", hint=_REWRITE)
    return own[0] if own else None


def _own_value(keys: list[tuple[yaml.Node, yaml.Node]]) -> object:
    """What stands under ``zkwm``, as lists, maps and texts; an empty list without it."""
    own = _own(keys)
    return [] if own is None else _Plain().value(own[1], 0)


def _claims(value: object) -> tuple[CardClaim, ...]:
    """The claims of that value. Raises Malformed."""
    if not isinstance(value, list) or len(value) > MOST_CLAIMS:
        raise Malformed(f"zkwm in a card is a list of at most {MOST_CLAIMS} claims", hint=_REWRITE)
    try:
        claims = tuple(CardClaim.from_map(one) for one in value)
    except Malformed as error:
        raise Malformed(f"zkwm in the card: {error.message}", hint=error.hint or _REWRITE) from None
    if len({claim.commitment for claim in claims}) != len(claims):
        raise Malformed("zkwm in the card claims for one commitment twice", hint=_REWRITE)
    return claims


class _Plain:
    """Turns nodes into lists, maps and texts; each node once, so that aliases cannot expand."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, depth: int) -> object:
        """The value of a node. Raises Malformed for aliases, and past the limits."""
        import yaml

        if id(node) in self._seen or len(self._seen) >= _MOST_NODES or depth > _DEEPEST:
            raise Malformed("zkwm in the card has references, or is too large", hint=_REWRITE)
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        found: dict[Any, object] = {}
        for key, item in node.value:
            name = self.value(key, depth + 1)
            if not isinstance(name, str) or name in found:
                raise Malformed("zkwm in the card has a key twice, or one that is no text")
            found[name] = self.value(item, depth + 1)
        return found


def _own_lines(keys: list[tuple[yaml.Node, yaml.Node]], count: int) -> tuple[int, int]:
    """The first line of the key ``zkwm`` and the one after its last; both ``count`` without it.

    Raises UsageError where keys share lines, in braces.
    """
    own = _own(keys)
    if keys and keys[0][0].start_mark.column > 0:
        raise UsageError(
            "the metadata of the card stands in braces or is indented",
            hint="write it in YAML's block style, as hubs do, and run zkwm card again",
        )
    if own is None:
        return count, count
    return own[0].start_mark.line, max(_last_line(node) for node in own) + 1


def _last_line(node: yaml.Node) -> int:
    """The last line on which something of the node stands: behind it there may be comments."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        end = node.end_mark
        return int(end.line if end.column or node.style not in ("|", ">") else end.line - 1)
    inner = [item for entry in node.value for item in (entry if type(entry) is tuple else (entry,))]
    if node.flow_style or not inner:
        return int(node.end_mark.line)
    return max(_last_line(item) for item in inner)


def _lines(text: str) -> list[str]:
    """The lines as YAML counts them, each with its end."""
    return _LINE.findall(text)


def _line_end(text: str) -> str:
    r"""The end of lines that the card uses most: \n or \r\n; no hub ends metadata with \r."""
    pairs = text.count("\r\n")
    return "\r\n" if 2 * pairs > text.count("\n") else "\n"
