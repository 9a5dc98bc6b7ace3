"""An experiment: a grid in a folder, with a digest as the name of each of its parts.

Names and data only; what is trained and measured is in ``zkwm.evaluation.run``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zkwm.data import ImageData, load_data
from zkwm.evaluation.plan.catalogue import entry_class, entry_object
from zkwm.evaluation.plan.data_split import Shares, divide
from zkwm.evaluation.plan.grid import AttackEntry, Grid, WatermarkEntry
from zkwm.evaluation.run.cache import Cache, digest_of, files_digest, source_digest
from zkwm.extraction.activation_regression import regressed_scores
from zkwm.extraction.even_form import in_even_form
from zkwm.extraction.reader import BLACK_BOX
from zkwm.nn.digests import data_digest
from zkwm.suspects.learner import learned_scores
from zkwm.training.relearning import relearned_scores
from zkwm.training.robust.method import VERSION as ROBUST_VERSION
from zkwm.watermarks.watermark import DERIVED
from zkwm_protocols.relearning import relearned_ranks

if TYPE_CHECKING:
    from zkwm.attacks.attack import Attack
    from zkwm.training import EmbedSettings
    from zkwm.watermarks.watermark import Watermark

MOST_SCRATCH_EPOCHS = 100


def scratch_epochs(settings: EmbedSettings, owner_images: int, images: int) -> int:
    """Epochs over ``images`` that make as many steps as the owner's training has, 100 at most.

    It is the bar of every attack: a network trained from scratch as long on the adversary's images.
    """
    owner_steps = max(owner_images // settings.batch_size, 1)
    steps = max(images // settings.batch_size, 1)
    return min(-(-settings.epochs * owner_steps // steps), MOST_SCRATCH_EPOCHS)


class Experiment:
    """A grid and the folder that keeps its results.

    Args:
        grid: What is measured.
        folder: Made when something is first written.
        input_digests: What ``input_digests`` of the same experiment gave in another process, so
            that all workers call the same things by the same names even while files change.

    Reading the data raises what ``load_data`` raises, and UsageError where they are too few.
    """

    def __init__(
        self, grid: Grid, folder: str | Path, input_digests: Mapping[str, str] | None = None
    ) -> None:
        self.grid = grid
        self.cache = Cache(folder)
        self._input_digests = dict(input_digests or {})

    @cached_property
    def input_digests(self) -> dict[str, str]:
        """Digests of the data and of the source of each watermark, attack, claim and relearning."""
        if not self._input_digests:
            self._input_digests["data"] = data_digest(self.data).hex()
            for kind, entries in self.grid.lists.items():
                for entry in entries:
                    digest = source_digest(entry_class(kind, entry))
                    self._input_digests[f"{kind}/{entry.name}"] = digest
            for chosen in self.grid.attacks:
                for part in self.attack(chosen).parts:
                    self._input_digests[f"attacks/{part.name}"] = source_digest(type(part))
            if self.grid.relearning:
                learners = (learned_scores, relearned_scores, in_even_form, regressed_scores)
                rule = files_digest(relearned_ranks, *learners)
                self._input_digests["relearning"] = rule
        return self._input_digests

    @cached_property
    def data(self) -> ImageData:
        """The whole data set."""
        return load_data(self.grid.data)

    @cached_property
    def shares(self) -> Shares:
        """The images of owner, adversaries and third parties."""
        return divide(self.data, self.grid)

    @cached_property
    def device(self) -> str:
        """The device on which attacks run and accuracy is measured."""
        if self.grid.device != "auto":
            return self.grid.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def scheme(self, entry: WatermarkEntry) -> Watermark:
        """The watermark of an entry. Raises UsageError for a value out of range."""
        scheme: Watermark = entry_object("watermarks", entry)
        return scheme

    def attack(self, entry: AttackEntry) -> Attack:
        """The attack of an entry. Raises UsageError for a value out of range."""
        attack: Attack = entry_object("attacks", entry)
        return attack

    def scratch_epochs(self, images: int) -> int:
        """The epochs of training from scratch on an adversary's images."""
        return scratch_epochs(self.grid.settings(0), self.grid.owner_images, images)

    def unmarked(self, architecture: str, seed: int) -> str:
        """The digest of an owner's unmarked model."""
        return self._digest("unmarked", architecture=architecture, seed=seed)

    def scratch(self, architecture: str, seed: int, images: int) -> str:
        """The digest of a model trained on an adversary's images alone."""
        epochs = self.scratch_epochs(images)
        return self._digest(
            "scratch", architecture=architecture, seed=seed, images=images, epochs=epochs
        )

    def null(self, architecture: str, number: int) -> str:
        """The digest of an innocent third party's model."""
        return self._digest("null", architecture=architecture, seed=number)

    def second_theft(self, architecture: str, seed: int) -> str:
        """The digest of another owner's network, which some adversaries have stolen, too."""
        return self._digest("second theft", architecture=architecture, seed=seed)

    def mark(self, entry: WatermarkEntry, seed: int) -> str:
        """The digest of a marked model; another one once the robust method has changed."""
        robust = {"method": ROBUST_VERSION} if entry.name == "robust" else {}
        return self._digest(
            "mark",
            **robust,
            architecture=self.grid.architecture_of(entry),
            seed=seed,
            scheme=entry.name,
            parameters=asdict(self.scheme(entry)),
            source=self.input_digests[f"watermarks/{entry.name}"],
            probes=self.grid.probes,
        )

    def relearns(self, entry: WatermarkEntry) -> bool:
        """Whether relearning is counted in the cells of a mark: of classes, by derived labels."""
        scheme = self.scheme(entry)
        return self.grid.relearning and scheme.access == BLACK_BOX and scheme.labels == DERIVED

    def cell(
        self,
        entry: WatermarkEntry,
        attack: AttackEntry,
        seed: int,
        *,
        without_relearning: bool = False,
    ) -> str:
        """The digest of a cell: a marked model under an attack.

        A cell in which relearning is counted has another one than the same without, which stays
        as it is: no attacked model is kept that copies could be made of. It has another one, too,
        once the files of that statistic have changed.

        Args:
            entry: The watermark.
            attack: The attack.
            seed: The grid's.
            without_relearning: The digest in a grid that does not count it.
        """
        chosen = self.attack(attack)
        described: dict[str, Any] = {
            "what": "cell",
            "mark": self.mark(entry, seed),
            "attack": attack.name,
            "parameters": asdict(chosen),
            "source": self.input_digests[f"attacks/{attack.name}"],
            "images": self.grid.images_of(attack),
            "opened_block": self.grid.opened_block,
            "unlabeled_images": self.grid.unlabeled_images,
            "scratch_epochs": self.scratch_epochs(self.grid.images_of(attack)),
        }
        # only where there are any, so that other cells keep their names
        if self.relearns(entry) and not without_relearning:
            described["relearning"] = self.input_digests["relearning"]
        if chosen.parts:
            described["parts"] = [
                {
                    "attack": part.name,
                    "parameters": asdict(part),
                    "source": self.input_digests[f"attacks/{part.name}"],
                }
                for part in chosen.parts
            ]
        if chosen.uses_second_theft:
            architecture = self.grid.architecture_of(entry)
            described["second_theft"] = self.second_theft(architecture, seed)
        return digest_of(described)

    def described(self) -> dict[str, Any]:
        """The settings that decide every result, except the entries."""
        grid = self.grid
        return {
            "data": self.input_digests["data"],
            "owner_images": grid.owner_images,
            "test_images": grid.test_images,
            "training": grid.training,
            "device": self.device,
        }

    def _digest(self, what: str, **values: object) -> str:
        """The digest of a part, by ``described`` and its own values."""
        return digest_of({"what": what, **self.described(), **values})
