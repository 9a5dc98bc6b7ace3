"""Transactions: all or nothing, nothing lost, nothing altered, damage noticed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zkwm.owner.vault import LedgerEntry, Vault
from zkwm.owner.vault import vault as vault_module
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Cost, seal_file
from zkwm_protocols import sealing
from zkwm_protocols.errors import Malformed, VaultUnusable

Entry = Callable[[int], LedgerEntry]


def test_a_transaction_is_on_disk_when_it_returns(
    vault: Vault, passphrase: str, entry: Entry
) -> None:
    with vault.transaction() as state:
        state.ledger.append(entry(1))
        state.trusted_judges.append(entry(1).judge_fingerprint)
    again = Vault.open(vault.path, passphrase)
    assert again.state == vault.state
    assert again.state.ledger == [entry(1)]
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert sorted(f.name for f in vault.path.parent.iterdir()) == [
        "acme.vault",
        "acme.vault.lock",
    ]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, VaultUnusable])
def test_an_exception_changes_nothing(
    vault: Vault, entry: Entry, error: type[BaseException]
) -> None:
    def stumble() -> None:
        with vault.transaction() as state:
            state.ledger.append(entry(1))
            raise error("stop")

    before = vault.path.read_bytes()
    with pytest.raises(error, match="stop"):
        stumble()
    assert vault.path.read_bytes() == before
    assert vault.state.ledger == []


def test_a_transaction_without_a_change_writes_nothing(vault: Vault) -> None:
    before = vault.path.read_bytes()
    with vault.transaction():
        pass
    assert vault.path.read_bytes() == before


def test_every_write_has_a_fresh_nonce_and_no_derivation(
    vault: Vault, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing.nacl.pwhash.argon2id, "kdf", None)
    nonces = set()
    for index in range(5):
        with vault.transaction() as state:
            state.ledger.append(entry(index))
        container = vault_module.Container.from_bytes("vault", vault.path.read_bytes())
        nonces.add(container.nonce)
    assert len(nonces) == 5


def test_the_snapshot_is_a_copy(vault: Vault, entry: Entry) -> None:
    vault.state.ledger.append(entry(1))
    assert vault.state.ledger == []


def test_what_is_done_to_the_state_after_the_transaction_has_no_effect(
    vault: Vault, entry: Entry
) -> None:
    with vault.transaction() as state:
        state.ledger.append(entry(1))
    state.ledger.clear()
    assert vault.state.ledger == [entry(1)]


def test_a_transaction_sees_what_others_wrote(vault: Vault, passphrase: str, entry: Entry) -> None:
    other = Vault.open(vault.path, passphrase)
    with other.transaction() as state:
        state.ledger.append(entry(1))
    with vault.transaction() as state:
        assert state.ledger == [entry(1)]
        state.ledger.append(entry(2))
    with other.transaction() as state:
        assert state.ledger == [entry(1), entry(2)]


LOSSES: dict[str, Callable[[Any], object]] = {
    "the ledger emptied": lambda s: s.ledger.clear(),
    "an entry altered": lambda s: s.ledger.__setitem__(0, replace(s.ledger[0], blocks=(9,))),
    "a commitment removed": lambda s: s.commitments.clear(),
    "the seed replaced": lambda s: setattr(s, "seed", bytes(32)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_transaction_can_lose_or_alter_nothing(vault: Vault, entry: Entry, name: str) -> None:
    with vault.transaction() as state:
        state.ledger.append(entry(1))
    before = vault.path.read_bytes()
    with pytest.raises(VaultUnusable), vault.transaction() as state:
        LOSSES[name](state)
    assert vault.path.read_bytes() == before
    assert vault.state.ledger == [entry(1)]


def test_a_spent_block_or_an_answered_challenge_cannot_be_recorded_again(
    vault: Vault, entry: Entry
) -> None:
    with vault.transaction() as state:
        state.ledger.append(entry(1))
    for again in (
        replace(entry(2), blocks=(1, 2), suspect_digest=bytes(32)),
        replace(entry(1), blocks=(5,)),
        replace(entry(3), commitment_digest=bytes(32)),
    ):
        with pytest.raises(Malformed), vault.transaction() as state:
            state.ledger.append(again)
    assert vault.state.ledger == [entry(1)]


@pytest.mark.parametrize("wrong", ["x", None, b"\0" * 39])
def test_a_state_of_wrong_types_is_not_written(vault: Vault, wrong: Any) -> None:
    before = vault.path.read_bytes()
    with pytest.raises(Malformed), vault.transaction() as state:
        state.trusted_judges.append(wrong)
    assert vault.path.read_bytes() == before


def test_an_older_copy_put_back_is_noticed(vault: Vault, entry: Entry) -> None:
    older = vault.path.read_bytes()
    with vault.transaction() as state:
        state.ledger.append(entry(1))
    vault.path.write_bytes(older)
    with pytest.raises(VaultUnusable, match="ledger") as caught, vault.transaction():
        pytest.fail("the transaction began")
    assert "older copy" in caught.value.hint


def test_another_vault_put_in_its_place_is_noticed(
    vault: Vault, tmp_path: Path, cheap: Cost, passphrase: str
) -> None:
    other = Vault.create(tmp_path / "other", passphrase, cost=cheap)
    other.path.replace(vault.path)
    with pytest.raises(VaultUnusable, match="replaced"), vault.transaction():
        pytest.fail("the transaction began")


@pytest.mark.parametrize("damage", [b"", b"zkwm-vault/1\n", b"\0" * 1000])
def test_a_damaged_file_is_noticed_and_kept(vault: Vault, passphrase: str, damage: bytes) -> None:
    vault.path.write_bytes(damage)
    with pytest.raises(Malformed):
        Vault.open(vault.path, passphrase)
    with pytest.raises(Malformed), vault.transaction():
        pytest.fail("the transaction began")
    assert vault.path.read_bytes() == damage


def test_a_removed_file_is_noticed(vault: Vault) -> None:
    vault.path.unlink()
    with pytest.raises(VaultUnusable, match="No such file"), vault.transaction():
        pytest.fail("the transaction began")


def test_another_kind_of_secret_file_is_no_vault(tmp_path: Path, cheap: Cost) -> None:
    file = tmp_path / "key"
    storage.write_private(file, seal_file("judge-key", "long enough", {}, cheap), overwrite=False)
    with pytest.raises(Malformed, match="judge-key"):
        Vault.open(file, "long enough")


def test_content_that_is_no_vault_is_malformed(tmp_path: Path, cheap: Cost) -> None:
    file = tmp_path / "v"
    storage.write_private(
        file, seal_file("vault", "long enough", {"seed": b""}, cheap), overwrite=False
    )
    with pytest.raises(Malformed):
        Vault.open(file, "long enough")


def test_a_huge_file_is_not_read(
    vault: Vault, passphrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_module, "FILE_LIMIT", 100)
    with pytest.raises(Malformed, match="larger"):
        Vault.open(vault.path, passphrase)


def test_a_symbolic_link_is_written_through(
    vault: Vault, tmp_path: Path, passphrase: str, entry: Entry
) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link"
    link.symlink_to("../acme.vault")
    with Vault.open(link, passphrase).transaction() as state:
        state.ledger.append(entry(1))
    assert link.is_symlink()
    assert Vault.open(vault.path, passphrase).state.ledger == [entry(1)]
    assert [f.name for f in link.parent.iterdir()] == ["link"]


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(VaultUnusable):
        Vault.open(tmp_path / "a", "x")
