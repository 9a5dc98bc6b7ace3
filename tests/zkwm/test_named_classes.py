"""Parameters of schemes and attacks as they are typed on a command line."""

from __future__ import annotations

import pytest

from zkwm.attacks import ATTACKS
from zkwm.named_classes import read_parameters
from zkwm_protocols.errors import UsageError


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (("epochs=3", "rate=1"), {"epochs": 3, "rate": 1.0}),
        (("rate=5e-2",), {"rate": 0.05}),
        ((), {}),
    ],
)
def test_parameters_that_were_typed(texts, values):
    found = read_parameters(ATTACKS, "attack", "fine_tuning", texts)
    assert found == values
    assert {type(value) for value in found.values()} == {type(value) for value in values.values()}


def test_yes_and_no_that_were_typed():
    for text, value in (("rescale=true", True), ("rescale=false", False)):
        assert read_parameters(ATTACKS, "attack", "permutation", (text,)) == {"rescale": value}


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (("epochs",), "not a parameter"),
        (("epochs=1", "epochs=2"), "was given before"),
        (("epochs=many",), "is a int, not 'many'"),
        (("rescale=yes",), "is a bool"),
    ],
)
def test_texts_that_are_no_parameters(texts, complaint):
    name = "permutation" if "rescale" in texts[0] else "fine_tuning"
    with pytest.raises(UsageError, match=complaint):
        read_parameters(ATTACKS, "attack", name, texts)


def test_a_foreign_name_or_value_does_not_fill_a_message() -> None:
    """As an archive's ``extraction.json`` may have it."""
    from zkwm.extraction.schemes import make_reader, reader_class

    long = "x" * 20_000
    for refused in (
        lambda: reader_class(long), lambda: make_reader(long),
        lambda: make_reader("uchida", **{long: 1}), lambda: make_reader("uchida", layer=long),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            refused()
        assert len(caught.value.message) < 300
