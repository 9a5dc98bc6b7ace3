"""A vault's lock removed, its file linked or replaced, while an owner answers (SPEC.md 6.2 rule 7).

One block must never leave to two judges, and no opening may leave that no ledger has. The second
process is on another machine where it has a state of its own: it knows nothing of the mark by which
one machine notices more (``test_older_copies``).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dispute import PASSPHRASE, asking, spent
from zkwm.judge.judge import Judge
from zkwm.owner import prove as answering
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.secret_files import storage
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import VaultUnusable
from zkwm_protocols.opening import Opening


def answer(vault: Vault, commitment: Commitment, judge: Judge) -> Opening:
    """An opening to this judge by a process that opens the vault afresh."""
    challenge, fresh = asking(judge, commitment), Vault.open(vault.path, PASSPHRASE)
    proof = prove(fresh, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    assert isinstance(proof, Opening)
    return proof


@dataclass(frozen=True)
class Scene:
    """An owner's vault and commitment, and two judges who ask."""

    vault: Vault
    commitment: Commitment
    judge: Judge
    other_judge: Judge

    def answer(self, judge: Judge | None = None) -> Opening:
        """An opening to the first judge, or to this one."""
        return answer(self.vault, self.commitment, judge or self.judge)

    def remove_lock(self) -> None:
        """What a cleaner does."""
        self.vault.path.with_name(f"{self.vault.path.name}.lock").unlink()


@pytest.fixture
def scene(vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge) -> Scene:
    return Scene(vault, commitment, judge, other_judge)


def during_an_answer(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Call ``act`` once, while the next answer is made and the vault is locked."""
    made = answering.make_opening

    def interrupted(*arguments: object) -> Opening:
        monkeypatch.setattr(answering, "make_opening", made)
        act()
        return made(*arguments)

    monkeypatch.setattr(answering, "make_opening", interrupted)


def test_a_removed_lock_opens_no_block_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    second: list[Opening] = []

    def clean() -> None:
        scene.remove_lock()
        with monkeypatch.context() as other:
            other.setenv("ZKWM_STATE", str(tmp_path / "state of the other machine"))
            second.append(scene.answer(scene.other_judge))

    during_an_answer(monkeypatch, clean)
    with pytest.raises(VaultUnusable, match="lock file"):
        scene.answer()
    assert second[0].blocks == (0,)
    assert scene.answer().blocks == (1,)
    assert spent(Vault.open(scene.vault.path, PASSPHRASE), scene.commitment) == {0, 1}


def test_on_one_machine_a_removed_lock_is_waited_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark of the ledger has a lock too, outside of the folder: the second one waits for it."""
    second: list[Opening] = []
    other = threading.Thread(
        target=lambda: second.append(scene.answer(scene.other_judge)), daemon=True
    )

    def clean() -> None:
        scene.remove_lock()
        other.start()
        other.join(timeout=0.5)

    during_an_answer(monkeypatch, clean)
    with pytest.raises(VaultUnusable, match="lock file"):
        scene.answer()
    other.join(timeout=60)
    assert second[0].blocks == (0,)
    assert scene.answer().blocks == (1,)


@pytest.mark.parametrize("cleans", [False, True])
def test_a_lock_removed_between_check_and_rename_opens_no_block_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cleans: bool
) -> None:
    """The last moment: everything was checked, and the new vault is about to take its place.

    The other process took its lock before the new vault was written to disk, or after that, when
    it takes the new vault for what a killed writer left.
    """
    real, outcomes = Path.replace, {}
    if not cleans:
        monkeypatch.setattr(storage, "leftovers", lambda path: [])

    def run(asker: Judge) -> None:
        try:
            outcomes[asker] = scene.answer(asker).blocks
        except VaultUnusable as error:
            outcomes[asker] = error.message

    other = threading.Thread(target=run, args=(scene.other_judge,), daemon=True)

    def late(source: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", real)
        scene.remove_lock()
        monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "state of the other machine"))
        other.start()
        other.join(timeout=1)  # long enough to make an answer, and to wait for the vault
        return real(source, target)

    monkeypatch.setattr(Path, "replace", late)
    run(scene.judge)
    other.join(timeout=60)
    first, second = (scene.other_judge, scene.judge) if cleans else (scene.judge, scene.other_judge)
    assert outcomes[first] == (0,)
    assert ("No such file" if cleans else "was changed") in outcomes[second]
    monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "state of a third machine"))
    assert scene.answer(second).blocks == (1,)
    assert spent(Vault.open(scene.vault.path, PASSPHRASE), scene.commitment) == {0, 1}


@pytest.mark.parametrize("in_place", [True, False])
def test_a_vault_changed_under_the_lock_is_not_overwritten(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_place: bool
) -> None:
    """A sync service puts the newer state of another machine in place."""
    machine = tmp_path / "elsewhere.vault"
    shutil.copy(scene.vault.path, machine)
    elsewhere = Vault.open(machine, PASSPHRASE)
    with monkeypatch.context() as other:
        other.setenv("ZKWM_STATE", str(tmp_path / "state of the other machine"))
        assert answer(elsewhere, scene.commitment, scene.other_judge).blocks == (0,)

    def sync() -> None:
        if in_place:
            scene.vault.path.write_bytes(machine.read_bytes())
        else:
            machine.replace(scene.vault.path)

    during_an_answer(monkeypatch, sync)
    with pytest.raises(VaultUnusable, match="was changed"):
        scene.answer()
    assert scene.answer().blocks == (1,)


def test_a_second_name_is_refused_and_a_symbolic_link_is_not(scene: Scene, tmp_path: Path) -> None:
    link = tmp_path / "second.vault"
    os.link(scene.vault.path, link)
    for name in (scene.vault.path, link):
        with pytest.raises(VaultUnusable, match="hard links"):
            Vault.open(name, PASSPHRASE)
    with pytest.raises(VaultUnusable, match="hard links"):
        prove(
            scene.vault,
            scene.commitment,
            asking(scene.judge, scene.commitment),
            judge_fingerprint=scene.judge.public.fingerprint(),
        )
    link.unlink()
    link.symlink_to(scene.vault.path)
    assert answer(Vault.open(link, PASSPHRASE), scene.commitment, scene.judge).blocks == (0,)
    assert scene.answer(scene.other_judge).blocks == (1,)
    assert link.is_symlink()


def test_what_a_killed_keygen_left_is_cleaned_and_its_second_name_too(scene: Scene) -> None:
    """``keygen`` links its temporary file to the new name, and may die before it removes it."""
    left = scene.vault.path.with_name(f".{scene.vault.path.name}.{'0' * 16}.tmp")
    os.link(scene.vault.path, left)
    assert scene.answer().blocks == (0,)
    assert not left.exists()


def test_a_key_that_its_group_can_read_is_a_matter_of_the_owner(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.path.chmod(0o640)
    with pytest.raises(VaultUnusable, match="other users"):
        Vault.open(vault.path, PASSPHRASE)
    monkeypatch.setenv("ZKWM_GROUP_READABLE", "1")
    Vault.open(vault.path, PASSPHRASE)
    for mode in (0o660, 0o644, 0o604):
        vault.path.chmod(mode)
        with pytest.raises(VaultUnusable, match="other users"):
            Vault.open(vault.path, PASSPHRASE)


def test_the_right_of_a_group_survives_every_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = os.getgid() if os.getuid() else 12345
    os.chown(scene.vault.path, -1, group)
    scene.vault.path.chmod(0o640)
    monkeypatch.setenv("ZKWM_GROUP_READABLE", "1")
    before = os.umask(0o077)
    try:
        scene.answer()
    finally:
        os.umask(before)
    found = scene.vault.path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, group)
    scene.vault.path.chmod(0o600)
    scene.answer(scene.other_judge)
    assert stat.S_IMODE(scene.vault.path.stat().st_mode) == 0o600


def test_a_group_that_cannot_be_kept_is_an_error_and_spends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    scene.vault.path.chmod(0o640)
    monkeypatch.setenv("ZKWM_GROUP_READABLE", "1")
    before = scene.vault.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "chmod", refuse)
        patch.setattr(os, "chown", refuse)
        with pytest.raises(VaultUnusable, match="not permitted"):
            scene.answer()
    assert scene.vault.path.read_bytes() == before
    assert scene.answer().blocks == (0,)


def test_a_vault_that_is_read_only_is_refused_with_the_cause(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode 0400, for any user but root."""
    real = os.open

    def read_only(path: str | Path, flags: int, *rest: int) -> int:
        if Path(path) == scene.vault.path and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest)

    scene.vault.path.chmod(0o400)
    before = scene.vault.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        with pytest.raises(VaultUnusable, match="for writing: Permission denied") as caught:
            scene.answer()
    assert f"chmod 600 {scene.vault.path}" in caught.value.hint
    assert scene.vault.path.read_bytes() == before
    scene.vault.path.chmod(0o600)
    assert scene.answer().blocks == (0,)


def test_locks_need_nothing_of_posix_alone() -> None:
    """Windows has no fcntl; its locks are those of filelock (not run there)."""
    script = (
        "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
        "import zkwm.owner.vault, zkwm.marketplace, zkwm.judge.key_file"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
