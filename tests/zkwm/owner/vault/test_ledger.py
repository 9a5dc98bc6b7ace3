"""Ledger entries of zero-knowledge answers, next to openings, old and new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from zkwm.owner.vault import ArgumentEntry, CommitmentSecrets, LedgerEntry, Vault, VaultState
from zkwm.owner.vault.ledger import ArgumentOutcome, read_entry
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed, VaultUnusable
from zkwm_protocols.keys import SigningKey


@pytest.fixture
def argued(digest: bytes) -> ArgumentEntry:
    """An argument about blocks 4 and 5."""
    return ArgumentEntry(
        challenge_digest=b"\x0a" * 32,
        commitment_digest=digest,
        outcome=ArgumentOutcome.PROVED,
        network_digest=b"\x0b" * 32,
        block_count=2,
        least_matches=60,
        blocks=(4, 5),
        judge_fingerprint=SigningKey.from_bytes("ed25519", bytes(32)).public.fingerprint(),
        purpose="a dispute",
        suspect_description="model.onnx",
        suspect_digest=b"\x01" * 32,
        issued=1_750_000_000,
        recorded=1_750_000_100,
        response=b"the bytes that left",
    )


def refused(entry: ArgumentEntry, **changes: Any) -> ArgumentEntry:
    return replace(entry, outcome=ArgumentOutcome.REFUSED, blocks=(), **changes)


def test_an_entry_comes_back_as_it_was(argued: ArgumentEntry) -> None:
    for entry in (
        argued,
        refused(argued),
        replace(argued, outcome=ArgumentOutcome.TOO_FEW, response=b""),
    ):
        assert read_entry(decode(encode(entry.to_map()), limit=2**20)) == entry


def test_an_opening_is_written_as_before(entry: Callable[[int], LedgerEntry]) -> None:
    fields = entry(0).to_map()
    assert set(fields) == {
        "challenge_digest", "commitment_digest", "blocks", "judge_fingerprint", "purpose",
        "suspect_description", "suspect_digest", "issued", "recorded", "response",
    }  # fmt: skip
    assert read_entry(fields) == entry(0)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "lost"},
        {"network_digest": bytes(31)},
        {"block_count": 0},
        {"block_count": 3},
        {"least_matches": 0},
        {"least_matches": 10_001},
        {"blocks": ()},
        {"blocks": (5, 4)},
        {"response": b""},
        {"outcome": ArgumentOutcome.TOO_FEW},
        {"outcome": ArgumentOutcome.REFUSED},
        {"challenge_digest": bytes(31)},
        {"judge_fingerprint": "abcd"},
        {"purpose": "two\nlines"},
        {"recorded": -1},
    ],
)
def test_entries_built_wrong_are_refused(argued: ArgumentEntry, change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        replace(argued, **change)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(kind="other"),
        lambda fields: fields.update(kind=None),
        lambda fields: fields.update(more=1),
        lambda fields: fields.pop("outcome"),
        lambda fields: fields.pop("kind"),
        lambda fields: fields.update(blocks=4),
    ],
)
def test_maps_that_are_no_entry_are_refused(
    argued: ArgumentEntry, change: Callable[[dict[str, Any]], object]
) -> None:
    fields = argued.to_map()
    change(fields)
    with pytest.raises(Malformed):
        read_entry(fields)


def test_an_argument_spends_nothing_and_is_counted(
    vault: Vault,
    argued: ArgumentEntry,
    entry: Callable[[int], LedgerEntry],
    digest: bytes,
    passphrase: str,
) -> None:
    with vault.transaction() as state:
        state.ledger += [argued, entry(4)]
    state = Vault.open(vault.path, passphrase).state
    assert state.spent_blocks(digest) == {4}
    assert state.openings() == [entry(4)]
    assert state.arguments(digest) == [argued]
    assert state.arguments(bytes(32)) == []
    assert state.response_to(argued.challenge_digest) == argued


BROKEN: dict[str, Callable[[ArgumentEntry, LedgerEntry], list[LedgerEntry | ArgumentEntry]]] = {
    "an argument about an opened block": lambda a, o: [o, a],
    "the challenge of an opening": lambda a, o: [
        replace(o, blocks=(7,), challenge_digest=a.challenge_digest),
        a,
    ],
    "the same challenge again": lambda a, _: [a, a],
    "another number of matches about one network": lambda a, _: [
        a,
        replace(a, challenge_digest=bytes(32), least_matches=61),
    ],
    "another number of blocks about one network": lambda a, _: [
        a,
        replace(a, challenge_digest=bytes(32), block_count=1, blocks=(4,)),
    ],
    "another commitment": lambda a, _: [replace(a, commitment_digest=bytes(32))],
}


@pytest.mark.parametrize("name", BROKEN)
def test_ledgers_that_break_a_rule_are_refused(
    vault: Vault, argued: ArgumentEntry, entry: Callable[[int], LedgerEntry], name: str
) -> None:
    with pytest.raises(Malformed), vault.transaction() as state:
        state.ledger += BROKEN[name](argued, entry(4))
    assert vault.state.ledger == []


def test_a_refusal_fixes_no_number(vault: Vault, argued: ArgumentEntry) -> None:
    first = refused(argued, challenge_digest=bytes(32), block_count=4, least_matches=80)
    other = replace(
        argued, challenge_digest=b"\x0c" * 32, network_digest=bytes(32), least_matches=7
    )
    with vault.transaction() as state:
        state.ledger += [first, argued, other]
    assert len(vault.state.ledger) == 3


def test_an_argument_is_never_removed_or_altered(
    vault: Vault, argued: ArgumentEntry, secret_record: CommitmentSecrets
) -> None:
    with vault.transaction() as state:
        state.ledger.append(argued)

    def spoil(change: Callable[[VaultState], object]) -> None:
        with pytest.raises(VaultUnusable), vault.transaction() as state:
            change(state)

    spoil(lambda state: state.ledger.clear())
    spoil(lambda state: state.ledger.__setitem__(0, replace(argued, purpose="another")))
    assert vault.state.ledger == [argued]
