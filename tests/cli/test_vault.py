"""``zkwm vault``: what it shows, a changed passphrase, exported triggers, known judges."""

from __future__ import annotations

import shutil
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, at_terminal
from zkwm.data.images import load_images
from zkwm.judge.key_file import open_judge_key
from zkwm.owner.vault import Vault
from zkwm_cli.consent import day
from zkwm_protocols.errors import VaultUnusable

NEW = "quite another phrase"


def secret_file(folder: Path, text: str) -> Path:
    path = folder / "new passphrase"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_show_after_an_opening(zkwm: Command, case: Files) -> None:
    before = {file.name: file.read_bytes() for file in case.folder.iterdir()}
    result = zkwm("vault", "show", "--vault", case.vault)
    assert result.code == 0, result.stderr
    state = Vault.open(case.vault, PASSPHRASE).state
    (digest,) = state.commitments
    lines = result.stdout.splitlines()
    opened = lines.pop(8)
    assert opened.split()[1:] == [
        *("opened", "block", "0", "to", case.judge_fingerprint, "for", '"model.onnx",'),
        *('"Acme', "v.", 'Doe"'),
    ]
    assert lines == [
        f"  owner's key       {state.signing_key.public.fingerprint()} (ed25519)",
        f"  judges known      {case.judge_fingerprint}",
        "",
        f"Commitment {digest.hex()}",
        '  holds             200 images ("blocks", 1,16,16), 10 classes, derived labels',
        f"  made              {day(state.commitments[digest].created)}, by this owner's clock "
        "(no evidence of a date)",
        "  spent             block 0 of 4",
        "  left              3 of 4 blocks of 50, enough for 3 disputes by opening, at most",
        "  bits told         0, by arguments in zero knowledge",
    ]
    assert {file.name: file.read_bytes() for file in case.folder.iterdir()} == before


def test_show_in_json(zkwm: Command, case: Files) -> None:
    shown = zkwm("vault", "show", "--vault", case.vault, "--json").json
    assert shown["schema"] == "zkwm/vault-show/v1"
    assert shown["trusted_judges"] == [case.judge_fingerprint]
    (one,) = shown["commitments"]
    assert (one["blocks"], one["blocks_spent"], one["disputes"]) == (4, [0], 3)
    (opened,) = one["openings"]
    assert (opened["judge"], opened["purpose"]) == (case.judge_fingerprint, "Acme v. Doe")
    assert one["arguments"] == []
    assert abs(one["created"] - time.time()) < 3600


def test_show_of_an_older_copy(zkwm: Command, case: Files) -> None:
    old = case.vault.read_bytes()
    assert zkwm(*case.prove_options(challenge=case.second_challenge), "--yes").code == 0
    case.vault.write_bytes(old)
    result = zkwm("vault", "show", "--vault", case.vault)
    assert result.code == 0
    assert "is an older copy of this vault" in result.stderr


def test_a_changed_passphrase(zkwm: Command, case: Files, tmp_path: Path) -> None:
    before = Vault.open(case.vault, PASSPHRASE).state
    new = secret_file(tmp_path, f"{NEW}\n")
    result = zkwm("vault", "passphrase", "--vault", case.vault, "--new-passphrase-file", new)
    assert result.code == 0, result.stderr
    assert "copies of it still open with the old one" in result.stderr
    assert stat.S_IMODE(case.vault.stat().st_mode) == 0o600
    with pytest.raises(VaultUnusable):
        Vault.open(case.vault, PASSPHRASE)
    assert Vault.open(case.vault, NEW).state == before


def test_the_mark_of_the_ledger_outlives_a_changed_passphrase(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = Path(shutil.copy2(case.vault, tmp_path / "backup"))
    assert zkwm(*case.prove_options(challenge=case.second_challenge), "--yes").code == 0
    new = secret_file(tmp_path, NEW)
    changed = zkwm("vault", "passphrase", "--vault", case.vault, "--new-passphrase-file", new)
    assert changed.code == 0
    answer = [*case.prove_options(output=case.folder / "again.proof"), "--passphrase-file", new]
    assert zkwm(*answer).code == 0  # the newest copy, under its new passphrase
    shutil.copy2(backup, case.vault)
    refused = zkwm(*case.prove_options(output=case.folder / "older.proof"))
    assert refused.code == 3
    assert "is an older copy of this vault" in refused.stderr


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("short", "has 5 of the 8 characters"),
        (PASSPHRASE, "is the old one"),
        ("", "is empty"),
    ],
)
def test_new_passphrases_that_are_refused(
    zkwm: Command, case: Files, tmp_path: Path, new: str, message: str
) -> None:
    before = case.vault.read_bytes()
    given = secret_file(tmp_path, new)
    result = zkwm("vault", "passphrase", "--vault", case.vault, "--new-passphrase-file", given)
    assert (result.code, message in result.stderr) == (2, True), result.stderr
    assert case.vault.read_bytes() == before


def test_the_old_passphrase_is_needed(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "not that of the vault")
    new = secret_file(tmp_path, NEW)
    result = zkwm("vault", "passphrase", "--vault", case.vault, "--new-passphrase-file", new)
    assert result.code == 3
    Vault.open(case.vault, PASSPHRASE)


def test_variables_never_give_the_new_passphrase(zkwm: Command, case: Files) -> None:
    result = zkwm("vault", "passphrase", "--vault", case.vault)
    assert result.code == 2
    assert "there is no terminal to ask at" in result.stderr
    Vault.open(case.vault, PASSPHRASE)


def test_a_new_passphrase_typed_twice(case: Files) -> None:
    code, screen = at_terminal(
        ["vault", "passphrase", "--vault", str(case.vault)],
        [f"{word}\n".encode() for word in (PASSPHRASE, NEW, NEW)],
    )
    assert code == 0, screen
    assert b"New passphrase of " in screen
    assert NEW.encode() not in screen
    Vault.open(case.vault, NEW)


def test_a_judges_changed_passphrase(zkwm: Command, case: Files, tmp_path: Path) -> None:
    new = secret_file(tmp_path, NEW)
    before = open_judge_key(case.judge, PASSPHRASE)
    result = zkwm(
        *("judge-key", "--output", case.judge, "--change-passphrase"),
        *("--new-passphrase-file", new),
    )
    assert (result.code, result.stdout.strip()) == (0, case.judge_fingerprint)
    assert open_judge_key(case.judge, NEW) == before
    with pytest.raises(VaultUnusable):
        open_judge_key(case.judge, PASSPHRASE)
    assert zkwm("judge-key", "--output", case.judge, "--public", "--change-passphrase").code == 2
    lone = zkwm("judge-key", "--output", tmp_path / "k", "--new-passphrase-file", new)
    assert lone.code == 2
    assert not (tmp_path / "k").exists()


def export(case: Files, output: Path) -> list[object]:
    return [
        *("vault", "export-triggers", "--vault", case.vault, "--commitment", case.commitment),
        *("--output", output),
    ]


def test_triggers_leave_the_vault_only_where_that_is_confirmed(
    zkwm: Command, case: Files, tmp_path: Path
) -> None:
    result = zkwm(*export(case, tmp_path / "t.npz"))
    assert result.code == 2
    assert "say --yes if you mean it" in result.stderr
    assert not (tmp_path / "t.npz").exists()


def test_triggers_as_arrays(zkwm: Command, case: Files, tmp_path: Path) -> None:
    result = zkwm(*export(case, tmp_path / "t.npz"), "--yes", "--json")
    assert result.code == 0, result.stderr
    assert result.json["triggers"] == 200
    assert stat.S_IMODE((tmp_path / "t.npz").stat().st_mode) == 0o600
    images, labels = case.triggers()
    with np.load(tmp_path / "t.npz", allow_pickle=False) as read:
        assert np.array_equal(read["images"], images)
        assert np.array_equal(read["labels"], labels)
    assert np.array_equal(load_images(tmp_path / "t.npz"), images)
    again = zkwm(*export(case, tmp_path / "t.npz"), "--yes")
    assert (again.code, "exists" in again.stderr) == (2, True)


def test_triggers_as_pictures(zkwm: Command, case: Files, tmp_path: Path) -> None:
    folder = tmp_path / "triggers"
    assert zkwm(*export(case, folder), "--yes").code == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    images, labels = case.triggers()
    names = sorted(file.name for file in folder.iterdir())
    assert names == [f"trigger-{i:05}-label-{y}.png" for i, y in enumerate(labels)]
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert np.array_equal(load_images(folder), images)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["case", "triggers"]


def test_a_folder_that_is_not_there(zkwm: Command, case: Files, tmp_path: Path) -> None:
    result = zkwm(*export(case, tmp_path / "no" / "triggers"), "--yes")
    assert result.code == 3
    assert "cannot write" in result.stderr


def known(case: Files) -> list[str]:
    return Vault.open(case.vault, PASSPHRASE).state.trusted_judges


def test_a_judge_is_forgotten_and_known_again(zkwm: Command, case: Files) -> None:
    owner = ("--vault", case.vault)
    assert known(case) == [case.judge_fingerprint]
    assert zkwm("vault", "untrust", case.judge_fingerprint, *owner).code == 0
    assert known(case) == []
    again = zkwm("vault", "untrust", case.public, *owner)
    assert again.code == 2
    assert "zkwm vault show lists them" in again.stderr
    refused = zkwm(*case.prove_options(challenge=case.second_challenge))
    assert refused.code == 2  # nobody confirmed this judge
    result = zkwm("vault", "trust", case.judge_fingerprint.upper(), *owner, "--json")
    assert (result.code, result.json["judge"]) == (0, case.judge_fingerprint)
    assert known(case) == [case.judge_fingerprint]
    assert zkwm("vault", "trust", case.judge_fingerprint, *owner).code == 0
    assert known(case) == [case.judge_fingerprint]


def test_a_judge_in_a_file_is_compared_first(zkwm: Command, case: Files) -> None:
    owner = ("--vault", case.vault)
    public = case.folder / "second.key.pub"
    result = zkwm("vault", "trust", public, *owner)
    assert result.code == 2
    assert "trusted only where its fingerprint was compared" in result.stderr
    assert known(case) == [case.judge_fingerprint]
    assert zkwm("vault", "trust", public, *owner, "--yes").code == 0
    assert len(known(case)) == 2
    answered = zkwm(*case.prove_options(challenge=case.second_challenge))
    assert answered.code == 0, answered.stderr


@pytest.mark.parametrize("word", ["abcd-efgh", "no such file", ""])
def test_neither_a_fingerprint_nor_a_file(zkwm: Command, case: Files, word: str) -> None:
    result = zkwm("vault", "trust", word, "--vault", case.vault)
    assert (result.code, "neither a fingerprint nor a file" in result.stderr) == (2, True)
    assert known(case) == [case.judge_fingerprint]


def test_the_words_of_a_judge_are_quoted(zkwm: Command, case: Files) -> None:
    made = zkwm(*case.challenge_options(purpose='x", bits told 0'))
    assert made.code == 0
    answered = zkwm(*case.prove_options(challenge=case.folder / "new.challenge"), "--again")
    assert answered.code == 0, answered.stderr
    shown = zkwm("vault", "show", "--vault", case.vault).stdout
    assert 'x", bits told 0' not in shown.replace('\\"', "'")
