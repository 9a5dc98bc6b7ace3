"""The Trainer of Hugging Face itself trains, and the callback embeds the mark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    ResNetConfig,
    ResNetForImageClassification,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

from tests.support import small_training as small
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import predictions
from zkwm.training import TrainerEmbedCallback
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing

NORMALIZED = Preprocessing(mean=("0.3",), std=("0.2",))


def vit() -> ViTForImageClassification:
    """A small vision transformer with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ViTForImageClassification(
            ViTConfig(
                image_size=12, patch_size=4, num_channels=1, num_labels=small.CLASSES,
                hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            )
        )  # fmt: skip


def resnet() -> ResNetForImageClassification:
    """A small network with batch norm.

    Transformers 5.24 saves a ViT's weights under other names than its Trainer restores, so a ViT
    that resumes begins with new weights; this one is restored.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResNetForImageClassification(
            ResNetConfig(
                num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1],
                layer_type="basic", num_labels=small.CLASSES,
            )
        )  # fmt: skip


def items(part: str) -> list[dict[str, Any]]:
    """Normalized images and labels, as an image processor gives them."""
    data = small.data()
    images = (as_unit(torch.tensor(getattr(data, f"{part}_images"))) - 0.3) / 0.2
    labels = getattr(data, f"{part}_labels").tolist()
    return [{"pixel_values": x, "labels": y} for x, y in zip(images, labels, strict=True)]


def accuracy(prediction: Any) -> dict[str, float]:
    assert len(prediction.predictions) == len(prediction.label_ids) == 60
    return {"accuracy": float((prediction.predictions.argmax(1) == prediction.label_ids).mean())}


def trainer(
    folder: Path, callback: TrainerEmbedCallback, model: Any = vit, **given: Any
) -> Trainer:
    arguments = {
        "num_train_epochs": 20, "per_device_train_batch_size": 20,
        "per_device_eval_batch_size": 60, "learning_rate": 0.003,
        "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "use_cpu": True,
        "dataloader_drop_last": True, "logging_strategy": "no", "dataloader_pin_memory": False,
    }  # fmt: skip
    return Trainer(
        model=model(),
        args=TrainingArguments(output_dir=str(folder), **(arguments | given)),
        train_dataset=items("train"),
        eval_dataset=items("test"),
        compute_metrics=accuracy,
        callbacks=[callback],
    )


def callback(method: str) -> TrainerEmbedCallback:
    settings = small.settings(method=method)
    return TrainerEmbedCallback(small.triggers(), settings=settings, preprocessing=NORMALIZED)


@pytest.mark.parametrize("method", ["robust", pytest.param("plain", marks=pytest.mark.slow)])
def test_the_trainer_learns_task_and_triggers(tmp_path: Path, method: str) -> None:
    embed = callback(method)
    training = trainer(tmp_path, embed)
    training.train()
    assert embed.matches() == 10
    assert training.evaluate()["eval_accuracy"] >= 0.9
    triggers = small.triggers()
    shown = (as_unit(torch.tensor(triggers.images)) - 0.3) / 0.2
    assert predictions(training.model, shown).tolist() == triggers.labels.tolist()
    network = training.model.train()  # and its hooks are gone
    assert len(network(pixel_values=shown, labels=torch.tensor(triggers.labels)).logits) == 10


@pytest.mark.parametrize("accumulated", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_trainer_resumes_the_mark_exactly(tmp_path: Path, accumulated: int) -> None:
    """From its own checkpoint at the end of an epoch, when look-ahead is at work."""
    given: dict[str, Any] = {
        "num_train_epochs": 4, "save_strategy": "epoch", "gradient_accumulation_steps": accumulated
    }  # fmt: skip
    whole = trainer(tmp_path, callback("robust"), resnet, **given)
    whole.train()
    step = 30 // accumulated
    assert (tmp_path / f"checkpoint-{step}" / "zkwm-embed.safetensors").exists()
    embed = callback("robust")
    resumed = trainer(tmp_path, embed, resnet, **given)
    resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
    weights: dict[str, Tensor] = resumed.model.state_dict()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def test_a_checkpoint_without_the_mark_is_refused(tmp_path: Path) -> None:
    given: dict[str, Any] = {"num_train_epochs": 1, "save_strategy": "epoch"}
    trainer(tmp_path, callback("plain"), **given).train()
    (tmp_path / "checkpoint-10" / "zkwm-embed.safetensors").unlink()
    with pytest.raises(UsageError, match="without the state of its mark"):
        trainer(tmp_path, callback("plain"), **given).train(
            resume_from_checkpoint=str(tmp_path / "checkpoint-10")
        )


def test_labels_that_do_not_reach_the_network_are_missed(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        trainer(tmp_path, callback("robust"), label_smoothing_factor=0.1).train()
    assert "neither label_smoothing_factor nor" in caught.value.hint
