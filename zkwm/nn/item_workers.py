"""Worker processes that read the items of a data set ahead, in an order that is known.

A training knows which items each of its steps will ask for, so workers can read them while earlier
steps are computed. Each request has its own seed: random items are the same with any number of
workers, and when a training is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zkwm_protocols.errors import UsageError

Read = Callable[[list[int]], tuple[Tensor, Tensor]]
"""Checked items by their numbers: images (n, c, h, w) and labels int64 (n,), on the CPU."""
Request = tuple[int, list[int]]


class ItemsAhead:
    """The items of a plan, one request after the other."""

    def __init__(self, read: Read, plan: Iterator[Request], workers: int) -> None:
        """Start the workers.

        Args:
            read: Called in the workers.
            plan: (seed, numbers) of each request, in the order in which they will come; the seed is
                torch's while its items are read.
            workers: At least 1.
        """
        loader = DataLoader(
            _Requests(read), sampler=_Plan(plan), batch_size=None, num_workers=workers
        )
        self._replies = iter(loader)
        self._next: Any = None

    def take(self, numbers: list[int]) -> tuple[Tensor, Tensor] | None:
        """Images and labels of these items, if they are the next of the plan; else None.

        Raises the UsageError that a worker met.
        """
        if self._next is None:
            self._next = next(self._replies, None)
        if self._next is None or self._next[0] != numbers:
            return None
        (_, images, labels, problem), self._next = self._next, None
        if problem is not None:
            raise UsageError(problem[0], hint=problem[1])
        return images, labels


class _Plan:
    """The plan as what a DataLoader calls a sampler."""

    def __init__(self, plan: Iterator[Request]) -> None:
        self._plan = plan

    def __iter__(self) -> Iterator[Request]:
        return self._plan


class _Requests(Dataset[Any]):
    """In a worker: a request in, its items out. An error travels as a value."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def __getitem__(self, request: Request) -> Any:  # noqa: ANN401
        seed, numbers = request
        torch.manual_seed(seed)
        try:
            images, labels = self._read(numbers)
        except UsageError as error:
            return numbers, None, None, (error.message, error.hint)
        return numbers, images, labels, None
