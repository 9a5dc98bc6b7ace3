"""verify --verdict, inspect of a verdict, and checks without the judge's secret."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import PASSPHRASE, Command, Files, dispute_over
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.secret_files.encrypted import Cost
from zkwm_protocols.keys import JudgePublic


@pytest.fixture
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZKWM_PASSPHRASE")


def stranger(folder: Path) -> Path:
    """The public key of another judge."""
    Judge.create(folder / "other.key", PASSPHRASE, cost=Cost(1, 8 * 1024))
    return folder / "other.key.pub"


def test_a_verdict_is_signed_and_anybody_checks_it(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed, page = case.folder / "case.verdict", case.folder / "case.html"
    made = zkwm(*case.verify_options(report=page), "--verdict", signed, "--owner-name", "Acme")
    assert made.code == 0, made.stderr
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    seen = zkwm("inspect", signed, "--judge", case.public)
    assert seen.code == 0, seen.stderr
    shown = " ".join(seen.stdout.split())
    assert "verdict.signature verified" in shown
    assert f"signed by the judge {case.judge_fingerprint}" in shown
    assert "PROVEN: 50 of 50 triggers match" in seen.stdout
    assert "Acme (as stated)" in seen.stdout
    value = zkwm("inspect", signed, "--judge", case.public, "--json").json
    assert value["checks"] == {"verdict.signature": "verified"}
    assert value["fields"]["signed_by"] == case.judge_fingerprint
    listed = {file["role"]: file for file in value["fields"]["verdict"]["files"]}
    assert listed["report"]["sha256"] == hashlib.sha256(page.read_bytes()).hexdigest()
    assert listed["judge-public"]["name"] == "judge.key.pub"
    assert PASSPHRASE.encode() not in signed.read_bytes()


def test_a_fingerprint_is_enough_to_inspect(zkwm: Command, case: Files) -> None:
    """The verdict holds the judge's keys, and the fingerprint says whose they have to be."""
    signed = case.folder / "case.verdict"
    assert zkwm(*case.verify_options(), "--verdict", signed).code == 0
    typed = case.judge_fingerprint.upper().replace("-", " ")
    seen = zkwm("inspect", signed, "--judge-fingerprint", typed, "--json")
    assert seen.code == 0, seen.stderr
    assert seen.json["checks"] == {"verdict.signature": "verified"}
    other = JudgePublic.from_bytes(stranger(case.folder).read_bytes()).fingerprint()
    assert zkwm("inspect", signed, "--judge-fingerprint", other).code == 3
    for wrong, words in (
        (("--judge-fingerprint", "abcd"), "--judge-fingerprint: this is no fingerprint"),
        (("--judge-fingerprint", other, "--judge", case.public), "not both"),
    ):
        refused = zkwm("inspect", signed, *wrong)
        assert (refused.code, words in refused.stderr) == (2, True), refused.stderr
    aside = zkwm("inspect", case.commitment, "--judge-fingerprint", other)
    assert aside.code == 2
    assert "who signed a verdict" in aside.stderr


def test_without_a_key_it_is_unverified(zkwm: Command, case: Files) -> None:
    signed = case.folder / "case.verdict"
    assert zkwm(*case.verify_options(), "--verdict", signed).code == 0
    seen = zkwm("inspect", signed)
    assert seen.code == 0
    assert "UNVERIFIED" in seen.stdout
    assert "verdict.signature not checked" in " ".join(seen.stdout.split())
    assert "anybody could have written this" in seen.stdout


def test_another_judges_or_an_altered_one(zkwm: Command, case: Files) -> None:
    signed = case.folder / "case.verdict"
    assert zkwm(*case.verify_options(), "--verdict", signed).code == 0
    other = zkwm("inspect", signed, "--judge", stranger(case.folder))
    assert (other.code, other.stdout) == (3, "")
    assert "[verdict.judge]" in other.stderr
    data = signed.read_bytes()
    signed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    altered = zkwm("inspect", signed, "--judge", case.public)
    assert (altered.code, altered.stdout) == (3, "")
    assert "[verdict.signature]" in altered.stderr
    wrong_kind = zkwm("inspect", case.challenge, "--judge", case.public)
    assert wrong_kind.code == 2
    assert zkwm("inspect", case.model, "--judge", case.public).code == 3


def test_every_outcome_is_written_and_keeps_its_code(zkwm: Command, case: Files) -> None:
    judge = JudgePublic.from_bytes(case.public.read_bytes())
    signed = case.folder / "case.verdict"
    unproven = dispute_over(zkwm, case, model=case.innocent)
    assert zkwm(*unproven, "--verdict", signed).code == 10
    assert Verdict.from_bytes(signed.read_bytes(), judge).outcome == Outcome.NOT_PROVEN
    assert zkwm("inspect", signed, "--judge", case.public).code == 0
    case.proof.write_bytes(b"no proof")
    refused = zkwm(*case.verify_options(), "--verdict", signed)
    assert refused.code == 2  # it exists
    broken = zkwm(*case.verify_options(), "--verdict", signed, "--force")
    assert broken.code == 3
    verdict = Verdict.from_bytes(signed.read_bytes(), judge)
    assert verdict.outcome == Outcome.COULD_NOT_CHECK


def test_where_a_verdict_may_be_written(zkwm: Command, case: Files) -> None:
    one = case.folder / "one"
    for more in (
        ("--verdict", "-"),
        ("--verdict", one, "--report", one),
        ("--verdict", case.judge, "--force"),
        ("--verdict", case.public, "--force"),
    ):
        result = zkwm(*case.verify_options(), *more)
        assert (result.code, result.stdout) == (2, ""), more
    assert not one.exists()


@pytest.mark.usefixtures("no_passphrase")
def test_an_opening_is_checked_by_the_judge_alone(zkwm: Command, case: Files) -> None:
    """The kind of the key file decides, not its name, and no passphrase is asked for."""
    key = case.folder / "public.key"
    key.write_bytes(case.public.read_bytes())
    by_fingerprint = [*case.verify_options()]
    where = by_fingerprint.index("--judge")
    by_fingerprint[where : where + 2] = ["--judge-fingerprint", case.judge_fingerprint]
    for options in (
        case.verify_options(judge=key),
        case.verify_options(judge=case.public),
        by_fingerprint,
    ):
        result = zkwm(*options)
        assert (result.code, result.stdout) == (2, "")
        assert "only they can check it" in result.stderr
        assert "zkwm inspect FILE.verdict --judge judge.key.pub" in result.stderr
        assert "with their secret key (--judge judge.key)" in result.stderr
    signing = zkwm(*case.verify_options(judge=key), "--verdict", case.folder / "v")
    assert signing.code == 2
    assert "nobody who could sign" in signing.stderr
    neither = by_fingerprint[:where] + by_fingerprint[where + 2 :]
    assert zkwm(*neither).code == 2


def test_anybody_checks_an_argument(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    StandIn().install(monkeypatch)
    model, challenge = case.folder / "suspect.onnx", case.folder / "zk.challenge"
    save_linear(model, *case.triggers())
    asked = zkwm(
        "challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge",
        "--judge", case.public, "--output", challenge, "--blocks", 3,
    )  # fmt: skip
    assert asked.code == 0, asked.stderr
    answered = zkwm(*case.prove_options(challenge=challenge), "--zero-knowledge", "--model", model)
    assert answered.code == 0, answered.stderr
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    case.judge.unlink()
    files = {"challenge": challenge, "proof": case.folder / "new.proof", "model": model}
    options = case.verify_options(**files, judge=case.public)
    checked = zkwm(*options, "--json")
    assert checked.code == 0, checked.stderr
    assert checked.json["checked_by"] == "public"
    assert checked.json["outcome"] == "proven"
    where = options.index("--judge")
    options[where : where + 2] = ["--judge-fingerprint", case.judge_fingerprint]
    by_fingerprint = zkwm(*options)
    assert by_fingerprint.code == 0, by_fingerprint.stderr
    assert "Checked by the public" in " ".join(by_fingerprint.stdout.split())
    other = JudgePublic.from_bytes(stranger(case.folder).read_bytes())
    options[where + 1] = other.fingerprint()
    assert zkwm(*options).code == 3
    options[where + 1] = "no fingerprint"
    assert zkwm(*options).code == 2
    untrusted = zkwm(*case.verify_options(**files, judge=case.folder / "other.key.pub"), "--json")
    assert untrusted.code == 3
    assert untrusted.json["outcome"] == "could not be checked"
