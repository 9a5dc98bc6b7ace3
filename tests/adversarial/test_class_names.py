"""What a label means is fixed in D: SPEC.md 5.2, 6.1, 8.2; two attacks, and what stays free.

An accuser assigns the classes of an innocent model to labels after the labels exist; a thief
permutes the outputs of a stolen model and documents it.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.support.dispute import Claimant, TableSuspect, marked, random_images
from zkwm.data.class_names import names_beside, parse_class_names
from zkwm.judge.judge import Judge
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, Malformed, NotProven, UsageError

CLASSES = 100
NAMES = tuple(f"class {number}" for number in range(CLASSES))


def innocent_of(images: Any) -> TableSuspect:
    """A model of 100 classes that is right on everything: image i shows class i modulo 100."""
    table = {image.tobytes(): number % CLASSES for number, image in enumerate(images)}
    return TableSuspect(dict(table), outputs=CLASSES, name="innocent")


def assigned(owner: Claimant) -> tuple[int, ...]:
    """The map under which most labels name the class that their image shows."""
    votes = np.zeros((CLASSES, CLASSES))
    for number, label in enumerate(owner.labels):
        votes[label, number % CLASSES] += 1
    return tuple(int(output) for output in linear_sum_assignment(-votes)[1])


def test_an_assignment_of_classes_to_labels_proves_nothing(judge: Judge) -> None:
    """305 bits for nothing once: 200 natural images, the best of 100! maps, an innocent model."""
    images = random_images(200)
    owner = Claimant(images, block_size=200, class_count=CLASSES)
    suspect, chosen = innocent_of(images), assigned(owner)
    challenge = judge.challenge(owner.commitment, suspect, reveal=200, class_map=chosen)
    with pytest.raises(NotProven) as caught:
        judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    evidence = caught.value.verdict.evidence
    terms = {term.name: term.bits for term in evidence.terms}
    assert terms["matches by chance"] > 200
    assert terms["choice of the class map"] == -525
    assert not evidence.reached


def test_an_assignment_against_the_names_is_refused(judge: Judge) -> None:
    images = random_images(200)
    owner = Claimant(images, block_size=200, class_count=CLASSES, class_names=NAMES)
    with pytest.raises(InvalidOpening) as caught:
        judge.challenge(
            owner.commitment, innocent_of(images), reveal=200, class_map=assigned(owner),
            suspect_classes=NAMES,
        )  # fmt: skip
    assert caught.value.check == "challenge.class_map"


def test_names_other_than_the_signed_ones_are_refused_and_not_shown(judge: Judge) -> None:
    owner = Claimant(random_images(50), class_count=CLASSES, class_names=NAMES)
    suspect = marked(owner.images, owner.labels, outputs=CLASSES)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50, suspect_classes=NAMES)
    other = dataclasses.replace(owner.commitment, class_names=NAMES[::-1])
    with pytest.raises(CouldNotCheck) as caught:
        judge.verify(other, suspect, challenge, owner.answer(challenge, [0]))
    assert caught.value.check == "commitment.class_names"
    assert caught.value.verdict.class_names is None
    verdict = judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    assert verdict.proven
    assert verdict.class_names == NAMES


@pytest.mark.parametrize("named", [True, False])
def test_a_thief_who_permutes_documented_outputs_is_proven_by_names(
    judge: Judge, named: bool
) -> None:
    owner = Claimant(random_images(50), class_count=CLASSES, class_names=NAMES if named else None)
    order = np.random.default_rng(1).permutation(CLASSES)
    stolen = marked(owner.images, order[owner.labels], outputs=CLASSES)
    documented = [""] * CLASSES
    for label, output in enumerate(order):
        documented[output] = f" {NAMES[label].upper()}"
    options = {"suspect_classes": tuple(documented), "reveal": 50}
    if not named:  # the map has its price, which 50 triggers cannot pay
        with pytest.raises(UsageError) as caught:
            judge.challenge(owner.commitment, stolen, class_map=tuple(map(int, order)), **options)
        assert caught.value.check == "challenge.reachable"
        return
    challenge = judge.challenge(owner.commitment, stolen, **options)
    assert challenge.class_map == tuple(order)
    verdict = judge.verify(owner.commitment, stolen, challenge, owner.answer(challenge, [0]))
    assert verdict.proven
    assert {term.name: term.bits for term in verdict.evidence.terms}["choice of the class map"] == 0


def test_the_identity_of_all_outputs_is_free(judge: Judge) -> None:
    owner = Claimant(random_images(50))
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    assert challenge.map_bits(owner.commitment) == 0
    assert judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0])).proven


@pytest.mark.parametrize(
    "text",
    [
        "cat\ndog\n",
        '["cat", "dog"]',
        '{"id2label": {"1": "dog", "0": "cat"}}',
        '{"cat": 0, "dog": 1}',
        '{"0": "cat", "1": "dog"}',
        '{"0": ["n02121620", "cat"], "1": ["n02084071", "dog"]}',
    ],
)
def test_names_are_read_in_all_forms(text: str) -> None:
    assert parse_class_names(text) == ("cat", "dog")


@pytest.mark.parametrize(
    "text",
    ["cat\nCAT \n", "cat\n\ndog", '{"0": "a", "2": "b"}', "[1, 2]", "[", '{"0": [], "1": [1]}'],
)
def test_what_is_no_list_of_names_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_class_names(text)


@pytest.mark.parametrize("text", ["{0: 'cat', 1: \"dog\"}", '["cat", "dog"]', "cat, dog"])
def test_names_that_an_onnx_file_tells(tmp_path: Path, text: str) -> None:
    import onnx

    model = onnx.ModelProto(ir_version=8)
    onnx.helper.set_model_props(model, {"author": "somebody", "names": text})
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert names_beside(tmp_path / "model.onnx") == ("cat", "dog")


def test_names_beside_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\xff" * 100)
    assert names_beside(tmp_path / "model.onnx") is None
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "cat", "1": "dog"}}))
    assert names_beside(tmp_path / "model.onnx") == ("cat", "dog")
