"""verify: exit code, streams, JSON and report of every outcome; spoilt files."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files, dispute_over, save_lookup, statuses


def test_proven(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options())
    assert result.code == 0
    assert result.stdout.startswith("PROVEN: 50 of 50 triggers match: 93.09 bits")
    assert "zkwm: error" not in result.stderr


def test_proven_in_json(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 0
    assert result.json["schema"] == "zkwm/verdict/v1"
    assert result.json["outcome"] == "proven"
    assert result.json["matches"] == 50
    others = statuses(result.json)
    assert others.pop("commitment.timestamp") == "skipped"
    assert set(others.values()) == {"passed"}


def test_not_proven(zkwm: Command, case: Files) -> None:
    options = dispute_over(zkwm, case, model=case.innocent)
    report = case.folder / "report.html"
    result = zkwm(*options, "--report", report)
    assert result.code == 10
    assert result.stdout.startswith("NOT PROVEN: 0 of 50 triggers match")
    assert "zkwm: error" not in result.stderr
    assert "not proven" in report.read_text(encoding="utf-8").lower()


def test_not_proven_in_json(zkwm: Command, case: Files) -> None:
    result = zkwm(*dispute_over(zkwm, case, model=case.innocent), "--json")
    assert result.code == 10
    assert result.json["outcome"] == "not proven"
    assert statuses(result.json)["evidence.threshold"] == "failed"


def test_report(zkwm: Command, case: Files) -> None:
    report = case.folder / "report.html"
    assert zkwm(*case.verify_options(report=report)).code == 0
    page = report.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert "Acme v. Doe" in page


def test_report_is_not_replaced_without_force(zkwm: Command, case: Files) -> None:
    report = case.folder / "report.html"
    report.write_text("old")
    result = zkwm(*case.verify_options(report=report))
    assert (result.code, result.stdout) == (2, "")
    assert report.read_text() == "old"
    assert zkwm(*case.verify_options(report=report), "--force").code == 0
    assert report.read_text() != "old"


def test_report_is_never_an_input(zkwm: Command, case: Files) -> None:
    for name in (case.judge, case.proof, case.model):
        before = name.read_bytes()
        assert zkwm(*case.verify_options(report=name), "--force").code == 2
        assert name.read_bytes() == before


def test_report_cannot_share_stdout(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(report="-"))
    assert (result.code, result.stdout) == (2, "")
    assert "standard output carries the verdict" in result.stderr


def test_report_when_it_could_not_be_checked(zkwm: Command, case: Files) -> None:
    report = case.folder / "report.html"
    _resign(case, 40, 1)
    result = zkwm(*case.verify_options(report=report))
    assert result.code == 3
    assert "could not be checked" in report.read_text(encoding="utf-8").lower()


def _resign(case: Files, position: int, mask: int) -> None:
    data = bytearray(case.proof.read_bytes())
    data[position] ^= mask
    case.proof.write_bytes(data)


def test_report_on_a_full_disk(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    report = case.folder / "report.html"
    result = zkwm(*case.verify_options(report=report), "--json")
    assert result.code == 0
    assert result.json["outcome"] == "proven"
    assert "No space left on device" in result.stderr
    assert not report.exists()


def test_proof_from_stdin(process: Command, case: Files) -> None:
    result = process(*case.verify_options(proof="-"), input=case.proof.read_bytes())
    assert result.code == 0
    assert result.stdout.startswith("PROVEN")


def _flipped(path: Path, position: int) -> bytes:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    return bytes(data)


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.read_bytes()[:-1],
        lambda path: path.read_bytes()[: len(path.read_bytes()) // 2],
        lambda path: path.read_bytes() + b"\x00",
        lambda path: _flipped(path, 0),
        lambda path: _flipped(path, 30),
        lambda path: _flipped(path, len(path.read_bytes()) // 2),
        lambda path: _flipped(path, -1),
        lambda path: b"",
        lambda path: path.read_bytes().split(b"\n", 1)[0] + b"\n" + b"\x81" * 100_000,
        lambda path: path.read_bytes().split(b"\n", 1)[0] + b"\n\x9b" + b"\xff" * 8,
        lambda path: path.read_bytes().split(b"\n", 1)[0] + b"\n\xf6",
        lambda path: re.sub(rb"/[0-9]+\n", b"/9\n", path.read_bytes(), count=1),
        lambda path: b"zkwm-judge-public/1\n" + path.read_bytes().split(b"\n", 1)[1],
    ],
    ids=[
        "one byte short", "truncated", "grown", "first bit", "early bit", "middle bit",
        "last bit", "empty", "deep", "huge list", "wrong type", "version", "kind",
    ],
)  # fmt: skip
def test_spoilt_files(zkwm: Command, case: Files, name: str, spoil: object) -> None:
    path = getattr(case, name)
    path.write_bytes(spoil(path))
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 3
    assert result.json["schema"] == "zkwm/verdict/v1"
    assert result.json["outcome"] == "could not be checked"
    failed = [check for check, status in statuses(result.json).items() if status == "failed"]
    assert len(failed) == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("zkwm: error: ")]
    assert len(errors) == 1
    assert errors[0].endswith(f"[{failed[0]}]")
    assert "zkwm: hint: " in result.stderr


def test_text_when_it_could_not_be_checked(zkwm: Command, case: Files) -> None:
    case.challenge.write_bytes(case.challenge.read_bytes() + b"x")
    result = zkwm(*case.verify_options())
    assert result.code == 3
    assert result.stdout.startswith("COULD NOT BE CHECKED")
    assert "[challenge.format]" in result.stderr


def test_huge_file_is_not_read(zkwm: Command, case: Files) -> None:
    with case.commitment.open("ab") as file:
        file.truncate(10**10)
    result = zkwm(*case.verify_options())
    assert (result.code, result.stdout) == (3, "")
    assert "larger than" in result.stderr


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof", "judge", "model"])
def test_missing_files(zkwm: Command, case: Files, name: str) -> None:
    getattr(case, name).unlink()
    result = zkwm(*case.verify_options())
    assert result.code == 3
    assert getattr(case, name).name in result.stderr


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof", "judge"])
def test_folders_as_files(zkwm: Command, case: Files, name: str) -> None:
    result = zkwm(*case.verify_options(**{name: case.folder}))
    assert (result.code, result.stdout) == (3, "")


def test_wrong_passphrase(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "wrong")
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 3
    assert result.json["schema"] == "zkwm/error/v1"


def test_empty_passphrase(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "")
    assert zkwm(*case.verify_options()).code == 2


def test_vault_as_judge_key(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(judge=case.vault))
    assert (result.code, result.stdout) == (3, "")


def test_model_that_answers_with_nan(zkwm: Command, case: Files) -> None:
    images, labels = case.triggers()
    model = case.folder / "nan.onnx"
    save_lookup(model, images, labels, factor=float("nan"))
    result = zkwm(*dispute_over(zkwm, case, model=model), "--json")
    assert result.code == 3
    assert statuses(result.json)["suspect.answers"] == "failed"


def test_progress_stays_off_stdout(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(), "--json")
    json.loads(result.stdout)
    assert "asking" not in result.stdout


def test_a_block_is_weighed_again(zkwm: Command, case: Files) -> None:
    """Ranks after matches: no new block, one function more."""
    first = zkwm(*dispute_over(zkwm, case, model=case.innocent), "--json")
    assert first.code == 10
    block = first.json["blocks"]
    asked = case.challenge_options(model=case.innocent, statistic="ranks", reopen=block[0])
    place = asked.index("--reveal")
    del asked[place : place + 2]
    made = zkwm(*asked, "--force")
    assert made.code == 0, made.stderr
    challenge = case.folder / "new.challenge"
    proved = zkwm(*case.prove_options(challenge=challenge), "--force")
    assert proved.code == 0, proved.stderr
    options = case.verify_options(
        model=case.innocent, challenge=challenge, proof=case.folder / "new.proof"
    )
    result = zkwm(*options, "--json")
    assert result.code == 10
    assert result.json["blocks"] == block
    assert result.json["asked"]["kept"] == 50
    tried = [term["name"] for term in result.json["evidence"]["terms"]]
    assert "functions tried" in tried
    assert result.json["functions_tried"] > 1


def test_particulars_and_files(zkwm: Command, case: Files) -> None:
    stated = ("--case", "12 O 345/25", "--owner-name", "Acme", "--judge-name", "Court")
    result = zkwm(*case.verify_options(), *stated, "--suspect-from", "a shop", "--json")
    assert result.code == 0
    assert result.json["particulars"] == {
        "case": "12 O 345/25", "owner_name": "Acme", "judge_name": "Court",
        "suspect_from": "a shop", "listing": "",
    }  # fmt: skip
    assert [(file["role"], file["name"]) for file in result.json["files"]] == [
        ("commitment", "acme.commitment"), ("challenge", "case.challenge"),
        ("proof", "case.proof"), ("judge-public", "judge.key.pub"), ("suspect", "model.onnx"),
    ]  # fmt: skip
    for file in result.json["files"]:
        data = (case.folder / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    refused = zkwm(*case.verify_options(), "--case", "x" * 201)
    assert (refused.code, refused.stdout) == (2, "")


def test_both_reports(zkwm: Command, case: Files) -> None:
    full, public = case.folder / "full.html", case.folder / "public.html"
    options = (*case.verify_options(report=full), "--report-public")
    assert zkwm(*options, public).code == 0
    assert "data:image" in full.read_text(encoding="utf-8")
    page = public.read_text(encoding="utf-8")
    assert "Copy without the pictures of the opened triggers" in page
    assert "data:" not in page
    same = zkwm(*options, case.folder / "." / "full.html", "--force")
    assert (same.code, same.stdout) == (2, "")
    assert "a file each" in same.stderr
