"""The vault: creation, opening, permissions; nothing secret shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from zkwm.owner.vault import LedgerEntry, Vault
from zkwm.secret_files.encrypted import Cost, FileKey
from zkwm_protocols.errors import Unsupported, UsageError, VaultUnusable

Entry = Callable[[int], LedgerEntry]


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256"])
def test_a_new_vault_opens_again(
    tmp_path: Path, cheap: Cost, passphrase: str, algorithm: str
) -> None:
    made = Vault.create(tmp_path / "v", passphrase, algorithm=algorithm, cost=cheap)
    opened = Vault.open(tmp_path / "v", passphrase)
    assert opened.state == made.state
    assert opened.state.signing_key.algorithm == algorithm
    assert opened.state.ledger == []
    assert stat.S_IMODE((tmp_path / "v").stat().st_mode) == 0o600


def test_two_vaults_share_no_key_and_no_seed(tmp_path: Path, cheap: Cost) -> None:
    first, second = (
        Vault.create(tmp_path / name, "long enough", cost=cheap).state for name in "ab"
    )
    assert first.signing_key != second.signing_key
    assert first.seed != second.seed


def test_an_existing_file_is_never_replaced(tmp_path: Path, cheap: Cost) -> None:
    file = tmp_path / "v"
    file.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists"):
        Vault.create(file, "long enough", cost=cheap)
    assert file.read_bytes() == b"precious"


def test_nothing_is_made_without_a_passphrase_or_with_an_unknown_algorithm(
    tmp_path: Path, cheap: Cost
) -> None:
    with pytest.raises(UsageError, match="empty"):
        Vault.create(tmp_path / "v", "", cost=cheap)
    with pytest.raises(Unsupported):
        Vault.create(tmp_path / "v", "long enough", algorithm="rsa", cost=cheap)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["nowhere/v", "folder", "\0"])
def test_places_where_no_vault_can_be(tmp_path: Path, cheap: Cost, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(VaultUnusable):
        Vault.open(f"{tmp_path}/{place}", "x")
    with pytest.raises((VaultUnusable, UsageError)):
        Vault.create(f"{tmp_path}/{place}", "long enough", cost=cheap)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(VaultUnusable, match="not a file"):
        Vault.open(tmp_path / "pipe", "x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o777, 0o610])
def test_a_vault_that_others_can_touch_is_refused(vault: Vault, passphrase: str, mode: int) -> None:
    vault.path.chmod(mode)
    with pytest.raises(VaultUnusable, match="other users") as caught:
        Vault.open(vault.path, passphrase)
    assert caught.value.hint == f"chmod 600 {vault.path}"
    with pytest.raises(VaultUnusable), vault.transaction():
        pytest.fail("the transaction began")


def test_a_wrong_passphrase_is_refused_and_not_shown(vault: Vault) -> None:
    with pytest.raises(VaultUnusable) as caught:
        Vault.open(vault.path, "hunter2")
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_no_repr_shows_a_secret(vault: Vault, passphrase: str) -> None:
    text = repr(vault)
    assert text == f"<Vault {str(vault.path)!r}>"
    assert passphrase not in repr(vars(vault))
    assert isinstance(vars(vault)["_key"], FileKey)
