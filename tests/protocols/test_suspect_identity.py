"""The suspect's identity and its account: every limit of their fields (SPEC.md 4.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zkwm_protocols.errors import Malformed
from zkwm_protocols.suspect_identity import Account, Preprocessing, SuspectIdentity, SuspectKind

PLAIN = SuspectIdentity(SuspectKind.ONNX, bytes(32), "a file", 10, (1, 28, 28))


@pytest.mark.parametrize(
    "names",
    [(), ("b", "a"), ("a", "a"), tuple(f"x{n:02}" for n in range(65)), ("A",), ("a b",), ("",)],
)
def test_headers_of_an_account_are_few_lower_case_and_in_order(names: tuple[str, ...]) -> None:
    with pytest.raises(Malformed):
        Account(names, bytes(32), bytes(32))


def test_an_account_is_that_of_its_headers_alone() -> None:
    account = Account.of({"X-B": "1", "a": "2"}, bytes(32))
    assert account is not None
    assert account.header_names == ("a", "x-b")
    assert account.is_of({"A": "2", "x-b": "1"})
    assert not account.is_of({"A": "1", "x-b": "2"})


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": bytes(31)}, {"outputs": 1}, {"shape": (1, 1)}, {"shape": (1, 0, 1)},
        {"shape": (1, 65_536, 1)}, {"kind": SuspectKind.EXTRACTION, "outputs": 2},
    ],
)  # fmt: skip
def test_a_suspect_cannot_be_built_wrong(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        replace(PLAIN, **changes)


def test_numbers_of_the_api_are_written_as_text() -> None:
    """What is signed is text; whoever calls the API has numbers, as in a model's documentation."""
    numbers = Preprocessing(mean=(0.485, 0.1 + 0.2, 0), std=(1e-3, 1, 0.2))
    assert numbers.mean == ("0.485", "0.3", "0")
    assert numbers.std == ("0.001", "1", "0.2")
    assert Preprocessing.from_map(numbers.to_map()) == numbers


@pytest.mark.parametrize("mean", [float("nan"), float("inf"), True, None, b"1", ".5", "1e-3"])
def test_what_is_no_decimal_number_is_refused(mean: object) -> None:
    """Text of a file is never rewritten: it has to be as the protocol writes it."""
    with pytest.raises(Malformed, match="not a decimal number"):
        Preprocessing(mean=(mean,), std=("1",))


@pytest.mark.parametrize(("mean", "std"), [(("0.5",), ()), (("0.5",) * 2, ("1",) * 2)])
def test_counts_of_mean_and_std_are_told(mean: tuple[str, ...], std: tuple[str, ...]) -> None:
    with pytest.raises(Malformed, match=f"mean has {len(mean)} values and std {len(std)}"):
        Preprocessing(mean=mean, std=std)
