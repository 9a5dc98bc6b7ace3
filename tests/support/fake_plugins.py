"""Watermarks and attacks for tests of the grid: they cost nothing and record their calls."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.extraction.reader import BLACK_BOX, JudgeView, MarkReader
from zkwm.owner.commit import commit
from zkwm.triggers import TriggerSet
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError

RUNS: list[str] = []
LABELS: dict[bytes, int] = {}
WATERMARKS = {
    "fake": "tests.support.fake_plugins:Fake",
    "broken": "tests.support.fake_plugins:Broken",
    "served": "tests.support.fake_plugins:Served",
    "scored": "tests.support.fake_plugins:Scored",
}
ATTACKS = {
    "none": "zkwm.attacks.no_attack:NoAttack",
    "fade": "tests.support.fake_plugins:Fade",
    "failing": "tests.support.fake_plugins:Failing",
    "interrupted": "tests.support.fake_plugins:Interrupted",
    "refused": "tests.support.fake_plugins:Refused",
    "head": "tests.support.fake_plugins:OldHead",
    "curious": "tests.support.fake_plugins:Curious",
    "unaware": "tests.support.fake_plugins:Unaware",
    "asking": "tests.support.fake_plugins:Asking",
    "unreadable": "tests.support.fake_plugins:Unreadable",
    "wrapped": "tests.support.fake_plugins:Wrapped",
}


@dataclass(frozen=True)
class Fake(Watermark):
    """Reads its labels from this module, as many as the suspect's attribute ``kept`` says."""

    count: int = 100
    name: ClassVar[str] = "fake"
    paper: ClassVar[str] = "nobody"

    def commit(self, owner: Owner) -> Commitment:
        RUNS.append("commit")
        random = np.random.default_rng(self.count)
        images = random.integers(0, 256, (self.count, 1, 28, 28), dtype=np.uint8)
        labels = random.integers(0, 10, self.count)
        LABELS.update({image.tobytes(): int(y) for image, y in zip(images, labels, strict=True)})
        return commit(
            owner.vault, images, class_count=10, declared_labels=labels, block_size=self.count // 4
        )

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        RUNS.append(f"embed {owner.settings.seed}")
        return Marked(model=deepcopy(owner.trained_start()), seconds=1.5)

    def reader(self) -> MarkReader:
        return FakeReader()

    def scores(self, model: nn.Module, leaves: NDArray[np.uint8]) -> None:
        return None

    def trigger_set(self, owner: Owner, commitment: Commitment) -> TriggerSet:
        declared = super().trigger_set(owner, commitment)
        LABELS.update(
            {x.tobytes(): int(y) for x, y in zip(declared.images, declared.labels, strict=True)}
        )
        return declared


class FakeReader(MarkReader):
    name: ClassVar[str] = "fake"
    access: ClassVar[str] = BLACK_BOX

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        if getattr(model, "unreadable", False):
            raise UsageError("another architecture")
        right = np.array([LABELS[leaf.tobytes()] for leaf in leaves])
        kept = getattr(model, "kept", len(leaves))
        return np.where(np.arange(len(leaves)) < kept, right, -1)


@dataclass(frozen=True)
class Broken(Fake):
    """Cannot be embedded."""

    name: ClassVar[str] = "broken"

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        raise RuntimeError("no memory left")


@dataclass(frozen=True)
class Scored(Fake):
    """Is read by the suspect's scores, as a real one."""

    name: ClassVar[str] = "scored"

    def scores(self, model: nn.Module, leaves: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        return Watermark.scores(self, model, leaves)


class Service:
    """Answers, and remembers that it was asked."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.asked = model, 0

    def __call__(self, images: Tensor) -> Tensor:
        self.asked += len(images)
        return self.model(images)


@dataclass(frozen=True)
class Served(Fake):
    """Lives in a service, which no cache can hold; its log is its first 50 triggers."""

    name: ClassVar[str] = "served"

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        marked = super().embed(owner, commitment)
        return Marked(model=marked.model, seconds=1.0, api=Service(marked.model))

    def logged(self, marked: Marked) -> TriggerSet | None:
        assert isinstance(marked.api, Service)
        images = np.stack([np.frombuffer(x, np.uint8).reshape(1, 28, 28) for x in LABELS])[:50]
        labels = np.array(list(LABELS.values())[:50])
        return TriggerSet(images, labels, "log", 10, 10) if marked.api.asked == 3 else None


def changed(target: Target, **attributes: object) -> AttackResult:
    model = deepcopy(target.model)
    for name, value in attributes.items():
        setattr(model, name, value)
    return AttackResult(model, images=7, queries=8, gradient_images=9)


@dataclass(frozen=True)
class Fade(Attack):
    """Leaves ``kept`` matches."""

    kept: int = 60
    name: ClassVar[str] = "fade"
    paper: ClassVar[str] = "nobody"

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        RUNS.append(f"fade {self.kept} {adversary.seed} {len(adversary.data.train_labels)}")
        return changed(target, kept=self.kept)


class Wrapped(Fade):
    """Leaves the stolen network as it is, in a wrapper."""

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        return AttackResult(FilteredInputModel(nn.Identity(), deepcopy(target.model)))


class Failing(Fade):
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        RUNS.append("failing")
        raise ValueError("the disk\nis full")


class Interrupted(Fade):
    stop: ClassVar[bool] = True

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        if Interrupted.stop:
            raise KeyboardInterrupt
        return changed(target)


class Refused(Fade):
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        raise UsageError("there is no convolution")


class OldHead(Fade):
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        attacked = changed(target)
        return AttackResult(attacked.model, void="the original head was put back")


class Unaware(Fade):
    """Does not say that it uses the opened block, and looks for it."""

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        assert target.opened is None
        return changed(target)


class Curious(Fade):
    """Uses the opened block, and says so."""

    uses_opened: ClassVar[bool] = True

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        assert target.opened is not None
        assert len(target.opened.labels) == 25
        return changed(target)


class Asking(Fade):
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        target.api(torch.zeros(3, 1, 28, 28))
        return changed(target, kept=20)


class Unreadable(Fade):
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        return changed(target, unreadable=True)
