"""The vault: creation, opening, transactions, permissions, links, full disks."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zkwm import files
from zkwm.vault import CommitmentSecrets, Cost, LedgerEntry, Vault, storage
from zkwm.vault import vault as vault_module
from zkwm.vault.encrypted import FileKey, seal_file
from zkwm_protocols import sealing
from zkwm_protocols.errors import Malformed, Unsupported, UsageError, VaultUnusable

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
    first, second = (Vault.create(tmp_path / name, "x", cost=cheap).state for name in "ab")
    assert first.signing_key != second.signing_key
    assert first.seed != second.seed


def test_an_existing_file_is_never_replaced(tmp_path: Path, cheap: Cost) -> None:
    file = tmp_path / "v"
    file.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists"):
        Vault.create(file, "x", cost=cheap)
    assert file.read_bytes() == b"precious"


def test_nothing_is_made_without_a_passphrase_or_with_an_unknown_algorithm(
    tmp_path: Path, cheap: Cost
) -> None:
    with pytest.raises(UsageError, match="empty"):
        Vault.create(tmp_path / "v", "", cost=cheap)
    with pytest.raises(Unsupported):
        Vault.create(tmp_path / "v", "x", algorithm="rsa", cost=cheap)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["nowhere/v", "folder", "\0"])
def test_places_where_no_vault_can_be(tmp_path: Path, cheap: Cost, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(VaultUnusable):
        Vault.open(f"{tmp_path}/{place}", "x")
    with pytest.raises((VaultUnusable, UsageError)):
        Vault.create(f"{tmp_path}/{place}", "x", cost=cheap)


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
        replace(entry(2), blocks=(1, 2)),
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
    storage.write_private(file, seal_file("judge-key", "x", {}, cheap), overwrite=False)
    with pytest.raises(Malformed, match="judge-key"):
        Vault.open(file, "x")


def test_content_that_is_no_vault_is_malformed(tmp_path: Path, cheap: Cost) -> None:
    file = tmp_path / "v"
    storage.write_private(file, seal_file("vault", "x", {"seed": b""}, cheap), overwrite=False)
    with pytest.raises(Malformed):
        Vault.open(file, "x")


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


def test_a_vault_in_use_is_waited_for_and_then_given_up(vault: Vault) -> None:
    with storage.exclusive(vault.path, wait_seconds=1):
        before = vault.path.read_bytes()
        with (
            pytest.raises(VaultUnusable, match="another process"),
            vault.transaction(wait_seconds=0.1),
        ):
            pytest.fail("the transaction began")
        assert vault.path.read_bytes() == before
    with vault.transaction(wait_seconds=0):
        pass


def test_a_lock_that_is_a_link_is_refused(vault: Vault, tmp_path: Path) -> None:
    lock = tmp_path / "acme.vault.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "target")
    with pytest.raises(VaultUnusable, match="lock file"), vault.transaction():
        pytest.fail("the transaction began")
    assert not (tmp_path / "target").exists()


def test_a_disk_that_cannot_lock_is_a_clear_error(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(storage.fcntl, "flock", refuse)
    with pytest.raises(VaultUnusable, match="cannot lock"), vault.transaction():
        pytest.fail("the transaction began")


def test_what_killed_writers_left_is_removed_and_nothing_else(vault: Vault, entry: Entry) -> None:
    folder = vault.path.parent
    stale = folder / ".acme.vault.0123456789abcdef.tmp"
    others = [
        folder / ".acme.vault.0123456789abcdef.tmp.txt",
        folder / ".acmeXvault.0123456789abcdef.tmp",
        folder / ".other.vault.0123456789abcdef.tmp",
        folder / ".acme.vault.tmp",
    ]
    for file in (stale, *others):
        file.write_bytes(b"")
    with vault.transaction() as state:
        state.ledger.append(entry(1))
    assert not stale.exists()
    assert all(file.exists() for file in others)


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_vault(
    vault: Vault, passphrase: str, entry: Entry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Each step of writing the file fails in turn; the lock file is there already."""
    owner: Any = Path if step == "replace" else files.os
    real = getattr(owner, step)

    def refuse(*arguments: Any, **options: Any) -> Any:
        if step == "open" and str(arguments[0]).endswith(".lock"):
            return real(*arguments, **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = vault.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, refuse)
        with pytest.raises(VaultUnusable, match="No space") as caught, vault.transaction() as state:
            state.ledger.append(entry(1))
    assert "nothing was lost" in caught.value.hint
    assert vault.path.read_bytes() == before
    assert sorted(f.name for f in vault.path.parent.iterdir()) == ["acme.vault", "acme.vault.lock"]
    with vault.transaction() as state:
        assert state.ledger == []
        state.ledger.append(entry(1))
    assert Vault.open(vault.path, passphrase).state.ledger == [entry(1)]


def test_a_write_that_may_not_last_is_an_error_and_the_vault_goes_on(
    vault: Vault, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file is in its place, and then the folder cannot be flushed to the disk."""
    real, calls = os.fsync, []

    def refuse_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", refuse_second)
        with pytest.raises(VaultUnusable, match="cannot write"), vault.transaction() as state:
            state.ledger.append(entry(1))
    with vault.transaction() as state:
        assert state.ledger == [entry(1)]
        state.ledger.append(entry(2))


def test_a_folder_without_room_for_the_lock_is_a_clear_error(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.os, "open", refuse)
    with pytest.raises(VaultUnusable, match="lock file"), vault.transaction():
        pytest.fail("the transaction began")


def test_no_room_for_a_new_vault_leaves_nothing(
    tmp_path: Path, cheap: Cost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(VaultUnusable, match="No space left"):
        Vault.create(tmp_path / "v", "x", cost=cheap)
    assert list(tmp_path.iterdir()) == []


def test_a_write_cut_off_in_the_middle_leaves_the_old_vault(vault: Vault, passphrase: str) -> None:
    """The system itself refuses the bytes after the first 2,000 (RLIMIT_FSIZE)."""
    script = textwrap.dedent(
        """
        import os, resource, signal, sys
        from dataclasses import replace
        from zkwm.vault import Vault
        from zkwm_protocols.errors import VaultUnusable
        vault = Vault.open(sys.argv[1], os.environ["ZKWM_PASSPHRASE"])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            with vault.transaction() as state:
                for digest, own in list(state.commitments.items()):
                    state.commitments[bytes(32)] = replace(own, images=bytes(20_000), decoys=b"")
        except VaultUnusable as error:
            print(error.message)
        """
    )
    before = vault.path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", script, vault.path],
        env={**os.environ, "ZKWM_PASSPHRASE": passphrase},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout == f"cannot write {vault.path}: File too large\n"
    assert vault.path.read_bytes() == before
    assert sorted(f.name for f in vault.path.parent.iterdir()) == ["acme.vault", "acme.vault.lock"]


def test_a_vault_that_would_grow_too_large_is_not_written(
    vault: Vault, own: CommitmentSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = vault.path.read_bytes()
    monkeypatch.setattr("zkwm.vault.encrypted.FILE_LIMIT", 4000)
    with pytest.raises(UsageError, match="grow"), vault.transaction() as state:
        state.commitments[bytes(32)] = replace(own, images=bytes(20_000), decoys=b"")
    assert vault.path.read_bytes() == before


def test_no_repr_shows_a_secret(vault: Vault, passphrase: str) -> None:
    text = repr(vault)
    assert text == f"<Vault {str(vault.path)!r}>"
    assert passphrase not in repr(vars(vault))
    assert isinstance(vars(vault)["_key"], FileKey)
