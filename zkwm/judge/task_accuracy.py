"""How many labeled images of its task a suspect gets right, fed as a challenge says (SPEC.md 6.1).

A mean that a judge forgets, or a channel order that they do not know, makes of a marked model one
that answers by chance: "not proven", and a block is spent. So the judge measures before they ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.data import LabeledImages
from zkwm.extraction.keys import different_numbers
from zkwm.judge.usual_preprocessings import as_arguments, usual_preprocessings
from zkwm.suspects import Progress, Suspect
from zkwm.suspects.suspect import CHECK
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.class_names import folded
from zkwm_protocols.errors import Malformed, SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind, TestAccuracy

MOST_IMAGES, MOST_COMPARED = 1_000, 200
"""Images on which accuracy is measured, and of these the first for the usual preprocessings."""
MOST_IMAGES_REMOTE, MOST_COMPARED_REMOTE = 200, 50
CHANCE_BITS = 20
"""By chance a suspect counts as better than chance with 2^-20 at most (independent draws)."""
BETTER_BITS = 10
_DOMAIN = b"zkwm-accuracy-1"


@dataclass(frozen=True)
class Alternative:
    """What the suspect gets right when it is fed in a usual way.

    Args:
        preprocessing: the usual one.
        right: the images of ``count`` that it gives their label.
        chosen_right: those of the same images that it gives their label as the judge chose.
        count: the images asked.
        better: whether it does better than the one chosen, and not by chance.
        worse: whether it does worse, and not by chance.
    """

    preprocessing: Preprocessing
    right: int
    chosen_right: int
    count: int
    better: bool
    worse: bool

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {**vars(self), "preprocessing": self.preprocessing.to_map()}

    def words(self) -> str:
        """One sentence."""
        return (
            f"with {as_arguments(self.preprocessing)} the suspect gives {self.right} of "
            f"{self.count} test images their label, as chosen {self.chosen_right}"
        )


@dataclass(frozen=True)
class TaskAccuracy:
    """The accuracy as measured, and the usual preprocessings that were compared, best first."""

    accuracy: TestAccuracy
    alternatives: tuple[Alternative, ...]

    @property
    def better(self) -> Alternative | None:
        """The best usual preprocessing, where it is clearly better than the one chosen."""
        best = self.alternatives[0] if self.alternatives else None
        return best if best is not None and best.better else None

    @property
    def undecided(self) -> tuple[Alternative, ...]:
        """The usual preprocessings that test images do not tell from the one chosen."""
        return tuple(one for one in self.alternatives if not one.better and not one.worse)


@dataclass(frozen=True)
class TaskData:
    """What a judge brings to see that a suspect is fed as it wants.

    Args:
        images: labeled images of the suspect's task, from neither party.
        report: called with what was measured, a better preprocessing included.
        progress: called with the images answered so far, and those in all.
    """

    images: LabeledImages
    report: Callable[[TaskAccuracy], None] | None = None
    progress: Progress | None = None


def measure_accuracy(
    suspect: Suspect,
    preprocessing: Preprocessing,
    data: LabeledImages,
    *,
    nonce: bytes,
    class_map: Sequence[int],
    suspect_classes: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> TaskAccuracy:
    """Ask the suspect images of its task, and compare with usual preprocessings.

    Args:
        suspect: the model.
        preprocessing: as the judge chose it.
        data: labeled images of the suspect's task.
        nonce: the challenge's, 32 bytes; it draws which images are asked.
        class_map: the challenge's, to tell a wrong numbering of labels from a wrong preprocessing.
        suspect_classes: the names of the suspect's outputs, where it has some.
        progress: called with the images answered so far, and those in all.

    Raises:
        UsageError: the data do not fit the suspect, or are too few to tell accuracy from chance.
        SuspectUnusable: (``suspect.answers``) the accuracy is near chance, or a usual preprocessing
            is so much better that the one chosen cannot be meant.
    """
    if suspect.identity.kind == SuspectKind.EXTRACTION:
        raise UsageError(
            "test data are for suspects that are asked images; a mark is extracted from this one",
            hint="leave the test data out",
        )
    numbered = as_outputs(data, suspect.identity.outputs, suspect_classes)
    if numbered.images.shape[1:] != suspect.identity.shape:
        raise UsageError(
            f"the images of {data.name} have the shape {numbered.images.shape[1:]}, the suspect "
            f"takes {suspect.identity.shape}",
            hint="give test data of the shape that the commitment has",
        )
    drawn = _drawn(numbered, nonce, MOST_IMAGES_REMOTE if suspect.remote else MOST_IMAGES)
    least = _least_above_chance(drawn)
    answers = _outputs(suspect, drawn.images, preprocessing, progress)
    right = answers == drawn.labels
    count = MOST_COMPARED_REMOTE if suspect.remote else MOST_COMPARED
    alternatives = _alternatives(suspect, preprocessing, drawn, right[:count])
    measured = TaskAccuracy(
        TestAccuracy(int(right.sum()), len(right), drawn.digest()), alternatives
    )
    if measured.accuracy.right < least:
        _refuse_silence(measured.accuracy, least, int((answers < 0).sum()))
        _refuse_chance(measured, least, _through(class_map, answers, drawn))
    _refuse_outdone(measured, drawn)
    return measured


def as_outputs(
    data: LabeledImages, outputs: int, suspect_classes: Sequence[str] | None
) -> LabeledImages:
    """The data, each label the number of the suspect's output that stands for it (SPEC.md 6.1).

    Labels with names are the outputs of the same names; names that are numbers are these outputs.
    Else a label is the number of an output. Raises UsageError where there is no such output.
    """
    numbers = _by_names(data, suspect_classes)
    numbered = data if numbers is None else data.numbered(numbers)
    if numbered.labels.max() >= outputs:
        raise UsageError(
            f"{data.name} has the label {numbered.labels.max()}, and the suspect {outputs} outputs",
            hint="give test data of the suspect's task, whose labels are its outputs, from 0",
        )
    return numbered


def _by_names(
    data: LabeledImages, suspect_classes: Sequence[str] | None
) -> NDArray[np.int64] | None:
    """The output of each label by names, int64 (labels,), or None. Raises UsageError."""
    if data.names is None:
        return None
    if suspect_classes is not None:
        places = {folded(name): number for number, name in enumerate(suspect_classes)}
        missing = [name for name in data.names if folded(name) not in places]
        if not missing:
            return np.array([places[folded(name)] for name in data.names], np.int64)
        if len(missing) < len(data.names):
            raise UsageError(
                f"the suspect has no output of the name {missing[0]!r}, which {data.name} has",
                hint="name the folders as the suspect names its outputs",
            )
    if all(name.isascii() and name.isdigit() and len(name) < 8 for name in data.names):
        return np.array([int(name) for name in data.names], np.int64)
    return None


def drawn_images(data: LabeledImages, challenge: Challenge) -> LabeledImages:
    """The images that a challenge's accuracy is about (SPEC.md 6.1); ``digest`` tells whether.

    Args:
        data: the test data that the challenge was made with.
        challenge: has the nonce, the suspect's outputs and their names.

    Raises UsageError for data whose classes are not the suspect's.
    """
    suspect = challenge.suspect
    remote = suspect.kind == SuspectKind.HTTP
    numbered = as_outputs(data, suspect.outputs, challenge.suspect_classes)
    return _drawn(numbered, challenge.nonce, MOST_IMAGES_REMOTE if remote else MOST_IMAGES)


def _drawn(data: LabeledImages, nonce: bytes, most: int) -> LabeledImages:
    """At most so many of the images, drawn by the nonce, in the order drawn."""

    def stream(count: int) -> bytes:
        return hashlib.shake_256(_DOMAIN + nonce).digest(count)

    count = min(most, len(data.images))
    return data.taken(different_numbers(stream, count, len(data.images)))


def _least_above_chance(drawn: LabeledImages) -> int:
    """The fewest right answers that chance gives with 2^-20 at most.

    Answers that have nothing to do with the labels are right on the share p of the commonest label
    at best on average, so that chance is the binomial of p. That is exact for independent draws
    only: answers as balanced as the sample follow the law of a random permutation, which differs
    slightly. Raises UsageError where even all images right
    would not be fewer.
    """
    count, commonest = len(drawn.labels), int(np.unique_counts(drawn.labels).counts.max())
    whole, tail = count**count, 0
    for least in range(count, -1, -1):
        tail += comb(count, least) * commonest**least * (count - commonest) ** (count - least)
        if tail << CHANCE_BITS > whole:
            break
    if least == count:
        raise UsageError(
            f"{count} test images, {commonest} of them with one label, cannot tell accuracy from "
            "chance",
            hint="give more of them, and equally many of each label",
        )
    return least + 1


def _outputs(
    suspect: Suspect,
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """The suspect's outputs int64 (n,) for images uint8 (n, c, h, w); -1 for no answer."""
    answers = suspect.answer(images, preprocessing, progress=progress)
    return np.array([-1 if one.output is None else one.output for one in answers], np.int64)


def _alternatives(
    suspect: Suspect,
    chosen: Preprocessing,
    drawn: LabeledImages,
    right: NDArray[np.bool_],
) -> tuple[Alternative, ...]:
    """The usual preprocessings that the suspect can take, most accurate first.

    ``right`` bool (m,): where the suspect is right as chosen, for the first m images drawn.
    """
    count = len(right)
    found = []
    for usual in usual_preprocessings(chosen, suspect.identity.shape[0]):
        try:
            suspect.check_preprocessing(usual)
        except (Malformed, SuspectUnusable):
            continue
        now = _outputs(suspect, drawn.images[:count], usual) == drawn.labels[:count]
        gained, lost = int((now & ~right).sum()), int((right & ~now).sum())
        better, worse = (_is_no_chance(heads, gained + lost) for heads in (gained, lost))
        found.append(Alternative(usual, int(now.sum()), int(right.sum()), count, better, worse))
    return tuple(sorted(found, key=lambda one: -one.right))


def _is_no_chance(heads: int, tosses: int) -> bool:
    """Whether so many heads of a fair coin, or more, have a chance of at most 2^-10."""
    tail = sum(comb(tosses, number) for number in range(heads, tosses + 1))
    return tail << BETTER_BITS <= 1 << tosses


def _through(
    class_map: Sequence[int], answers: NDArray[np.int64], drawn: LabeledImages
) -> int | None:
    """What would be right if labels were numbered as the commitment's classes; None if they are."""
    if drawn.labels.max() >= len(class_map) or list(class_map) == list(range(len(class_map))):
        return None
    return int((answers == np.array(class_map, np.int64)[drawn.labels]).sum())


def _refuse_silence(accuracy: TestAccuracy, least: int, silent: int) -> None:
    """Raise SuspectUnusable where it is answers that are missing, not the right ones."""
    if accuracy.right + silent >= least:
        raise SuspectUnusable(
            f"the suspect leaves {silent} of {accuracy.count} test images unanswered, and gives "
            f"{accuracy.right} their label; fewer than {least} are near chance",
            hint="give it more time (`image_seconds`), or fewer test images",
            check=CHECK,
        )


def _refuse_chance(measured: TaskAccuracy, least: int, mapped: int | None) -> None:
    """Raise SuspectUnusable for an accuracy near chance; the hint names the likely cause."""
    accuracy, better = measured.accuracy, measured.better
    if mapped is not None and mapped >= least:
        hint = (
            f"through the class map {mapped} are right: these labels are numbered as the "
            "commitment's classes; number them as the suspect's outputs, or give a folder for each "
            "class, named as the suspect names it"
        )
    elif better is not None:
        hint = f"{better.words()}: challenge it so"
    else:
        hint = (
            "no usual preprocessing does better: look up in the suspect's documentation how it "
            "takes images and in which order its classes stand, or give test data of its own task"
        )
    raise SuspectUnusable(
        f"fed like this the suspect gives {accuracy.right} of {accuracy.count} test images their "
        f"label, which is near chance (fewer than {least})",
        hint=hint,
        check=CHECK,
    )


def _refuse_outdone(measured: TaskAccuracy, drawn: LabeledImages) -> None:
    """Raise SuspectUnusable where a usual preprocessing is more than twice as far above chance."""
    better = measured.better
    if better is None:
        return
    chance = np.unique_counts(drawn.labels).counts.max() / len(drawn.labels) * better.count
    if better.right - chance > 2 * (better.chosen_right - chance):
        raise SuspectUnusable(
            f"fed like this the suspect gives {better.chosen_right} of {better.count} test images "
            f"their label, and fed in a usual way {better.right}: it is not in use like this",
            hint=f"{better.words()}: challenge it so",
            check=CHECK,
        )
