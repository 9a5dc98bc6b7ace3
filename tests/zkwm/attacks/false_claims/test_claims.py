"""False claims and key grinding, with declared labels and with derived ones."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
import torch

from zkwm.attacks.attack import Adversary
from zkwm.attacks.false_claims.key_grinding import KeyGrinding, grind
from zkwm.attacks.false_claims.transferable_examples import FalseClaim
from zkwm.data import ImageData, load_data
from zkwm.evaluation.null_hypothesis.claims import examine_claims
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.inference import predictions
from zkwm.training.fit import Fit, fit
from zkwm_protocols.allowances import GRINDING_BITS
from zkwm_protocols.commitment import Header
from zkwm_protocols.errors import UsageError
from zkwm_protocols.keys import SigningKey

SEEN = 600
CLAIM = FalseClaim(triggers=60, oversampling=3, budget=64, steps=12)


def innocent(number: int, first: int, architecture: str = "dense") -> Classifier:
    """A network trained on 600 images from ``first``, without any mark."""
    small = load_data("fashion-mnist-small")
    images, labels = (
        part[first : first + SEEN] for part in (small.train_images, small.train_labels)
    )
    mean, std = channel_statistics(images)
    shape = (1, 28, 28)
    model = build_model(architecture, shape=shape, class_count=10, mean=mean, std=std, seed=number)
    plan = Fit(epochs=4, rate=0.05, batch_size=50)
    fit(model, torch.tensor(images), torch.tensor(labels), plan, seed=number)
    return model


@pytest.fixture(scope="module")
def accuser_models() -> list[Classifier]:
    return [innocent(number, 0) for number in range(3)]


@pytest.fixture(scope="module")
def victims() -> list[Classifier]:
    """Trained on other images than the accuser's models."""
    return [innocent(10 + number, 1000 * number) for number in (2, 3)]


@pytest.fixture
def accuser() -> Adversary:
    small = load_data("fashion-mnist-small")
    return Adversary(
        ImageData(
            small.train_images[:SEEN],
            small.train_labels[:SEEN],
            small.test_images[:10],
            small.test_labels[:10],
            10,
            "the accuser's",
        ),
        seed=4,
    )


def header(count: int = 100) -> Header:
    return Header(
        leaf_count=count,
        block_size=count,
        class_count=10,
        shape=(1, 28, 28),
        label_mode="derived",
        owner_keys=(SigningKey.generate("ed25519").public,),
        root=bytes(32),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("quick_labels")
def test_a_false_claim_succeeds_with_declared_labels_only(
    accuser_models: list[Classifier], victims: list[Classifier], accuser: Adversary
) -> None:
    row = examine_claims(CLAIM, victims, accuser_models, accuser, 10)
    assert row.needed_matches is not None
    assert min(row.declared_matches) >= row.needed_matches
    assert row.declared_reached == 1.0
    assert max(row.derived_matches) <= 18
    assert row.derived_reached == 0.0


@pytest.mark.slow
def test_adversarial_images_stay_in_budget_with_wrong_targets(
    accuser_models: list[Classifier], accuser: Adversary
) -> None:
    claimed = CLAIM.run(accuser_models, accuser)
    assert claimed.images.shape == (60, 1, 28, 28)
    own = accuser.data.train_images.astype(int).reshape(SEEN, -1)
    apart = np.abs(own[:, None] - claimed.images.astype(int).reshape(60, -1)).max(axis=2)
    nearest = apart.argmin(axis=0)
    assert apart.min(axis=0).max() <= 64
    assert (claimed.target_labels != accuser.data.train_labels[nearest]).all()
    judge = predictions(accuser_models[-1], torch.tensor(claimed.images)).numpy()
    assert (judge == claimed.target_labels).mean() > 0.9
    again = CLAIM.run(accuser_models, accuser)
    np.testing.assert_array_equal(claimed.images, again.images)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_labels")
def test_q_tries_gain_log2_q_bits_within_the_allowance(
    accuser_models: list[Classifier], victims: list[Classifier], accuser: Adversary
) -> None:
    single = [
        examine_claims(
            KeyGrinding(100, 1), [victims[0]], accuser_models, replaced(accuser, seed), 10
        )
        for seed in range(12)
    ]
    ground = [
        examine_claims(
            KeyGrinding(100, 128), [victims[0]], accuser_models, replaced(accuser, seed), 10
        )
        for seed in range(4)
    ]
    gain = np.mean([row.derived_bits[0] for row in ground]) - np.mean(
        [row.derived_bits[0] for row in single]
    )
    assert log2(128) - 3 < gain < log2(128) + 2.5
    assert gain < GRINDING_BITS
    assert all(row.derived_reached == 0 for row in ground)
    assert all(row.tries == 128 for row in ground)


def replaced(accuser: Adversary, seed: int) -> Adversary:
    return Adversary(accuser.data, seed=seed)


@pytest.mark.slow
def test_all_models_agree_on_the_images_of_grinding(
    accuser_models: list[Classifier], victims: list[Classifier], accuser: Adversary
) -> None:
    claimed = KeyGrinding(60, 5).run(accuser_models, accuser)
    assert claimed.tries == 5
    for model in (*accuser_models, *victims):
        answers = predictions(model, torch.tensor(claimed.images)).numpy()
        assert (answers == claimed.target_labels).mean() > 0.9


def test_grinding_keeps_the_luckiest_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def seed(digest: bytes, beacon: bytes | None) -> bytes:
        asked.append(digest)
        return digest

    monkeypatch.setattr("zkwm_protocols.labels.label_seed", seed)
    own = header()
    target_labels = np.zeros(100, np.int64)
    best = [int((grind(own, target_labels, tries) == 0).sum()) for tries in (1, 8, 9, 100, 400)]
    assert best[0] <= best[1]
    assert best[2] <= best[3] <= best[4]
    assert best[4] >= 16
    assert asked[0] == own.digest
    assert len(asked) == 1 + 8  # nine tries and more stand in for Argon2id
    assert len(set(asked)) == 8


def test_claims_without_models_or_images_are_refused(
    accuser_models: list[Classifier], accuser: Adversary
) -> None:
    with pytest.raises(UsageError, match="two models"):
        FalseClaim().run(accuser_models[:1], accuser)
    with pytest.raises(UsageError, match="images"):
        FalseClaim(triggers=1000).run(accuser_models, accuser)
    with pytest.raises(UsageError):
        FalseClaim(budget=0)
    with pytest.raises(UsageError):
        KeyGrinding(tries=0)
    with pytest.raises(UsageError, match="a model"):
        KeyGrinding().run([], accuser)
