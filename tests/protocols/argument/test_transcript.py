"""The transcript: frames that cannot be confused, challenges that are uniform and never repeat."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import P
from zkwm_protocols.field.vector import from_elements


def frame(kind: int, label: bytes, data: bytes) -> bytes:
    return bytes([kind, len(label)]) + label + len(data).to_bytes(8, "big") + data


def slow_residues(seed: bytes, count: int) -> list[int]:
    stream = hashlib.shake_256(b"zkwm-challenge-1" + seed).digest(16 * count + 400)
    found = []
    for start in range(0, len(stream), 4):
        word = int.from_bytes(stream[start : start + 4], "little") & 0x7FFFFFFF
        if word < P:
            found.append(word)
    return found[:count]


def test_a_challenge_is_what_the_spec_says() -> None:
    transcript = Transcript()
    transcript.absorb_bytes("protocol", b"abc")
    transcript.absorb_elements("root", [(1, 2, 3, 4, P - 1)])
    got = transcript.challenge_list("round", 3)
    element = b"".join(value.to_bytes(4, "little") for value in (1, 2, 3, 4, P - 1))
    seen = frame(1, b"protocol", b"abc") + frame(2, b"root", element)
    seen += frame(3, b"round", (3).to_bytes(8, "big"))
    words = slow_residues(hashlib.sha256(seen).digest(), 15)
    assert [list(value) for value in got] == [words[i : i + 5] for i in range(0, 15, 5)]


def test_lists_and_arrays_of_elements_are_one_thing() -> None:
    elements = [(1, 2, 3, 4, 5), (6, 7, 8, 9, P - 1)]
    first, second = Transcript(), Transcript()
    first.absorb_elements("x", elements)
    second.absorb_elements("x", from_elements(elements))
    assert np.array_equal(first.challenge("y", 2), second.challenge("y", 2))


def test_zeros_are_a_byte_string_of_zeros() -> None:
    first, second = Transcript(), Transcript()
    first.absorb_zeros("circuit", 3_000_001)
    second.absorb_bytes("circuit", bytes(3_000_001))
    assert first.challenge_element("x") == second.challenge_element("x")


def test_no_two_challenges_are_equal_and_every_bit_counts() -> None:
    def challenges(label: str, data: bytes, name: str) -> list[tuple[int, ...]]:
        transcript = Transcript()
        transcript.absorb_bytes(label, data)
        return [transcript.challenge_element(name), transcript.challenge_element(name)]

    seen = [
        *challenges("a", b"bc", "x"),
        *challenges("ab", b"c", "x"),
        *challenges("a", b"bd", "x"),
        *challenges("a", b"bc", "y"),
        *challenges("a", b"", "x"),
    ]
    assert len(set(seen)) == len(seen)


def test_bytes_are_not_elements() -> None:
    first, second = Transcript(), Transcript()
    first.absorb_bytes("x", bytes(20))
    second.absorb_elements("x", [(0, 0, 0, 0, 0)])
    assert first.challenge_element("y") != second.challenge_element("y")


def test_indices_are_different_ascending_and_follow_the_stream() -> None:
    transcript = Transcript()
    got = transcript.challenge_indices("columns", 6, 60)
    assert got == sorted(set(got))
    assert len(got) == 60
    seed = hashlib.sha256(frame(3, b"columns", (60).to_bytes(8, "big"))).digest()
    stream = hashlib.shake_256(b"zkwm-challenge-1" + seed).digest(20_000)
    found: list[int] = []
    for start in range(0, len(stream), 4):
        index = int.from_bytes(stream[start : start + 4], "little") % 64
        if index not in found and len(found) < 60:
            found.append(index)
    assert got == sorted(found)


def test_more_indices_than_there_are() -> None:
    with pytest.raises(ValueError, match="more different indices"):
        Transcript().challenge_indices("columns", 3, 9)
