"""What a user hands to ``embed`` by mistake: refused before any training, and the hint helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from transformers import ViTConfig, ViTForImageClassification

from tests.support import small_training as small
from zkwm.data import load_data
from zkwm.nn.inference import predictions
from zkwm.nn.onnx_export import to_onnx
from zkwm.suspects import open_suspect
from zkwm.training import embed
from zkwm_protocols.errors import Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def parts(change: Callable[[Tensor], Tensor]) -> tuple[Dataset[Any], Dataset[Any]]:
    """The small data as torch data sets, with its uint8 images changed."""
    data = small.data()
    train, test = torch.tensor(data.train_images), torch.tensor(data.test_images)
    return (
        TensorDataset(change(train), torch.tensor(data.train_labels)),
        TensorDataset(change(test), torch.tensor(data.test_labels)),
    )


def refusal(model: Any = None, data: Any = None, **settings: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        embed(
            small.model() if model is None else model,
            small.data() if data is None else data,
            small.triggers(),
            settings=small.settings(epochs=1, **settings),
        )
    assert caught.value.hint
    return caught.value


def accept(model: Any = None, data: Any = None, **settings: Any) -> None:
    """Train one epoch: what a hint advises is taken."""
    start = small.model() if model is None else model
    chosen = small.settings(epochs=1, **settings)
    embed(start, small.data() if data is None else data, small.triggers(), settings=chosen)


def test_floats_of_0_to_255() -> None:
    error = refusal(data=parts(Tensor.float))
    assert "from 0 to 219" in error.message
    assert "as uint8 tensors, or divide them by 255" in error.hint
    accept(data=parts(lambda images: images))
    accept(data=parts(lambda images: images / 255))


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.5), (0.2, 0.35)])
def test_normalized_images(mean: float, std: float) -> None:
    error = refusal(data=parts(lambda images: (images / 255 - mean) / std))
    assert "leave Normalize out" in error.hint

    class Normalized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small.model()

        def forward(self, images: Tensor) -> Tensor:
            answer: Tensor = self.inner((images - mean) / std)
            return answer

    accept(Normalized(), parts(lambda images: images / 255))


def test_overshoot_not_finite_and_one_bad_item_late() -> None:
    error = refusal(data=parts(lambda images: images / 255 * 1.1 - 0.05))
    assert "clamp(0, 1)" in error.hint
    accept(data=parts(lambda images: (images / 255 * 1.1 - 0.05).clamp(0, 1)))
    refusal(data=parts(lambda images: images / torch.zeros(())))

    def late(images: Tensor) -> Tensor:
        changed = images / 255
        changed[1] = 7.0
        return changed

    refusal(data=parts(late))


def test_a_test_set_is_looked_at_before_training() -> None:
    train, test = parts(lambda images: images)
    _, raw = parts(Tensor.float)
    assert "from 0 to 219" in refusal(data=(train, raw)).message
    narrow = [(image[:, 1:], label) for image, label in test]
    with pytest.raises(UsageError, match="differ in shape"):
        embed(small.model(), (train, narrow), None, settings=small.settings(epochs=1))


def test_a_list_of_two_is_a_pair() -> None:
    accept(data=list(parts(lambda images: images)))


class Stream(torch.utils.data.IterableDataset[Any]):
    """A data set without a length."""

    def __iter__(self) -> Any:
        return iter(())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda pair: pair[0], "not one TensorDataset"),
        (lambda pair: (*pair, pair[1]), "not a tuple of 3"),
        (lambda pair: (DataLoader(pair[0]), DataLoader(pair[1])), "not of loaders"),
        (lambda pair: {"train": pair[0], "test": pair[1]}, "not one dict"),
        (lambda pair: (pair[0].tensors[0].numpy(), pair[0].tensors[1].numpy()), "one ndarray"),
        (lambda pair: (Stream(), Stream()), "one Stream"),
        (lambda pair: ([{"image": 0, "label": 0}], pair[1]), "image 0"),
        (lambda pair: ([{"pixels": 0, "class": 0}], pair[1]), "'pixels', 'class' and no image"),
        (lambda pair: ([(x, torch.eye(small.CLASSES)[y]) for x, y in pair[0]], pair[1]), "item 0"),
        (lambda pair: ([(x, 3.7) for x, _ in pair[0]], pair[1]), "is 3.7, no whole number"),
        (lambda pair: ([(x, "3") for x, _ in pair[0]], pair[1]), "is '3', no whole number"),
        (lambda pair: ([(x, torch.tensor(2.0)) for x, _ in pair[0]], pair[1]), "tensor(2.)"),
    ],
    ids=[
        "one",
        "three",
        "loaders",
        "a dict",
        "arrays",
        "no length",
        "no image",
        "other names",
        "one-hot",
        "3.7",
        "text",
        "a float tensor",
    ],
)
def test_data_that_is_no_pair_of_data_sets(wrong: Callable[[Any], Any], said: str) -> None:
    assert said in refusal(data=wrong(parts(lambda images: images))).message


def test_pixels_that_are_not_finite() -> None:
    def broken(images: Tensor) -> Tensor:
        changed = images / 255
        changed[:, 0, 3, 3] = torch.nan
        return changed

    error = refusal(data=parts(broken))
    assert "NaN or infinity" in error.message
    assert "torch.isfinite" in error.hint
    assert "learning rate" not in error.hint


@pytest.mark.parametrize(
    "names", [("pixel_values", "labels"), ("image", "label"), ("img", "label")]
)
@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, torch.tensor])
def test_items_that_are_maps_and_labels_of_any_whole_type(
    names: tuple[str, str], kind: Callable[[int], Any]
) -> None:
    train, test = parts(lambda images: images)
    image, label = names
    data = tuple([{image: x, label: kind(int(y))} for x, y in part] for part in (train, test))
    mapped = embed(small.model(), data, small.triggers(), settings=small.settings(epochs=1))
    pairs = embed(small.model(), (train, test), small.triggers(), settings=small.settings(epochs=1))
    assert mapped.model_digest == pairs.model_digest


def test_the_data_sets_inside_loaders_are_taken() -> None:
    loaders = [DataLoader(part) for part in parts(lambda images: images)]
    assert "loader.dataset" in refusal(data=loaders).hint
    accept(data=tuple(loader.dataset for loader in loaders))


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


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels / 255,
        lambda pixels: (pixels / 255).astype(np.float32),
        lambda pixels: pixels.astype(np.float64),
        lambda pixels: pixels.astype(np.int64),
    ],
)
def test_the_hint_for_pixels_of_another_type(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    data = small.data()
    path = tmp_path / "data.npz"
    wanted = data.train_images[:, 0]

    def write(how: Callable[[np.ndarray], np.ndarray]) -> None:
        labels = data.train_labels
        np.savez(path, x_train=how(wanted), y_train=labels, x_test=how(wanted), y_test=labels)

    write(change)
    with pytest.raises(UsageError) as caught:
        load_data(path)
    advice = re.search(r"\(numpy: (.*)\)$", caught.value.hint)
    assert advice is not None
    write(lambda pixels: eval(advice[1], {"x": change(pixels)}))
    np.testing.assert_array_equal(load_data(path).train_images[:, 0], wanted)


def test_the_hint_for_pixels_that_were_normalized(tmp_path: Path) -> None:
    pixels = (small.data().train_images[:, 0] / 255 - 0.5) / 0.5
    labels = small.data().train_labels
    np.savez(tmp_path / "d.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    with pytest.raises(UsageError) as caught:
        load_data(tmp_path / "d.npz")
    assert "from -1 to" in caught.value.hint


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
