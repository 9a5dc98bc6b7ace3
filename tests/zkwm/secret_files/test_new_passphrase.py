"""A changed passphrase: atomic, locked, and nothing but the passphrase changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zkwm.owner.overview import overview
from zkwm.owner.vault import Vault
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Container, Cost
from zkwm_protocols.errors import UsageError, VaultUnusable

CHEAP = Cost(operations=1, memory_kib=8 * 1024)
OLD, NEW = "five random words", "five other words"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "v", OLD, cost=CHEAP)


def kdf(vault: Vault) -> Container:
    return Container.from_bytes("vault", vault.path.read_bytes())


def test_salt_and_nonce_are_new_and_the_content_stays(vault: Vault) -> None:
    before, first = vault.state, kdf(vault)
    vault.change_passphrase(OLD, NEW)
    second = kdf(vault)
    assert second.salt != first.salt
    assert second.nonce != first.nonce
    assert second.cost == CHEAP
    assert Vault.open(vault.path, NEW).state == before
    vault.trust("abcd-" * 7 + "abcd")  # the object goes on with the new key
    assert overview(Vault.open(vault.path, NEW)).trusted_judges == ("abcd-" * 7 + "abcd",)


def test_a_wrong_passphrase_changes_nothing(vault: Vault) -> None:
    before = vault.path.read_bytes()
    with pytest.raises(VaultUnusable, match="wrong passphrase"):
        vault.change_passphrase("not the old words", NEW)
    with pytest.raises(UsageError):
        vault.change_passphrase(OLD, "short")
    assert vault.path.read_bytes() == before
    assert Vault.open(vault.path, OLD).state == vault.state


def test_what_other_processes_wrote_is_kept(vault: Vault) -> None:
    other = Vault.open(vault.path, OLD)
    other.trust("abcd-" * 7 + "abcd")
    vault.change_passphrase(OLD, NEW)
    assert Vault.open(vault.path, NEW).state.trusted_judges == ["abcd-" * 7 + "abcd"]
    with pytest.raises(VaultUnusable, match="has been replaced since it was opened"):
        other.trust("efgh-" * 7 + "efgh")


def test_a_locked_vault_is_left_alone(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.secret_files.new_passphrase.WAIT_SECONDS", 0.0)
    before = vault.path.read_bytes()
    with (
        storage.exclusive(vault.path, wait_seconds=0),
        pytest.raises(VaultUnusable, match="another process"),
    ):
        vault.change_passphrase(OLD, NEW)
    assert vault.path.read_bytes() == before


def test_a_full_disk_leaves_the_old_file(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultUnusable):
        vault.change_passphrase(OLD, NEW)
    monkeypatch.undo()
    Vault.open(vault.path, OLD)
