"""The commitment: every limit of its fields, every check by itself, and what binds the labels."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import commitment as reference
from tests.reference.cbor import RejectedError
from tests.support.logged_commitment import log_proof, stated
from tests.support.stored_vectors import fast_label_seed, vectors
from tests.vectors.build import OWNERS, Secrets, commitment_map, file, header_map
from tests.vectors.exchange import flip, put
from zkwm_protocols import labels
from zkwm_protocols.commitment import Commitment, Header
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.leaves import leaf
from zkwm_protocols.make_commitment import make_commitment

SECRETS = Secrets.fixed("test", [1, 2, 3], 6, None)
HEADER = header_map(SECRETS, 3, 10)
MORE_KEYS = [SigningKey.from_bytes("ed25519", bytes([i]) * 32).public.to_map() for i in range(1, 6)]


def written(head: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """A commitment file, signed, with the given header and outer fields."""
    value = commitment_map(HEADER if head is None else head, SECRETS.leaves())
    return file("commitment", {**value, **changes})


def read_by_both(data: bytes) -> Commitment:
    """What the package reads; the reference must accept it too, or both refuse."""
    try:
        commitment = Commitment.from_bytes(data)
    except (Malformed, Unsupported):
        with pytest.raises(RejectedError):
            reference.read_commitment(data)
        raise
    assert reference.read_commitment(data)["digest"] == commitment.digest
    assert commitment.to_bytes() == data
    return commitment


def test_blake2s_of_rfc_7693() -> None:
    expected = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"
    assert hashlib.blake2s(b"abc").hexdigest() == expected


def test_a_leaf_is_its_bytes_in_order() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    message = bytes.fromhex("0001 0001 0002 0003 ffff") + b"s" * 32 + bytes(range(6))
    expected = hashlib.blake2s(message, person=b"zkwmleaf").digest()
    assert leaf(image, b"s" * 32, None) == expected
    transposed = np.asfortranarray(image)
    assert leaf(transposed, b"s" * 32, None) == expected
    declared = message[:8] + b"\x00\x07" + message[10:]
    assert leaf(image, b"s" * 32, 7) == hashlib.blake2s(declared, person=b"zkwmleaf").digest()


def test_a_leaf_hides_and_binds_every_part() -> None:
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    found = {
        leaf(image, bytes(32), None),
        leaf(image.reshape(1, 3, 2), bytes(32), None),
        leaf(image + np.uint8(1), bytes(32), None),
        leaf(image, b"\x01" + bytes(31), None),
        leaf(image, bytes(32), 0),
        leaf(image, bytes(32), 1),
    }
    assert len(found) == 6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("leaf_count", 6), ("block_size", 1), ("block_size", 6), ("class_count", 2),
        ("class_count", 65_535), ("shape", [3, 65_535, 1]), ("shape", [1, 1, 1]),
        ("shape", [1, 4096, 4096]), ("label_mode", "declared"), ("owner_keys", MORE_KEYS[:4]),
        ("timestamp_authority", bytes(32)), ("owner_model", bytes(32)), ("root", bytes(32)),
    ],
    ids=repr,
)  # fmt: skip
def test_headers_that_are_read(field: str, value: Any) -> None:
    commitment = read_by_both(written({**HEADER, field: value}))
    assert Header.from_bytes(commitment.header.to_bytes()) == commitment.header


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "zkwm-challenge"), ("type", b"zkwm-commitment-header"), ("type", None),
        ("version", 0), ("version", 1), ("version", True), ("version", "1"),
        ("leaf_count", 0), ("leaf_count", 5), ("leaf_count", 100_002), ("leaf_count", -6),
        ("leaf_count", True), ("leaf_count", None), ("leaf_count", 2**63),
        ("block_size", 0), ("block_size", 4), ("block_size", -3), ("block_size", 12),
        ("block_size", 10_001), ("block_size", True),
        ("class_count", 1), ("class_count", 0), ("class_count", 65_536), ("class_count", b"\x0a"),
        ("shape", []), ("shape", [1, 2]), ("shape", [1, 2, 3, 1]), ("shape", [2, 2, 3]),
        ("shape", [0, 2, 3]), ("shape", [1, 0, 3]), ("shape", [1, 2, 0]), ("shape", [1, 65_536, 1]),
        ("shape", [1, 4097, 4096]), ("shape", [3, 4096, 4096]), ("shape", {"c": 1}),
        ("shape", [1, True, 3]), ("shape", [1, 2, -3]),
        ("label_mode", "Derived"), ("label_mode", ""), ("label_mode", None),
        ("owner_keys", []), ("owner_keys", MORE_KEYS), ("owner_keys", MORE_KEYS[:1] * 2),
        ("owner_keys", [MORE_KEYS[0]["public"]]), ("owner_keys", [{**MORE_KEYS[0], "id": 1}]),
        ("owner_keys", [{**MORE_KEYS[0], "public": bytes(32)}]),
        ("owner_keys", [{**MORE_KEYS[0], "public": b"\x01" + bytes(31)}]),
        ("owner_keys", [{**MORE_KEYS[0], "public": bytes(31)}]),
        ("owner_keys", [{**MORE_KEYS[0], "algorithm": "rsa"}]),
        ("owner_keys", [{**MORE_KEYS[0], "algorithm": "ecdsa-p256"}]),
        ("timestamp_authority", bytes(31)), ("timestamp_authority", False),
        ("owner_model", bytes(33)), ("owner_model", ""),
        ("root", bytes(31)), ("root", None), ("root", "0" * 32),
    ],
    ids=repr,
)  # fmt: skip
def test_headers_that_are_refused(field: str, value: Any) -> None:
    with pytest.raises((Malformed, Unsupported)):
        read_by_both(written({**HEADER, field: value}))


def test_the_leaf_count_ends_at_100_000() -> None:
    Header(**_numbers(leaf_count=100_000, block_size=10_000))
    with pytest.raises(Malformed):
        Header(**_numbers(leaf_count=100_001, block_size=1))
    with pytest.raises(Malformed):
        Header(**_numbers(leaf_count=20_002, block_size=10_001))


def _numbers(**changes: Any) -> dict[str, Any]:
    return {
        "leaf_count": 6, "block_size": 3, "class_count": 10, "shape": (1, 2, 3),
        "label_mode": "derived", "owner_keys": (OWNERS[0].public,), "root": bytes(32), **changes,
    }  # fmt: skip


@pytest.mark.parametrize("field", [*HEADER])
def test_a_header_without_one_of_its_fields_is_refused(field: str) -> None:
    with pytest.raises(Malformed):
        read_by_both(written({key: value for key, value in HEADER.items() if key != field}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("header", None), ("header", b""), ("header", b"\xa0"), ("header", "text"),
        ("leaves", b""), ("leaves", bytes(32 * 5)), ("leaves", bytes(32 * 6 + 1)),
        ("leaves", [bytes(32)] * 6), ("leaves", None),
        ("signatures", []), ("signatures", [bytes(64)] * 5), ("signatures", [bytes(63)]),
        ("signatures", bytes(64)), ("signatures", [None]),
        ("log_proofs", None), ("log_proofs", [b""] * 17), ("log_proofs", ["text"]),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_files_that_are_refused(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        read_by_both(written(**{field: value}))


def test_further_fields_are_refused() -> None:
    with pytest.raises(Malformed):
        read_by_both(written(comment="x"))
    with pytest.raises(Malformed):
        read_by_both(written({**HEADER, "comment": "x"}))


PROOF = log_proof(stated(Commitment.from_bytes(written()).digest, OWNERS[0]))


def test_log_proofs_are_carried_and_enter_no_digest() -> None:
    commitment = read_by_both(written(log_proofs=[PROOF.to_bytes()] * 16))
    assert commitment.log_proofs == (PROOF,) * 16
    assert commitment.digest == read_by_both(written()).digest
    commitment.verify()
    with pytest.raises(Malformed, match="at most 16 log proofs"):
        replace(commitment, log_proofs=(PROOF,) * 17)


@pytest.mark.parametrize(
    "proof",
    [
        b"", b"a", PROOF.proof.to_bytes(), PROOF.to_bytes()[:-1],
        replace(PROOF.proof, extra=flip(PROOF.statement.to_bytes())).to_bytes(),
        PROOF.to_bytes().replace(b"\nindex 5", b"\nindex 05"),
    ],
    ids=["empty", "no text", "without its statement", "cut", "another signature", "two spellings"],
)  # fmt: skip
def test_bytes_that_are_no_log_proof_are_refused(proof: bytes) -> None:
    with pytest.raises(Malformed, match="log proof 2 of the commitment"):
        read_by_both(written(log_proofs=[PROOF.to_bytes(), proof]))


def test_a_good_commitment_verifies() -> None:
    Commitment.from_bytes(written()).verify()


def test_another_leaf_fails_the_root() -> None:
    data = written(leaves=flip(b"".join(SECRETS.leaves())))
    with pytest.raises(Malformed) as caught:
        Commitment.from_bytes(data).verify()
    assert caught.value.check == "commitment.root"


@pytest.mark.parametrize(
    "change",
    [
        put("signatures", 0, to=flip),
        put("signatures", 1, to=flip),
        put("signatures", to=lambda both: both[::-1]),
        put("signatures", to=lambda both: both[:1]),
        put("signatures", to=lambda both: [*both, both[0]]),
        put("signatures", 0, to=OWNERS[0].sign("opening", bytes(32))),
    ],
)
def test_a_wrong_signature_fails(change: Any) -> None:
    value = commitment_map(HEADER, SECRETS.leaves())
    change(value)
    with pytest.raises(InvalidSignature) as caught:
        Commitment.from_bytes(file("commitment", value)).verify()
    assert caught.value.check == "commitment.signature"


def test_a_signature_for_another_purpose_fails() -> None:
    value = commitment_map(HEADER, SECRETS.leaves())
    digest = hashlib.sha256(value["header"]).digest()
    value["signatures"] = [owner.sign("opening", digest) for owner in OWNERS]
    with pytest.raises(InvalidSignature):
        Commitment.from_bytes(file("commitment", value)).verify_signatures()


def _make(images: np.ndarray, salts: list[bytes], **options: Any) -> Commitment:
    given: dict[str, Any] = {"class_count": 1000, "signers": OWNERS[:1], "block_size": 2}
    return make_commitment(images, salts, **{**given, **options})


IMAGES = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 2, 3)
SALTS = [bytes([i]) * 32 for i in range(4)]


def test_any_change_of_image_salt_or_order_changes_every_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "label_seed", fast_label_seed)
    other_image = IMAGES.copy()
    other_image[3, 0, 1, 2] ^= 1
    commitments = [
        _make(IMAGES, SALTS),
        _make(other_image, SALTS),
        _make(IMAGES, [*SALTS[:3], flip(SALTS[3])]),
        _make(IMAGES[::-1], SALTS),
        _make(IMAGES, SALTS, block_size=1),
        _make(IMAGES, SALTS, class_count=1001),
        _make(IMAGES, SALTS, signers=OWNERS),
        _make(IMAGES, SALTS, owner_model=bytes(32)),
    ]
    for commitment in commitments:
        commitment.verify()
    assert len({commitment.digest for commitment in commitments}) == 8
    drawn = [commitment.labels() for commitment in commitments]
    for first, second in itertools.combinations(drawn, 2):
        assert (first != second).any()


def test_real_labels_come_from_argon2id() -> None:
    """Without a stand-in: the vectors hold the real seed of this commitment."""
    vector = vectors("commitment")["commitments"][0]
    commitment = Commitment.from_bytes(bytes.fromhex(vector["file"]))
    expected = next(
        v["labels"] for v in vectors("commitment")["labels"]
        if v["digest"] == vector["digest"] and v["beacon"] is None and v["class_count"] == 10
    )  # fmt: skip
    assert commitment.labels().tolist() == expected[:6]


def test_declared_labels_are_hidden_in_the_leaves() -> None:
    first = _make(IMAGES, SALTS, declared_labels=np.array([0, 1, 2, 999]))
    second = _make(IMAGES, SALTS, declared_labels=np.array([0, 1, 2, 998]))
    assert first.leaves[:3] == second.leaves[:3]
    assert first.leaves[3] != second.leaves[3]
    assert first.digest != second.digest
    with pytest.raises(Malformed, match="hidden"):
        first.labels()


@pytest.mark.parametrize(
    ("images", "salts", "options"),
    [
        (IMAGES[:3], SALTS[:3], {}),
        (IMAGES[:0], [], {}),
        (IMAGES, SALTS[:3], {}),
        (IMAGES, [*SALTS[:3], b"short"], {}),
        (IMAGES.astype(np.float32), SALTS, {}),
        (IMAGES[0], SALTS[:1], {}),
        (np.zeros((4, 2, 2, 3), np.uint8), SALTS, {}),
        (IMAGES, SALTS, {"class_count": 1}),
        (IMAGES, SALTS, {"block_size": 0}),
        (IMAGES, SALTS, {"signers": ()}),
        (IMAGES, SALTS, {"signers": OWNERS[:1] * 2}),
        (IMAGES, SALTS, {"declared_labels": np.array([0, 1, 2])}),
        (IMAGES, SALTS, {"declared_labels": np.array([0, 1, 2, 1000])}),
        (IMAGES, SALTS, {"declared_labels": np.array([0, 1, 2, -1])}),
        (IMAGES[:0], [], {"declared_labels": np.array([], dtype=np.int64)}),
    ],
)
def test_what_cannot_be_committed_to(
    images: np.ndarray, salts: list[bytes], options: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        _make(images, salts, **options)


@given(
    count=st.integers(1, 6),
    block_size=st.integers(1, 3),
    shape=st.tuples(st.sampled_from([1, 3]), st.integers(1, 3), st.integers(1, 3)),
    class_count=st.integers(2, 65_535),
    owners=st.integers(1, 2),
)
@settings(deadline=None, max_examples=30)
def test_round_trip(
    count: int, block_size: int, shape: tuple[int, int, int], class_count: int, owners: int
) -> None:
    images = np.random.default_rng(1).integers(0, 256, (count * block_size, *shape), np.uint8)
    commitment = _make(
        images,
        [bytes([i]) * 32 for i in range(len(images))],
        class_count=class_count,
        block_size=block_size,
        signers=OWNERS[:owners],
    )
    again = read_by_both(commitment.to_bytes())
    assert again == commitment
    assert again.header.block_count == count
    again.verify()
