"""Searching for a commitment whose labels fit, and models that make luck likely: SPEC.md 5.4, 8.

Derived labels are uniform and independent of the images, so no model and no images are luckier
than others; trying many commitments gains the logarithm of the tries, for which 48 bits are
subtracted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import CLASSES, SHAPE, Claimant, TableSuspect, random_images
from zkwm.judge.judge import Judge
from zkwm_protocols import labels as labels_module
from zkwm_protocols.errors import NotProven
from zkwm_protocols.evidence import assess, null_distribution
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.labels import label
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.policy import Policy

TRIES = 400
TRIGGERS = 50
QUANTILE = 29.6  # chi-square, 10 degrees of freedom, one in a thousand


def chi_square(counts: NDArray[np.int64]) -> float:
    """Matches of 50 against Binomial(50, 1/10), in eleven bins: up to 1, 2, ... 10, more."""
    distribution = np.array(null_distribution(TRIGGERS, CLASSES))
    expected = len(counts) * np.array(
        [distribution[:2].sum(), *distribution[2:11], distribution[11:].sum()]
    )
    bins = [counts <= 1, *(counts == k for k in range(2, 11)), counts >= 11]
    found = np.array([int(chosen.sum()) for chosen in bins])
    return float(((found - expected) ** 2 / expected).sum())


def drawn_labels(tries: int) -> NDArray[np.int64]:
    """The labels of 50 triggers under ``tries`` different seeds, int64 (tries, 50)."""
    seeds = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(tries)]
    return np.array([[label(seed, i, CLASSES) for i in range(TRIGGERS)] for seed in seeds])


def one_class(_: NDArray[np.uint8]) -> int:
    return 7


def two_classes(image: NDArray[np.uint8]) -> int:
    return 3 if image[0, 0, 0] < 128 else 4


def skewed(image: NDArray[np.uint8]) -> int:
    return 0 if image[0, 0, 0] < 230 else int(image[0, 0, 1]) % CLASSES


def spread(image: NDArray[np.uint8]) -> int:
    return int(image.astype(int).sum()) % CLASSES


@pytest.mark.parametrize("rule", [one_class, two_classes, skewed, spread])
@pytest.mark.parametrize("images", ["random", "one image fifty times", "adversarial"])
def test_matches_are_binomial_for_any_model_and_any_images(
    rule: Callable[[NDArray[np.uint8]], int], images: str
) -> None:
    """Adversarial: images picked because the model answers them with one class."""
    chosen = random_images(2000, 1)
    if images == "one image fifty times":
        chosen = np.repeat(chosen[:1], TRIGGERS, axis=0)
    elif images == "adversarial":
        given = np.array([rule(image) for image in chosen])
        chosen = chosen[given == np.bincount(given).argmax()]
    answers = np.array([rule(image) for image in chosen[:TRIGGERS]])
    counts = (drawn_labels(2000) == answers).sum(axis=1)
    assert chi_square(counts) < QUANTILE


def test_a_constant_model_is_not_convicted(judge: Judge) -> None:
    suspect = TableSuspect(rule=one_class)
    for seed in range(20):
        accuser = Claimant(random_images(TRIGGERS, seed), salt_seed=seed)
        challenge = judge.challenge(accuser.commitment, suspect, reveal=TRIGGERS)
        with pytest.raises(NotProven) as caught:
            judge.verify(accuser.commitment, suspect, challenge, accuser.answer(challenge, [0]))
        assert caught.value.verdict.evidence.total_bits < -48


def test_one_image_in_every_leaf_is_asked_once_and_gains_nothing(judge: Judge) -> None:
    accuser = Claimant(np.repeat(random_images(1), TRIGGERS, axis=0))
    suspect = TableSuspect(rule=one_class)
    challenge = judge.challenge(accuser.commitment, suspect, reveal=TRIGGERS)
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, suspect, challenge, accuser.answer(challenge, [0]))
    assert len(suspect.asked[0]) == 1
    assert caught.value.verdict.evidence.matches == int((accuser.labels == 7).sum())


def test_everything_in_the_header_and_every_salt_changes_all_labels() -> None:
    """What an accuser can vary at no cost; each new D needs a new seed, whose price is charged."""
    accuser = Claimant(random_images(TRIGGERS, 1))
    header = accuser.commitment.header
    variants = {
        "salt": Claimant(
            random_images(TRIGGERS, 1), salt_seed=1, keys=accuser.keys
        ).commitment.header,
        "owner_model": replace(header, owner_model=bytes(32)),
        "block_size": replace(header, block_size=25),
        "class_count": replace(header, class_count=11),
        "owner_keys": replace(header, owner_keys=(SigningKey.generate().public,)),
        "shape": replace(header, shape=(1, 4, 16)),
    }
    digests = {header.digest, *(variant.digest for variant in variants.values())}
    assert len(digests) == 1 + len(variants)
    for name, variant in variants.items():
        drawn = labels_module.derive_labels(variant.digest, None, TRIGGERS, CLASSES)
        assert (drawn == accuser.labels).mean() < 0.5, name


def test_grinding_a_few_hundred_commitments_gains_their_logarithm() -> None:
    """The best of 400 commitments, by owner_model alone: about log2(400) bits, of 48 charged."""
    suspect = TableSuspect(rule=spread)
    images = random_images(TRIGGERS, 3)
    answers = np.array([suspect.rule(image) for image in images])
    base = Claimant(images).commitment.header
    best = 0
    for number in range(TRIES):
        digest = replace(base, owner_model=number.to_bytes(32, "big")).digest
        drawn = labels_module.derive_labels(digest, None, TRIGGERS, CLASSES)
        best = max(best, int((drawn == answers).sum()))
    evidence = assess(
        best,
        blocks_used=1,
        block_count=1,
        block_size=TRIGGERS,
        class_count=CLASSES,
        policy=Policy(threshold_bits=1),
    )
    terms = {term.name: term.bits for term in evidence.terms}
    assert math.log2(TRIES) / 2 < terms["matches by chance"] < math.log2(TRIES) + 10
    assert terms["grinding of the commitment"] == -48
    assert not evidence.reached


def test_the_true_seed_costs_argon2id_of_256_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The price of a try is what the header's D costs, and D is all that enters."""
    monkeypatch.undo()
    asked: list[tuple[int, int]] = []
    real = labels_module.password_key

    def record(password: bytes, salt: bytes, *, operations: int, memory_bytes: int) -> bytes:
        asked.append((operations, memory_bytes))
        return real(password, salt, operations=1, memory_bytes=8 * 2**20)

    monkeypatch.setattr(labels_module, "password_key", record)
    commitment = make_commitment(
        random_images(1),
        [bytes(32)],
        class_count=CLASSES,
        signers=(SigningKey.generate(),),
        block_size=1,
    )
    commitment.labels()
    assert asked == [(3, 256 * 2**20)]
    assert commitment.header.shape == SHAPE
