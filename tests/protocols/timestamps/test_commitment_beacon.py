"""Labels of a commitment that names an authority come from its token (SPEC.md 5.4, 22.7)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.stored_vectors import fast_label_seed
from tests.support.timestamp_tokens import NONCE, TokenMaker
from tests.vectors.build import OWNERS
from zkwm_protocols import labels
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.timestamps.chain import key_digest
from zkwm_protocols.timestamps.verification import verify_token

MAKER = TokenMaker.new(intermediate=False)
OTHER = TokenMaker.new(intermediate=False)


def commitment_of(maker: TokenMaker | None, *tokens: TokenMaker) -> Commitment:
    """A commitment that names a maker's root, with tokens over its D."""
    images = np.arange(8 * 6, dtype=np.uint8).reshape(8, 1, 2, 3)
    plain = make_commitment(
        images, [bytes([i]) * 32 for i in range(8)], class_count=1000, signers=OWNERS[:1],
        block_size=2,
        timestamp_authority=None if maker is None else key_digest(maker.root.certificate),
    )  # fmt: skip
    made = tuple(one.but(digest=plain.digest).evidence() for one in tokens)
    return Commitment.from_bytes(replace(plain, timestamps=made).to_bytes())


def for_reader(commitment: Commitment, trusted: Any) -> Commitment:
    """The commitment as somebody reads it who trusts these authorities."""
    return replace(commitment, authorities=trusted)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "label_seed", fast_label_seed)


def test_the_beacon_is_that_of_the_first_token() -> None:
    commitment = commitment_of(MAKER, MAKER, OTHER)
    trusted = (OTHER.trusted(), MAKER.trusted())
    for_reader(commitment, trusted).verify()
    evidence = commitment.timestamps[0]
    expected = verify_token(evidence, commitment.digest, MAKER.trusted()).beacon
    assert for_reader(commitment, trusted).beacon() == expected
    seed = fast_label_seed(commitment.digest, expected)
    drawn = for_reader(commitment, trusted).labels().tolist()
    assert drawn == [labels.label(seed, i, 1000) for i in range(8)]
    bare = fast_label_seed(commitment.digest, None)
    assert drawn != [labels.label(bare, i, 1000) for i in range(8)]


def test_another_token_of_the_authority_gives_other_labels() -> None:
    """Which is why asking again is priced."""
    first = commitment_of(MAKER, MAKER, MAKER.but(policy="1.2.3"))
    again = replace(first, timestamps=first.timestamps[::-1])
    trusted = (MAKER.trusted(policies=(MAKER.policy, "1.2.3")),)
    assert first.digest == again.digest
    drawn = [for_reader(one, trusted).labels().tolist() for one in (first, again)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("tokens", "trusted"),
    [
        ((), (MAKER.trusted(),)), ((MAKER,), ()), ((MAKER,), (OTHER.trusted(),)),
        ((OTHER,), (OTHER.trusted(), MAKER.trusted())),
        ((OTHER, MAKER), (OTHER.trusted(), MAKER.trusted())),
        ((MAKER,), (MAKER.trusted(policies=("1.2.3",)),)),
        ((MAKER,), (MAKER.trusted(demand_revocation=True),)),
    ],
)  # fmt: skip
def test_without_trust_in_the_named_authority_there_are_no_labels(
    tokens: tuple[TokenMaker, ...], trusted: tuple[object, ...]
) -> None:
    commitment = for_reader(commitment_of(MAKER, *tokens), trusted)
    for use in (commitment.verify, commitment.beacon, commitment.labels):
        with pytest.raises(TrustMaterialMissing) as caught:
            use()
        assert caught.value.check == "commitment.timestamp"
        assert caught.value.hint


def test_a_token_over_another_commitment_is_no_missing_trust() -> None:
    commitment = commitment_of(MAKER, MAKER)
    stolen = replace(commitment, timestamps=(MAKER.evidence(),))
    with pytest.raises(CouldNotCheck, match="something else") as caught:
        for_reader(stolen, (MAKER.trusted(),)).verify()
    assert caught.value.message.endswith("(timestamp.imprint)")
    assert caught.value.check == "commitment.timestamp"


def test_tokens_without_a_named_authority_enter_no_label() -> None:
    plain = commitment_of(None)
    dated = commitment_of(None, MAKER)
    assert dated.digest == plain.digest
    for_reader(dated, (MAKER.trusted(),)).verify()
    assert for_reader(dated, (MAKER.trusted(),)).beacon() is None
    assert for_reader(dated, (MAKER.trusted(),)).labels().tolist() == plain.labels().tolist()


def test_the_nonce_belongs_to_the_token() -> None:
    commitment = commitment_of(MAKER, MAKER)
    evidence = replace(commitment.timestamps[0], nonce=hashlib.sha256(NONCE).digest()[:16])
    with pytest.raises(CouldNotCheck, match="another nonce"):
        for_reader(replace(commitment, timestamps=(evidence,)), (MAKER.trusted(),)).labels()
