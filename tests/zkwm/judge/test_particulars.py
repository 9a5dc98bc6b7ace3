"""What a verdict says beyond its checks: the case as stated, files by digest, what ran."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.case_files import save_lookup
from tests.support.dispute import Claimant, TableSuspect, marked, new_judge, random_images
from tests.support.dispute import verdict_of as ended
from zkwm.judge import versions
from zkwm.judge.particulars import MOST_CHARACTERS, CaseParticulars, FileDigest, FileRole, file_name
from zkwm.judge.verdict import CheckedBy
from zkwm.report import render_report, render_text
from zkwm.suspects import open_suspect
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")
STATED = CaseParticulars("12 O 345/25", "Acme", "District Court", "bought at shop.example")


def test_particulars_are_repeated_as_stated() -> None:
    owner, judge = Claimant(random_images(200)), new_judge()
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    verdict = judge.verify(
        owner.commitment, suspect, challenge, owner.answer(challenge, [0]), particulars=STATED
    )
    assert verdict.particulars == STATED
    assert verdict.to_json()["particulars"]["suspect_from"] == "bought at shop.example"
    assert (verdict.checked_by, verdict.judge) == (CheckedBy.JUDGE, judge.public)
    for shown in (render_text(verdict), render_report(verdict)):
        assert "12 O 345/25 (as stated)" in shown
        assert "as stated (nobody checked this)" in shown
    plain = judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    assert "as stated" not in render_text(plain)


@pytest.mark.parametrize("text", ["x" * (MOST_CHARACTERS + 1), "two\nlines", "\u202eright", 7])
def test_particulars_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        CaseParticulars(owner_name=text)
    assert "owner name" in caught.value.message
    assert CaseParticulars("x" * MOST_CHARACTERS).case


def test_files_are_the_bytes_that_were_examined() -> None:
    owner, judge = Claimant(random_images(200)), new_judge()
    challenge = judge.challenge(owner.commitment, TableSuspect(), reveal=50)
    presented = {
        FileRole.COMMITMENT: owner.commitment.to_bytes(),
        FileRole.CHALLENGE: challenge.to_bytes(),
        FileRole.PROOF: b"no proof at all",
        FileRole.JUDGE_PUBLIC: judge.public.to_bytes(),
    }
    verdict = ended(
        lambda: judge.verify(
            presented[FileRole.COMMITMENT], TableSuspect(), challenge, presented[FileRole.PROOF]
        )
    )
    assert {file.role: (file.digest, file.size) for file in verdict.files} == {
        role: (hashlib.sha256(data).digest(), len(data)) for role, data in presented.items()
    }
    named = verdict.with_names({FileRole.PROOF: "/home/somebody/secret folder/case.proof"})
    assert [file.name for file in named.files] == ["", "", "case.proof", ""]
    whole = named.with_file(FileDigest.of(FileRole.REPORT, "r.html", b"page"))
    assert whole.to_json()["files"][-1]["role"] == "report"
    assert hashlib.sha256(b"page").hexdigest()[:8] in render_text(whole)


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.onnx", "b.onnx"), ("C:\\x\\b.onnx", "b.onnx"), ("a/b/", "b"), ("a\x1b[2J", "a?[2J")],
)
def test_names_of_files_hold_no_folder(path: str, name: str) -> None:
    assert file_name(path) == name
    assert len(file_name("x" * 900)) == MOST_CHARACTERS


def test_every_file_of_a_suspect_is_listed(tmp_path: Path) -> None:
    images = random_images(3, shape=(1, 16, 16))
    single, parts = tmp_path / "one.onnx", tmp_path / "model.onnx"
    save_lookup(single, images, np.arange(3))
    onnx.save_model(
        onnx.load(single), parts, save_as_external_data=True, location="model.data",
        size_threshold=0,
    )  # fmt: skip
    for path, names in ((single, ["one.onnx"]), (parts, ["model.onnx", "model.data"])):
        suspect = open_suspect(path, shape=(1, 16, 16))
        suspect.close()
        assert [file.name for file in suspect.files] == names
        for file in suspect.files:
            data = (tmp_path / file.name).read_bytes()
            assert (file.digest, file.size) == (hashlib.sha256(data).digest(), len(data))


def test_versions_name_commit_libraries_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, owner = new_judge(), Claimant(random_images(100))
    challenge = judge.challenge(owner.commitment, TableSuspect(), reveal=50)
    used = versions.used_versions(challenge)
    assert {"zkwm", "python", "numpy", "cryptography", "onnxruntime"} <= set(used)
    assert used["system"]
    assert used["processor"]
    assert used["onnxruntime"] == metadata.version("onnxruntime")
    true = metadata.version
    for own, commit in (("0.1.1.dev9+gfc9a281a0.d20261129", "fc9a281a0"), ("0.2.0", None)):
        monkeypatch.setattr(
            metadata, "version", lambda name, own=own: own if name == "zkwm" else true(name)
        )
        assert versions.used_versions(None).get("commit") == commit
