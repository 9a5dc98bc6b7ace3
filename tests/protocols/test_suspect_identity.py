"""The suspect's identity and its account: every limit of their fields (SPEC.md 4.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zkwm_protocols.errors import Malformed
from zkwm_protocols.suspect_identity import Account, SuspectIdentity, SuspectKind

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
