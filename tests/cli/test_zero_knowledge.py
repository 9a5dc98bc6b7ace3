"""challenge, prove and verify in zero knowledge by commands; the argument is a stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import PASSPHRASE, Command, Files, statuses
from zkwm.owner.vault import Vault
from zkwm_cli.proof_progress import kernels
from zkwm_protocols.argument_response import ArgumentResponse, Refusal, read_response
from zkwm_protocols.challenge import Challenge


@pytest.fixture(autouse=True)
def argument(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setattr("zkwm_cli.proof_progress.kernels_are_cold", lambda: True)
    return StandIn().install(monkeypatch)


@pytest.fixture(scope="module")
def linear(_original: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A marked model that can be proven about."""
    path = tmp_path_factory.mktemp("linear") / "suspect.onnx"
    save_linear(path, *_original.triggers())
    return path


@pytest.fixture
def asked(zkwm: Command, case: Files, linear: Path) -> Path:
    """A challenge about the three blocks that are unopened in the case."""
    path = case.folder / "argued.challenge"
    made = zkwm(*ask(case, linear, path), "--blocks", 3, "--purpose", "Acme v. Doe")
    assert made.code == 0, made.stderr
    return path


def ask(case: Files, model: Path, output: Path) -> list[object]:
    return ["challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge",
            "--judge", case.public, "--output", output]  # fmt: skip


def answer(case: Files, model: Path, challenge: Path) -> list[object]:
    return [*case.prove_options(challenge=challenge), "--zero-knowledge", "--model", model]


def check(case: Files, model: Path, challenge: Path) -> list[object]:
    return case.verify_options(challenge=challenge, proof=case.folder / "new.proof", model=model)


def bits(case: Files) -> int:
    vault = Vault.open(case.vault, PASSPHRASE).state
    return sum(len(vault.arguments(digest)) for digest in vault.commitments)


def test_from_challenge_to_verdict(zkwm: Command, case: Files, linear: Path, asked: Path) -> None:
    proved = zkwm(*answer(case, linear, asked))
    assert proved.code == 0, proved.stderr
    shown = " ".join(proved.stderr.split())
    challenge = Challenge.from_bytes(asked.read_bytes())
    assert challenge.network is not None
    for expected in (
        "A judge asks you for a zero-knowledge argument; no trigger is opened:",
        f"network {challenge.network.hex()}",
        f"at least {challenge.least_matches} of 150 triggers (3 of 4 blocks) match",
        "unopened 3 blocks",
        "opened so far block 0",
        "bits so far 0, one per answer; confirmed again beyond 16",
        "expected: about 26 s, 20 s of them to compile, the first time on this machine; "
        f"2.0 GiB of memory, a proof of 2.0 MiB; kernels {kernels()}",
        "a proof about blocks 1, 2, 3",
        "nothing was opened; bits released about this commitment: 1",
    ):
        assert expected in shown
    verified = zkwm(*check(case, linear, asked), "--json")
    assert verified.code == 0, verified.stderr
    verdict = verified.json
    assert verdict["outcome"] == "proven"
    assert verdict["mode"] == "argument"
    assert verdict["blocks"] == [1, 2, 3]
    assert verdict["reason"].startswith(f"at least {challenge.least_matches} of 150 triggers match")
    found = statuses(verdict)
    assert found.pop("commitment.timestamp") == "skipped"
    assert set(found.values()) == {"passed"}


def test_a_proof_that_does_not_fit_in_memory_is_refused(
    zkwm: Command, case: Files, linear: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm.owner.proof_memory.memory_left", lambda: 1 << 30)
    refused = zkwm(*answer(case, linear, asked))
    assert (refused.code, bits(case)) == (2, 0)
    assert "this proof takes about 2.0 GiB of memory, and 1.0 GiB are left" in refused.stderr
    assert "hint: end other programs" in refused.stderr


def test_the_challenge_says_how_well_both_networks_agree(
    zkwm: Command, case: Files, linear: Path
) -> None:
    output = case.folder / "a.challenge"
    result = zkwm(*ask(case, linear, output), "--json")
    assert result.code == 0, result.stderr
    assert "integer network made from the file: same label on" in result.stderr
    challenge = Challenge.from_bytes(output.read_bytes())
    assert challenge.network is not None
    value = result.json
    assert (value["mode"], value["blocks"], value["triggers"]) == ("argument", 4, 200)
    assert value["network"] == challenge.network.hex()
    assert value["least_matches"] == challenge.least_matches
    assert [one["kind"] for one in value["agreement"]] == [
        "random blocks",
        "public images",
        "images of the family secret",
        "images of the family blocks",
        "images of the family abstract",
    ]
    assert "show that at least" in result.stderr
    assert "NOTHING WAS CHECKED" in result.stderr
    assert "a bit is told" in result.stderr
    assert "opened blocks are spent" not in result.stderr


def test_the_judges_own_images(zkwm: Command, case: Files, linear: Path) -> None:
    np.savez(case.folder / "mine.npz", images=case.triggers()[0][:30])
    result = zkwm(
        *ask(case, linear, case.folder / "a.challenge"),
        *("--images", case.folder / "mine.npz", "--least-matches", 180, "--json"),
    )
    assert result.code == 0, result.stderr
    last = result.json["agreement"][-1]
    assert (last["kind"], last["asked"], last["agreeing"]) == ("images given", 30, 30)
    assert result.json["least_matches"] == 180


def test_the_answer_in_json(zkwm: Command, case: Files, linear: Path, asked: Path) -> None:
    result = zkwm(*answer(case, linear, asked), "--json")
    assert result.code == 0, result.stderr
    challenge = Challenge.from_bytes(asked.read_bytes())
    proof = read_response((case.folder / "new.proof").read_bytes())
    assert isinstance(proof, ArgumentResponse)
    assert challenge.network is not None
    assert result.json == {
        "schema": "zkwm/prove/v1",
        "path": str(case.folder / "new.proof"),
        "digest": proof.digest.hex(),
        "challenge": challenge.digest.hex(),
        "commitment": challenge.commitment.hex(),
        "judge": case.judge_fingerprint,
        "blocks": [1, 2, 3],
        "blocks_spent": [0],
        "block_count": 4,
        "disputes_left": 3,
        "repeated": False,
        "mode": "argument",
        "network": challenge.network.hex(),
        "least_matches": challenge.least_matches,
        "bits_released": 1,
    }


def test_the_same_challenge_again(
    zkwm: Command, case: Files, linear: Path, asked: Path, argument: StandIn
) -> None:
    assert zkwm(*answer(case, linear, asked)).code == 0
    first = (case.folder / "new.proof").read_bytes()
    again = zkwm(*answer(case, linear, asked), "--force")
    assert again.code == 0
    assert "no further bit is released" in again.stderr
    assert (case.folder / "new.proof").read_bytes() == first
    assert (bits(case), argument.proofs) == (1, 1)


def test_a_refusal(zkwm: Command, case: Files, linear: Path) -> None:
    path = case.folder / "all.challenge"
    assert zkwm(*ask(case, linear, path)).code == 0
    without = zkwm(*answer(case, linear, path))
    assert without.code == 3
    assert "[challenge.reachable]" in without.stderr
    assert "--refuse" in without.stderr
    assert bits(case) == 0
    result = zkwm(*answer(case, linear, path), "--refuse", "--json")
    assert result.code == 0, result.stderr
    assert (result.json["mode"], result.json["bits_released"]) == ("refusal", 1)
    assert isinstance(read_response((case.folder / "new.proof").read_bytes()), Refusal)
    verified = zkwm(*check(case, linear, path), "--json")
    assert verified.code == 3
    assert "3 blocks" in verified.json["hint"]
    assert statuses(verified.json)["response.blocks"] == "failed"


def test_the_way_has_to_be_said(zkwm: Command, case: Files, linear: Path, asked: Path) -> None:
    result = zkwm(*case.prove_options(challenge=asked))
    assert result.code == 2
    assert "asks for a zero-knowledge argument, not for an opening" in result.stderr
    assert "add --zero-knowledge --model FILE" in result.stderr
    result = zkwm(*answer(case, linear, case.challenge))
    assert result.code == 2
    assert "asks to open triggers" in result.stderr
    result = zkwm(*case.prove_options(challenge=asked), "--zero-knowledge")
    assert result.code == 2
    assert "takes the suspect's file" in result.stderr
    assert bits(case) == 0
    advised = ("--zero-knowledge", "--model", linear)
    assert zkwm(*case.prove_options(challenge=asked), *advised).code == 0


@pytest.mark.parametrize(
    "more",
    [
        ["--model", "x.onnx"],
        ["--model", ""],
        ["--refuse"],
        ["--exceed-limit"],
        ["--ray"],
        ["--test-data", "x"],
        ["--test-data", ""],
    ],
)
def test_options_of_the_other_way(zkwm: Command, case: Files, more: list[str]) -> None:
    result = zkwm(*case.prove_options(), *more)
    assert result.code == 2
    assert "go with --zero-knowledge" in result.stderr


@pytest.mark.parametrize(
    "more", [["--blocks", 1], ["--least-matches", 3], ["--images", "x"], ["--zero-knowledge"]]
)
def test_challenge_options_of_the_other_way(zkwm: Command, case: Files, more: list[object]) -> None:
    result = zkwm(*case.challenge_options(), *more)
    assert result.code == 2
    assert "--zero-knowledge" in result.stderr


def test_one_way_has_to_be_asked_for(zkwm: Command, case: Files) -> None:
    options = case.challenge_options()
    at = options.index("--reveal")
    result = zkwm(*options[:at], *options[at + 2 :])
    assert result.code == 2
    assert "use one of --reveal, --reopen and --zero-knowledge" in result.stderr


def _release(case: Files, count: int) -> None:
    """Put ``count`` copies of the first bit into the ledger."""
    from dataclasses import replace

    vault = Vault.open(case.vault, PASSPHRASE)
    with vault.transaction() as state:
        for number in range(count):
            entry: Any = state.ledger[-1]
            state.ledger.append(replace(entry, challenge_digest=number.to_bytes(32, "big")))


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("no\n", 5), (None, 2)])
def test_beyond_the_limit(
    zkwm: Command,
    case: Files,
    linear: Path,
    asked: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str | None,
    code: int,
) -> None:
    assert zkwm(*answer(case, linear, asked)).code == 0
    _release(case, 15)
    other = case.folder / "other.challenge"
    assert zkwm(*ask(case, linear, other), "--blocks", 3).code == 0
    (case.folder / "new.proof").unlink()
    if typed is not None:
        path = case.folder / "terminal"
        path.write_text(typed)
        monkeypatch.setattr("zkwm_cli.terminal.open_terminal", lambda: path.open())
        monkeypatch.setattr("zkwm_cli.terminal.notes_are_read", lambda: True)
    result = zkwm(*answer(case, linear, other))
    assert result.code == code, result.stderr
    assert "16 bits have been released about this commitment" in result.stderr
    assert bits(case) == (17 if code == 0 else 16)
    if typed is None:
        assert zkwm(*answer(case, linear, other), "--exceed-limit").code == 0


def test_a_suspect_that_cannot_be_proven_about(zkwm: Command, case: Files) -> None:
    result = zkwm(*ask(case, case.model, case.folder / "a.challenge"))
    assert result.code == 3
    assert "--reveal" in result.stderr
    assert not (case.folder / "a.challenge").exists()


def test_another_file_than_the_suspect(
    zkwm: Command, case: Files, linear: Path, asked: Path
) -> None:
    result = zkwm(*answer(case, case.model, asked))
    assert result.code == 3
    assert "[challenge.suspect]" in result.stderr
    assert bits(case) == 0


def test_test_data_of_the_suspects_task(
    zkwm: Command, case: Files, linear: Path, asked: Path
) -> None:
    images, labels = case.triggers()
    data = {"x_train": images[:10], "y_train": labels[:10], "x_test": images, "y_test": labels}
    np.savez(case.folder / "known.npz", **data)
    np.savez(case.folder / "odd.npz", **{**data, "y_test": (labels + 1) % 10})
    result = zkwm(*answer(case, linear, asked), "--test-data", case.folder / "odd.npz")
    assert result.code == 2
    assert "zkwm: hint: " in result.stderr
    assert bits(case) == 0
    result = zkwm(*answer(case, linear, asked), "--test-data", case.folder / "known.npz")
    assert result.code == 0, result.stderr


def test_inspect_tells_which_way(zkwm: Command, case: Files, linear: Path, asked: Path) -> None:
    assert zkwm(*answer(case, linear, asked)).code == 0
    fields = zkwm("inspect", case.folder / "new.proof", "--json").json["fields"]
    assert fields["argument_bytes"] == len(b"argument:") + 32
    assert fields["declared_labels"] is False
    shown = zkwm("inspect", asked)
    assert shown.code == 0
    assert "least matches" in shown.stdout
    assert "mode" in shown.stdout
    found = json.loads(zkwm("inspect", asked, "--json").stdout)
    assert found["fields"]["blocks_to_argue_about"] == 3
    assert found["checks"]["challenge.signature"] == "verified"


def test_a_report_is_written(zkwm: Command, case: Files, linear: Path, asked: Path) -> None:
    assert zkwm(*answer(case, linear, asked)).code == 0
    page = case.folder / "report.html"
    result = zkwm(*check(case, linear, asked), "--report", page)
    assert result.code == 0
    assert "none is opened" in result.stdout
    assert "the owner showed no image" in page.read_text()
