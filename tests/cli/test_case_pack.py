"""case pack: the files of one case in one archive, and none of its secrets."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Files
from tests.support.court import Court


def test_the_same_files_give_the_same_archive(court: Court) -> None:
    court.decide()
    assert court.pack().code == 0
    first = court.archive.read_bytes()
    court.files.reverse()
    assert court.pack().code == 0
    assert court.archive.read_bytes() == first
    with zipfile.ZipFile(court.archive) as opened:
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("name", ["acme.vault", "judge.key", "judge.key.ledger"])
def test_no_secret_is_ever_packed(court: Court, name: str) -> None:
    court.decide()
    refused = court.pack(court.folder / name)
    assert refused.code == 2, refused.stderr
    assert name in refused.stderr
    assert not court.archive.exists()


def test_what_is_not_recognized_is_not_packed(court: Court, case: Files) -> None:
    """Passphrases, images that could be triggers, reports that show them."""
    court.decide()
    images, labels = case.triggers()
    (case.folder / "passphrase.txt").write_text(PASSPHRASE)
    (case.folder / "config.json").write_text('{"password": "x"}')
    (case.folder / "report.pdf").write_bytes(b"%PDF-1.7\n")
    np.savez(case.folder / "triggers.npz", images=images, labels=labels)
    full, public = case.folder / "full.html", case.folder / "public.html"
    verified = court.zkwm(
        *case.verify_options(), "--report", full, "--report-public", public,
    )  # fmt: skip
    assert verified.code == 0, verified.stderr
    for name in ("passphrase.txt", "config.json", "report.pdf", "triggers.npz", "full.html"):
        refused = court.pack(case.folder / name)
        assert refused.code == 2, name
        assert name in refused.stderr
        assert PASSPHRASE not in refused.stderr
    assert court.pack(public).code == 0
    assert court.pack(full, triggers=True).code == 0
    with zipfile.ZipFile(court.archive) as opened:
        opened.extract("opened-triggers/opened.triggers", court.folder)
    opened_file = court.folder / "opened-triggers" / "opened.triggers"
    shown = court.zkwm("inspect", opened_file, "--json").json
    assert (shown["kind"], shown["fields"]["blocks"]) == ("opened-triggers", [0])
    assert "zkwm case check" in court.zkwm("inspect", court.archive).stderr
    again = court.pack(opened_file)
    assert again.code == 2
    assert "is secret" in again.stderr


def test_files_of_two_cases_are_not_packed(court: Court, case: Files) -> None:
    court.decide()
    missing = [file for file in court.files if file != case.public]
    others = {
        "another challenge": [*(set(court.files) - {case.challenge}), case.second_challenge],
        "another model": [*(set(court.files) - {case.model}), case.innocent],
        "two challenges": [*court.files, case.second_challenge],
        "no key": missing,
    }
    for files in others.values():
        court.files = files
        refused = court.pack()
        assert refused.code == 2, refused.stderr
        assert refused.stderr.count("hint") == 1


def test_triggers_are_for_the_judge_who_has_them(court: Court, case: Files) -> None:
    court.decide()
    options = ("case", "pack", "--output", court.archive, "--with-triggers", *court.files)
    assert court.zkwm(*options).code == 2
    other = court.zkwm(*options, "--judge", case.folder / "second.key")
    assert other.code == 2
    assert "another judge" in other.stderr


def test_what_is_not_among_the_files_is_told(court: Court) -> None:
    """Who repeats the case will miss verdict and model; with both there is nothing to tell."""
    court.decide()
    whole = court.pack()
    assert whole.code == 0
    assert "among the files" not in whole.stderr
    court.files[:] = [file for file in court.files if not str(file).endswith((".verdict", ".onnx"))]
    part = court.pack()
    assert part.code == 0, part.stderr
    assert "there is no verdict among the files" in part.stderr
    assert "there is no model among the files" in part.stderr
    checked = court.zkwm("case", "check", court.archive)
    assert "the archive has no verdict" in checked.stdout
    steps = court.zkwm("case", "check", court.archive, "--json").json["steps"]
    assert "verdict" not in [step["step"] for step in steps]
