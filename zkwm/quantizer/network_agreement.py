"""Measure how well a suspect, what is read of its file, and its integer network agree.

An argument is about the integer network, the accusation about the suspect, so that the two have to
agree before an argument says anything (SPEC.md 18.3). The images are drawn from a nonce after the
file is fixed: nobody who makes a file knows them. ``agreement_bounds`` makes demands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibration import agreement_seed, drawn_pictures, random_images
from zkwm.suspects.suspect import Answer, Progress, Suspect, require_images
from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.integer_network.model import IntegerNetwork
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.quantizer.limited_scores import ReadScores
    from zkwm.quantizer.quantizer_process import QuantizerProcess

Doubles = NDArray[np.float64]

DRAWN = 200
FAMILIES = ("secret", "blocks", "abstract")
LEAST_VALUES = 200
"""Images of fewer values have no triggers of a family (``zkwm.triggers``)."""
CLEAR = 0.5
"""An image is clear where its margin is at least this share of the set's median margin."""
LEAST_CLEAR_TENTHS = 7
"""At least so many tenths of a set are clear: the images with the largest margins."""
FEWEST_OF_A_LABEL = 10
"""Labels of fewer images in a set count as one label where the surest images are sought."""
SURE_PARTS = ((0, 1, 10), (0, 1, 5), (1, 2, 5))
"""Ranks of the surest images: from a / c to b / c of all."""
PUBLIC, GIVEN = "public images", "images given"
"""Sets of pictures; the others are noise and patterns."""
NEIGHBORS = 128
"""Each output is compared with as many of those that follow it, at most."""
TRANSLATION_FLOOR = 1e-4
"""No entry of the scores counts as smaller than this share of the set's root mean square."""
_BLOCK = 10


@dataclass(frozen=True)
class Agreement:
    """How well suspect and integer network agree on one set of images.

    Attributes:
        kind: the name of the set.
        asked: the number of its images.
        agreeing: images with the same label; one without an answer never agrees.
        clear: images on which the suspect's margin is at least half of the median margin, or among
            the 70 % with the largest margins.
        clear_agreeing: those of them with the same label.
        sure: the images of that group of surest ones (``sure_groups``), by the model's margins or
            by the network's, of which the smallest share has the same label.
        sure_agreeing: those of them with the same label.
        same_order: the share of images on which a pair of the mapped outputs has the same order;
            of the pairs, a tenth have less. None for pictures: on images of its task a classifier
            may give all outputs but one the same score, and then their order is rounding.
        median_error: the median, over images, of the relative error of the network's scores.
        high_error: the 95 % quantile of the same.
        translation_error: the largest relative difference between the suspect's scores and those
            of the layers that were read of its file, in double precision.
    """

    kind: str
    asked: int
    agreeing: int
    clear: int
    clear_agreeing: int
    sure: int
    sure_agreeing: int
    same_order: float | None
    median_error: float
    high_error: float
    translation_error: float

    def to_json(self) -> dict[str, Any]:
        """The measurement as JSON values; an error without bound is null."""
        return {
            name: (float(f"{value:.3g}") if np.isfinite(value) else None)
            if isinstance(value, float)
            else value
            for name, value in vars(self).items()
        }

    def words(self) -> str:
        """The measurement in a few words."""
        return (
            f"same label on {self.agreeing:,} of {self.asked:,} {self.kind}, error of scores "
            f"{self.median_error:.3f} (median), {self.high_error:.3f} (95 %)"
        )


@dataclass(frozen=True)
class Asked:
    """Sets of images uint8 (n, c, h, w) by name, of which a suspect is being asked.

    ``answers`` waits for those to all images, in order; None where they have to be asked for again.
    """

    sets: dict[str, NDArray[np.uint8]]
    answers: Callable[[], tuple[Answer, ...] | None]


def measure_agreement(
    network: IntegerNetwork,
    suspect: Suspect,
    preprocessing: Preprocessing,
    *,
    nonce: bytes,
    class_map: tuple[int, ...] | None = None,
    images: NDArray[np.uint8] | None = None,
    progress: Progress | None = None,
    asked: Asked | None = None,
    process: QuantizerProcess | None = None,
) -> tuple[Agreement, ...]:
    """Compare a suspect and the integer network made from its file on sets of images (SPEC 18.1).

    Args:
        network: derived from the suspect's file.
        suspect: the model.
        preprocessing: how pixels become the suspect's input.
        nonce: of the challenge; all sets but ``images`` are drawn from it.
        class_map: the outputs that stand for labels, whose order is compared; by default all.
        images (uint8, (n, channels, height, width)): one more set, for example of the model's task.
        progress: called after each image of a set.
        asked: what ``early_questions`` asks meanwhile, with the same nonce and images.
        process: reads the suspect's file; None for another one.

    Raises:
        UsageError: images of another shape, or none.
        SuspectUnusable: the suspect gives no scores (``argument.agreement``).
        Unsupported: the file has no layers that can be proven about (``challenge.network``).
    """
    from zkwm.quantizer.derive import scores_of
    from zkwm.quantizer.limited_scores import require_drawable

    if suspect.identity.outputs != network.outputs:
        raise UsageError(
            f"the suspect has {suspect.identity.outputs} outputs, the network {network.outputs}"
        )
    mapped = list(range(network.outputs) if class_map is None else class_map)
    if images is not None:
        require_images(images, network.shape)
        if len(images) == 0:
            raise UsageError("there are no images to compare on")
    given = {} if images is None else {GIVEN: images}
    require_drawable(network.shape, 5 * DRAWN + sum(map(len, given.values())))
    sets = (
        asked.sets if asked else drawn_sets(network.shape, nonce, suspect.identity.digest) | given
    )
    together = np.concatenate(list(sets.values()))
    read = scores_of(suspect, preprocessing, network, together, process)
    answers = asked.answers() if asked else None
    if answers is None:
        answers = suspect.answer(together, preprocessing, progress=progress)
    agreements, start = [], 0
    for kind, batch in sets.items():
        part = slice(start, start + len(batch))
        with np.errstate(invalid="ignore", over="ignore"):
            agreements.append(_compare(kind, answers[part], read.part(part), mapped))
        start += len(batch)
    return tuple(agreements)


def drawn_count(shape: tuple[int, int, int]) -> int:
    """The number of images that ``drawn_sets`` draws."""
    return DRAWN * (2 + (len(FAMILIES) if int(np.prod(shape)) >= LEAST_VALUES else 0))


def drawn_sets(
    shape: tuple[int, int, int], nonce: bytes, digest: bytes
) -> dict[str, NDArray[np.uint8]]:
    """The sets of 200 images uint8 (200, c, h, w) that nonce and suspect's digest draw, by name.

    Random blocks, public pictures, and the trigger families that need no data, each with keys of
    its own; ``secret`` with 10 generators of 20 images.
    """
    from zkwm.triggers.families import generate

    seed = agreement_seed(nonce, digest)
    sets = {
        "random blocks": random_images(shape, DRAWN, b"agreement" + seed),
        PUBLIC: drawn_pictures(shape, DRAWN, seed),
    }
    if int(np.prod(shape)) >= LEAST_VALUES:
        for family in FAMILIES:
            made = generate(family, DRAWN // 2, shape, key=seed, block_size=_BLOCK)
            sets[f"images of the family {family}"] = np.concatenate([made.images, made.decoys])
    return sets


def _compare(
    kind: str, answers: Sequence[Answer], read: ReadScores, mapped: list[int]
) -> Agreement:
    """The measurement on one set of images."""
    answered = np.array([answer.output is not None for answer in answers])
    if any(answer.output is not None and answer.scores is None for answer in answers):
        raise SuspectUnusable(
            "the suspect gives labels without scores, so that its integer network cannot be "
            "compared with it",
            hint="ask for an opening instead (`Judge.challenge`)",
            check="argument.agreement",
        )
    real, whole = read.real, read.whole
    scores = np.full(real.shape, np.nan)
    for row, answer in enumerate(answers):
        if answer.scores is not None:
            scores[row] = answer.scores
    same = np.argmax(whole, axis=1) == np.array(
        [-1 if answer.output is None else answer.output for answer in answers]
    )
    clear = _clear(real)
    groups = [*sure_groups(real), *sure_groups(whole.astype(np.float64))]
    sure = min(groups, key=lambda group: float(same[group].mean()))
    errors = np.where(answered, score_errors(real, whole.astype(np.float64)), np.inf)
    return Agreement(
        kind,
        len(answers),
        int(same.sum()),
        int(clear.sum()),
        int((same & clear).sum()),
        int(sure.sum()),
        int((same & sure).sum()),
        None
        if kind in (PUBLIC, GIVEN)
        else same_order(np.where(answered[:, None], real, np.nan)[:, mapped], whole[:, mapped]),
        float(np.median(errors)),
        float(np.quantile(errors, 0.95, method="higher")),
        translation_error(scores, read.last, mapped),
    )


def score_errors(real: Doubles, whole: Doubles) -> Doubles:
    """The relative error of each image's scores, float64 (n,).

    Both are float64 (n, K): the model's logits, and those of the integer network in any one unit.
    With each row's mean subtracted, it is |a - k b| / |a| with the one k = sum(ab) / sum(bb).
    """
    a, b = _centered(real), _centered(whole)
    square = float((b * b).sum())
    factor = float((a * b).sum()) / square if square > 0 else 0.0
    sizes = np.sqrt((a * a).sum(axis=1))
    off = np.sqrt(((a - factor * b) ** 2).sum(axis=1))
    errors = np.full(len(a), np.inf)
    np.divide(off, sizes, out=errors, where=sizes > 0)
    return np.where(np.isfinite(errors), errors, np.inf)


def same_order(real: Doubles, whole: NDArray[np.generic]) -> float:
    """The share of images on which two outputs have the same order, for the pair at a tenth.

    Both are (n, C), C > 1: logits of the model, and of the integer network in any unit. Output j is
    paired with j + 1, ..., j + min(C // 2, 128), counted modulo C. The shares of all pairs are
    sorted, and number P // 10 (from 0) of P is returned. An order does not depend on how far apart
    two outputs are, so that nobody hides a pair by what happens to others.
    """
    outputs, shares = real.shape[1], []
    for distance in range(1, min(outputs // 2, NEIGHBORS) + 1):
        with np.errstate(invalid="ignore"):
            signs = [np.sign(a - np.roll(a, -distance, axis=1)) for a in (real, whole)]
        shares.append((signs[0] == signs[1]).mean(axis=0))
    pairs = np.sort(np.concatenate(shares))
    return float(pairs[len(pairs) // 10])


def sure_groups(scores: Doubles) -> tuple[NDArray[np.bool_], ...]:
    """Groups of the surest images by logits (n, K), n > 0: bool (n,) each.

    The tenth with the largest margins, the first two fifths, and the same of each label's images.
    A model may be surer of triggers than of any image like them; what it is surest of here is
    nearest to that. The fifths are for who makes a model surest of something else.
    """
    given = np.argmax(scores, axis=1)
    counts = np.bincount(given)[given]
    given = np.where(counts < FEWEST_OF_A_LABEL, -1, given)
    order = np.argsort(-_margins(scores), kind="stable")
    groups = []
    for labels in (np.zeros_like(given), given):
        ranked = [order[labels[order] == label] for label in np.unique(labels)]
        for first, last, parts in SURE_PARTS:
            group = np.zeros(len(scores), np.bool_)
            for images in ranked:
                start, end = (-(-part * len(images) // parts) for part in (first, last))
                group[images[start:end]] = True
            if group.any():
                groups.append(group)
    return tuple(groups)


def _clear(real: Doubles) -> NDArray[np.bool_]:
    """Which images have a clear answer, bool (n,), by the model's logits (n, K)."""
    margins = _margins(real)
    ranked = np.sort(margins)[(10 - LEAST_CLEAR_TENTHS) * len(margins) // 10]
    clear: NDArray[np.bool_] = margins >= np.minimum(CLEAR * np.median(margins), ranked)
    return clear


def _margins(real: Doubles) -> Doubles:
    """The difference of the two largest logits (n, K) of each image, (n,); infinite, not NaN."""
    ordered = np.sort(real, axis=1)
    with np.errstate(invalid="ignore"):
        margins = ordered[:, -1] - ordered[:, -2]
    return np.where(np.isnan(margins), np.inf, margins)


def translation_error(scores: Doubles, read: Doubles, mapped: list[int]) -> float:
    """The largest difference of the suspect's scores and those of the layers, relative to sizes.

    Both are (n, K); images without an answer (NaN) do not count. Of two relations the larger one:
    that of a row to the larger of its own size and the set's root mean square; and, unless scores
    are probabilities, that of an entry to the largest of its own size, its output's and that of
    the outputs ``mapped``, so that no output of huge range hides others.
    """
    answered = ~np.isnan(scores).any(axis=1)
    if not answered.any():
        return float("inf")
    scores, read = scores[answered], read[answered]
    centered, off = _centered(scores), _centered(scores) - _centered(read)
    sizes, off = np.sqrt((centered * centered).sum(axis=1)), np.sqrt((off * off).sum(axis=1))
    usual = np.sqrt((sizes * sizes).mean())
    sizes = np.maximum(sizes, usual)
    if not np.isfinite(off).all() or not sizes.all():
        return float("inf")
    error = float((off / sizes).max())
    if ((read >= 0) & (read <= 1)).all():
        return error
    scores, read = (a - np.median(a[:, mapped], axis=1, keepdims=True) for a in (scores, read))
    entries, own = np.abs(scores - read), np.abs(read)
    outputs = np.median(own, axis=0)
    least = max(float(np.median(outputs[mapped])), TRANSLATION_FLOOR * usual)
    return max(error, float((entries / np.maximum(own, np.maximum(outputs, least))).max()))


def _centered(scores: Doubles) -> Doubles:
    """Scores (n, K) minus the mean of each row."""
    with np.errstate(invalid="ignore", over="ignore"):
        centered: Doubles = scores - scores.mean(axis=1, keepdims=True)
    return centered
