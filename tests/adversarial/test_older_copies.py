"""A vault put back from an old copy opens no block again unnoticed (SPEC.md section 11).

Tried through the command line: the owner's backup has forgotten what was released since.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.support.dispute import PASSPHRASE, asking, spent
from zkwm import files
from zkwm.judge.judge import Judge
from zkwm.owner.consent import Consent
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import OlderCopyEntry, Vault
from zkwm.owner.vault import high_water_mark as marks
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError, VaultUnusable
from zkwm_protocols.opening import Opening


def answer(vault: Vault, commitment: Commitment, judge: Judge) -> Opening:
    """An opening to this judge by a process that opens the vault afresh."""
    challenge, fresh = asking(judge, commitment), Vault.open(vault.path, PASSPHRASE)
    proof = prove(
        fresh,
        commitment,
        challenge,
        judge_fingerprint=judge.public.fingerprint(),
        consent=Consent(again=True, last=True),
    )
    vault.notice = fresh.notice
    assert isinstance(proof, Opening)
    return proof


@pytest.fixture
def mark(vault: Vault) -> Path:
    """The file of the vault's mark, which the first answer makes."""
    path = marks.HighWaterMark(vault.path, vault.state).path
    assert path is not None
    return path


@pytest.fixture
def old(vault: Vault, tmp_path: Path) -> Path:
    """A copy of the vault from before any answer."""
    return Path(shutil.copy2(vault.path, tmp_path / "backup.vault"))


def counter_of(vault: Vault, mark: Path) -> int:
    """The counter in the vault's mark."""
    return marks.Mark.from_bytes(mark.read_bytes(), marks.tag_key(vault.state)).counter


def put_back(old: Path, vault: Vault) -> None:
    shutil.copy2(old, vault.path)


def test_an_older_copy_is_refused_and_releases_nothing(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, old: Path, mark: Path
) -> None:
    assert answer(vault, commitment, judge).blocks == (0,)
    newest = vault.path.read_bytes()
    before = mark.read_bytes()
    put_back(old, vault)
    with pytest.raises(VaultUnusable, match="an older copy") as caught:
        answer(vault, commitment, other_judge)
    assert "`accept_older_copy()`" in caught.value.hint
    with pytest.raises(VaultUnusable, match="an older copy"):
        disclosure(Vault.open(vault.path, PASSPHRASE), commitment, asking(other_judge, commitment))
    assert vault.path.read_bytes() == old.read_bytes()
    assert mark.read_bytes() == before
    vault.path.write_bytes(newest)
    assert answer(vault, commitment, other_judge).blocks == (1,)


def test_two_copies_that_went_apart_are_told_from_each_other(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, old: Path,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    """The other copy answered elsewhere, and counts as many entries."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("ZKWM_STATE", str(tmp_path / "elsewhere"))
        copy = Vault.open(old, PASSPHRASE)
        assert answer(copy, commitment, other_judge).blocks == (0,)
    assert answer(vault, commitment, judge).blocks == (0,)
    put_back(old, vault)
    with pytest.raises(VaultUnusable, match="another copy"):
        answer(vault, commitment, judge)


def test_an_owner_who_lost_the_newest_copy_goes_on_and_that_is_recorded(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, old: Path
) -> None:
    for asker in (judge, other_judge):
        answer(vault, commitment, asker)
    newest = vault.path.read_bytes()
    put_back(old, vault)
    restored = Vault.open(vault.path, PASSPHRASE)
    entry = restored.accept_older_copy()
    assert entry.counter == 2
    assert restored.state.ledger == [entry]
    assert isinstance(entry, OlderCopyEntry)
    with pytest.raises(UsageError, match="no older copy"):
        restored.accept_older_copy()
    assert answer(vault, commitment, judge).blocks == (0,)
    # what was put aside is no way back any more: both copies have opened block 0
    vault.path.write_bytes(newest)
    with pytest.raises(VaultUnusable, match="older copy"):
        answer(vault, commitment, judge)


@pytest.mark.parametrize("when", ["before the vault", "before the mark", "after the mark"])
def test_a_crash_never_makes_the_newest_vault_look_old(
    vault: Vault, commitment: Commitment, judge: Judge, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    answer(vault, commitment, judge)
    real = files.write_atomic

    def crash(path: Path, data: bytes, **options: object) -> None:
        if when.startswith("after"):
            real(path, data, **options)
        raise KeyboardInterrupt

    where = "zkwm.secret_files.storage" if when.endswith("vault") else marks.__name__
    with monkeypatch.context() as patch:
        patch.setattr(f"{where}.write_atomic", crash)
        with pytest.raises(KeyboardInterrupt):
            answer(vault, commitment, judge)
    blocks = [answer(vault, commitment, judge).blocks for _ in range(2)]
    assert blocks == ([(1,), (2,)] if when == "before the vault" else [(2,), (3,)])


def test_nothing_leaves_again_before_the_mark_stands(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    old: Path,
    mark: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed between vault and mark, an owner asks for the same response: the mark comes first."""
    challenge = asking(judge, commitment)

    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(marks.HighWaterMark, "lift", stop)
        with pytest.raises(KeyboardInterrupt):
            prove(vault, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    assert not mark.exists()
    prove(Vault.open(vault.path, PASSPHRASE), commitment, challenge)
    assert counter_of(vault, mark) == 1
    put_back(old, vault)
    with pytest.raises(VaultUnusable, match="older copy"):
        answer(vault, commitment, judge)


def test_a_new_machine_has_a_notice_and_no_refusal(
    vault: Vault, commitment: Commitment, judge: Judge, mark: Path
) -> None:
    answer(vault, commitment, judge)
    assert vault.notice == ""
    mark.unlink()
    answer(vault, commitment, judge)
    assert "no mark of this vault" in vault.notice
    answer(vault, commitment, judge)
    assert vault.notice == ""


def test_a_mark_that_cannot_be_written_is_a_notice(
    vault: Vault, commitment: Commitment, judge: Judge, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "file" / "state"))
    assert answer(vault, commitment, judge).blocks == (0,)
    assert "cannot be kept" in vault.notice
    monkeypatch.delenv("ZKWM_STATE")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def nobody() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nobody)
    assert answer(vault, commitment, judge).blocks == (1,)
    assert "no home" in vault.notice


def test_a_mark_that_cannot_be_read_is_a_refusal_with_a_way_out(
    vault: Vault, commitment: Commitment, judge: Judge, mark: Path
) -> None:
    answer(vault, commitment, judge)
    mark.write_bytes(mark.read_bytes()[:-1])
    with pytest.raises(VaultUnusable, match="cannot be read"):
        answer(vault, commitment, judge)
    entry = Vault.open(vault.path, PASSPHRASE).accept_older_copy()
    assert (entry.counter, entry.digest) == (1, None)
    assert answer(vault, commitment, judge).blocks == (1,)
    assert vault.notice == ""


def test_a_mark_tells_nothing_and_only_grows(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, mark: Path
) -> None:
    counters = []
    for asker in (judge, other_judge, judge):
        answer(vault, commitment, asker)
        counters.append(counter_of(vault, mark))
    assert counters == [1, 2, 3]
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    data = mark.read_bytes() + mark.name.encode()
    for known in (commitment.digest, vault.state.seed, vault.state.signing_key.public.data):
        assert known not in data
        assert known.hex().encode() not in data
    assert sorted(f.suffix for f in mark.parent.iterdir()) == [".lock", ".mark"]
    assert spent(Vault.open(vault.path, PASSPHRASE), commitment) == {0, 1, 2}


def test_the_folder_of_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ZKWM_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert marks.state_folder() == tmp_path / ".local/state/zkwm"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # to be ignored, by the XDG specification
    assert marks.state_folder() == tmp_path / ".local/state/zkwm"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "x"))
    assert marks.state_folder() == tmp_path / "x/zkwm"
    monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "here"))
    assert marks.state_folder() == tmp_path / "here"


def test_a_mark_that_follows_the_working_directory_is_refused(
    vault: Vault, commitment: Commitment, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older copy answered from another folder would find no mark there."""
    before = vault.path.read_bytes()
    monkeypatch.setenv("ZKWM_STATE", "here")
    with pytest.raises(UsageError, match="ZKWM_STATE is no absolute path"):
        answer(vault, commitment, judge)
    assert vault.path.read_bytes() == before


@pytest.mark.parametrize("counter", [1, 2**53])
@pytest.mark.parametrize("known", [True, False])
def test_a_forged_mark_is_none_and_breaks_no_vault(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, mark: Path,
    counter: int, known: bool,
) -> None:  # fmt: skip
    """By somebody who can write the state folder: accepting it records no counter of theirs.

    Until now the counter 2^53, once accepted, left a vault that could never answer again.
    """
    answer(vault, commitment, judge)
    real = marks.Mark.from_bytes(mark.read_bytes(), marks.tag_key(vault.state))
    forged = marks.Mark(counter, real.digest if known else bytes(32))
    mark.write_bytes(forged.to_bytes(b"k" * 32))
    with pytest.raises(VaultUnusable, match="was not made by this vault") as caught:
        answer(vault, commitment, other_judge)
    assert "`accept_older_copy()`" in caught.value.hint
    entry = Vault.open(vault.path, PASSPHRASE).accept_older_copy()
    assert (entry.counter, entry.digest) == (1, None)
    assert [answer(vault, commitment, other_judge).blocks for _ in range(2)] == [(1,), (2,)]
    assert vault.notice == ""
    assert counter_of(vault, mark) == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_for_a_mark_keeps_nobody_waiting(
    vault: Vault, commitment: Commitment, judge: Judge, mark: Path
) -> None:
    answer(vault, commitment, judge)
    mark.unlink()
    os.mkfifo(mark)
    with pytest.raises(VaultUnusable, match="not a regular file"):
        answer(vault, commitment, judge)
    Vault.open(vault.path, PASSPHRASE).accept_older_copy()
    assert answer(vault, commitment, judge).blocks == (1,)
    assert mark.is_file()


def test_a_folder_for_a_mark_is_told_and_undoes_no_answer(
    vault: Vault, commitment: Commitment, judge: Judge, mark: Path
) -> None:
    answer(vault, commitment, judge)
    mark.unlink()
    mark.mkdir()
    with pytest.raises(VaultUnusable, match="Is a directory"):
        answer(vault, commitment, judge)
    fresh = Vault.open(vault.path, PASSPHRASE)
    fresh.accept_older_copy()
    assert "cannot be kept" in fresh.notice
    assert mark.is_dir()


def test_a_mark_that_cannot_be_locked_is_a_refusal_with_a_way_out(
    vault: Vault, commitment: Commitment, judge: Judge, mark: Path
) -> None:
    """Two copies of one name each would read the same mark, and open the same blocks."""
    answer(vault, commitment, judge)
    before = vault.path.read_bytes()
    lock = mark.with_suffix(".lock")
    lock.unlink()
    lock.mkdir()
    with pytest.raises(VaultUnusable, match="cannot be locked") as caught:
        answer(vault, commitment, judge)
    assert f"{lock.name} a plain file" in caught.value.hint
    assert vault.path.read_bytes() == before
    lock.rmdir()
    assert answer(vault, commitment, judge).blocks == (1,)
