"""Adversaries against relearning (SPEC.md 8.7): weights made to break it, claimants who choose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.dispute import (
    CLASSES,
    Claimant,
    failed,
    new_judge,
    random_images,
    refused,
    verdict_of,
)
from tests.support.trained_suspect import (
    TrainedSuspect,
    memorize,
    small_classifier,
    small_network,
)
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm.nn.architectures import Classifier
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.ranks import ranks, weighted_sum
from zkwm_protocols.relearning import Form, relearned_ranks, rounds_of
from zkwm_protocols.suspect_identity import Preprocessing

pytestmark = pytest.mark.usefixtures("quick_labels")
COUNT = 50
IMAGES = random_images(COUNT)
OWNER = Claimant(IMAGES)
PLAIN = Preprocessing()


def changed(change: Callable[[nn.Sequential], None], seed: int = 0) -> nn.Sequential:
    """A network of random weights, after ``change``."""
    model = small_network(seed, 8)
    with torch.no_grad():
        change(model)
    return model


def scaled(factor: float) -> Callable[[nn.Sequential], None]:
    def change(model: nn.Sequential) -> None:
        for weights in model.parameters():
            weights.mul_(factor)

    return change


def rescaled(model: nn.Sequential) -> None:
    """The same function: hidden units times 2^12, the next weights divided by it."""
    for weights in model[1].parameters():
        weights.mul_(2.0**12)
    model[3].get_parameter("weight").div_(2.0**12)


def fragile(model: nn.Sequential) -> None:
    """The same function, with hidden weights that one step of training replaces."""
    for weights in model[1].parameters():
        weights.mul_(2.0**-10)
    model[3].get_parameter("weight").mul_(2.0**10)


def constant(model: nn.Sequential) -> None:
    for weights in model[3].parameters():
        weights.fill_(0.5)


def dead(model: nn.Sequential) -> None:
    for weights in model[1].parameters():
        weights.copy_(-weights.abs() - 1)


INNOCENT: dict[str, Callable[[nn.Sequential], None]] = {
    "random weights": scaled(1.0),
    "huge weights": scaled(1e17),
    "a rescaled layer": rescaled,
    "a fragile layer": fragile,
    "constant answers": constant,
    "dead units": dead,
    "zeros": scaled(0.0),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_labels_that_nobody_embedded_stay_strange(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh label sets on weights that know none; benchmarks/null_relearning.py has 3,000."""
    monkeypatch.setattr("zkwm.training.relearning.MOST_STEPS", 3)
    suspect, random = TrainedSuspect(changed(INNOCENT[name])), np.random.default_rng(4)
    images, rounds = IMAGES[:16], rounds_of(16)
    scores = np.stack([answer.scores for answer in suspect.answer(images, PLAIN)])
    found = []
    for _ in range(12):
        labels = random.integers(CLASSES, size=16).tolist()
        tables = suspect.relearn(images, labels, rounds, PLAIN, range(CLASSES))
        found += relearned_ranks(scores, tables, labels)
    expected = len(found) / CLASSES
    counts = np.bincount(found, minlength=CLASSES)
    assert ((counts - expected) ** 2 / expected).sum() < 33.7  # one in 10,000 of chi-square, 9


class Diverging(nn.Module):
    """A network whose scores overflow once its weights move."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = small_network(0, 8)
        self.first = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """Ordinary scores as long as ``first`` is 0."""
        scores: Tensor = self.inner(images)
        return scores * torch.exp(self.first * 1e30)


def test_training_that_diverges_leaves_the_scores_as_they_are() -> None:
    """No crash, no NaN: every round ends, and what counts are the suspect's own scores."""
    suspect = TrainedSuspect(Diverging())
    verdict = judged(new_judge(), OWNER, suspect)
    assert verdict.outcome == "not proven"
    plain = [answer.scores for answer in suspect.answer(IMAGES, PLAIN)]
    first = slice(0, COUNT, 8)  # those that are asked before anything is learned
    expected = ranks(np.stack(plain), OWNER.labels)[first]
    assert tuple(one.rank for one in verdict.triggers[first]) == expected


@pytest.mark.parametrize("change", [rescaled, fragile])
def test_a_thief_whose_copies_learn_nothing_is_proven_by_what_is_there(
    change: Callable[[nn.Sequential], None],
) -> None:
    """Rescaled layers answer as before, and a step of training ruins them, or moves nothing."""
    model = small_network(0, 24)
    memorize(model, IMAGES, OWNER.labels, 60)
    with torch.no_grad():
        change(model)
    verdict = judged(new_judge(), OWNER, TrainedSuspect(model))
    assert verdict.evidence is not None
    assert verdict.evidence.rank_sum is not None
    assert verdict.evidence.rank_sum.value > 0.8 * 6 * COUNT
    assert verdict.outcome == "proven"


def stiff(model: Classifier) -> None:
    """The same function: neurons of a layer times 2^10 or 2^-10, of the next divided by it."""
    factors = 2.0 ** torch.tensor([10.0, -10.0]).repeat(16)
    for name in ("weight", "bias"):
        weights = model.get_parameter(f"features.1.{name}")
        weights.mul_(factors.view(-1, *[1] * (weights.ndim - 1)))
    model.get_parameter("features.3.weight").div_(factors)


def blown_up(model: Classifier) -> None:
    """The same order of answers: logits times 1000, and pixels divided by as much."""
    for name in ("weight", "bias"):
        model.get_parameter(f"features.5.{name}").mul_(1000)
    model.normalize.std.mul_(1000)
    model.get_parameter("features.1.weight").mul_(1000)


@pytest.mark.parametrize("change", [stiff, blown_up])
def test_a_thief_who_suppressed_a_memory_cannot_lock_it_by_scales(
    change: Callable[[Classifier], None],
) -> None:
    """Suppressed, then rescaled: copies of the file as it is learn nothing, others as before."""
    model = small_classifier()
    memorize(model, IMAGES, OWNER.labels, 150)
    memorize(model, IMAGES, np.random.default_rng(7).integers(CLASSES, size=COUNT), 16)
    rounds, labels = rounds_of(COUNT)[3:4], OWNER.labels.tolist()
    before = TrainedSuspect(model).relearn(IMAGES, labels, rounds, PLAIN, range(CLASSES))
    with torch.no_grad():
        change(model)
    suspect = TrainedSuspect(model)
    after = suspect.relearn(IMAGES, labels, rounds, PLAIN, range(CLASSES))
    for form, were, are in zip(Form, before, after, strict=True):
        moved = np.abs(are[0] - were[0]).max()
        assert moved > 1 if form is Form.GIVEN else moved < 1e-2
    scores = np.stack([one.scores for one in suspect.answer(IMAGES, PLAIN)])
    verdict = judged(new_judge(), OWNER, suspect)
    assert verdict.evidence is not None
    assert verdict.evidence.rank_sum is not None
    assert verdict.evidence.rank_sum.value > weighted_sum(ranks(scores, labels), CLASSES) + 5


class Blind(nn.Module):
    """A network that answers NaN to images whose first pixel is bright."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        """Scores, NaN in some rows."""
        bright = images[:, 0, 0, 0] > 0.9
        scores: Tensor = self.inner(images)
        return torch.where(bright[:, None], torch.nan, scores)


def judged(
    judge: Judge,
    owner: Claimant,
    suspect: TrainedSuspect,
    class_map: tuple[int, ...] | None = None,
) -> Verdict:
    challenge = judge.challenge(
        owner.commitment, suspect, reveal=COUNT, statistic="relearning", class_map=class_map
    )
    proof = owner.answer(challenge, [0])
    return verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))


def test_triggers_without_an_answer_are_left_out_of_the_training() -> None:
    """One NaN would end every round: they weigh nothing, and the others are learned."""
    model = small_network()
    memorize(model, IMAGES, OWNER.labels, 60)
    verdict = judged(new_judge(), OWNER, TrainedSuspect(Blind(model)))
    silent = [one.rank is None for one in verdict.triggers]
    assert silent == [bool(image[0, 0, 0] > 0.9 * 255) for image in IMAGES]
    assert 0 < sum(silent) < 15
    assert verdict.evidence is not None
    assert verdict.evidence.rank_sum is not None
    assert verdict.evidence.rank_sum.value > 0.9 * 6 * (COUNT - sum(silent))
    assert verdict.evidence.trials == COUNT


def test_weights_that_are_not_numbers_cannot_be_checked() -> None:
    def broken(model: nn.Sequential) -> None:
        model[3].get_parameter("weight").fill_(torch.inf)

    verdict = judged(new_judge(), OWNER, TrainedSuspect(changed(broken)))
    assert failed(verdict) == ["suspect.answers"]
    assert verdict.outcome == "could not be checked"


def test_a_round_knows_only_labels_that_were_ranked_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other labels of a part and of those after it move no score that the part is ranked by."""
    monkeypatch.setattr("zkwm.training.relearning.MOST_STEPS", 2)
    suspect, rounds = TrainedSuspect(small_classifier(0, (8, 8))), rounds_of(16)
    labels = [number % CLASSES for number in range(16)]
    whole = suspect.relearn(IMAGES[:16], labels, rounds, PLAIN, range(CLASSES))
    for number in (1, 4, 7):
        other = [label if i % 8 < number else 9 - label for i, label in enumerate(labels)]
        found = suspect.relearn(IMAGES[:16], other, rounds, PLAIN, range(CLASSES))
        for form in range(len(Form)):
            pairs = zip(found[form][:number], whole[form], strict=False)
            assert all(np.array_equal(a, b) for a, b in pairs)
            after = zip(found[form][number:], whole[form][number:], strict=True)
            assert not any(np.array_equal(a, b) for a, b in after)


def test_challenge_after_challenge_is_one_function_with_one_result() -> None:
    """Nothing is drawn by a nonce: a claimant who asks for many challenges has one try.

    With other salts other labels follow: that is grinding of D, which is paid for.
    """
    judge, suspect = new_judge(), TrainedSuspect(small_network(0, 8))
    first, second = judged(judge, OWNER, suspect), judged(judge, OWNER, suspect)
    assert first.challenge is not None
    assert second.challenge is not None
    assert first.challenge.nonce != second.challenge.nonce
    assert [one.rank for one in first.triggers] == [one.rank for one in second.triggers]
    assert (first.functions_tried, second.functions_tried) == (1, 1)


def test_the_first_result_stands() -> None:
    """Another machine would round otherwise: who verifies again gets what was counted first."""
    judge, suspect = new_judge(), TrainedSuspect(small_network(0, 8))
    challenge = judge.challenge(OWNER.commitment, suspect, reveal=COUNT, statistic="relearning")
    proof = OWNER.answer(challenge, [0])
    first = verdict_of(lambda: judge.verify(OWNER.commitment, suspect, challenge, proof))
    rounds = suspect.rounds
    suspect.model = small_network(1, 8)
    again = verdict_of(lambda: judge.verify(OWNER.commitment, suspect, challenge, proof))
    assert suspect.rounds == rounds
    assert [one.rank for one in again.triggers] == [one.rank for one in first.triggers]


MAP = tuple((label + 3) % CLASSES for label in range(CLASSES))


def test_another_class_map_has_its_own_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one map gave, which was paid for (8.2), is no first result of another that is free."""
    monkeypatch.setattr("zkwm.training.relearning.MOST_STEPS", 5)
    judge, suspect = new_judge(), TrainedSuspect(small_network(0, 8))
    memorize(suspect.model, IMAGES, np.array([MAP[label] for label in OWNER.labels]), 60)
    alone = judged(new_judge(), OWNER, suspect)
    fitted = judged(judge, OWNER, suspect, MAP)
    after = judged(judge, OWNER, suspect)
    assert fitted.evidence is not None
    assert fitted.evidence.rank_sum is not None
    assert fitted.evidence.rank_sum.value > 0.7 * 6 * COUNT
    assert [one.rank for one in after.triggers] == [one.rank for one in alone.triggers]
    assert after.outcome == "not proven"
    assert (fitted.functions_tried, after.functions_tried) == (1, 2)


def test_a_wrong_class_map_spoils_nothing_for_the_right_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zkwm.training.relearning.MOST_STEPS", 5)
    judge, suspect = new_judge(), TrainedSuspect(small_network(0, 8))
    memorize(suspect.model, IMAGES, OWNER.labels, 60)
    assert judged(judge, OWNER, suspect, MAP).outcome == "not proven"
    assert judged(judge, OWNER, suspect).outcome == "proven"


@pytest.mark.parametrize("kind", ["onnx", "http"])
def test_suspects_without_weights_to_train_are_refused(kind: str) -> None:
    suspect = TrainedSuspect(small_network(), kind=kind)
    with refused(InvalidOpening, "challenge.suspect"):
        new_judge().challenge(OWNER.commitment, suspect, reveal=COUNT, statistic="relearning")
    assert suspect.rounds == 0
