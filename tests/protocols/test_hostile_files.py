"""Files that are damaged, cut, grown or invented: refused by name, and never accepted altered."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.cbor import RejectedError, read, write
from tests.reference.commitment import file_value, read_commitment
from tests.reference.exchange import read_challenge, read_response
from tests.support.stored_vectors import cases, judge_key
from tests.vectors.build import (
    JUDGE_BOX,
    OWNERS,
    Secrets,
    challenge_map,
    commitment_map,
    file,
    header_map,
    judge_map,
    proof_map,
)
from tests.vectors.exchange import Builder
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opening import Opening, open_sealed
from zkwm_protocols.sealing import seal

LIMIT = 2**22
SECRETS = Secrets.fixed("small", [1, 1, 1], 2, None)


def _small() -> tuple[bytes, bytes, bytes]:
    """The smallest exchange: two triggers of one pixel, sealed and signed."""
    commitment = commitment_map(header_map(SECRETS, 1, 2, OWNERS), SECRETS.leaves(), OWNERS)
    digest = hashlib.sha256(commitment["header"]).digest()
    body = Builder({}).challenge_body(digest, "derived", judge_map())
    body.update(class_map=[1, 0], block_count=1, excluded_blocks=[])
    body["suspect"] = {**body["suspect"], "shape": [1, 1, 1], "outputs": 2}
    challenge = challenge_map(body)
    challenge_digest = hashlib.sha256(challenge["body"]).digest()
    plaintext = {
        "challenge": challenge_digest,
        "blocks": [
            {
                "block": 0,
                "triggers": [
                    {"pixels": SECRETS.images[0], "salt": SECRETS.salts[0], "label": None}
                ],
            }
        ],
    }
    proof = proof_map(
        {
            "type": "zkwm-opening",
            "version": 2,
            "challenge": challenge_digest,
            "commitment": digest,
            "blocks": [0],
            "sealed": seal(write(plaintext), JUDGE_BOX.public),
        }
    )
    return file("commitment", commitment), file("challenge", challenge), file("proof", proof)


COMMITMENT_FILE, CHALLENGE_FILE, PROOF_FILE = _small()
COMMITMENT = Commitment.from_bytes(COMMITMENT_FILE)
CHALLENGE = Challenge.from_bytes(CHALLENGE_FILE)


def check_commitment(data: bytes) -> None:
    Commitment.from_bytes(data).verify()


def check_challenge(data: bytes) -> None:
    Challenge.from_bytes(data).verify_signature()


def check_proof(data: bytes) -> None:
    opening = Opening.from_bytes(data)
    opening.verify_signatures(COMMITMENT.header)
    opening.verify_against(COMMITMENT, CHALLENGE)
    open_sealed(COMMITMENT, CHALLENGE, opening, judge_key().box)


@dataclass(frozen=True)
class Kind:
    """One kind of file: a small good one, all its checks, and both readers."""

    name: str
    good: bytes
    check: Callable[[bytes], None]
    read: Callable[[bytes], Any]
    reference: Callable[[bytes], Any]
    inner: str


KINDS = [
    Kind("commitment", COMMITMENT_FILE, check_commitment, Commitment.from_bytes, read_commitment,
         "header"),
    Kind("challenge", CHALLENGE_FILE, check_challenge, Challenge.from_bytes, read_challenge,
         "body"),
    Kind("proof", PROOF_FILE, check_proof, Opening.from_bytes, read_response, "body"),
]  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@every_kind
def test_the_good_file_is_accepted(kind: Kind) -> None:
    kind.check(kind.good)
    kind.reference(kind.good)


@every_kind
def test_every_byte_flipped_is_refused(kind: Kind) -> None:
    for place in range(len(kind.good)):
        for change in (0x01, 0x80, 0xFF):
            altered = bytearray(kind.good)
            altered[place] ^= change
            with pytest.raises(ZkwmError):
                kind.check(bytes(altered))


@every_kind
def test_every_truncation_and_growth_is_refused(kind: Kind) -> None:
    for length in range(len(kind.good)):
        with pytest.raises(ZkwmError):
            kind.check(kind.good[:length])
        with pytest.raises(ZkwmError):
            kind.check(kind.good[:length] + b"\x00" + kind.good[length:])
    for more in (b"\x00", b"\n", kind.good):
        with pytest.raises(ZkwmError):
            kind.check(kind.good + more)


@every_kind
def test_a_file_of_another_kind_is_refused(kind: Kind) -> None:
    for other in KINDS:
        if other is not kind:
            with pytest.raises(ZkwmError):
                kind.check(other.good)
            value = file_value(other.name, other.good, LIMIT)
            with pytest.raises(ZkwmError):
                kind.check(file(kind.name, value))


def agree(kind: Kind, data: bytes) -> bool:
    """Whether both readers accept; they must agree, and what is accepted must be written back."""
    try:
        found = kind.read(data)
    except ZkwmError:
        with pytest.raises(RejectedError):
            kind.reference(data)
        return False
    kind.reference(data)
    assert found.to_bytes() == data
    return True


@every_kind
@given(data=st.binary(max_size=300))
@settings(deadline=None, max_examples=300)
def test_random_bytes_after_the_first_line(kind: Kind, data: bytes) -> None:
    assert not agree(kind, file(kind.name, None)[:-1] + data)


@every_kind
@given(data=st.binary(max_size=100))
@settings(deadline=None)
def test_random_bytes(kind: Kind, data: bytes) -> None:
    with pytest.raises(ZkwmError):
        kind.read(data)
    with pytest.raises(ZkwmError):
        JudgePublic.from_bytes(data)


replacements = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-2, 20),
    st.sampled_from([31, 32, 33, 500, 10_000, 65_535, 65_536, 100_000, 1_000_000, 10**9, 2**40]),
    st.binary(max_size=70),
    st.sampled_from([bytes(32), bytes(33), bytes(64), b"\xff" * 32]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["ed25519", "ecdsa-p256", "onnx", "http", "raw", "nhwc", "declared", "0.5"]),
    st.lists(st.integers(0, 70_000), max_size=5),
    st.lists(st.binary(min_size=64, max_size=64), max_size=5),
    st.dictionaries(st.text("abc", max_size=3), st.integers(0, 5), max_size=3),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))


def _replace(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = _replace(value[path[0]], path[1:], new)
    return value


@every_kind
@given(draw=st.data())
@settings(deadline=None, max_examples=200)
def test_one_or_two_values_replaced(kind: Kind, draw: st.DataObject) -> None:
    """In the file or inside its byte string, encoded well again: what a forger would send."""
    outer = file_value(kind.name, kind.good, LIMIT)
    inner = read(outer[kind.inner], LIMIT)
    for _ in range(draw.draw(st.integers(1, 2))):
        if draw.draw(st.integers(0, 3)):
            places = list(_places(inner))
            inner = _replace(inner, draw.draw(st.sampled_from(places)), draw.draw(replacements))
            outer[kind.inner] = write(inner)
        else:
            # Log proofs are not signed: another list of them is another good file (SPEC.md 5.5).
            key = draw.draw(st.sampled_from(sorted(set(outer) - {"log_proofs"})))
            outer[key] = draw.draw(replacements)
            break
        if not isinstance(inner, dict):
            break
    data = file(kind.name, outer)
    if agree(kind, data) and data != kind.good:
        with pytest.raises(ZkwmError):
            kind.check(data)


def test_every_byte_of_a_judges_public_file_flipped() -> None:
    """A public file has no signature: an altered one is refused or has another fingerprint."""
    good = judge_key().public
    data = good.to_bytes()
    for place in range(len(data)):
        for change in (0x01, 0x80):
            altered = bytearray(data)
            altered[place] ^= change
            try:
                found = JudgePublic.from_bytes(bytes(altered))
            except ZkwmError:
                continue
            assert found.fingerprint() != good.fingerprint()
            assert found.to_bytes() == bytes(altered)


def test_both_read_the_stored_good_files() -> None:
    case = cases()[0]
    for kind in KINDS:
        assert agree(kind, getattr(case, kind.name))
