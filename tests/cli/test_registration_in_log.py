"""From commit to verdict by the witnesses of a log: register, win, and read it everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import Command, save_lookup, statuses
from tests.support.logs import memory_folder
from tests.support.public_log import ORIGIN, PublicLog, public_log

LATER = "2026-06-01"
OWNER = ("--vault", "acme.vault", "--commitment", "acme.commitment")


@pytest.fixture(scope="module")
def log() -> Iterator[PublicLog]:
    with memory_folder() as folder, public_log(folder) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: PublicLog) -> Path:
    """Where the commands run: a vault, a commitment, and the trust folder of a judge."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZKWM_STATE", str(tmp_path / "state"))
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "trust.toml").write_text("authorities_needed = 1\nlog_dates = true\n")
    (trust / "log-policy").write_bytes(log.policy)
    return tmp_path


@pytest.fixture
def committed(zkwm: Command, folder: Path) -> Path:
    assert zkwm("keygen", "--output", "acme.vault").code == 0
    made = zkwm(
        *("commit", "--vault", "acme.vault", "--generate", 200, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", "acme.commitment"),
    )
    assert made.code == 0
    return folder


def registered(zkwm: Command, log: PublicLog, *more: object) -> dict[str, object]:
    done = zkwm(
        *("register", *OWNER, "--log", log.url, "--trust", "trust", "--json", "--force"),
        *("--output", "acme.commitment", *more),
    )
    assert done.code == 0, done.stderr
    assert "1 log proof is in the file and in the vault" in done.stderr
    assert "0 timestamps" not in done.stderr
    return done.json


def test_register_in_a_log_and_win_with_its_date(
    zkwm: Command, committed: Path, log: PublicLog
) -> None:
    found = registered(zkwm, log)
    assert (found["timestamps"], found["log_proofs"]) == (0, 1)
    (entry,) = found["entries"]
    assert (entry["log"], entry["kept"]) == (ORIGIN, False)
    assert entry["witnesses"] == ["one.example", "two.example"]
    assert registered(zkwm, log)["entries"] == [entry | {"kept": True}]
    assert zkwm("judge-key", "--output", "judge.key").code == 0
    done = zkwm("vault", "export-triggers", *OWNER, "--output", "own.npz", "--yes")
    assert done.code == 0, done.stderr
    with np.load("own.npz") as own:
        save_lookup(committed / "model.onnx", own["images"], own["labels"])
    judged = ("--commitment", "acme.commitment", "--model", "model.onnx", "--trust", "trust")
    asked = zkwm(
        *("challenge", *judged, "--reveal", 50, "--judge", "judge.key", "--older"),
        *("--suspect-published", LATER, "--published-source", "a page"),
        *("--output", "case.challenge"),
    )
    assert asked.code == 0, asked.stderr
    proved = zkwm(
        *("prove", *OWNER, "--challenge", "case.challenge", "--yes", "--output", "case.proof")
    )
    assert proved.code == 0, proved.stderr
    verdict = zkwm(
        *("verify", *judged, "--challenge", "case.challenge", "--proof", "case.proof"),
        *("--judge", "judge.key", "--json", "--verdict", "case.verdict", "--report", "case.html"),
    )
    assert verdict.code == 0, verdict.stderr
    dates = verdict.json["dates"]
    assert statuses(verdict.json)["commitment.timestamp"] == "passed"
    assert (dates["order"], dates["log_may_date"]) == ("older", True)
    assert dates["commitment"] == entry["seen_by"] == dates["logged"][0]["seen_by"]
    assert dates["logged"][0]["key"] == entry["key"]
    page = Path("case.html").read_text()
    assert f"entry {entry['index']} of {ORIGIN}" in page
    assert "by the witnesses of a log" in page
    packed = zkwm(
        *("case", "pack", "--output", "case.zip", "acme.commitment", "case.challenge"),
        *("case.proof", "case.verdict", "judge.key.pub", "model.onnx", "trust"),
    )
    assert packed.code == 0, packed.stderr
    checked = zkwm("case", "check", "case.zip", "--judge", "judge.key.pub", "--json").json
    steps = {step["step"]: step["state"] for step in checked["steps"]}
    assert steps["dates"] == "repeated"
    _not_opened_in_vain(zkwm, judged)
    Path("trust/trust.toml").write_text("authorities_needed = 1\n")  # by whoever trusts no log
    other = zkwm("case", "check", "case.zip", "--trust", "trust", "--json").json
    assert {step["step"]: step["state"] for step in other["steps"]}["dates"] == "not repeated"


def _not_opened_in_vain(zkwm: Command, judged: tuple[str, ...]) -> None:
    """A judge who demands an older commitment is warned, and the owner is asked for a word."""
    asked = zkwm(
        *("challenge", *judged, "--reveal", 50, "--judge", "judge.key", "--older"),
        *("--suspect-published", "2020-01-01", "--published-source", "a page"),
        *("--output", "late.challenge"),
    )
    assert asked.code == 0
    assert "the commitment is not older and supports no claim" in " ".join(asked.stderr.split())
    prove = ("prove", *OWNER, "--challenge", "late.challenge", "--yes", "--again")
    refused = zkwm(*prove, "--output", "late.proof")
    assert (refused.code, Path("late.proof").exists()) == (2, False)
    assert "--not-older" in refused.stderr
    opened = zkwm(*prove, "--not-older", "--output", "late.proof")
    assert opened.code == 0, opened.stderr


def test_what_register_refuses(zkwm: Command, committed: Path, log: PublicLog) -> None:
    nobody = zkwm("register", *OWNER, "--output", "x")
    assert (nobody.code, "--tsa" in nobody.stderr, "--log" in nobody.stderr) == (2, True, True)
    without = zkwm("register", *OWNER, "--log", log.url, "--output", "x")
    assert (without.code, "--trust FOLDER" in without.stderr) == (2, True)
    gone = zkwm(
        "register", *OWNER, "--log", "http://127.0.0.1:9", "--trust", "trust", "--output", "x"
    )
    assert gone.code == 3
    assert not Path("x").exists()
