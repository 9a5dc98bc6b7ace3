"""The CBOR profile, files and tensors: one encoding for each value, everything else refused."""

from __future__ import annotations

import hashlib
import time
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import cbor as reference
from zkwm_protocols.encoding import MAXIMUM_ITEMS, decode, encode, pack, tensor_digest, unpack
from zkwm_protocols.errors import Malformed, Unsupported

LIMIT = 10_000_000
# RFC 8949, appendix A: what lies inside the profile, and what does not.
INSIDE: dict[str, Any] = {
    "00": 0, "01": 1, "0a": 10, "17": 23, "1818": 24, "1819": 25, "1864": 100, "1903e8": 1000,
    "1a000f4240": 1000000, "1b000000e8d4a51000": 1000000000000,
    "1bffffffffffffffff": 18446744073709551615, "20": -1, "29": -10, "3863": -100,
    "3903e7": -1000, "f4": False, "f5": True, "f6": None, "40": b"",
    "4401020304": b"\x01\x02\x03\x04", "60": "", "6161": "a", "6449455446": "IETF",
    "62225c": '"\\', "62c3bc": "\u00fc", "63e6b0b4": "\u6c34", "64f0908591": "\U00010151",
    "80": [], "83010203": [1, 2, 3], "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": list(range(1, 26)),
    "a0": {}, "a26161016162820203": {"a": 1, "b": [2, 3]}, "826161a161626163": ["a", {"b": "c"}],
    "a56161614161626142616361436164614461656145":
        {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"},
}  # fmt: skip
OUTSIDE = [
    "c249010000000000000000", "3bffffffffffffffff", "c349010000000000000000",
    "f90000", "f98000", "f93c00", "fb3ff199999999999a", "f93e00", "f97bff", "fa47c35000",
    "fa7f7fffff", "fb7e37e43c8800759c", "f90001", "f90400", "f9c400", "fbc010666666666666",
    "f97c00", "f97e00", "f9fc00", "fa7f800000", "fa7fc00000", "faff800000", "fb7ff0000000000000",
    "fb7ff8000000000000", "fbfff0000000000000", "f7", "f0", "f8ff",
    "c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "c1fb41d452d9e2000000",
    "d74401020304", "d818456449455446",
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d", "a201020304",
    "5f42010243030405ff", "7f657374726561646d696e67ff", "9fff", "9f018202039f0405ffff",
    "9f01820203820405ff", "83018202039f0405ff", "83019f0203ff820405",
    "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", "bf61610161629f0203ffff",
    "826161bf61626163ff", "bf6346756ef563416d7421ff",
]  # fmt: skip
NOT_DETERMINISTIC = {
    "integer in 2 bytes": "1817",
    "integer in 3 bytes": "1900ff",
    "integer in 5 bytes": "1a0000ffff",
    "integer in 9 bytes": "1b00000000ffffffff",
    "negative integer in 2 bytes": "3800",
    "long length of bytes": "5801ff",
    "long length of text": "780161",
    "long length of an array": "980100",
    "long length of a map": "b801616100",
    "keys not sorted": "a2616201616102",
    "longer key first": "a262616101616202",
    "key twice": "a2616101616101",
    "key twice with another value": "a2616101616102",
    "bytes left over": "0000",
    "nothing": "",
    "invalid UTF-8": "61ff",
    "surrogate in UTF-8": "63eda080",
    "overlong UTF-8": "62c080",
    "UTF-8 above U+10FFFF": "64f4908080",
    "key of bytes": "a14161f6",
    "key null": "a1f600",
    "key an array": "a18000",
    "key a map": "a1a000",
    "break alone": "ff",
    "reserved length 28": "1c",
    "reserved length 30": "5e",
    "simple value 24 in two bytes": "f818",
    "false in two bytes": "f814",
    "below -2^63": "3b8000000000000000",
    "length over the end": "42ff",
    "array over the end": "8300",
    "map with a key and no value": "a16161",
    "integer over the end": "19ff",
    "shared value tags": "d81c80",
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, -24, -25, -256, -257])
    | st.binary(max_size=300)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(texts, inner, max_size=30),
    max_leaves=60,
).filter(lambda value: _depth(value) <= 8)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _read(data: bytes) -> tuple[bool, Any]:
    try:
        return True, decode(data, limit=LIMIT)
    except Malformed:
        return False, None


def _read_by_reference(data: bytes) -> tuple[bool, Any]:
    try:
        return True, reference.read(data, LIMIT)
    except reference.RejectedError:
        return False, None


@pytest.mark.parametrize("encoded", INSIDE)
def test_examples_of_rfc_8949_inside_the_profile(encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert decode(data, limit=LIMIT) == INSIDE[encoded]
    assert encode(INSIDE[encoded]) == data
    assert _read_by_reference(data) == (True, INSIDE[encoded])


@pytest.mark.parametrize("encoded", OUTSIDE)
def test_examples_of_rfc_8949_outside_the_profile(encoded: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(encoded), limit=LIMIT)
    assert not _read_by_reference(bytes.fromhex(encoded))[0]


@pytest.mark.parametrize("name", NOT_DETERMINISTIC)
def test_other_forms_are_refused(name: str) -> None:
    data = bytes.fromhex(NOT_DETERMINISTIC[name])
    with pytest.raises(Malformed):
        decode(data, limit=LIMIT)
    assert not _read_by_reference(data)[0]


@given(values)
@settings(deadline=None)
def test_round_trip_and_the_same_bytes_as_the_reference(value: Any) -> None:
    data = encode(value)
    assert decode(data, limit=len(data)) == value
    assert reference.write(value) == data
    assert _exactly(reference.read(data, LIMIT), decode(data, limit=LIMIT))


def _exactly(first: Any, second: Any) -> bool:
    """Equality that tells true from 1."""
    return repr(first) == repr(second)


@given(values, st.data())
@settings(deadline=None)
def test_an_altered_encoding_is_refused_or_is_another_value(value: Any, data: Any) -> None:
    encoded = bytearray(encode(value))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= 1 << data.draw(st.integers(0, 7))
    accepted, found = _read(bytes(encoded))
    assert (accepted, found) == _read_by_reference(bytes(encoded))
    if accepted:
        assert encode(found) == bytes(encoded)
        assert not _exactly(found, value)


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=500)
def test_random_bytes_as_the_reference_reads_them(data: bytes) -> None:
    accepted, found = _read(data)
    expected, value = _read_by_reference(data)
    assert accepted == expected
    assert _exactly(found, value)


@given(values)
@settings(deadline=None)
def test_every_truncation_and_every_further_byte_is_refused(value: Any) -> None:
    data = encode(value)
    for end in {*range(min(len(data), 40)), len(data) - 1}:
        assert not _read(data[:end])[0]
    assert not _read(data + b"\x00")[0]


@given(
    st.recursive(
        scalars | st.floats() | st.just(cbor2.undefined) | st.datetimes(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(texts | st.integers(), inner, max_size=4)
            | st.builds(cbor2.CBORTag, st.integers(0, 100_000), inner)
        ),
        max_leaves=10,
    )
)
@settings(deadline=None)
def test_what_another_encoder_writes_is_accepted_only_inside_the_profile(value: Any) -> None:
    data = _by_cbor2(value)
    assert _read(data) == _read_by_reference(data)


def _by_cbor2(value: Any) -> bytes:
    try:
        return cbor2.dumps(value, date_as_datetime=True)
    except (ValueError, cbor2.CBOREncodeError):
        return b""


@pytest.mark.parametrize(
    "value",
    [1.0, (1, 2), {1: 2}, {b"a": 1}, bytearray(b"a"), 2**64, -(2**63) - 1, "\ud800", {"\udfff": 1},
     {"a": [1.5]}, type(None), {1}],
    ids=repr,
)  # fmt: skip
def test_values_outside_the_profile_are_not_encoded(value: Any) -> None:
    with pytest.raises(Malformed):
        encode(value)


@pytest.mark.parametrize("depth", range(1, 12))
@pytest.mark.parametrize("innermost", [[], {}, None])
def test_eight_lists_deep_and_no_more(depth: int, innermost: Any) -> None:
    value = innermost
    for _ in range(depth):
        value = [value]
    raw = b"\x81" * depth + reference.write(innermost)
    if _depth(value) <= 8:
        assert encode(value) == raw
        assert decode(raw, limit=LIMIT) == value
    else:
        with pytest.raises(Malformed):
            encode(value)
        with pytest.raises(Malformed):
            decode(raw, limit=LIMIT)


def test_very_deep_nesting_is_refused_at_once() -> None:
    for opening in (b"\x81", b"\xa1\x60", b"\xd8\x1c", b"\x9f", b"\xc1"):
        assert not _read(opening * 1_000_000)[0]


@pytest.mark.parametrize("major", range(2, 6))
@pytest.mark.parametrize("announced", [2**16, 2**31, 2**32, 2**62, 2**63, 2**64 - 1])
def test_huge_announced_lengths_cost_neither_time_nor_memory(major: int, announced: int) -> None:
    head = bytes([major << 5 | 27]) + announced.to_bytes(8, "big")
    for data in (head, head + bytes(100), b"\x82" + head, b"\xa1\x60" + head, b"\x81" * 7 + head):
        tracemalloc.start()
        begun = time.process_time()  # other processes do not lengthen it
        assert not _read(data)[0]
        assert time.process_time() - begun < 0.5
        assert tracemalloc.get_traced_memory()[1] < 200_000
        tracemalloc.stop()


def test_a_million_items_and_no_more() -> None:
    assert MAXIMUM_ITEMS == reference.MAXIMUM_ITEMS == 1_000_000
    fits = b"\x9a" + (MAXIMUM_ITEMS - 1).to_bytes(4, "big") + bytes(MAXIMUM_ITEMS - 1)
    assert len(decode(fits, limit=LIMIT)) == MAXIMUM_ITEMS - 1
    over = b"\x9a" + MAXIMUM_ITEMS.to_bytes(4, "big") + bytes(MAXIMUM_ITEMS)
    with pytest.raises(Malformed):
        decode(over, limit=LIMIT)
    with pytest.raises(Malformed):
        encode([0] * MAXIMUM_ITEMS)


def test_the_limit_of_a_place_holds() -> None:
    assert decode(b"\x41a", limit=2) == b"a"
    with pytest.raises(Malformed, match="at most 1"):
        decode(b"\x41a", limit=1)


def test_files_have_kind_and_version() -> None:
    data = pack("challenge", {"a": 1})
    assert data == b"zkwm-challenge/1\n\xa1\x61a\x01"
    assert unpack("challenge", data, limit=4) == {"a": 1}
    for other in (
        b"",
        b"zkwm",
        b"\n",
        data[1:],
        data.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + data,
    ):
        with pytest.raises((Malformed, Unsupported)):
            unpack("challenge", other, limit=100)
    with pytest.raises(Malformed, match="another kind"):
        unpack("proof", data, limit=100)
    with pytest.raises(Unsupported):
        unpack("challenge", data.replace(b"/1", b"/2"), limit=100)
    with pytest.raises(Malformed):
        unpack("challenge", data, limit=3)


TENSORS = [
    ("b", "float32", (2,), bytes(8)),
    ("a", "int64", (), bytes(8)),
    ("\u00e9", "uint8", (0, 3), b""),
]


def test_tensor_digest_is_what_the_specification_says() -> None:
    digest = hashlib.sha256(b"zkwm-tensors-1")
    for name, dtype, shape, data in (TENSORS[1], TENSORS[0], TENSORS[2]):
        entry = reference.write([name, dtype, list(shape), len(data)])
        digest.update(len(entry).to_bytes(8, "big") + entry + data)
    assert tensor_digest(TENSORS) == digest.digest() == tensor_digest(reversed(TENSORS))


def test_tensor_digest_covers_every_part() -> None:
    found = {tensor_digest(TENSORS), tensor_digest(TENSORS[:2]), tensor_digest([])}
    name, dtype, shape, data = TENSORS[0]
    for changed in (
        ("c", dtype, shape, data),
        (name, "int32", shape, data),
        (name, dtype, (1, 2), data),
        (name, dtype, shape, b"\x01" + data[1:]),
    ):
        found.add(tensor_digest([changed, *TENSORS[1:]]))
    assert len(found) == 7


def test_tensor_digest_refuses_bad_names() -> None:
    with pytest.raises(Malformed, match="one name"):
        tensor_digest([TENSORS[0], TENSORS[0]])
    with pytest.raises(Malformed, match="surrogate"):
        tensor_digest([("\ud800", "float32", (), bytes(4))])


def test_a_file_of_another_version_says_which_release_reads_it() -> None:
    """One of an earlier release is made anew; one of a later needs a newer zkwm."""
    for number, hint in ((b"1", "made anew"), (b"9", "a newer one"), (b"x", "a newer one")):
        with pytest.raises(Unsupported) as caught:
            unpack("commitment", b"zkwm-commitment/" + number + b"\n", limit=100)
        assert hint in caught.value.hint
    assert "of another version" not in caught.value.message
