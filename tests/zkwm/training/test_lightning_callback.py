"""Lightning itself trains, and the callback embeds the mark."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from tests.support import small_training as small
from zkwm.nn.image_source import as_unit
from zkwm.training import LightningEmbedCallback
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.filterwarnings(
    "ignore:The '.*_dataloader' does not have many workers",
    "ignore:`isinstance.treespec, LeafSpec.` is deprecated",
    "ignore:Be aware that when using `ckpt_path`",
)
EPOCHS = 16


class Module(lightning.LightningModule):
    """A classifier as anybody writes it, with an optimizer and schedule of its own."""

    def __init__(self, architecture: str = "lenet5", form: str = "pair") -> None:
        super().__init__()
        self.network = small.model(architecture)
        self.form = form
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        images, labels = batch.values() if isinstance(batch, dict) else batch
        self.sizes.append(len(labels))
        loss = functional.cross_entropy(self(images), labels, label_smoothing=0.01)
        return {"loss": loss} if self.form == "map" else loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        images, labels = batch
        assert len(labels) == 60
        self.log("accuracy", (self(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.003)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.003, total_steps=10 * EPOCHS)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def loaders(form: str = "pair") -> tuple[DataLoader[Any], DataLoader[Any]]:
    data = small.data()
    train: Any = TensorDataset(
        as_unit(torch.tensor(data.train_images)), torch.tensor(data.train_labels)
    )
    test = TensorDataset(as_unit(torch.tensor(data.test_images)), torch.tensor(data.test_labels))
    if form == "map":
        train = [{"image": image, "label": label} for image, label in train]
    random = torch.Generator().manual_seed(0)
    return (
        DataLoader(
            train, batch_size=20, drop_last=True, shuffle=form != "ordered", generator=random
        ),
        DataLoader(test, batch_size=60),
    )


def trainer(folder: Path, *callbacks: Any, **given: Any) -> lightning.Trainer:
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    checkpointing = any(isinstance(one, ModelCheckpoint) for one in callbacks)
    return lightning.Trainer(
        accelerator="cpu", default_root_dir=folder, callbacks=list(callbacks),
        enable_checkpointing=checkpointing, **({"max_epochs": EPOCHS} | silent | given),
    )  # fmt: skip


def callback(method: str = "robust", **given: Any) -> LightningEmbedCallback:
    return LightningEmbedCallback(small.triggers(), settings=small.settings(method=method), **given)


@pytest.mark.parametrize(
    ("method", "form", "network"), [("robust", "pair", "network"), ("plain", "map", "")]
)
def test_lightning_learns_task_and_triggers(
    tmp_path: Path, method: str, form: str, network: str
) -> None:
    module, embed = Module(form=form), callback(method, network=network)
    fitted = trainer(tmp_path, embed)
    fitted.fit(module, *loaders(form))
    assert embed.matches() == 10
    assert fitted.callback_metrics["accuracy"] >= 0.9
    assert set(module.sizes) == {24}
    assert "training_step" not in module.__dict__
    module.sizes.clear()
    trainer(tmp_path, max_epochs=1).fit(module, *loaders(form))
    assert set(module.sizes) == {20}  # without the callback, without triggers


def test_lightning_resumes_the_mark_exactly(tmp_path: Path) -> None:
    """From Lightning's checkpoint after 12 of 16 epochs, when look-ahead is at work."""
    ends = []
    saving = ModelCheckpoint(dirpath=tmp_path, filename="{epoch}", every_n_epochs=12, save_top_k=-1)
    for checkpoint in (None, tmp_path / "epoch=11.ckpt"):
        module, embed = Module(), callback()
        extra = () if checkpoint else (saving,)
        fitted = trainer(tmp_path, embed, *extra)
        fitted.fit(module, *loaders("ordered"), ckpt_path=checkpoint, weights_only=True)
        ends.append(copy.deepcopy(module.state_dict()))
        assert embed.state_dict()["step"] == 160
    for name, tensor in ends[0].items():
        assert torch.equal(tensor, ends[1][name]), name


def test_accumulated_batches_and_bfloat16(tmp_path: Path) -> None:
    embed = callback()
    settings: dict[str, Any] = {"accumulate_grad_batches": 2, "precision": "bf16-mixed"}
    trainer(tmp_path, embed, max_epochs=2, **settings).fit(Module(), *loaders())
    assert embed.state_dict()["step"] == 20


class Manual(Module):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False


class Wrong(Module):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        images, labels = batch
        return functional.cross_entropy(small.model()(images), labels)


@pytest.mark.parametrize(
    ("module", "said"),
    [(Manual, "EmbedLoss in its training_step"), (Wrong, "call the network that was named")],
)
def test_trainings_that_are_refused(tmp_path: Path, module: Any, said: str) -> None:
    refused = module()
    with pytest.raises(UsageError) as caught:
        trainer(tmp_path, callback()).fit(refused, *loaders())
    assert said in caught.value.hint
    assert "training_step" not in refused.__dict__


class Headless(Module):
    forward = lightning.LightningModule.forward


def test_a_part_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    for wrong, said in (("net", "no part named 'net'"), ("", "no forward")):
        with pytest.raises(UsageError, match=said) as caught:
            trainer(tmp_path, callback(network=wrong), num_sanity_val_steps=0).fit(
                Headless(), *loaders()
            )
        assert "network=NAME" in caught.value.hint
        assert "there are: " in caught.value.hint


def test_a_batch_of_another_form_is_refused(tmp_path: Path) -> None:
    embed, data = callback(), loaders()[0].dataset
    three: Any = [(image, label, 0) for image, label in data]
    with pytest.raises(UsageError, match=r"is not \(images"):
        trainer(tmp_path, embed).fit(Module(), DataLoader(three, batch_size=20), loaders()[1])
