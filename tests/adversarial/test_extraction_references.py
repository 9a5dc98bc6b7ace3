"""Extracted marks: the reference by which neurons are aligned is fixed in D (SPEC.md 19.4)."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.dispute import failed, refused, verdict_of
from tests.support.extraction_case import (
    COUNT,
    ExtractionCase,
    network,
    new_case,
)
from zkwm.extraction.alignment import align
from zkwm.extraction.keys import read_keys
from zkwm.extraction.neuron_groups import neuron_groups, permute, weighted_layers
from zkwm.extraction.reader import JudgeView
from zkwm.extraction.unit_form import tensors, with_tensors
from zkwm.judge.judge import Judge
from zkwm.nn.architectures import Classifier
from zkwm.suspects.safetensors_suspect import architecture_digest
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm_protocols.errors import InvalidOpening

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def case(tmp_path: Path) -> ExtractionCase:
    return new_case(tmp_path)


def fitting_reference(
    innocent: Classifier, keys: NDArray[np.uint8], labels: NDArray[np.int64], layer: int
) -> Classifier:
    """The innocent network with its neurons in the order in which its bits fit the labels best.

    Hill climbing over the order of the channels that convolution ``layer`` reads.
    """
    model = align(innocent, innocent)
    weight = weighted_layers(model)[layer][1].weight.detach().double().sum(dim=0).numpy()
    channels = len(weight)
    rows = np.stack([key.signs("row", weight.size) for key in read_keys(keys)]).astype(float)
    rows = rows.reshape(len(rows), channels, -1) * (2 * labels - 1)[:, None, None]
    worth = np.einsum("kpx,cx->pck", rows, weight.reshape(channels, -1))
    order = np.arange(channels)
    margins = worth[order, order].sum(axis=0)
    scale = np.abs(margins).mean()
    source = np.random.default_rng(0)
    for _ in range(6000):
        a, b = source.integers(channels, size=2)
        change = worth[a, order[b]] + worth[b, order[a]] - worth[a, order[a]] - worth[b, order[b]]
        if np.tanh((margins + change) / scale).sum() > np.tanh(margins / scale).sum():
            margins = margins + change
            order[[a, b]] = order[[b, a]]
    state = tensors(model)
    permute(state, neuron_groups(model)[layer - 1], torch.from_numpy(order))
    return with_tensors(model, state)


def test_a_reference_chosen_after_the_labels_would_frame_an_innocent_and_is_refused(
    tmp_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, layer = Uchida(), 2
    case = new_case(tmp_path)
    unmarked = network(2, "cnn3")
    keys = draw_keys(case.vault, scheme, COUNT, (layer,))
    commitment = commit_keys(
        case.vault, keys, block_size=64, owner_model=architecture_digest(unmarked)
    )
    innocent = network(3, "cnn3")
    forged = fitting_reference(innocent, keys, commitment.labels(), layer)

    def matching(reference: Classifier) -> int:
        bits = scheme.reader().extract(innocent, keys, JudgeView(reference))
        return int((bits == commitment.labels()).sum())

    assert 35 < matching(unmarked) < 93
    # log2(64!) = 296 bits of freedom; coins reach this once in 2^53. In 174 draws 118 to 128.
    assert matching(forged) >= 109

    case = replace(case, commitment=commitment, keys=keys)
    path = case.save("innocent", innocent)
    honest = case.suspect(path, reference=case.save("named", unmarked))
    late = case.suspect(path, reference=case.save("late", forged))
    assert late.identity.digest != honest.identity.digest
    with refused(InvalidOpening, "challenge.suspect"):
        judge.challenge(commitment, late, reveal=COUNT)

    # a judge whose tool did not look when it asked finds out when it checks
    with monkeypatch.context() as patch:
        patch.setattr(type(late), "check_committed", lambda suspect, header: None)
        challenge = judge.challenge(commitment, late, reveal=COUNT)
    proof = case.answered(judge, challenge)
    verdict = verdict_of(lambda: judge.verify(commitment, late, challenge, proof))
    assert failed(verdict) == ["challenge.suspect"]
    assert "made to fit" in verdict.hint
    swapped = verdict_of(lambda: judge.verify(commitment, honest, challenge, proof))
    assert failed(swapped) == ["challenge.suspect"]


@pytest.mark.parametrize("named", [True, False])
def test_whether_there_is_a_reference_is_no_choice_either(
    tmp_path: Path, judge: Judge, named: bool
) -> None:
    case = new_case(tmp_path, named=named)
    path = tmp_path / "marked"
    wrong = case.suspect(path, reference=None if named else tmp_path / "unmarked")
    with refused(InvalidOpening, "challenge.suspect") as caught:
        judge.challenge(case.commitment, wrong, reveal=COUNT)
    assert ("none was given" if named else "no unmarked model") in caught.value.message


def test_a_reference_that_differs_in_one_weight_is_another(
    case: ExtractionCase, judge: Judge
) -> None:
    near = copy.deepcopy(case.unmarked)
    with torch.no_grad():
        near.get_parameter("features.0.weight")[0, 0, 0, 0] += 1e-6
    suspect = case.suspect(case.folder / "marked", reference=case.save("near", near))
    with refused(InvalidOpening, "challenge.suspect"):
        judge.challenge(case.commitment, suspect, reveal=COUNT)
