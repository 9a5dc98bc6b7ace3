"""Grids of equal budgets, and grids in the settings of papers, that the page of results shows."""

from __future__ import annotations

from dataclasses import dataclass

_EQUAL = "the same triggers, epochs and, but for rows that say otherwise, exposures of each trigger"


@dataclass(frozen=True)
class FairGrid:
    """A grid with equal budgets.

    Attributes:
        name: Of its file in ``examples/grids``.
        what: Data set and network.
        budget: What is the same for all marks.
        counted: Labels of the marks for which the three statistics are compared.
    """

    name: str
    what: str
    budget: str = _EQUAL
    counted: tuple[str, ...] = ("plain", "robust (zkwm)")

    @property
    def file(self) -> str:
        """Of its cells in ``benchmarks/results``."""
        return f"grid_{self.name}.jsonl"

    @property
    def figure(self) -> str:
        """Of the SVG beside the cells."""
        return f"grid_{self.name}.svg"


GRIDS = (
    FairGrid(
        "fair",
        "Fashion-MNIST, LeNet-5",
        f"{_EQUAL}. Gan et al. have an epsilon of 0.02 on CIFAR-10 and 0.01 on ImageNet-100, with "
        "one label for all triggers; with a label for each, 400 exposures were too few at 0.02 (30 "
        "to 60 of 200 learned). *Perturbed weights* is the robust embedding with another part in "
        "place of the look-ahead: research, on another machine than the other rows, each time "
        "against the unmarked network of the same machine, but with more other work beside the "
        "marked training, so that its time may be too high",
    ),
    FairGrid("fair_relearning", "Fashion-MNIST, LeNet-5, suspects read by relearning, too"),
    FairGrid("fair_batch_norm", "Fashion-MNIST, ResNet-8 (batch normalization)"),
    FairGrid("fair_mnist", "MNIST, LeNet-5"),
    FairGrid(
        "fair_cifar10",
        "CIFAR-10, a CNN and a ResNet-8 (batch normalization)",
        counted=("plain", "robust (zkwm)", "plain, ResNet-8", "robust (zkwm), ResNet-8"),
    ),
    FairGrid("fair_tiny_imagenet", "ten classes of Tiny ImageNet, ResNet-8 (batch normalization)"),
)

_PAPERS = "each mark as its paper has it, on one network"
PAPERS = (
    FairGrid("published_mnist", "MNIST, LeNet-5", _PAPERS, ()),
    FairGrid("published_dynamarks", "Fashion-MNIST, LeNet-5", _PAPERS, ()),
)
"""Grids in the settings of papers, for rows beside theirs."""
