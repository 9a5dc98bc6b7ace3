"""Data-parallel training in the processes that torchrun started.

Gradients are summed over processes, each weighted by its share of the step, so the result equals
that of a single process up to rounding. Batch norm is the exception: on GPUs its statistics are
taken over all processes (SyncBatchNorm); on CPUs, where torch has no such layer, each process
normalizes with its own share of the batch, and running statistics are averaged in every step.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _NormBase

from zkwm_protocols.errors import Cancelled, UsageError


@dataclass(frozen=True)
class Group:
    """This process among ``world`` processes that train together, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files: the first."""
        return self.rank == 0

    @property
    def device_name(self) -> str:
        """``cpu``, or the name of the GPU."""
        return "cpu" if self.device.type == "cpu" else torch.cuda.get_device_name(self.device)

    def same_everywhere(self, tensors: Iterable[Tensor]) -> None:
        """Broadcast the first process's tensors into those of all others, in place."""
        if self.world > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, src=0)

    def same_bytes(self, data: bytes | None) -> bytes | None:
        """Broadcast the first process's bytes (or None) to all."""
        if self.world == 1:
            return data
        length = torch.tensor([-1 if data is None else len(data)], device=self.device)
        distributed.broadcast(length, src=0)
        if length.item() < 0:
            return None
        buffer = torch.empty(int(length.item()), dtype=torch.uint8)
        if self.writes and data is not None:
            buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        buffer = buffer.to(self.device)
        distributed.broadcast(buffer, src=0)
        return buffer.cpu().numpy().tobytes()

    def combine(self, model: nn.Module, loss: Tensor, stop: bool) -> tuple[Tensor, bool]:
        """Sum gradients over all processes and average running statistics, in place.

        Args:
            model: This process's model, after its backward pass.
            loss (float, ()): This process's part of the loss.
            stop: Whether this process was asked to stop.

        Returns:
            The loss of the whole step, and whether any process was asked to stop.
        """
        if self.world == 1:
            return loss, stop
        # one flat buffer and one all-reduce for everything that has to travel
        summed = [p.grad for p in model.parameters() if p.grad is not None]
        averaged = list(_running_statistics(model))
        extra = torch.stack([loss.detach().float(), loss.new_tensor(float(stop)).float()])
        parts = [*summed, *(tensor / self.world for tensor in averaged), extra]
        flat = torch.cat([part.reshape(-1).float() for part in parts])
        distributed.all_reduce(flat)
        pieces = torch.split(flat, [part.numel() for part in parts])
        for tensor, piece in zip([*summed, *averaged], pieces[:-1], strict=True):
            tensor.copy_(piece.view_as(tensor))
        total, stops = pieces[-1]
        return total, bool(stops > 0)

    def prepared(self, model: nn.Module) -> nn.Module:
        """The model to train: on several GPUs a copy with SyncBatchNorm, else itself."""
        if self.world > 1 and self.device.type == "cuda":
            converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))  # type: ignore[no-untyped-call]
            return converted
        return model


@contextmanager
def join(device: str) -> Iterator[Group]:
    """Join the processes that torchrun started; without torchrun, a group of one.

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: There is no such device, or torchrun's environment is incomplete.
    """
    world = _from_environment("WORLD_SIZE", 1)
    rank = _from_environment("RANK", 0)
    chosen = _device(device, _from_environment("LOCAL_RANK", 0) if world > 1 else None)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Group(0, 1, chosen)
        return
    starts = not distributed.is_initialized()
    if starts:
        try:
            distributed.init_process_group(
                "nccl" if chosen.type == "cuda" else "gloo", rank=rank, world_size=world
            )
        except (ValueError, RuntimeError) as error:
            raise UsageError(
                f"cannot join the other processes: {error}",
                hint="start all of them with torchrun",
            ) from None
    try:
        yield Group(rank, world, chosen)
    finally:
        if starts:
            distributed.destroy_process_group()


def this_process_writes() -> bool:
    """Whether this process is the only one, or the first that torchrun started."""
    return _from_environment("RANK", 0) == 0


def stop_together(group: Group, problem: bool, what: str) -> None:
    """Raise Cancelled in all other processes when the first one has a problem."""
    answer = group.same_bytes(b"1" if problem else b"0")
    if answer == b"1" and not group.writes:
        raise Cancelled(f"stopped: the first process {what}")


def _device(name: str, local_rank: int | None) -> torch.device:
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (
        number and (kind != "cuda" or not number.isdecimal())
    ):
        raise UsageError(f"no such device: {name!r}", hint="choose auto, cpu, cuda or cuda:N")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cpu":
        return torch.device("cpu")
    index = int(number) if number else (local_rank or 0)
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        raise UsageError(
            f"there is no CUDA device {index} here", hint="choose another device, or cpu"
        )
    return torch.device("cuda", index)


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(f"the environment variable {name} is not a number")
    return int(text)


def _running_statistics(model: nn.Module) -> Iterator[Tensor]:
    """The running means and variances of all layers that are not synchronized already."""
    for module in model.modules():
        if isinstance(module, _NormBase) and not isinstance(module, nn.SyncBatchNorm):
            for buffer in (module.running_mean, module.running_var):
                if buffer is not None:
                    yield buffer
