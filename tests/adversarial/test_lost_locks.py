"""A vault's lock removed, its file linked or replaced, while an owner answers (SPEC.md 6.2 rule 7).

One block must never leave to two judges, and no opening may leave that no ledger has.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.dispute import PASSPHRASE, asking, spent
from zkwm.judge.judge import Judge
from zkwm.owner import prove as answering
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import VaultUnusable
from zkwm_protocols.opening import Opening


def answer(vault: Vault, commitment: Commitment, judge: Judge) -> Opening:
    """An opening to this judge by a process that opens the vault afresh."""
    challenge, fresh = asking(judge, commitment), Vault.open(vault.path, PASSPHRASE)
    proof = prove(fresh, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    assert isinstance(proof, Opening)
    return proof


def during_an_answer(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Call ``act`` once, while the next answer is made and the vault is locked."""
    made = answering.make_opening

    def interrupted(*arguments: object) -> Opening:
        monkeypatch.setattr(answering, "make_opening", made)
        act()
        return made(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(answering, "make_opening", interrupted)


def test_a_removed_lock_opens_no_block_twice(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    other_judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second: list[Opening] = []

    def clean() -> None:
        vault.path.with_name(f"{vault.path.name}.lock").unlink()
        second.append(answer(vault, commitment, other_judge))

    during_an_answer(monkeypatch, clean)
    with pytest.raises(VaultUnusable, match="lock file"):
        answer(vault, commitment, judge)
    assert second[0].blocks == (0,)
    assert answer(vault, commitment, judge).blocks == (1,)
    assert spent(Vault.open(vault.path, PASSPHRASE), commitment) == {0, 1}


@pytest.mark.parametrize("in_place", [True, False])
def test_a_vault_changed_under_the_lock_is_not_overwritten(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    other_judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    in_place: bool,
) -> None:
    """A sync service puts the newer state of another machine in place."""
    machine = tmp_path / "elsewhere.vault"
    shutil.copy(vault.path, machine)
    elsewhere = Vault.open(machine, PASSPHRASE)
    assert answer(elsewhere, commitment, other_judge).blocks == (0,)

    def sync() -> None:
        if in_place:
            vault.path.write_bytes(machine.read_bytes())
        else:
            machine.replace(vault.path)

    during_an_answer(monkeypatch, sync)
    with pytest.raises(VaultUnusable, match="was changed"):
        answer(vault, commitment, judge)
    assert answer(vault, commitment, judge).blocks == (1,)


def test_a_second_name_is_refused_and_a_symbolic_link_is_not(
    vault: Vault, commitment: Commitment, judge: Judge, other_judge: Judge, tmp_path: Path
) -> None:
    link = tmp_path / "second.vault"
    os.link(vault.path, link)
    for name in (vault.path, link):
        with pytest.raises(VaultUnusable, match="hard links"):
            Vault.open(name, PASSPHRASE)
    with pytest.raises(VaultUnusable, match="hard links"):
        prove(
            vault,
            commitment,
            asking(judge, commitment),
            judge_fingerprint=judge.public.fingerprint(),
        )
    link.unlink()
    link.symlink_to(vault.path)
    assert answer(Vault.open(link, PASSPHRASE), commitment, judge).blocks == (0,)
    assert answer(vault, commitment, other_judge).blocks == (1,)
    assert link.is_symlink()


def test_what_a_killed_keygen_left_is_cleaned_and_its_second_name_too(
    vault: Vault, commitment: Commitment, judge: Judge
) -> None:
    """``keygen`` links its temporary file to the new name, and may die before it removes it."""
    left = vault.path.with_name(f".{vault.path.name}.{'0' * 16}.tmp")
    os.link(vault.path, left)
    assert answer(vault, commitment, judge).blocks == (0,)
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
