"""prove: what the owner is shown, how the judge is confirmed, which blocks are spent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, at_terminal, spent
from zkwm_protocols.opening import Opening

STRANGER = "-".join(["aaaa"] * 8)


def fingerprint_of(zkwm: Command, challenge: Path) -> str:
    return str(zkwm("inspect", challenge, "--json").json["fields"]["judge"])


def test_known_judge_needs_no_question(zkwm: Command, case: Files) -> None:
    assert zkwm(*case.challenge_options()).code == 0
    options = case.prove_options(challenge=case.folder / "new.challenge")
    refused = zkwm(*options, "--yes")
    assert (refused.code, spent(case)) == (2, 1)
    assert "about this suspect before" in refused.stderr
    result = zkwm(*options, "--again")
    assert (result.code, result.stdout) == (0, "")
    assert "(known to this vault)" in result.stderr
    assert spent(case) == 2


def test_the_same_challenge_gives_the_same_bytes(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.prove_options())
    assert result.code == 0
    assert "answered before" in result.stderr
    assert (case.folder / "new.proof").read_bytes() == case.proof.read_bytes()
    assert spent(case) == 1


def test_the_owner_sees_what_is_released(zkwm: Command, case: Files, fresh: Path) -> None:
    result = zkwm(*case.prove_options(challenge=fresh), "--yes")
    assert result.code == 0
    shown = " ".join(result.stderr.split())
    for expected in (
        'suspect "model.onnx" (onnx)',
        'purpose "again"',
        f"judge {fingerprint_of(zkwm, fresh)} (NOT known to this vault)",
        "to be opened 50 triggers, block 1 of 4",
        "opened so far block 0",
        f'block 0 to {case.judge_fingerprint} for "model.onnx", "Acme v. Doe"',
    ):
        assert expected in shown


def test_the_owner_chooses_the_block(zkwm: Command, case: Files, fresh: Path) -> None:
    options = [*case.prove_options(challenge=fresh), "--yes"]
    refused = zkwm(*options, "--blocks", "0")  # spent
    assert (refused.code, "zkwm vault show" in refused.stderr) == (2, True)
    refused = zkwm(*options, "--blocks", "3,2")
    assert "asks for 1 of the blocks" in refused.stderr
    assert "choose" not in refused.stderr
    opened = zkwm(*options, "--blocks", "3", "--json")
    assert opened.code == 0, opened.stderr
    assert "50 triggers, block 3 of 4" in opened.stderr
    assert (opened.json["blocks"], opened.json["blocks_spent"]) == ([3], [0, 3])


def test_confirmed_by_fingerprint(zkwm: Command, case: Files, fresh: Path) -> None:
    fingerprint = fingerprint_of(zkwm, fresh)
    options = case.prove_options(challenge=fresh, judge_fingerprint=fingerprint.upper())
    result = zkwm(*options, "--json")
    assert result.code == 0
    proof = Opening.from_bytes((case.folder / "new.proof").read_bytes())
    assert result.json == {
        "schema": "zkwm/prove/v1",
        "path": str(case.folder / "new.proof"),
        "digest": proof.digest.hex(),
        "challenge": proof.challenge.hex(),
        "commitment": proof.commitment.hex(),
        "judge": fingerprint,
        "blocks": [1],
        "blocks_spent": [0, 1],
        "block_count": 4,
        "disputes_left": 2,
        "repeated": False,
    }


def test_confirmed_by_a_file(zkwm: Command, case: Files, fresh: Path) -> None:
    trusted = case.folder / "judges"
    trusted.write_text(f"# ours\n\n{STRANGER}\n{fingerprint_of(zkwm, fresh)}  # second judge\n")
    result = zkwm(*case.prove_options(challenge=fresh, trusted_judges=trusted))
    assert result.code == 0
    assert spent(case) == 2


@pytest.mark.parametrize("answer", ["yes\n", "YES \n"])
def test_confirmed_by_a_person(
    zkwm: Command, case: Files, fresh: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    _type(monkeypatch, case.folder / "terminal", answer)
    result = zkwm(*case.prove_options(challenge=fresh))
    assert result.code == 0
    assert "[type yes]" in result.stderr


@pytest.mark.parametrize("answer", ["no\n", "y\n", "\n", ""])
def test_declined(
    zkwm: Command, case: Files, fresh: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    before = case.vault.read_bytes()
    _type(monkeypatch, case.folder / "terminal", answer)
    result = zkwm(*case.prove_options(challenge=fresh))
    assert (result.code, result.stdout) == (5, "")
    assert "zkwm: cancelled: declined; nothing was opened" in result.stderr
    assert case.vault.read_bytes() == before
    assert not (case.folder / "new.proof").exists()


def _type(monkeypatch: pytest.MonkeyPatch, path: Path, answer: str) -> None:
    path.write_text(answer)
    monkeypatch.setattr("zkwm_cli.terminal.open_terminal", lambda: path.open())
    monkeypatch.setattr("zkwm_cli.terminal.notes_are_read", lambda: True)


@pytest.mark.parametrize(("answer", "code"), [(b"yes\n", 0), (b"no\n", 5), (b"\x03", 5)])
def test_at_a_real_terminal(
    zkwm: Command, case: Files, fresh: Path, answer: bytes, code: int
) -> None:
    options = [str(part) for part in case.prove_options(challenge=fresh)]
    found, screen = at_terminal(options, [f"{PASSPHRASE}\n".encode(), answer])
    assert found == code, screen
    assert fingerprint_of(zkwm, fresh).encode() in screen
    assert (case.folder / "new.proof").exists() == (code == 0)
    assert spent(case) == (2 if code == 0 else 1)


def test_a_question_that_nobody_would_see_is_not_asked(
    zkwm: Command, case: Files, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _type(monkeypatch, case.folder / "terminal", "yes\n")
    monkeypatch.setattr("zkwm_cli.terminal.notes_are_read", lambda: False)
    assert zkwm(*case.prove_options(challenge=fresh)).code == 2
    assert spent(case) == 1


def test_nobody_to_ask(zkwm: Command, case: Files, fresh: Path) -> None:
    before = case.vault.read_bytes()
    result = zkwm(*case.prove_options(challenge=fresh), "--json")
    assert result.code == 2
    assert (
        result.json["error"] == "the judge has to be confirmed, and there is no terminal to ask at"
    )
    assert "--judge-fingerprint FINGERPRINT" in result.json["hint"]
    assert fingerprint_of(zkwm, fresh) not in result.json["hint"]  # nothing to paste unread
    assert case.vault.read_bytes() == before
    assert not (case.folder / "new.proof").exists()


def test_another_fingerprint(zkwm: Command, case: Files, fresh: Path) -> None:
    before = case.vault.read_bytes()
    result = zkwm(*case.prove_options(challenge=fresh, judge_fingerprint=STRANGER))
    assert (result.code, result.stdout) == (2, "")
    assert fingerprint_of(zkwm, fresh) in result.stderr
    assert "zkwm: hint: " in result.stderr
    assert case.vault.read_bytes() == before


def test_not_among_the_trusted(zkwm: Command, case: Files, fresh: Path) -> None:
    trusted = case.folder / "judges"
    trusted.write_text(f"{STRANGER}\n# {fingerprint_of(zkwm, fresh)}\n")
    result = zkwm(*case.prove_options(challenge=fresh, trusted_judges=trusted))
    assert result.code == 2
    assert "is not among the trusted judges" in result.stderr
    assert spent(case) == 1


def test_one_way_to_confirm_at_a_time(zkwm: Command, case: Files, fresh: Path) -> None:
    result = zkwm(*case.prove_options(challenge=fresh, judge_fingerprint=STRANGER), "--yes")
    assert result.code == 2
    assert "use one of" in result.stderr


def test_pipe(process: Command, case: Files) -> None:
    result = process(
        *case.prove_options(challenge="-", output="-"), input=case.challenge.read_bytes()
    )
    assert result.code == 0
    assert result.stdout.startswith("zkwm-proof/1\n")


def test_declared_labels_are_pointed_out(zkwm: Command, case: Files) -> None:
    images, labels = case.triggers()
    np.savez(case.folder / "images.npz", images=255 - images)
    np.savez(case.folder / "labels.npz", labels=labels)
    declared = case.folder / "declared.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--images", case.folder / "images.npz"),
        *("--labels", case.folder / "labels.npz", "--classes", 10, "--output", declared),
    )
    assert made.code == 0
    assert zkwm(*case.challenge_options(commitment=declared)).code == 0
    result = zkwm(*case.prove_options(commitment=declared, challenge=case.folder / "new.challenge"))
    assert result.code == 0
    assert "zkwm: warning: the labels are declared" in result.stderr
