"""An old copy of the vault put back, tried through ``zkwm prove`` alone (SPEC.md section 11)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, spent
from zkwm.owner.vault import OlderCopyEntry, Vault


@pytest.fixture
def old(case: Files) -> Path:
    """A backup of the vault, from before the next answer."""
    return Path(shutil.copy2(case.vault, case.folder / "backup"))


def blocks_of(zkwm: Command, case: Files, *options: object, name: str = "new") -> list[int]:
    """The blocks that an answer to a challenge of the second judge opens."""
    output = case.folder / f"{name}.proof"
    changes = {"challenge": case.second_challenge, "output": output}
    result = zkwm(*case.prove_options(**changes), "--yes", "--json", *options)
    assert result.code == 0, result.stderr
    return list(result.json["blocks"])


def another_challenge(zkwm: Command, case: Files) -> Path:
    made = zkwm(*case.challenge_options(purpose="another case"))
    assert made.code == 0, made.stderr
    return case.folder / "new.challenge"


def test_a_restored_backup_opens_nothing_twice(zkwm: Command, case: Files, old: Path) -> None:
    assert blocks_of(zkwm, case) == [1]
    newest = case.vault.read_bytes()
    shutil.copy2(old, case.vault)
    options = case.prove_options(challenge=another_challenge(zkwm, case))
    options[-1] = case.folder / "second.proof"
    refused = zkwm(*options, "--again")
    assert refused.code == 3
    assert "is an older copy of this vault" in refused.stderr
    assert "--accept-older-copy" in refused.stderr
    assert not (case.folder / "second.proof").exists()
    assert case.vault.read_bytes() == old.read_bytes()
    case.vault.write_bytes(newest)
    result = zkwm(*options, "--again", "--json")
    assert (result.code, result.json["blocks"]) == (0, [2])


def test_an_owner_who_lost_the_newest_copy_says_so(zkwm: Command, case: Files, old: Path) -> None:
    assert blocks_of(zkwm, case) == [1]
    shutil.copy2(old, case.vault)
    challenge = another_challenge(zkwm, case)
    options = case.prove_options(challenge=challenge, output=case.folder / "second.proof")
    result = zkwm(*options, "--again", "--json", "--accept-older-copy")
    assert (result.code, result.json["blocks"]) == (0, [1])  # the price, which the owner was told
    assert "up to number 2 are lost" in result.stderr
    entries = Vault.open(case.vault, PASSPHRASE).state.ledger
    assert [isinstance(entry, OlderCopyEntry) for entry in entries] == [False, True, False]
    again = zkwm(*options, "--force", "--accept-older-copy")
    assert again.code == 2
    assert "leave out --accept-older-copy" in again.stderr
    assert zkwm(*options, "--force").code == 0
    assert spent(case) == 3


def test_a_new_machine_is_told_and_answers(zkwm: Command, case: Files) -> None:
    first = zkwm(*case.prove_options())
    assert first.code == 0
    assert first.stderr.count("this machine has no mark of this vault") == 1
    second = zkwm(*case.prove_options(), "--force")
    assert second.code == 0
    assert "no mark" not in second.stderr


def test_a_state_folder_that_cannot_be_written_is_told(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKWM_STATE", str(case.vault / "no folder"))
    assert blocks_of(zkwm, case) == [1]
    result = zkwm(*case.prove_options(output=case.folder / "second.proof"))
    assert result.code == 0
    assert "set ZKWM_STATE to a folder that lasts" in result.stderr
