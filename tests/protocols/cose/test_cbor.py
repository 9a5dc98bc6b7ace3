"""The strict decoder: RFC 8949's examples, cbor2 as a second reader, and every other encoding."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm_protocols.cose.cbor import (
    MAXIMUM_ITEMS,
    decode,
    decode_sign1,
    encode,
    encode_sign1,
)
from zkwm_protocols.errors import Malformed

# RFC 8949, appendix A, the values of the profile.
PUBLISHED: dict[str, Any] = {
    "00": 0, "17": 23, "1818": 24, "1903e8": 1000, "1a000f4240": 1_000_000,
    "1bffffffffffffffff": 2**64 - 1, "3bffffffffffffffff": -(2**64), "20": -1, "3863": -100,
    "f4": False, "f5": True, "f6": None, "40": b"", "4401020304": b"\x01\x02\x03\x04", "60": "",
    "62c3bc": "ü", "63e6b0b4": "水", "80": [], "8301820203820405": [1, [2, 3], [4, 5]], "a0": {},
    "a201020304": {1: 2, 3: 4}, "a26161016162820203": {"a": 1, "b": [2, 3]},
}  # fmt: skip
KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=9)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def test_published_values() -> None:
    for digits, value in PUBLISHED.items():
        data = bytes.fromhex(digits)
        assert encode(value) == data
        assert decode(data, limit=99) == value


@given(VALUES)
def test_a_second_reader_reads_what_we_write(value: Any) -> None:
    try:
        data = encode(value)
    except Malformed:
        return  # nested too deeply
    assert decode(data, limit=10_000) == value
    assert plain(cbor2.loads(data)) == value


def plain(value: Any) -> Any:
    """cbor2's immutable containers as lists and dicts."""
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_written_back(data: bytes) -> None:
    try:
        value = decode(data, limit=40)
    except Malformed:
        return
    assert encode(value) == data


def test_keys_ascend_by_their_encodings() -> None:
    """RFC 8949, 4.2.1: integers before text, positive before negative, then by length."""
    data = encode({"b": 1, -1: 1, 395: 1, 24: 1, 1: 1, "aa": 1, -300: 1})
    assert data.hex() == "a7010118180119018b01200139012b0161620162616101"


@pytest.mark.parametrize(
    "digits",
    [
        "", "1800", "1817", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff", "5801ff",
        "7800",
        "9800", "b800", "5f41ff", "9f00ff", "bf0000ff", "7f6161ff", "ff", "1c", "1f", "f7", "f0",
        "f816", "f93c00", "fa3f800000", "fb3ff0000000000000", "c000", "d28440a0f640",
        "c11a514b67b0",
        "a2030101", "a201010101", "a2020101", "a203010102", "a2200101", "a241", "a1", "a14100",
        "a180",
        "a1f501", "a1f601", "a1a000", "82", "8200", "4200", "62c3", "61ff", "63eda080", "0000",
        "9bffffffffffffffff", "5bffffffffffffffff", "bb7fffffffffffffff", "a262616101616201",
        "81" * 9 + "80", "81" * 5_000, "a100" * 9 + "00",
    ],
)  # fmt: skip
def test_other_encodings_are_refused(digits: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(digits), limit=100_000)


def test_limits() -> None:
    with pytest.raises(Malformed):
        decode(bytes(2), limit=1)
    with pytest.raises(Malformed):
        decode(encode([0] * MAXIMUM_ITEMS), limit=100_000)
    assert len(decode(encode([0] * (MAXIMUM_ITEMS - 1)), limit=100_000)) == MAXIMUM_ITEMS - 1
    deep: Any = 0
    for _ in range(8):
        deep = [deep]
    assert decode(encode(deep), limit=99) == deep
    with pytest.raises(Malformed):
        encode([deep])


def test_the_tag_stands_around_the_whole_and_nowhere_else() -> None:
    data = encode_sign1([b"", {}, None, b""])
    assert data.hex() == "d28440a0f640"
    assert decode_sign1(data, limit=99) == [b"", {}, None, b""]
    for wrong in (data[1:], b"\xd1" + data[1:], b"\xd8\x12" + data[1:], data + b"\0", b"", b"\xd2"):
        with pytest.raises(Malformed):
            decode_sign1(wrong, limit=99)


def test_values_outside_of_the_profile_are_not_written() -> None:
    for value in (1.5, (1,), {1.5: 1}, {True: 1}, {None: 1}, {b"k": 1}, 2**64, -(2**64) - 1,
                  "\ud800",
                  object(), {1: {2.5}}):  # fmt: skip
        with pytest.raises(Malformed):
            encode(value)
