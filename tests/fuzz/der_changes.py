"""DER by its tags and lengths alone: trees of elements, also inside of octet and bit strings."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TypeAlias

_DEEPEST = 24
_TAGS = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x24, 0x30, 0x31, 0x80, 0x81,
         0xA0, 0xA1, 0xA3, 0xA4, 0x1F, 0xBF]  # fmt: skip
_VALUES = [b"", b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\0\xff", b"\0\1", b"\xff" * 20,
           b"\1" + bytes(32), b"20260517123015Z", b"99991231235959Z"]  # fmt: skip


@dataclass(frozen=True)
class Element:
    """One element: its tag, and bytes or elements; ``lead`` are unused bits of a bit string."""

    tag: int
    value: bytes | Elements
    lead: bytes = b""


Elements: TypeAlias = "tuple[Element, ...]"


def change_der(data: bytes, random: Random) -> bytes:
    """The elements with one to three of them changed, at any depth."""
    elements = parsed(data)
    if elements is None:
        return data
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        elements = _changed(elements, random, 0)
    return encoded(elements, random if random.random() < 0.05 else None)


def parsed(data: bytes, depth: int = 0) -> Elements | None:
    """The elements one after the other; None for bytes that are none."""
    found, place = [], 0
    while place < len(data):
        if place + 2 > len(data) or data[place] & 31 == 31:
            return None
        tag, size = data[place], data[place + 1]
        place += 2
        if size >= 128:
            width = size - 128
            if not 1 <= width <= 3 or place + width > len(data):
                return None
            size, place = int.from_bytes(data[place : place + width], "big"), place + width
        if place + size > len(data):
            return None
        found.append(_element(tag, data[place : place + size], depth))
        place += size
    return tuple(found)


def _element(tag: int, body: bytes, depth: int) -> Element:
    lead = body[:1] if tag == 0x03 else b""
    opened = tag & 0x20 or tag in (0x03, 0x04)
    inner = parsed(body[len(lead) :], depth + 1) if opened and body and depth < _DEEPEST else None
    return Element(tag, body if inner is None else inner, b"" if inner is None else lead)


def encoded(elements: Elements, random: Random | None = None) -> bytes:
    """The bytes; with a generator, lengths are now and then another, or longer than needed."""
    out = []
    for one in elements:
        value = one.value if isinstance(one.value, bytes) else encoded(one.value, random)
        body = one.lead + value
        size = len(body)
        if random is not None and random.random() < 0.1:
            size = max(0, size + random.choice([-1, 1, 128, -128, 2**20]))
        long_form = random is not None and random.random() < 0.1
        if size < 128 and not long_form:
            head = bytes([size])
        else:
            width = max(1, (size.bit_length() + 7) // 8) + (long_form and size >= 128)
            head = bytes([128 + width]) + size.to_bytes(width, "big")
        out.append(bytes([one.tag]) + head + body)
    return b"".join(out)


def _changed(elements: Elements, random: Random, depth: int) -> Elements:
    """One change among these elements, or deeper."""
    if not elements:
        return (Element(random.choice(_TAGS), random.choice(_VALUES)),)
    place = random.randrange(len(elements))
    one = elements[place]
    if not isinstance(one.value, bytes) and random.random() < 0.85:
        deeper = Element(one.tag, _changed(one.value, random, depth + 1), one.lead)
        return (*elements[:place], deeper, *elements[place + 1 :])
    new = _new(one, elements, random)
    return (*elements[:place], *new, *elements[place + 1 :])


def _new(one: Element, elements: Elements, random: Random) -> Elements:
    """What stands in the place of one element."""
    kind = random.randrange(8)
    if kind == 0:
        return ()
    if kind == 1:
        return (one, one)
    if kind == 2:
        return (Element(random.choice(_TAGS), one.value, one.lead),)
    if kind == 3:
        return (Element(one.tag, random.choice(_VALUES)),)
    if kind == 4:
        return (random.choice(elements), one)
    if kind == 5:
        deep = encoded((one,))
        for _ in range(random.choice([1, 5, 50, 1000])):
            deep = encoded((Element(random.choice([0x30, 0x31, 0xA0, 0x24]), deep),))
        return (Element(0x30, deep),)
    if isinstance(one.value, bytes):
        return (Element(one.tag, _bent(one.value, random), one.lead),)
    shuffled = list(one.value)
    random.shuffle(shuffled)
    return (Element(one.tag, tuple(shuffled), one.lead),)


def _bent(value: bytes, random: Random) -> bytes:
    """A value with a bit or a byte changed, or one more or fewer."""
    if not value:
        return b"\0"
    place = random.randrange(len(value))
    return random.choice(
        [
            value[:place] + bytes([value[place] ^ (1 << random.randrange(8))]) + value[place + 1 :],
            value[:place] + value[place + 1 :],
            value[:place] + bytes([random.randrange(256)]) + value[place:],
            value[::-1],
        ]
    )
