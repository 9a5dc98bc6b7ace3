"""Marks from trainings of the owner's own, beside those of ``zkwm.embed``: what they keep.

``python benchmarks/own_training.py WAY ... >> benchmarks/results/own_training.jsonl`` trains on
3,000 images of the bundled Fashion-MNIST with 50 triggers, and then attacks as Adi et al. 2018 do,
with 2,000 other images: FTAL fine-tunes all layers, RTAL does so at twice the rate with a new head.
Ways are embed, loop and lightning (the network cnn2, SGD), loop-adamw, and vit-embed and
vit-trainer (a vision transformer, AdamW); each with ``/plain`` or ``/robust`` behind it.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, TensorDataset

import zkwm
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.image_source import open_source
from zkwm.nn.inference import accuracy, matches
from zkwm.training.fit import Fit, fit
from zkwm.training.robust.frozen_head import head_name
from zkwm.triggers import generate

SHAPE, CLASSES, TRIGGERS, EPOCHS = (1, 28, 28), 10, 50, 8
VIT_EPOCHS, VIT_RATE = 16, 0.001
WHOLE = zkwm.load_data("fashion-mnist-small")
OWN, OTHER = (
    replace(WHOLE, train_images=WHOLE.train_images[part], train_labels=WHOLE.train_labels[part])
    for part in (slice(3000), slice(3000, 5000))
)


def trigger_set() -> zkwm.TriggerSet:
    """50 triggers of the family ``secret`` with random labels."""
    images = generate("secret", TRIGGERS, SHAPE, key=bytes(32)).images
    labels = np.random.default_rng(0).integers(0, CLASSES, TRIGGERS)
    return zkwm.TriggerSet(images, labels, "secret", TRIGGERS, CLASSES)


MARK = trigger_set()


def settings_of(method: str, epochs: int = EPOCHS) -> zkwm.EmbedSettings:
    """The defaults for these images and triggers."""
    return zkwm.default_settings(
        images=3000, triggers=TRIGGERS, method=method, epochs=epochs, device="cpu"
    )


def cnn() -> nn.Module:
    """The built-in network of the measurements."""
    mean, std = channel_statistics(OWN.train_images)
    return build_model("cnn2", shape=SHAPE, class_count=CLASSES, mean=mean, std=std)


def vit() -> nn.Module:
    """A vision transformer of 72,000 weights, with random ones."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    return ViTForImageClassification(
        ViTConfig(
            image_size=28, patch_size=7, num_channels=1, num_labels=CLASSES, hidden_size=64,
            num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )
    )  # fmt: skip


def dataset() -> TensorDataset:
    """The training images as floats, and their labels."""
    return TensorDataset(torch.tensor(OWN.train_images) / 255, torch.tensor(OWN.train_labels))


def batches(size: int) -> DataLoader[Any]:
    """Shuffled batches of the training images."""
    torch.manual_seed(1)
    return DataLoader(dataset(), batch_size=size, shuffle=True, drop_last=True)


def by_embed(method: str) -> nn.Module:
    """SGD, by ``zkwm.embed``."""
    return zkwm.embed(cnn(), OWN, MARK, settings=settings_of(method)).model


def by_vit_embed(method: str) -> nn.Module:
    """AdamW, by ``zkwm.embed``."""
    return zkwm.embed(
        vit(), OWN, MARK, settings=settings_of(method, VIT_EPOCHS),
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=VIT_RATE),
    ).model  # fmt: skip


def by_loop(method: str, *, adamw: bool = False) -> nn.Module:
    """A plain loop with ``EmbedLoss``."""
    settings, model = settings_of(method), cnn()
    loader = batches(settings.batch_size)
    steps = EPOCHS * len(loader)
    optimizer: torch.optim.Optimizer
    if adamw:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.002)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = CosineAnnealingLR(optimizer, steps)
    loss = zkwm.EmbedLoss(model, MARK, settings=settings, steps=steps, optimizer=optimizer)
    model.train()
    for _ in range(EPOCHS):
        for batch in loader:
            optimizer.zero_grad()
            loss.loss(model, batch).backward()
            optimizer.step()
            schedule.step()
    return model


def by_lightning(method: str) -> nn.Module:
    """The same network and optimizer in Lightning."""
    import lightning

    class Module(lightning.LightningModule):
        """A classifier."""

        def __init__(self) -> None:
            super().__init__()
            self.network = cnn()

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
            """Cross-entropy."""
            images, labels = batch
            return functional.cross_entropy(self.network(images), labels)

        def configure_optimizers(self) -> Any:  # noqa: ANN401
            """SGD under a cosine."""
            optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
            schedule = CosineAnnealingLR(optimizer, EPOCHS * 60)
            return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    module, settings = Module(), settings_of(method)
    callback = zkwm.LightningEmbedCallback(MARK, settings=settings, network="network")
    trainer = lightning.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[callback],
    )  # fmt: skip
    trainer.fit(module, batches(settings.batch_size))
    return module.network


def by_vit_trainer(method: str) -> nn.Module:
    """The Trainer of Hugging Face, AdamW."""
    from transformers import Trainer, TrainingArguments

    items = [{"pixel_values": image, "labels": int(label)} for image, label in dataset()]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=VIT_EPOCHS, per_device_train_batch_size=50,
            learning_rate=VIT_RATE, lr_scheduler_type="cosine", save_strategy="no",
            report_to="none", disable_tqdm=True, use_cpu=True, logging_strategy="no",
        )  # fmt: skip
        callback = zkwm.TrainerEmbedCallback(MARK, settings=settings_of(method, VIT_EPOCHS))
        trainer = Trainer(vit(), arguments, train_dataset=items, callbacks=[callback])
        trainer.train()
    return trainer.model


WAYS: dict[str, Callable[[str], nn.Module]] = {
    "embed": by_embed,
    "loop": by_loop,
    "loop-adamw": lambda method: by_loop(method, adamw=True),
    "lightning": by_lightning,
    "vit-embed": by_vit_embed,
    "vit-trainer": by_vit_trainer,
}


class Logits(nn.Module):
    """A network that gives its logits alone, as the attacks ask for them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, classes)."""
        from zkwm.nn.class_scores import class_scores

        return class_scores(self.network(images))


def surviving(model: nn.Module, rate: float, *, new_head: bool) -> int:
    """How many triggers get their label after fine-tuning of all layers."""
    stolen = Logits(copy.deepcopy(model))
    torch.manual_seed(0)
    if new_head:
        head = stolen.get_submodule(head_name(stolen, torch.rand(2, *SHAPE)))
        head.reset_parameters()
    images, labels = torch.tensor(OTHER.train_images), torch.tensor(OTHER.train_labels)
    fit(stolen, images, labels, Fit(epochs=8, rate=rate, batch_size=100), seed=0)
    return found(stolen)


def found(model: nn.Module) -> int:
    """How many triggers get their label."""
    return matches(model, torch.tensor(MARK.images), torch.tensor(MARK.labels))


def main() -> None:
    """Train in each of the ways that are named; one line of JSON each."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    source = open_source(WHOLE, torch.device("cpu"))
    for way in sys.argv[1:]:
        name, _, method = way.partition("/")
        began = time.process_time()
        model = WAYS[name](method).cpu().eval()
        seconds = time.process_time() - began
        row = {
            "way": name, "method": method, "accuracy": round(accuracy(model, source), 4),
            "matches": found(model), "of": TRIGGERS, "cpu_seconds": round(seconds, 1),
            "after_ftal": surviving(model, 0.05, new_head=False),
            "after_rtal": surviving(model, 0.1, new_head=True),
        }  # fmt: skip
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
