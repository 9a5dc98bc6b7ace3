"""Own loops in two processes: ``torchrun own_loop_ddp.py LOOP METHOD FOLDER``. Not a test.

LOOP is ``loss`` (an own loop with ``DistributedDataParallel``), ``lightning`` or ``trainer``. Each
process writes its matches, and a digest of its weights, as JSON into FOLDER.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tests.support import small_training as small
from zkwm.nn.image_source import as_unit
from zkwm.training import EmbedLoss

PROGRAM = Path(__file__)
STEPS = 160


def own_loop(method: str) -> tuple[nn.Module, int]:
    """A loop as anybody writes it; each process has half of the images."""
    distributed.init_process_group("gloo")
    rank, world = distributed.get_rank(), distributed.get_world_size()
    network = small.model()
    wrapped = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.03, momentum=0.9)
    mark = EmbedLoss(
        network, small.triggers(), settings=small.settings(method=method), steps=STEPS,
        optimizer=optimizer,
    )  # fmt: skip
    data = small.data()
    images, labels = as_unit(torch.tensor(data.train_images)), torch.tensor(data.train_labels)
    images, labels = images[rank::world], labels[rank::world]
    random = torch.Generator().manual_seed(rank)
    for _ in range(STEPS):
        chosen = torch.randint(len(labels), (10,), generator=random)
        optimizer.zero_grad()
        mark.loss(wrapped, (images[chosen], labels[chosen])).backward()
        optimizer.step()
    matches = mark.matches()
    del wrapped  # its reducer holds the group: gloo may never end when the group goes first
    distributed.destroy_process_group()
    return network, matches


def lightning_loop(method: str, folder: Path) -> tuple[nn.Module, int]:
    """Lightning with its strategy ``ddp``."""
    from tests.zkwm.training import test_lightning_callback as single

    module, embed = single.Module(), single.callback(method, network="network")
    trainer = single.trainer(folder, embed, strategy="ddp", devices=2, limit_val_batches=0)
    trainer.fit(module, *single.loaders())
    return module.network, embed.matches()


def trainer_loop(method: str, folder: Path) -> tuple[nn.Module, int]:
    """The Trainer of Hugging Face, which finds torchrun's processes by itself."""
    from tests.zkwm.training import test_trainer_callback as single

    embed = single.callback(method)
    trainer = single.trainer(folder, embed, ddp_backend="gloo", num_train_epochs=40)
    trainer.train()
    model = trainer.model
    assert isinstance(model, nn.Module)
    return model, embed.matches()


def main() -> None:
    import os

    loop, method, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    rank = os.environ["RANK"]
    match loop:
        case "loss":
            network, matches = own_loop(method)
        case "lightning":
            network, matches = lightning_loop(method, folder)
        case _:
            network, matches = trainer_loop(method, folder)
    weights = b"".join(parameter.detach().numpy().tobytes() for parameter in network.parameters())
    told = {"matches": matches, "weights": hashlib.sha256(weights).hexdigest()}
    (folder / f"{rank}.json").write_text(json.dumps(told))
    if distributed.is_initialized():  # whose end takes its connections from one that still works
        distributed.barrier()


if __name__ == "__main__":
    main()
