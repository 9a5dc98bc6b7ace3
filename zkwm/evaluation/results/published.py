"""Published figures of others, to stand beside ours where the cells correspond.

Each names the paper or repository where it was read. Trigger figures are shares of triggers in
percent, as their authors count them: none of them has labels derived from a commitment, and none is
evidence in bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zkwm.evaluation.results.cell import Cell

ADI = "Adi et al. 2018, authors' slides"
AIKEN = "Aiken et al. 2020, abstract of arXiv 2004.11368"
SBA = "sbaresearch/model-watermarking, result files"
GAN = "Gan et al. 2023 (ICCV), arXiv 2309.04777"
WRK = "Xiao et al. 2026 (AAAI), arXiv 2511.07947"
RNP = "bboylyg/RNP, log in the README (Li et al. 2023)"
IBAU = "YiZeng623/I-BAU, notebook for CIFAR-10 (Zeng et al. 2022)"
OWASP = "Yashbandiwadekar/owasp-ai-model-watermarking"

_ADI_SETTING = "theirs: CIFAR-10, ResNet-18, 100 pictures of their own choice, declared labels"
_SBA_SETTING = (
    "theirs: CIFAR-10, ResNet-18, 100 triggers, 200 epochs; fine-tuned on CINIC-10 pictures of the "
    "same classes, up to 100 epochs; ours: the adversary's images are of the owner's distribution"
)
_GAN_SETTING = (
    "theirs: CIFAR-10, ResNet-18, triggers 1 % of the training data and all of one label, 20 % of "
    "the data to attack with, rate 0.05 halved every 5 of 30 epochs, fine-pruning of 80 to 95 % of "
    "a layer's channels; ours: a label of its own for each trigger, and the grid's rates and shares"
)
_WRK_SETTING = (
    "theirs: the abstract's bound over earlier marks that are clean images with something added, "
    "CIFAR-10 among the data, 2,500 images to attack with; ours: images far from any clean one"
)
_BADNETS = (
    "theirs: CIFAR-10, a backdoor of one pattern and one class (BadNets), which is no watermark, "
    "kept counted on images the model has not seen; ours: pictures that were trained"
)
_RNP_SETTING = f"{_BADNETS}; ResNet-18, a tenth of the images poisoned, 500 images to defend with"
_IBAU_SETTING = f"{_BADNETS}; small VGG-16, one round on 5,000 images; ours: five rounds"


@dataclass(frozen=True)
class Published:
    """A published cell.

    Args:
        study: The paper or repository.
        what: Scheme and attack in its words.
        scheme: The name of the watermark in ``zkwm.watermarks``.
        attack: The name of the attack in ``zkwm.attacks``.
        accuracy: After the attack, percent; None where it is not said.
        kept: Triggers that keep their label, percent; None where it is not said.
        difference: How their setting differs from ours.
        fits: Whether a cell of ours corresponds, as far as its parameters tell.
    """

    study: str
    what: str
    scheme: str
    attack: str
    accuracy: float | None
    kept: float | None
    difference: str
    fits: Callable[[Cell], bool] = lambda _: True


def corresponding(published: Published, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Our measured cells that correspond to a published one."""
    return tuple(
        cell
        for cell in cells
        if cell.scheme == published.scheme
        and cell.attack_name == published.attack
        and cell.matches is not None
        and published.fits(cell)
    )


def _tuned(which: str, low: float, high: float) -> Callable[[Cell], bool]:
    """Plain fine-tuning of this kind at a rate between two values: no smoothing, no first phase."""
    return lambda cell: (
        cell.attack_parameters.get("which") == which
        and low <= float(cell.attack_parameters.get("rate", -1)) <= high
        and not cell.attack_parameters.get("label_smoothing")
        and not cell.attack_parameters.get("decay_epochs")
    )


def _pruned(low: float, high: float) -> Callable[[Cell], bool]:
    """Pruning of a share between two values, without fine-tuning afterwards."""
    return lambda cell: (
        low <= float(cell.attack_parameters.get("share", -1)) <= high
        and not cell.attack_parameters.get("epochs")
    )


def _start(start: str) -> Callable[[Cell], bool]:
    """A watermark that begins at random weights (``scratch``) or at the trained network."""
    return lambda cell: cell.parameters.get("start", "scratch") == start


def _kind(kind: str) -> Callable[[Cell], bool]:
    """A watermark of this ``kind``."""
    return lambda cell: cell.parameters.get("kind") == kind


def _both(*tests: Callable[[Cell], bool]) -> Callable[[Cell], bool]:
    """All of several conditions."""
    return lambda cell: all(test(cell) for test in tests)


PUBLISHED: tuple[Published, ...] = (
    Published(ADI, "from scratch, no attack", "adi", "none", 93.81, 100.0, _ADI_SETTING,
              _start("scratch")),
    Published(ADI, "pre-trained, no attack", "adi", "none", 93.65, 100.0, _ADI_SETTING,
              _start("pretrained")),
    Published(AIKEN, "laundering, MNIST (accuracy above)", "adi", "laundering", 97.0, None,
              "theirs: MNIST, and the mark removed; ours: see the grid's data"),
    Published(AIKEN, "laundering, CIFAR-10 (accuracy above)", "adi", "laundering", 80.0, None,
              "theirs: CIFAR-10, and the mark removed; ours: see the grid's data"),
    Published(SBA, "from scratch, no attack", "adi", "none", 94.94, 100.0, _SBA_SETTING),
    Published(SBA, "FTAL at 1e-4", "adi", "fine_tuning", 93.4, 95.0, _SBA_SETTING,
              _tuned("FTAL", 0, 2e-4)),
    Published(SBA, "FTAL at 0.01", "adi", "fine_tuning", 89.5, 13.0, _SBA_SETTING,
              _tuned("FTAL", 0.005, 0.02)),
    Published(SBA, "FTLL at 1e-4 to 0.1 (content triggers)", "zhang", "fine_tuning", None, 100.0,
              _SBA_SETTING, _both(_tuned("FTLL", 1e-4, 0.1), _kind("content"))),
    Published(SBA, "pruning to 70 %", "adi", "pruning", 93.6, 100.0, _SBA_SETTING,
              _pruned(0.69, 0.71)),
    Published(SBA, "pruning to 80 %", "adi", "pruning", 82.2, 72.0, _SBA_SETTING,
              _pruned(0.79, 0.81)),
    Published(SBA, "pruning to 90 %", "adi", "pruning", 46.9, 32.0, _SBA_SETTING,
              _pruned(0.89, 0.91)),
    Published(SBA, "content, no attack", "zhang", "none", 95.01, 100.0, _SBA_SETTING,
              _kind("content")),
    Published(SBA, "noise, no attack", "zhang", "none", 94.79, 100.0, _SBA_SETTING,
              _kind("noise")),
    Published(SBA, "unrelated, no attack", "zhang", "none", 95.28, 100.0, _SBA_SETTING,
              _kind("unrelated")),
    Published(SBA, "content, FTAL at 0.01", "zhang", "fine_tuning", 90.4, 10.0, _SBA_SETTING,
              _both(_tuned("FTAL", 0.005, 0.02), _kind("content"))),
    Published(SBA, "noise, FTAL at 0.01", "zhang", "fine_tuning", 89.8, 11.0, _SBA_SETTING,
              _both(_tuned("FTAL", 0.005, 0.02), _kind("noise"))),
    Published(SBA, "unrelated, FTAL at 0.01", "zhang", "fine_tuning", 90.2, 10.0, _SBA_SETTING,
              _both(_tuned("FTAL", 0.005, 0.02), _kind("unrelated"))),
    Published(SBA, "frontier, no attack", "le_merrer", "none", 94.54, 100.0, _SBA_SETTING),
    Published(SBA, "frontier, FTAL at 0.01", "le_merrer", "fine_tuning", 88.9, 4.0, _SBA_SETTING,
              _tuned("FTAL", 0.005, 0.02)),
    Published(GAN, "APP, unrelated, no attack", "parametric_perturbation", "none", 93.30, None,
              _GAN_SETTING),
    Published(GAN, "APP, unrelated, fine-tuning at 0.05", "parametric_perturbation", "fine_tuning",
              None, 96.2, _GAN_SETTING, _tuned("FTAL", 0.04, 0.06)),
    Published(GAN, "APP, unrelated, fine-pruning", "parametric_perturbation", "fine_pruning", None,
              95.5, _GAN_SETTING),
    Published(GAN, "APP, unrelated, laundering", "parametric_perturbation", "laundering", None,
              94.5, _GAN_SETTING),
    Published(GAN, "vanilla, unrelated, fine-tuning at 0.05", "adi", "fine_tuning", None, 18.8,
              _GAN_SETTING, _tuned("FTAL", 0.04, 0.06)),
    Published(GAN, "vanilla, unrelated, fine-pruning", "adi", "fine_pruning", None, 24.6,
              _GAN_SETTING),
    Published(GAN, "vanilla, unrelated, laundering", "adi", "laundering", None, 67.4,
              _GAN_SETTING),
    Published(WRK, "earlier marks, WRK (at most)", "adi", "wrk", None, 11.2, _WRK_SETTING),
    Published(RNP, "BadNets, unlearned, recovered and pruned below masks of 0.3", "zhang",
              "reconstructive_pruning", 92.8, 1.7, _RNP_SETTING, _kind("content")),
    Published(IBAU, "BadNets, one round", "zhang", "hypergradient_unlearning", 83.1, 9.4,
              _IBAU_SETTING, _kind("content")),
    Published(OWASP, "Uchida, pruning to 90 % (bits kept)", "uchida", "pruning", None, 98.4,
              "theirs: MNIST, bits chosen freely; ours: projection and bits derived",
              _pruned(0.89, 0.91)),
    Published(OWASP, "Uchida, neurons permuted (bits kept)", "uchida", "permutation", None, 56.2,
              "theirs: MNIST, read without alignment; ours: aligned with the unmarked model first"),
)  # fmt: skip


def published_rows(cells: tuple[Cell, ...]) -> tuple[tuple[str, ...], ...]:
    """A row for each published cell that a cell of ours corresponds to."""
    rows = []
    for published in PUBLISHED:
        ours = corresponding(published, cells)
        if not ours:
            continue
        kept = [100 * (c.matches or 0) / (c.trials or 1) for c in ours]
        accurate = [100 * c.accuracy_after for c in ours if c.accuracy_after is not None]
        labels = sorted({f"{c.watermark} / {c.attack}" for c in ours})
        rows.append(
            (
                published.study,
                published.what,
                "" if published.kept is None else f"{published.kept:g}",
                "" if published.accuracy is None else f"{published.accuracy:g}",
                _span(kept),
                _span(accurate),
                "; ".join(labels),
                published.difference,
            )
        )
    return tuple(rows)


def _span(values: list[float]) -> str:
    """The least and the greatest number, with one decimal."""
    if not values:
        return ""
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return low if low == high else f"{low} to {high}"
