"""The rules of a vault's state, and of the states that may follow it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.spec_vectors import VECTORS
from zkwm.owner.vault import LedgerEntry, OlderCopyEntry
from zkwm.owner.vault.high_water_mark import HighWaterMark, Mark, marks_of, tag_key
from zkwm.owner.vault.state import CommitmentSecrets, VaultState, require_successor
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed, Unsupported, VaultUnusable
from zkwm_protocols.keys import SigningKey

VECTORS: dict[str, Any] = json.loads(VECTORS.joinpath("vault.json").read_text(encoding="utf-8"))
PLAINTEXT = bytes.fromhex(VECTORS["files"][0]["plaintext"])
SECOND = bytes.fromhex(VECTORS["files"][-1]["plaintext"])
OTHER = b"\xee" * 32


@pytest.fixture
def state(
    digest: bytes, secret_record: CommitmentSecrets, entry: Callable[[int], LedgerEntry]
) -> VaultState:
    return VaultState(
        signing_key=SigningKey.generate(),
        seed=b"\xa7" * 32,
        commitments={digest: secret_record},
        ledger=[entry(0), entry(3)],
        trusted_judges=[entry(0).judge_fingerprint],
    )


def test_round_trip(state: VaultState) -> None:
    again = VaultState.from_map(decode(encode(state.to_map()), limit=2**20))
    assert again == state
    assert again.signing_key.to_bytes() == state.signing_key.to_bytes()


def test_the_vector_reads_and_writes_back() -> None:
    state = VaultState.from_map(decode(SECOND, limit=2**20))
    assert encode(state.to_map()) == SECOND
    derived = VECTORS["derived"]
    key = state.derive_key(bytes.fromhex(derived["purpose"]), bytes.fromhex(derived["context"]))
    assert key.hex() == derived["key"]


def test_version_1_is_read_and_becomes_version_2() -> None:
    """A vault holds secrets: whoever has an earlier one keeps them; only the dates are unknown."""
    first = VaultState.from_map(decode(PLAINTEXT, limit=2**20))
    assert {kept.created for kept in first.commitments.values()} == {None}
    second = VaultState.from_map(decode(SECOND, limit=2**20))
    assert {kept.created for kept in second.commitments.values()} == {1_750_000_000}
    assert (first.signing_key, first.seed) == (second.signing_key, second.seed)
    assert (first.ledger, first.trusted_judges) == (second.ledger, second.trusted_judges)
    written = first.to_map()
    assert written["version"] == 2
    assert VaultState.from_map(written) == first


@pytest.mark.parametrize("version", [0, 1, 3, True, "2", None])
def test_another_version_is_refused_by_name(version: object) -> None:
    content = decode(SECOND, limit=2**20)
    with pytest.raises(Unsupported, match="another version"):
        VaultState.from_map(content | {"version": version})


def test_no_version_is_mixed_with_another() -> None:
    first, second = decode(PLAINTEXT, limit=2**20), decode(SECOND, limit=2**20)
    for mixed in (
        first | {"version": 2},
        {name: value for name, value in second.items() if name != "version"},
        second | {"commitments": first["commitments"]},
    ):
        with pytest.raises(Malformed):
            VaultState.from_map(mixed)


def test_the_marks_of_the_vector() -> None:
    """The beginnings of the vault's ledger, and an older copy accepted after them."""
    state, vector = VaultState.from_map(decode(PLAINTEXT, limit=2**20)), VECTORS["mark"]
    state.ledger.append(
        OlderCopyEntry.from_map(decode(bytes.fromhex(vector["older_copy"]), limit=2**10))
    )
    key = tag_key(state)
    assert [mark.to_bytes(key).hex() for mark in marks_of(state)] == vector["files"]
    for mark, file in zip(marks_of(state), vector["files"], strict=True):
        assert Mark.from_bytes(bytes.fromhex(file), key) == mark
    path = HighWaterMark(Path("acme.vault"), state).path
    assert path is not None
    assert path.stem == vector["name"]
    counters = [mark.counter for mark in marks_of(state)]
    assert counters == [*range(len(state.ledger)), 41]


def test_derived_keys_differ_by_purpose_and_context(state: VaultState) -> None:
    keys = {
        state.derive_key(purpose, context)
        for purpose in (b"triggers", b"trigger", b"")
        for context in (bytes(32), OTHER)
    }
    assert len(keys) == 6
    with pytest.raises(Malformed):
        state.derive_key(b"triggers", b"short")


def test_questions_about_the_ledger(state: VaultState, digest: bytes) -> None:
    assert state.spent_blocks(digest) == frozenset({0, 3})
    assert state.spent_blocks(OTHER) == frozenset()
    assert state.response_to((3).to_bytes(32, "big")) == state.ledger[1]
    assert state.response_to(OTHER) is None


def test_a_copy_does_not_change_the_original(state: VaultState) -> None:
    copy = state.copy()
    copy.ledger.clear()
    copy.commitments.clear()
    copy.trusted_judges.clear()
    assert len(state.ledger) == 2
    assert state.commitments
    assert state.trusted_judges


def test_records_cannot_be_changed(state: VaultState, secret_record: CommitmentSecrets) -> None:
    with pytest.raises(FrozenInstanceError):
        state.ledger[0].blocks = ()
    with pytest.raises(FrozenInstanceError):
        secret_record.salts = b""


def test_no_repr_shows_a_secret(state: VaultState, secret_record: CommitmentSecrets) -> None:
    text = repr(state) + repr(secret_record) + repr(state.ledger)
    for secret in (
        state.seed,
        state.signing_key.to_bytes(),
        secret_record.salts,
        secret_record.images,
        state.ledger[0].response,
    ):
        assert repr(secret)[2:-1] not in text
        assert secret.hex() not in text


@pytest.mark.parametrize(
    "change",
    [
        {"commitment_file": "text"},
        {"family": "x" * 33},
        {"family": b"secret"},
        {"salts": b""},
        {"salts": bytes(63)},
        {"images": b""},
        {"images": bytes(9)},
        {"images": None},
        {"labels": (1,)},
        {"labels": (1, 65_535)},
        {"labels": (1, -1)},
        {"labels": (1, True)},
        {"labels": [1, 2]},
    ],
)
def test_secrets_that_do_not_fit_each_other_are_refused(
    secret_record: CommitmentSecrets, change: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        replace(secret_record, **change)


def test_declared_labels_are_kept(secret_record: CommitmentSecrets) -> None:
    declared = replace(secret_record, labels=(3, 65_534))
    assert CommitmentSecrets.from_map(declared.to_map()) == declared


@pytest.mark.parametrize(
    "change",
    [
        {"challenge_digest": bytes(31)},
        {"commitment_digest": "00"},
        {"suspect_digest": None},
        {"blocks": ()},
        {"blocks": (1, 1)},
        {"blocks": (2, 1)},
        {"blocks": (-1,)},
        {"blocks": (True,)},
        {"blocks": [1]},
        {"judge_fingerprint": "abcd"},
        {"judge_fingerprint": None},
        {"purpose": "x" * 501},
        {"purpose": "two\nlines"},
        {"suspect_description": "\x1b[2J"},
        {"issued": -1},
        {"recorded": 1.5},
        {"recorded": 2**41},
        {"response": "text"},
    ],
)
def test_entries_built_wrong_are_refused(
    entry: Callable[[int], LedgerEntry], change: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        replace(entry(0), **change)


def _twice(fields: dict[str, Any], name: str) -> None:
    fields[name].append(fields[name][0])


ALTERATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a field is missing": lambda f: f.pop("seed"),
    "an unknown field": lambda f: f.update(more=1),
    "a short seed": lambda f: f.update(seed=bytes(31)),
    "a short secret": lambda f: f["signing"].update(secret=bytes(31)),
    "a scalar of zero": lambda f: f["signing"].update(algorithm="ecdsa-p256", secret=bytes(32)),
    "an unknown field of the key": lambda f: f["signing"].update(more=1),
    "no list of commitments": lambda f: f.update(commitments={}),
    "a commitment twice": lambda f: _twice(f, "commitments"),
    "a short digest": lambda f: f["commitments"][0].update(digest=bytes(31)),
    "an unknown field of a commitment": lambda f: f["commitments"][0].update(more=1),
    "an unknown field of secrets": lambda f: f["commitments"][0]["secrets"].update(more=1),
    "labels that are no list": lambda f: f["commitments"][0]["secrets"].update(labels=7),
    "no ledger": lambda f: f.update(ledger=None),
    "a challenge twice": lambda f: _twice(f, "ledger"),
    "a block opened twice": lambda f: f["ledger"][1].update(blocks=[0], suspect_digest=bytes(32)),
    "an opening of no commitment": lambda f: f["commitments"].clear(),
    "an unknown field of an entry": lambda f: f["ledger"][0].update(more=1),
    "blocks that are no list": lambda f: f["ledger"][0].update(blocks=0),
    "a trusted judge twice": lambda f: _twice(f, "trusted_judges"),
    "a judge that is no fingerprint": lambda f: f.update(trusted_judges=["x"]),
    "a judge that is no text": lambda f: f.update(trusted_judges=[b"x"]),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_states_that_break_a_rule_are_refused(state: VaultState, name: str) -> None:
    fields = decode(encode(state.to_map()), limit=2**20)
    ALTERATIONS[name](fields)
    with pytest.raises(Malformed):
        VaultState.from_map(fields)


def test_an_unknown_algorithm_is_unsupported(state: VaultState) -> None:
    fields = state.to_map()
    fields["signing"]["algorithm"] = "rsa"
    with pytest.raises(Unsupported):
        VaultState.from_map(fields)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.binary(max_size=40) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(junk=JUNK, name=st.sampled_from(["signing", "seed", "commitments", "ledger", ""]))
def test_any_other_value_is_refused(junk: object, name: str) -> None:
    fields: Any = decode(PLAINTEXT, limit=2**20)
    if name:
        fields[name] = junk
    else:
        fields = junk
    if name == "ledger" and junk == []:
        return
    with pytest.raises((Malformed, Unsupported)):
        VaultState.from_map(fields)


def test_a_successor_may_grow(
    state: VaultState, secret_record: CommitmentSecrets, entry: Callable[[int], LedgerEntry]
) -> None:
    later = state.copy()
    later.ledger.append(entry(5))
    later.commitments[OTHER] = secret_record
    later.trusted_judges.clear()
    require_successor(state, later)
    require_successor(state, state.copy())


SUCCESSIONS: dict[str, Callable[[VaultState], object]] = {
    "the last entry removed": lambda s: s.ledger.pop(),
    "the first entry removed": lambda s: s.ledger.pop(0),
    "entries in another order": lambda s: s.ledger.reverse(),
    "an entry altered": lambda s: s.ledger.__setitem__(0, replace(s.ledger[0], purpose="other")),
    "an entry before the others": lambda s: s.ledger.insert(0, s.ledger[0]),
    "a response altered": lambda s: s.ledger.__setitem__(0, replace(s.ledger[0], response=b"")),
    "a commitment removed": lambda s: s.commitments.clear(),
    "a salt altered": lambda s: s.commitments.update(
        {d: replace(secret_record, salts=bytes(64)) for d, secret_record in s.commitments.items()}
    ),
    "another seed": lambda s: setattr(s, "seed", OTHER),
    "another key": lambda s: setattr(s, "signing_key", SigningKey.generate()),
}


@pytest.mark.parametrize("name", SUCCESSIONS)
def test_a_successor_may_not_lose_or_alter_anything(state: VaultState, name: str) -> None:
    later = state.copy()
    SUCCESSIONS[name](later)
    with pytest.raises(VaultUnusable):
        require_successor(state, later)
