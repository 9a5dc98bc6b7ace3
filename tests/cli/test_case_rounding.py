"""case check: verdicts about networks in which rounding decides some answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.support.case_files import Command, Files, dispute_over, save_lookup
from tests.support.court import ALL, Court, answering, states, words_of
from tests.support.rounded_lookup import answers_of, save_rounded_lookup
from zkwm.judge.results import TriggerResult

WORDS = "which always decide as the verdict does"


def decided(
    court: Court,
    zkwm: Command,
    case: Files,
    right: int,
    loose: int,
    code: int,
    pixels: str = "unit",
    sums: str = "MatMul",
) -> Callable[[TriggerResult], int | None]:
    """Decide about a suspect by two blocks of 50; return the answers of another machine.

    In each, the first ``right`` labels are its answers, and rounding decides the last ``loose``.
    """
    images, labels = case.triggers()
    places = np.arange(len(labels)) % 50
    outputs = np.where(places < right, labels, labels + 1) % 10
    model, other = case.folder / "rounded.onnx", case.folder / "elsewhere.onnx"
    for path, machine in ((model, 0), (other, 1)):
        save_rounded_lookup(
            path, images, outputs, places >= 50 - loose,
            pixels=pixels, machine=machine, sums=sums,
        )  # fmt: skip
    given = {} if pixels in ("unit", "guarded") else {"scale": "raw"}
    options = dispute_over(zkwm, case, model=model, reveal=100, **given)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, model]  # fmt: skip
    court.decide(*options, expected=code)
    assert court.pack(triggers=True).code == 0
    found = answers_of(other, images, pixels)
    return lambda one: found[one.index]


@pytest.mark.parametrize(
    ("right", "code", "pixels", "sums"),
    [
        (35, 0, "whole", "MatMul"),
        (0, 10, "unit", "MatMul"),
        (35, 0, "unit", "Einsum"),
        (0, 10, "unit", "ConvTranspose"),
    ],
)
def test_an_honest_judge_of_another_machine_is_repeated(
    right: int, code: int, pixels: str, sums: str, court: Court, zkwm: Command, case: Files
) -> None:
    """Whatever the suspect makes of its pixels first: its sums are added up in other orders.

    Of sums whose order stays, terms are moved apart: large ones do not absorb the others alike.
    """
    elsewhere = decided(court, zkwm, case, right, 15, code, pixels, sums)
    court.lie(lambda true: answering(true, elsewhere))
    found = court.check(expected=code)
    assert states(found) == ALL
    assert WORDS in words_of(found)


@pytest.mark.parametrize(
    ("loose", "pixels", "said", "unsaid"),
    [
        pytest.param(
            50, "whole", "far from the verdict's", "decide as", id="about answers that are loose"
        ),
        pytest.param(15, "whole", "answers change", "bits are left", id="about the others"),
    ],
)
def test_a_judge_who_makes_up_answers_beside_loose_ones(
    loose: int, pixels: str, said: str, unsaid: str, court: Court, zkwm: Command, case: Files
) -> None:
    """The lie is about answers that rounding decides, which no machine finds all right, or not."""
    decided(court, zkwm, case, 0, loose, 10, pixels)
    court.lie(lambda true: answering(true, lambda one: one.expected_output))
    found = court.check(expected=3)
    assert states(found)["answers"] == "differs"
    assert said in words_of(found)
    assert unsaid not in words_of(found)


def test_a_suspect_that_tells_moved_pixels_hides_no_lie(
    court: Court, zkwm: Command, case: Files
) -> None:
    """It would answer nothing right where the last bits of its pixels differ."""
    decided(court, zkwm, case, 50, 0, 0, "guarded")
    court.lie(lambda true: answering(true, lambda one: (one.expected_output or 0) ^ 1))
    found = court.check(expected=3)
    assert states(found)["answers"] == "differs"
    assert "with other rounding, 0 of 100 answers change" in words_of(found)


@pytest.mark.parametrize("kind", ["default", "Relu"])
def test_a_suspect_whose_functions_two_programs_read_otherwise(
    kind: str, court: Court, zkwm: Command, case: Files
) -> None:
    """What a program that puts functions in makes of it is another network, which decides nothing.

    Its scores would be negative, and each answer another.
    """
    images, labels = case.triggers()
    model = case.folder / "functions.onnx"
    save_lookup(model, images, (labels + 1) % 10)
    onnx.save_model(with_function(onnx.load_model(model), kind), str(model))
    options = dispute_over(zkwm, case, model=model)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, model]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    assert states(court.check(expected=10)) == ALL
    court.lie(lambda true: answering(true, lambda one: ((one.expected_output or 0) + 3) % 10))
    found = court.check(expected=3)
    assert states(found)["answers"] == "differs"


def with_function(model: onnx.ModelProto, kind: str) -> onnx.ModelProto:
    """A network whose scores, none of them negative, go through a function that changes nothing.

    It is an operator's name with another body, or multiplies by an attribute's default.
    """
    turned = helper.make_node("Neg", ["a"], ["b"])
    domain, name, body, defaults = "", "Relu", [turned], []
    if kind == "default":
        domain, name = "own", "Same"
        turned = helper.make_node("LeakyRelu", ["less"], ["one"])
        turned.attribute.append(
            onnx.AttributeProto(name="alpha", ref_attr_name="by", type=onnx.AttributeProto.FLOAT)
        )
        body = [
            helper.make_node("Constant", [], ["less"], value_float=-1.0),
            turned,
            helper.make_node("Mul", ["a", "one"], ["b"]),
        ]
        defaults = [helper.make_attribute("by", -1.0)]
        model.opset_import.append(helper.make_opsetid(domain, 1))
    model.functions.append(
        helper.make_function(
            domain, name, ["a"], ["b"], body, [helper.make_opsetid("", 17)], [], defaults
        )
    )
    model.graph.node[-1].output[0] = "scores"
    model.graph.node.append(helper.make_node(name, ["scores"], ["y"], domain=domain))
    return model
