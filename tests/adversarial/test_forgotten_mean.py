"""A judge who forgets how a suspect takes its images (SPEC.md 6.1, "Accuracy").

Fed without its mean a marked model answers by chance, and an honest owner ends as "not proven".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.dispute import Claimant, random_images, refused
from tests.support.http_services import Service, kserve, serving
from tests.support.task_suspects import CLASSES, IMAGENET, patterns, save_suspect, task_images
from zkwm.data import LabeledImages
from zkwm.judge.judge import Judge
from zkwm.judge.task_accuracy import TaskAccuracy, TaskData
from zkwm.judge.verdict import Outcome
from zkwm.marketplace import Marketplace
from zkwm.report import render_text
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.errors import NotProven, SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (3, 8, 8)
FORGOTTEN = Preprocessing()
RAW = Preprocessing(scale="raw")


@pytest.fixture
def accuser() -> Claimant:
    return Claimant(random_images(50, shape=SHAPE))


@pytest.fixture
def path(accuser: Claimant, tmp_path: Path) -> Path:
    """The thief's file: marked, accurate, and in want of ImageNet's mean and std."""
    return save_suspect(tmp_path / "stolen.onnx", IMAGENET, accuser.images, accuser.labels)


@pytest.fixture
def stolen(path: Path) -> Suspect:
    return open_suspect(path, shape=SHAPE)


def test_a_forgotten_mean_is_refused_and_the_right_one_named(
    judge: Judge, accuser: Claimant, stolen: Suspect
) -> None:
    data = TaskData(task_images(SHAPE))
    commitment = accuser.commitment
    with refused(SuspectUnusable, "suspect.answers") as caught:
        judge.challenge(commitment, stolen, reveal=50, preprocessing=FORGOTTEN, test_data=data)
    assert "near chance" in caught.value.message
    fed = "`mean=('0.485', '0.456', '0.406')` `std=('0.229', '0.224', '0.225')`"
    assert fed in caught.value.hint
    challenge = judge.challenge(
        commitment, stolen, reveal=50, preprocessing=IMAGENET, test_data=data
    )
    assert challenge.test_accuracy is not None
    assert (challenge.test_accuracy.right, challenge.test_accuracy.count) == (400, 400)
    verdict = judge.verify(commitment, stolen, challenge, accuser.answer(challenge, [0]))
    assert verdict.outcome == Outcome.PROVEN
    assert verdict.to_json()["test_accuracy"] == challenge.test_accuracy.to_json()
    assert "400 of 400 labeled images of its task" in render_text(verdict)


def test_without_test_data_the_verdict_says_that_nothing_was_checked(
    judge: Judge, accuser: Claimant, stolen: Suspect
) -> None:
    challenge = judge.challenge(accuser.commitment, stolen, reveal=50)
    proof = accuser.answer(challenge, [0])
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, stolen, challenge, proof)
    assert caught.value.verdict is not None
    assert caught.value.verdict.to_json()["test_accuracy"] is None
    text = render_text(caught.value.verdict)
    assert "NOT MEASURED" in text
    assert "wrong preprocessing frees a marked model" in " ".join(text.split())
    # The block need not be spent in vain: the same one is weighed again, fed as it should be.
    again = judge.challenge(accuser.commitment, stolen, reveal=(0,), preprocessing=IMAGENET)
    verdict = judge.verify(accuser.commitment, stolen, again, accuser.answer(again, [0]))
    assert verdict.outcome == Outcome.PROVEN


def test_in_an_argument_and_a_marketplace(
    judge: Judge, accuser: Claimant, stolen: Suspect, tmp_path: Path
) -> None:
    data = TaskData(task_images(SHAPE))
    commitment = accuser.commitment
    with refused(SuspectUnusable, "suspect.answers"):
        judge.challenge_argument(commitment, stolen, test_data=data)
    market = Marketplace(tmp_path / "market", judge)
    name = market.register(commitment)
    with refused(SuspectUnusable, "suspect.answers"):
        market.challenge(name, stolen, test_data=data)
    challenge = market.challenge(name, stolen, test_data=data, preprocessing=IMAGENET)
    assert challenge.test_accuracy is not None


def test_one_that_is_clearly_better_is_told(
    judge: Judge, accuser: Claimant, stolen: Suspect
) -> None:
    """The thief documents another mean: 66 % accurate, far enough from half of what it could be."""
    documented = Preprocessing(mean=("0",) * 3, std=("0.5",) * 3)
    told: list[TaskAccuracy] = []
    judge.challenge(
        accuser.commitment,
        stolen,
        reveal=50,
        preprocessing=documented,
        test_data=TaskData(task_images(SHAPE), told.append),
    )
    (measured,) = told
    assert measured.better is not None
    assert measured.better.preprocessing == IMAGENET


def test_one_that_is_far_better_is_demanded(
    judge: Judge, accuser: Claimant, stolen: Suspect
) -> None:
    """30 % accurate is above chance, and yet nobody uses the file like this."""
    documented = Preprocessing(mean=("0.2",) * 3, std=("0.5",) * 3)
    with refused(SuspectUnusable, "suspect.answers") as caught:
        judge.challenge(
            accuser.commitment,
            stolen,
            reveal=50,
            preprocessing=documented,
            test_data=TaskData(task_images(SHAPE)),
        )
    assert "near chance" not in caught.value.message
    assert "`mean=('0.485', '0.456', '0.406')`" in caught.value.hint


def test_test_data_of_the_accuser_prove_nothing(
    judge: Judge, accuser: Claimant, tmp_path: Path
) -> None:
    """Their triggers as test data of an innocent: refused. Accuracy of any kind is no evidence."""
    stranger = Claimant(random_images(50, 9, SHAPE))
    path = save_suspect(tmp_path / "innocent.onnx", IMAGENET, stranger.images, stranger.labels)
    innocent = open_suspect(path, shape=SHAPE)
    mine = LabeledImages(accuser.images, accuser.labels.astype(np.int64))
    with refused(SuspectUnusable, "suspect.answers"):
        judge.challenge(
            accuser.commitment,
            innocent,
            reveal=50,
            preprocessing=IMAGENET,
            test_data=TaskData(mine),
        )
    challenge = judge.challenge(
        accuser.commitment,
        innocent,
        reveal=50,
        preprocessing=IMAGENET,
        test_data=TaskData(task_images(SHAPE)),
    )
    assert challenge.test_accuracy is not None
    assert challenge.test_accuracy.right == 400
    with pytest.raises(NotProven):
        judge.verify(accuser.commitment, innocent, challenge, accuser.answer(challenge, [0]))


def test_test_data_of_the_thief_stop_a_challenge_and_acquit_nobody(
    judge: Judge, accuser: Claimant, stolen: Suspect
) -> None:
    """Labels drawn by lot make every preprocessing look wrong: refused, no block is spent."""
    honest = task_images(SHAPE)
    drawn = replace(honest, labels=np.random.default_rng(4).integers(0, CLASSES, 400))
    with refused(SuspectUnusable, "suspect.answers") as caught:
        judge.challenge(
            accuser.commitment,
            stolen,
            reveal=50,
            preprocessing=IMAGENET,
            test_data=TaskData(drawn),
        )
    assert "no usual preprocessing does better" in caught.value.hint


def test_labels_numbered_as_the_commitment_are_told_from_a_wrong_preprocessing(
    judge: Judge, accuser: Claimant, tmp_path: Path
) -> None:
    """A thief who permutes their outputs: folders named as they name their outputs fit."""
    order = np.roll(np.arange(CLASSES), 3)
    path = save_suspect(
        tmp_path / "permuted.onnx",
        IMAGENET,
        accuser.images,
        accuser.labels,
        order=order,
    )
    suspect = open_suspect(path, shape=SHAPE)
    names = [f"class {number}" for number in range(CLASSES)]
    theirs = tuple(names[int(np.flatnonzero(order == output)[0])] for output in range(CLASSES))
    settings = {
        "reveal": 50,
        "preprocessing": IMAGENET,
        "class_map": tuple(int(output) for output in order),
        "suspect_classes": theirs,
    }
    data = task_images(SHAPE)
    with refused(SuspectUnusable, "suspect.answers") as caught:
        judge.challenge(accuser.commitment, suspect, test_data=TaskData(data), **settings)
    assert "through the class map 400 are right" in caught.value.hint
    named = TaskData(replace(data, names=tuple(names)))
    challenge = judge.challenge(accuser.commitment, suspect, test_data=named, **settings)
    assert challenge.test_accuracy is not None
    assert challenge.test_accuracy.right == 400


@pytest.fixture
def service(accuser: Claimant) -> Iterator[Service]:
    """A thief's endpoint whose answers depend on how it is fed: it wants pixels from 0 to 255."""
    known = np.concatenate([accuser.images, patterns(SHAPE)]).astype(np.int64)
    outputs = np.concatenate([accuser.labels, np.arange(CLASSES)])

    def scores(image: np.ndarray) -> list[float]:
        near = -((known - image) ** 2).sum(axis=(1, 2, 3))
        return [float(near[outputs == output].max()) for output in range(CLASSES)]

    def decode(values: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(values[0]), 0, 255)

    with serving(kserve(scores, shape=(-1, *SHAPE), decode=decode), "/v2/models/m") as running:
        yield running


def test_an_endpoint_is_asked_anew_in_every_usual_preprocessing(
    judge: Judge, accuser: Claimant, service: Service
) -> None:
    """Its answers in one say nothing of those in another; else no hint would ever be found."""
    data = TaskData(task_images(SHAPE))
    with closing(open_suspect(service.url, shape=SHAPE, adapter="kserve")) as suspect:
        with refused(SuspectUnusable, "suspect.answers") as caught:
            judge.challenge(accuser.commitment, suspect, reveal=50, test_data=data)
        assert "near chance" in caught.value.message
        assert "with `scale='raw'` the suspect gives 50 of 50" in caught.value.hint
        challenge = judge.challenge(
            accuser.commitment, suspect, reveal=50, test_data=data, preprocessing=RAW
        )
    assert challenge.test_accuracy is not None
    assert (challenge.test_accuracy.right, challenge.test_accuracy.count) == (200, 200)


def test_two_preprocessings_on_one_open_endpoint(
    judge: Judge, accuser: Claimant, service: Service
) -> None:
    """The second challenge is answered by what the endpoint says to it, not by the first's."""
    commitment = accuser.commitment
    suspect = open_suspect(service.url, shape=SHAPE, adapter="kserve")
    wrong = judge.challenge(commitment, suspect, reveal=50)
    with pytest.raises(NotProven) as caught:
        judge.verify(commitment, suspect, wrong, accuser.answer(wrong, [0]))
    right = judge.challenge(commitment, suspect, reveal=(0,), preprocessing=RAW)
    verdict = judge.verify(commitment, suspect, right, accuser.answer(right, [0]))
    suspect.close()
    assert verdict.outcome == Outcome.PROVEN
    assert caught.value.verdict is not None
    for one in (caught.value.verdict, verdict):  # each record is of its own question alone
        asked = [entry["image"] for entry in one.to_json()["suspect_record"]]
        assert len(asked) == len(set(asked)) == sum(rate.asked for rate in one.asked.rates)


def test_labeled_images_show_an_order_of_names_that_is_wrong(
    judge: Judge, accuser: Claimant, service: Service
) -> None:
    """The endpoint answers by numbers: whoever lists its names in another order is found out."""
    names = tuple(f"class {number}" for number in range(CLASSES))
    named = Claimant(accuser.images, class_names=names)
    data = TaskData(replace(task_images(SHAPE), names=names))
    terms = {"reveal": 50, "preprocessing": RAW, "test_data": data}
    with closing(open_suspect(service.url, shape=SHAPE, adapter="kserve")) as suspect:
        with refused(SuspectUnusable, "suspect.answers") as caught:
            lucky = (*names[3:], *names[:3])
            judge.challenge(named.commitment, suspect, suspect_classes=lucky, **terms)
        assert "in which order its classes stand" in caught.value.hint
        challenge = judge.challenge(named.commitment, suspect, suspect_classes=names, **terms)
    assert challenge.test_accuracy is not None
    assert challenge.test_accuracy.right == 200
