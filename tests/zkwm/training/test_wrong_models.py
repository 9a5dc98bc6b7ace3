"""Models that a user hands to ``embed`` by mistake: refused before training; the hint helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from tests.support import small_training as small
from tests.support.embed_attempts import accept, parts, refusal
from zkwm.nn.inference import predictions
from zkwm.nn.onnx_export import to_onnx
from zkwm.suspects import open_suspect
from zkwm.training import embed
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.suspect_identity import Preprocessing


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(small.CLASSES))


def test_models_that_cannot_be_trained() -> None:
    dense = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(small.SHAPE)), small.CLASSES))
    images = torch.zeros(2, *small.SHAPE)
    assert "scripted" in refusal(torch.jit.script(dense)).message
    assert "scripted" in refusal(torch.jit.trace(dense, images)).message
    assert "'meta'" in refusal(nn.Sequential(*dense).to("meta")).message
    assert "not one function" in refusal(lambda images: images).message
    assert "load_state_dict" in refusal(dense.state_dict()).hint
    assert "lazy" in refusal(lazy()).message
    called = lazy()
    called(images)
    accept(called)
    wrapped = nn.DataParallel(small.model())
    assert "model.module" in refusal(wrapped).hint
    accept(wrapped.module)


def test_weight_norm_that_cannot_be_copied() -> None:
    def dense(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
        layer = nn.Linear(int(np.prod(small.SHAPE)), small.CLASSES)
        model = nn.Sequential(nn.Flatten(), norm(layer))
        model(torch.zeros(2, *small.SHAPE))
        return model

    assert "cannot be copied" in refusal(dense(nn.utils.weight_norm)).message
    accept(dense(nn.utils.parametrizations.weight_norm))


class Auxiliary(nn.Module):
    """An auxiliary head whose logits are given in training mode only."""

    def __init__(self, *, both: bool) -> None:
        super().__init__()
        self.both = both
        self.features = nn.Linear(int(np.prod(small.SHAPE)), 20)
        self.auxiliary = nn.Linear(20, small.CLASSES)
        self.head = nn.Linear(20, small.CLASSES)

    def forward(self, images: Tensor) -> Any:
        flat = self.features(images.flatten(1)).relu()
        if self.training and self.both:
            return self.head(flat), self.auxiliary(flat)
        return self.head(flat)


@pytest.mark.parametrize("method", ["plain", "robust"])
def test_a_tuple_in_training_mode_only(method: str) -> None:
    error = refusal(Auxiliary(both=True), method=method)
    assert "gives a tuple in training mode" in error.message
    accept(Auxiliary(both=False), method=method)


class Shallow(nn.Module):
    """A linear classifier, and weights that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.aside = nn.Linear(3, 3)
        self.head = nn.Linear(int(np.prod(small.SHAPE)), small.CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.head(images.flatten(1))
        return answer


def test_the_robust_method_needs_something_to_train_that_leads_to_the_head() -> None:
    assert "nothing to train before" in refusal(Shallow(), method="robust").message
    accept(Shallow(), method="plain")


def test_trying_a_model_in_training_mode_changes_nothing() -> None:
    model = nn.Sequential(
        nn.BatchNorm2d(small.SHAPE[0]), nn.Flatten(), nn.Dropout(),
        nn.Linear(int(np.prod(small.SHAPE)), small.CLASSES),
    )  # fmt: skip
    from zkwm.nn.image_source import open_source
    from zkwm.training.setup import prepared_copy

    device = torch.device("cpu")
    before = torch.random.get_rng_state()
    copied, _ = prepared_copy(model, open_source(small.data(), device), None, device)
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, tensor in model.state_dict().items():
        assert torch.equal(copied.state_dict()[name], tensor), name


def dense(*after: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(int(np.prod(small.SHAPE)), 20), nn.ReLU(),
        nn.Linear(20, small.CLASSES), *after,
    )  # fmt: skip


class Ending(nn.Module):
    """A network whose last step is a function, not a module."""

    def __init__(self, last: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.inner, self.last = dense(), last

    def forward(self, images: Tensor) -> Any:
        return self.last(self.inner(images))


@pytest.mark.parametrize("method", ["plain", "robust"])
@pytest.mark.parametrize(
    ("last", "called"),
    [
        (nn.Softmax(dim=1), "softmax"),
        (nn.Sigmoid(), "sigmoid"),
        (Tensor.sigmoid, "sigmoid"),
        (lambda scores: scores.softmax(1).view(-1, small.CLASSES), "softmax"),
        (lambda scores: scores.exp() / scores.exp().sum(1, keepdim=True), "softmax"),
    ],
)
def test_probabilities_instead_of_logits(last: Any, called: str, method: str) -> None:
    error = refusal(Ending(last), method=method)
    assert f"ends in {called}" in error.message
    assert f"leave {called} out" in error.hint
    assert "plain" not in error.hint


def test_log_probabilities_are_logits() -> None:
    accept(dense(nn.LogSoftmax(dim=1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_another_precision(dtype: torch.dtype) -> None:
    error = refusal(dense().to(dtype))
    assert str(dtype).removeprefix("torch.") in error.message
    assert "model.float()" in error.hint
    accept(dense().to(dtype).float(), precision="bfloat16")


def test_a_compiled_network() -> None:
    compiled = torch.compile(dense())
    assert "model._orig_mod" in refusal(compiled).hint
    accept(compiled._orig_mod)


def by_values(scores: Tensor) -> Tensor:
    return scores if bool(scores.sum() > 0) else -scores


def test_a_network_that_counts_its_images_in_python_is_exported(tmp_path: Path) -> None:
    model = Ending(lambda scores: scores.view(len(scores), small.CLASSES))
    accept(model)
    (tmp_path / "model.onnx").write_bytes(to_onnx(model, small.SHAPE))
    suspect = open_suspect(tmp_path, shape=small.SHAPE)
    images = small.data().test_images
    answers = [one.output for one in suspect.answer(images, Preprocessing())]
    suspect.close()
    assert answers == predictions(model, torch.tensor(images)).tolist()


def test_a_network_that_cannot_be_exported_is_refused_before_it_is_trained(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Unsupported) as caught:
        embed(Ending(by_values), small.data(), small.triggers(), settings=small.settings(epochs=1))
    assert "data-dependent" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert "EmbedLoss" in caught.value.hint
    assert capfd.readouterr() == ("", "")
    with pytest.raises(Unsupported, match="data-dependent"):
        to_onnx(Ending(by_values), small.SHAPE)


@pytest.mark.parametrize("method", ["plain", "robust"])
def test_an_answer_with_logits_is_taken_and_exported(tmp_path: Path, method: str) -> None:
    configuration = ViTConfig(
        image_size=12, patch_size=6, num_channels=1, num_labels=small.CLASSES, hidden_size=16,
        num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    )  # fmt: skip
    model = ViTForImageClassification(configuration)
    train, test = parts(lambda images: images / 255)
    items = [[{"pixel_values": x, "labels": int(y)} for x, y in part] for part in (train, test)]
    result = embed(model, items, small.triggers(), settings=small.settings(epochs=1, method=method))
    assert isinstance(result.model, ViTForImageClassification)
    (tmp_path / "model.onnx").write_bytes(to_onnx(result.model, small.SHAPE))
    suspect = open_suspect(tmp_path, shape=small.SHAPE)
    images = small.data().test_images
    answers = [one.output for one in suspect.answer(images, Preprocessing())]
    suspect.close()
    assert answers == predictions(result.model, torch.tensor(images)).tolist()
