"""The response: what is sealed, what is signed, and every reason to refuse one, by name."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.cbor import RejectedError, read, write
from tests.reference.exchange import read_plaintext, read_response
from tests.support.stored_vectors import cases, fast_label_seed, judge_key
from tests.vectors.build import OTHER_BOX, OWNERS, file, proof_map
from tests.vectors.exchange import Builder, flip, put
from zkwm_protocols import labels
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.keys import BoxKey
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.opening import (
    LeafStatus,
    OpenedBlock,
    OpenedTrigger,
    Opening,
    check_leaves,
    make_opening,
    open_sealed,
)
from zkwm_protocols.sealing import seal, unseal

DERIVED, DECLARED = cases()[:2]
BOX = judge_key().box
BUILDER = Builder({})


class Exchange:
    """Commitment, challenge and response of a good case, and what was sealed."""

    def __init__(self, mode: str) -> None:
        case = DERIVED if mode == "derived" else DECLARED
        self.commitment = Commitment.from_bytes(case.commitment)
        self.challenge = Challenge.from_bytes(case.challenge)
        self.opening = Opening.from_bytes(case.proof)
        self.plaintext: dict[str, Any] = read(unseal(self.opening.sealed, BOX), 2**22)
        self.labels = case.labels

    def resealed(self, plaintext: dict[str, Any]) -> tuple[OpenedBlock, ...]:
        """What the judge reads when this is sealed; the reference must agree on good or bad."""
        encoded = write(plaintext)
        opening = replace(self.opening, sealed=seal(encoded, BOX.public))
        head = read(self.commitment.header.to_bytes(), 4096)
        blocks = list(opening.blocks)
        try:
            found = open_sealed(self.commitment, self.challenge, opening, BOX)
        except Malformed:
            with pytest.raises(RejectedError):
                read_plaintext(encoded, head, self.challenge.digest, blocks)
            raise
        read_plaintext(encoded, head, self.challenge.digest, blocks)
        return found


EXCHANGES = {mode: Exchange(mode) for mode in ("derived", "declared")}
GOOD = EXCHANGES["derived"]


@pytest.fixture(autouse=True)
def _fast_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real seed is used in test_vectors."""
    monkeypatch.setattr(labels, "label_seed", fast_label_seed)


@pytest.mark.parametrize("mode", ["derived", "declared"])
def test_a_good_response(mode: str) -> None:
    exchange = EXCHANGES[mode]
    exchange.opening.verify_signatures(exchange.commitment.header)
    exchange.opening.verify_against(exchange.commitment, exchange.challenge)
    blocks = open_sealed(exchange.commitment, exchange.challenge, exchange.opening, BOX)
    triggers = check_leaves(exchange.commitment, blocks)
    assert [trigger.status for trigger in triggers] == [LeafStatus.VALID] * 40
    assert [trigger.index for trigger in triggers] == [*range(20), *range(60, 80)]
    assert [trigger.block for trigger in triggers] == [0] * 20 + [3] * 20
    secrets = BUILDER.secrets[mode]
    for trigger in triggers:
        assert trigger.pixels is not None
        assert trigger.pixels.tobytes() == secrets.images[trigger.index]
    if mode == "declared":
        assert [trigger.label for trigger in triggers] == exchange.labels
    else:
        drawn = exchange.commitment.labels()
        assert [trigger.label for trigger in triggers] == [drawn[t.index] for t in triggers]


@pytest.mark.parametrize("mode", ["derived", "declared"])
def test_made_again_it_seals_the_same(mode: str) -> None:
    exchange = EXCHANGES[mode]
    blocks = open_sealed(exchange.commitment, exchange.challenge, exchange.opening, BOX)
    made = make_opening(exchange.commitment, exchange.challenge, blocks, OWNERS)
    assert made.sealed != exchange.opening.sealed
    assert read(unseal(made.sealed, BOX), 2**22) == exchange.plaintext
    assert Opening.from_bytes(made.to_bytes()) == made
    made.verify_signatures(exchange.commitment.header)


def test_an_opening_that_does_not_fit_is_not_made() -> None:
    blocks = open_sealed(GOOD.commitment, GOOD.challenge, GOOD.opening, BOX)
    for wrong in (blocks[:1], blocks[::-1], (blocks[0], replace(blocks[1], block=1)), ()):
        with pytest.raises(InvalidOpening) as caught:
            make_opening(GOOD.commitment, GOOD.challenge, wrong, OWNERS)
        assert caught.value.check == "response.blocks"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"challenge": bytes(32)}, "response.challenge"),
        ({"commitment": bytes(32)}, "response.challenge"),
        ({"blocks": (0,)}, "response.blocks"),
        ({"blocks": (0, 2, 3)}, "response.blocks"),
        ({"blocks": (3, 0)}, "response.blocks"),
        ({"blocks": (3, 3)}, "response.blocks"),
        ({"blocks": (0, 4)}, "response.blocks"),
        ({"blocks": (0, 1)}, "response.blocks"),
        ({"blocks": ()}, "response.blocks"),
    ],
)
def test_a_response_to_something_else(changes: dict[str, Any], check: str) -> None:
    opening = replace(GOOD.opening, **changes)
    with pytest.raises(InvalidOpening) as caught:
        opening.verify_against(GOOD.commitment, GOOD.challenge)
    assert caught.value.check == check


@pytest.mark.parametrize(
    "signatures",
    [
        (),
        GOOD.opening.signatures[:1],
        GOOD.opening.signatures[::-1],
        (*GOOD.opening.signatures, bytes(64)),
        (flip(GOOD.opening.signatures[0]), GOOD.opening.signatures[1]),
        (GOOD.opening.signatures[0], flip(GOOD.opening.signatures[1])),
        tuple(owner.sign("commitment", GOOD.opening.digest) for owner in OWNERS),
    ],
)
def test_signatures_that_are_missing_or_wrong(signatures: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidSignature) as caught:
        replace(GOOD.opening, signatures=signatures).verify_signatures(GOOD.commitment.header)
    assert caught.value.check == "response.signature"


def test_sealed_to_another_judge() -> None:
    encoded = write(GOOD.plaintext)
    for sealed, box in (
        (seal(encoded, OTHER_BOX.public), BOX),
        (GOOD.opening.sealed, OTHER_BOX),
        (GOOD.opening.sealed, BoxKey.generate()),
        (GOOD.opening.sealed[:-1], BOX),
        (GOOD.opening.sealed[:47], BOX),
        (b"", BOX),
    ):
        with pytest.raises(InvalidOpening) as caught:
            open_sealed(GOOD.commitment, GOOD.challenge, replace(GOOD.opening, sealed=sealed), box)
        assert caught.value.check == "opening.sealed"


TRIGGER = ("blocks", 1, "triggers", 7)


@pytest.mark.parametrize(
    ("mode", "path", "value"),
    [
        ("derived", ("challenge",), bytes(32)), ("derived", ("challenge",), None),
        ("derived", ("extra",), 1), ("derived", ("blocks",), []), ("derived", ("blocks",), None),
        ("derived", ("blocks",), lambda blocks: blocks[:1]),
        ("derived", ("blocks",), lambda blocks: blocks[::-1]),
        ("derived", ("blocks",), lambda blocks: [*blocks, blocks[0]]),
        ("derived", ("blocks", 0, "block"), 1), ("derived", ("blocks", 0, "block"), 4),
        ("derived", ("blocks", 0, "block"), False), ("derived", ("blocks", 0, "extra"), 0),
        ("derived", ("blocks", 0, "triggers"), []),
        ("derived", ("blocks", 0, "triggers"), lambda triggers: triggers[1:]),
        ("derived", ("blocks", 0, "triggers"), lambda triggers: [*triggers, None]),
        ("derived", ("blocks", 0, "decoys"), []),
        ("derived", TRIGGER, False), ("derived", TRIGGER, {}), ("derived", TRIGGER, b""),
        ("derived", (*TRIGGER, "extra"), 0), ("derived", (*TRIGGER, "pixels"), b""),
        ("derived", (*TRIGGER, "pixels"), bytes(5)), ("derived", (*TRIGGER, "pixels"), [0] * 4),
        ("derived", (*TRIGGER, "salt"), bytes(31)), ("derived", (*TRIGGER, "salt"), None),
        ("derived", (*TRIGGER, "label"), 0), ("derived", (*TRIGGER, "label"), 0xFFFF),
        ("derived", (*TRIGGER, "label"), False), ("declared", (*TRIGGER, "label"), None),
        ("declared", (*TRIGGER, "label"), 16), ("declared", (*TRIGGER, "label"), -1),
        ("declared", (*TRIGGER, "label"), 0xFFFF), ("declared", (*TRIGGER, "label"), True),
    ],
    ids=lambda value: "changed" if callable(value) else repr(value)[:50],
)  # fmt: skip
def test_plaintexts_that_are_refused(mode: str, path: tuple[Any, ...], value: Any) -> None:
    plaintext = copy.deepcopy(EXCHANGES[mode].plaintext)
    put(*path, to=value)(plaintext)
    with pytest.raises(Malformed) as caught:
        EXCHANGES[mode].resealed(plaintext)
    assert caught.value.check == "opening.format"


@pytest.mark.parametrize(
    ("mode", "path", "value", "status"),
    [
        ("derived", TRIGGER, None, LeafStatus.MISSING),
        ("derived", (*TRIGGER, "pixels"), flip, LeafStatus.WRONG),
        ("derived", (*TRIGGER, "salt"), flip, LeafStatus.WRONG),
        ("declared", (*TRIGGER, "label"), lambda label: (label + 1) % 16, LeafStatus.WRONG),
        ("declared", (*TRIGGER, "pixels"), flip, LeafStatus.WRONG),
        ("derived", TRIGGER, GOOD.plaintext["blocks"][1]["triggers"][8], LeafStatus.WRONG),
    ],
)
def test_a_missing_or_wrong_leaf_is_a_miss_and_stays(
    mode: str, path: tuple[Any, ...], value: Any, status: str
) -> None:
    exchange = EXCHANGES[mode]
    plaintext = copy.deepcopy(exchange.plaintext)
    put(*path, to=value)(plaintext)
    triggers = check_leaves(exchange.commitment, exchange.resealed(plaintext))
    assert len(triggers) == 40
    assert triggers[27].status == status
    assert triggers[27].pixels is None
    assert triggers[27].label is None
    assert [t.status for t in triggers if t.index != triggers[27].index] == [LeafStatus.VALID] * 39


def test_a_declared_label_is_never_the_mark_of_derived_ones() -> None:
    """A leaf of derived mode cannot be opened as a declared label, nor the other way round."""
    image = np.zeros((2, 1, 1, 1), dtype=np.uint8)
    salts = [bytes(32), bytes(32)]
    derived = make_commitment(image, salts, class_count=65_535, signers=OWNERS, block_size=2)
    for value in (0, 65_534):
        declared = make_commitment(
            image, salts, class_count=65_535, signers=OWNERS, block_size=2,
            declared_labels=np.array([value, value]),
        )  # fmt: skip
        assert not set(declared.leaves) & set(derived.leaves)
        blocks = (OpenedBlock(0, (OpenedTrigger(image[0], salts[0], None),) * 2),)
        assert [t.status for t in check_leaves(declared, blocks)] == [
            LeafStatus.WRONG,
            LeafStatus.WRONG,
        ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "zkwm-challenge"), ("version", 0), ("version", True), ("challenge", bytes(31)),
        ("challenge", None), ("commitment", bytes(33)), ("blocks", []), ("blocks", [-1]),
        ("blocks", [100_001]), ("blocks", [True]), ("blocks", None), ("blocks", ["0"]),
        ("sealed", None), ("sealed", "text"), ("extra", 0),
    ],
    ids=repr,
)  # fmt: skip
def test_bodies_that_are_refused(field: str, value: Any) -> None:
    body = read(GOOD.opening.body(), 2**22)
    body[field] = value
    data = file("proof", proof_map(body))
    with pytest.raises(Malformed):
        Opening.from_bytes(data)
    with pytest.raises(RejectedError):
        read_response(data)


@pytest.mark.parametrize(
    "outer",
    [
        {}, {"body": b"", "signatures": [bytes(64)]},
        {"body": GOOD.opening.body(), "signatures": []},
        {"body": GOOD.opening.body(), "signatures": [bytes(64)] * 5},
        {"body": GOOD.opening.body(), "signatures": [bytes(63)]},
        {"body": GOOD.opening.body(), "signatures": None},
        {"body": GOOD.opening.body(), "signatures": [bytes(64)], "extra": 0},
    ],
    ids=lambda outer: repr(outer)[-40:],
)  # fmt: skip
def test_other_files_are_refused(outer: dict[str, Any]) -> None:
    data = file("proof", outer)
    with pytest.raises(Malformed):
        Opening.from_bytes(data)
    with pytest.raises(RejectedError):
        read_response(data)


@given(st.integers(0, len(write(GOOD.plaintext)) - 1), st.integers(1, 255))
@settings(deadline=None, max_examples=200)
def test_no_altered_byte_makes_another_valid_trigger(place: int, change: int) -> None:
    """Whatever an owner seals is refused, or a miss, or a decoy."""
    encoded = bytearray(write(GOOD.plaintext))
    encoded[place] ^= change
    opening = replace(GOOD.opening, sealed=seal(bytes(encoded), BOX.public))
    try:
        blocks = open_sealed(GOOD.commitment, GOOD.challenge, opening, BOX)
    except ZkwmError:
        return
    images = BUILDER.secrets["derived"].images
    for trigger in check_leaves(GOOD.commitment, blocks):
        assert trigger.pixels is None or trigger.pixels.tobytes() == images[trigger.index]
