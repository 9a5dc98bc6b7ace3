from __future__ import annotations

import math

import pytest

from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.training import EmbedSettings, default_settings
from zkwm.training.settings import exposures_of, with_exposures
from zkwm_protocols.errors import UsageError


def test_authors_settings_for_cifar() -> None:
    settings = EmbedSettings.adi_cifar()
    assert (settings.learning_rate, settings.momentum, settings.weight_decay) == (0.1, 0.9, 5e-4)
    assert (settings.epochs, settings.batch_size, settings.triggers_per_batch) == (60, 100, 2)
    assert settings.augment
    assert default_settings("resnet18", method="plain") == settings
    rates = [settings.rate(epoch, 0, 500) for epoch in (0, 19, 20, 39, 40, 59)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize(
    ("images", "triggers", "batch_size", "triggers_per_batch", "epochs"),
    [
        (60_000, 200, 100, 4, 10),
        (60_000, 0, 100, 2, 10),
        (60_000, 1000, 100, 10, 10),
        (8_000, 200, 50, 5, 10),
    ],
)
def test_defaults_follow_the_amount_of_data(
    images: int, triggers: int, batch_size: int, triggers_per_batch: int, epochs: int
) -> None:
    sizes = {"images": images, "triggers": triggers, "method": "plain"}
    settings = default_settings("lenet5", **sizes)
    assert settings.epochs == epochs
    assert (settings.batch_size, settings.triggers_per_batch) == (batch_size, triggers_per_batch)
    chosen = default_settings("lenet5", **sizes, triggers_per_batch=3)
    assert chosen.triggers_per_batch == 3
    trained = default_settings("lenet5", pretrained=True, **sizes)
    assert trained.epochs * (images // batch_size) >= 3000


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_robust_method_is_the_default(architecture: str) -> None:
    settings = default_settings(architecture, images=20_000, triggers=200)
    assert settings.method == "robust"
    assert settings.triggers_per_batch == settings.batch_size // (
        10 if settings.batch_size == 500 else 4
    )
    assert default_settings(architecture, method="plain").method == "plain"


@pytest.mark.parametrize("exposures", [1, 100, 400, 3200])
def test_exposures_decide_the_triggers_of_a_batch(exposures: int) -> None:
    settings = default_settings("lenet5", images=20_000, method="robust")
    chosen = with_exposures(settings, exposures, images=20_000, triggers=200)
    steps = 16 * 200
    assert chosen.triggers_per_batch == -(-200 * exposures // steps)
    shown = exposures_of(chosen, images=20_000, triggers=200)
    assert exposures <= shown < exposures + steps / 200


def test_the_default_budgets_differ() -> None:
    shown = [
        exposures_of(
            default_settings("cnn2", images=20_000, triggers=200, method=method), 20_000, 200
        )
        for method in ("plain", "robust")
    ]
    assert shown == [100, 400]


def test_more_exposures_than_steps_are_refused() -> None:
    settings = default_settings("lenet5", images=20_000)
    with pytest.raises(UsageError, match="3201 exposures"):
        with_exposures(settings, 3201, images=20_000, triggers=200)


def test_cosine_runs_from_the_rate_to_zero() -> None:
    settings = EmbedSettings(epochs=4, learning_rate=0.2, schedule="cosine")
    rates = [settings.rate(epoch, step, 10) for epoch in range(4) for step in range(10)]
    assert rates[0] == 0.2
    assert rates == sorted(rates, reverse=True)
    assert rates[20] == pytest.approx(0.1)
    assert 0 < rates[-1] < 0.001


def test_linear_runs_from_the_rate_to_zero() -> None:
    settings = EmbedSettings(epochs=4, learning_rate=0.2, schedule="linear")
    rates = [settings.rate(epoch, step, 5) for epoch in range(4) for step in range(5)]
    assert rates == pytest.approx([0.2 * (1 - step / 20) for step in range(20)])


def test_airbench_has_large_batches_with_fifteen_triggers() -> None:
    settings = default_settings("airbench", images=50_000, method="plain")
    assert settings == EmbedSettings.airbench()
    assert (settings.batch_size, settings.triggers_per_batch, settings.epochs) == (500, 15, 18)
    many = default_settings("airbench", images=50_000, method="plain", triggers=1000)
    assert many.triggers_per_batch == 50
    robust = default_settings("airbench", images=50_000)
    assert (robust.epochs, robust.triggers_per_batch) == (18, 50)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pretrained_is_shorter_and_gentler(architecture: str) -> None:
    scratch = default_settings(architecture)
    pretrained = default_settings(architecture, pretrained=True, seed=7)
    assert pretrained.epochs < scratch.epochs
    assert pretrained.learning_rate < scratch.learning_rate
    assert pretrained.seed == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"optimizer": "adam"},
        {"augmentation": "none"},
        {"label_smoothing": 0.6},
        {"cutout": -1},
        {"cutout": 1001},
        {"epochs": 1.5},
        {"epochs": True},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"learning_rate": "0.1"},
        {"batch_size": 0},
        {"triggers_per_batch": 0},
        {"momentum": -0.1},
        {"weight_decay": 2.0},
        {"schedule": "exponential"},
        {"precision": "float16"},
        {"method": "strong"},
        {"seed": -1},
        {"seed": 2**63},
        {"augment": 1},
        {"learning_rate_drop": 0.0},
        {"drop_every": 0},
        {"device": 0},
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        EmbedSettings(**({"epochs": 1, "learning_rate": 0.1} | changes))


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(UsageError, match="no built-in architecture") as caught:
        default_settings("vgg16")
    assert "give no name" in caught.value.hint


def test_a_network_of_the_owners_begins_with_what_was_measured() -> None:
    own = default_settings(images=3000, triggers=50)
    assert own == default_settings("cnn2", images=3000, triggers=50)


def test_whole_numbers_are_accepted_as_real_ones() -> None:
    assert EmbedSettings(epochs=1, learning_rate=1).to_map()["learning_rate"] == 1.0
