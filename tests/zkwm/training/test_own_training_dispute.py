"""A training of the owner's own, from the commitment to the verdict: Lightning embeds the mark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import zkwm
from zkwm.secret_files.encrypted import Cost
from zkwm_protocols.errors import NotProven

CHEAP = Cost(operations=1, memory_kib=8 * 1024)
NORMALIZED = zkwm.Preprocessing(mean=("0.29",), std=("0.35",))
EPOCHS = 8


class Classifier(lightning.LightningModule):
    """Somebody's module, on images that are normalized before it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
            nn.Linear(16 * 36, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch
        return functional.cross_entropy(self.network(images), labels)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=0.002)


def trained(folder: Path, callbacks: list[Any]) -> nn.Module:
    data = zkwm.load_data("fashion-mnist-small")
    images = (torch.tensor(data.train_images[:3000]) / 255 - 0.29) / 0.35
    train = TensorDataset(images, torch.tensor(data.train_labels[:3000]))
    module = Classifier()
    lightning.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=callbacks,
        default_root_dir=folder,
    ).fit(module, DataLoader(train, batch_size=50, shuffle=True, drop_last=True))  # fmt: skip
    return module.network


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:The '.*_dataloader' does not have many workers",
    "ignore:`isinstance.treespec, LeafSpec.` is deprecated",
)
def test_lightning_trains_what_a_judge_calls_proven(tmp_path: Path) -> None:
    vault = zkwm.Vault.create(tmp_path / "acme.vault", "a long phrase", cost=CHEAP)
    commitment = zkwm.commit(
        vault, class_count=10, shape=(1, 28, 28), generate_count=100, family="blocks"
    )
    triggers = zkwm.trigger_set(vault, commitment)
    settings = zkwm.default_settings(images=3000, triggers=100, epochs=EPOCHS)
    callback = zkwm.LightningEmbedCallback(
        triggers, settings=settings, network="network", preprocessing=NORMALIZED
    )
    marked = trained(tmp_path, [callback])
    assert callback.matches() >= 90
    judge = zkwm.Judge.create(tmp_path / "judge.key", "a long phrase", cost=CHEAP)
    fingerprint = judge.public.fingerprint()
    verdicts = {}
    for name, network in (("marked", marked), ("innocent", trained(tmp_path, []))):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(zkwm.to_onnx(network, (1, 28, 28)))
        suspect = zkwm.open_suspect(path, shape=(1, 28, 28))
        challenge = judge.challenge(
            commitment, suspect, reveal=50, purpose="a test", preprocessing=NORMALIZED
        )
        proof = zkwm.prove(
            vault, commitment, challenge, judge_fingerprint=fingerprint,
            consent=zkwm.Consent(again=name == "innocent", last=name == "innocent"),
        )  # fmt: skip
        try:
            verdicts[name] = judge.verify(commitment, suspect, challenge, proof)
        except NotProven as error:
            verdicts[name] = error.verdict
        suspect.close()
    assert verdicts["marked"].proven
    assert not verdicts["innocent"].proven
