"""Locks, full disks, writers that died: the old vault stays whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zkwm import files
from zkwm.owner.vault import CommitmentSecrets, LedgerEntry, Vault
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Cost
from zkwm_protocols.errors import UsageError, VaultUnusable

Entry = Callable[[int], LedgerEntry]


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
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("filelock.lock_descriptor", refuse)
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


def test_a_write_that_may_not_last_is_an_error_and_the_vault_stays_usable(
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
        with pytest.raises(VaultUnusable, match="cannot flush") as caught:  # noqa: SIM117
            with vault.transaction() as state:
                state.ledger.append(entry(1))
    assert "IS in its place" in caught.value.hint
    assert "old file" not in caught.value.hint
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
        Vault.create(tmp_path / "v", "long enough", cost=cheap)
    assert list(tmp_path.iterdir()) == []


def test_a_write_cut_off_in_the_middle_leaves_the_old_vault(vault: Vault, passphrase: str) -> None:
    """The system itself refuses the bytes after the first 2,000 (RLIMIT_FSIZE)."""
    script = textwrap.dedent(
        """
        import os, resource, signal, sys
        from dataclasses import replace
        from zkwm.owner.vault import Vault
        from zkwm_protocols.errors import VaultUnusable
        vault = Vault.open(sys.argv[1], os.environ["ZKWM_PASSPHRASE"])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            with vault.transaction() as state:
                for digest, record in list(state.commitments.items()):
                    state.commitments[bytes(32)] = replace(record, images=bytes(20_000))
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
    vault: Vault, secret_record: CommitmentSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = vault.path.read_bytes()
    monkeypatch.setattr("zkwm.secret_files.encrypted.FILE_LIMIT", 4000)
    with pytest.raises(UsageError, match="grow"), vault.transaction() as state:
        state.commitments[bytes(32)] = replace(secret_record, images=bytes(20_000))
    assert vault.path.read_bytes() == before
