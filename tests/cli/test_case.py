"""case pack and check: a whole case in one file, repeated from that file alone."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.archives import manifest_of
from tests.support.argued import StandIn, save_linear
from tests.support.case_files import (
    PASSPHRASE,
    Command,
    Endpoint,
    Files,
    Result,
    dispute_over,
    save_lookup,
)
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.judge.key_file import open_judge_key
from zkwm.judge.results import TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm_protocols.evidence import Evidence, assess


class Court:
    """A decided case in files, and the two commands about its archive."""

    def __init__(self, zkwm: Command, case: Files) -> None:
        self.zkwm, self.case = zkwm, case
        self.folder = case.folder
        self.archive = case.folder / "case.zip"
        self.verdict = case.folder / "case.verdict"
        self.files = [case.commitment, case.challenge, case.proof, case.public, case.model]

    def decide(self, *options: object, expected: int = 0, **changes: object) -> None:
        """Verify, and let the judge sign the verdict."""
        given = options or self.case.verify_options(**changes)
        done = self.zkwm(*given, "--verdict", self.verdict, "--force")
        assert done.code == expected, done.stderr
        if self.verdict not in self.files:
            self.files.append(self.verdict)

    def pack(self, *more: object, triggers: bool = False) -> Result:
        """Pack the files of the case."""
        secret = ("--with-triggers", "--judge", self.case.judge) if triggers else ()
        output = ("--output", self.archive, "--force")
        return self.zkwm("case", "pack", *output, *secret, *self.files, *more)

    def check(self, *options: object, expected: int) -> dict[str, Any]:
        """Repeat the case from the archive."""
        done = self.zkwm("case", "check", self.archive, "--json", *options)
        assert done.code == expected, done.stderr
        return done.json

    def change(self, **files: bytes) -> None:
        """Put other files under these roles, with a manifest that fits them."""
        manifest, contents = read_archive(self.archive.read_bytes())
        for file in manifest.files:
            if (role := file.role.replace("-", "_")) in files:
                contents[file.path] = files[role]
        self.archive.write_bytes(write_archive(manifest_of(contents), contents))

    def lie(self, change: Callable[[Verdict], Verdict]) -> None:
        """Sign another verdict with the judge's own key, as a judge could who lies."""
        key = open_judge_key(self.case.judge, PASSPHRASE)
        true = Verdict.from_bytes(self.verdict.read_bytes(), key.public)
        self.change(verdict=change(true).signed_by(key.signing, key.public))


@pytest.fixture
def court(zkwm: Command, case: Files) -> Court:
    """A court with the case of the fixture."""
    return Court(zkwm, case)


def states(found: dict[str, Any]) -> dict[str, str]:
    """The state of each step by its name."""
    return {step["step"]: step["state"] for step in found["steps"]}


ALL = dict.fromkeys(
    ("verdict", "files", "signatures", "suspect", "leaves", "answers", "evidence"), "repeated"
)


def test_an_opening_is_repeated_whole_with_its_triggers(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The court has the archive alone: no passphrase, no ledger, no other file."""
    court.decide()
    assert court.pack(triggers=True).code == 0
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    for file in court.folder.iterdir():
        if file != court.archive and file.name != "judge.key.pub":
            file.unlink()
    found = court.check("--judge", court.case.public, expected=0)
    assert states(found) == ALL
    assert (found["outcome"], found["verdict"]["outcome"]) == ("proven", "proven")
    assert (found["judge"], found["judge_given"]) == (court.case.judge_fingerprint, True)
    text = court.zkwm("case", "check", court.archive)
    assert text.code == 0
    assert "REPEATED WHOLE: proven" in text.stdout
    assert "anybody can make a key" in text.stdout


def test_without_triggers_the_answers_rest_on_the_judge(court: Court) -> None:
    court.decide()
    assert court.pack().code == 0
    found = court.check(expected=3)
    expected = ALL | {"answers": "not repeated"}
    del expected["leaves"]
    assert states(found) == expected
    assert found["outcome"] is None
    images, _ = court.case.triggers()
    data = court.archive.read_bytes()
    assert not any(image.tobytes() in data for image in images)
    assert "rests on the judge's word" in court.zkwm("case", "check", court.archive).stdout


def test_a_case_that_is_not_proven(court: Court, zkwm: Command, case: Files) -> None:
    options = dispute_over(zkwm, case, model=case.innocent)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, case.innocent]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    assert court.check(expected=10)["outcome"] == "not proven"


@pytest.mark.slow
def test_ranks_are_counted_again(court: Court, zkwm: Command, case: Files) -> None:
    options = dispute_over(zkwm, case, model=case.innocent, statistic="ranks")
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, case.innocent]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    assert states(court.check(expected=10)) == ALL


def test_an_argument_is_repeated_whole_without_anything_secret(
    court: Court, zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    StandIn().install(monkeypatch)
    model, challenge = case.folder / "linear.onnx", case.folder / "argued.challenge"
    save_linear(model, *case.triggers())
    made = zkwm(
        *("challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge"),
        *("--judge", case.public, "--output", challenge, "--blocks", 3),
    )
    assert made.code == 0, made.stderr
    options = case.prove_options(challenge=challenge, judge_fingerprint=case.judge_fingerprint)
    assert zkwm(*options, "--zero-knowledge", "--model", model).code == 0
    proof = case.folder / "new.proof"
    court.files = [model, proof, challenge, case.public, case.commitment]
    assert court.pack().code == 0
    bare = court.check(expected=0)  # an argument convinces anybody, without a verdict
    assert (bare["outcome"], bare["verdict"]) == ("proven", None)
    court.decide(challenge=challenge, proof=proof, model=model)
    assert court.pack().code == 0
    found = court.check("--judge", case.public, expected=0)
    steps = dict.fromkeys(
        ("verdict", "files", "signatures", "suspect", "argument", "evidence"), "repeated"
    )
    assert states(found) == steps
    secret = court.pack(triggers=True)
    assert secret.code == 2
    assert "nothing was opened" in secret.stderr
    data = bytearray(proof.read_bytes())
    data[-1] ^= 1  # the owner's signature
    court.change(proof=bytes(data))
    damaged = states(court.check(expected=3))
    assert (damaged["signatures"], damaged["argument"]) == ("differs", "differs")


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


def test_another_judge_than_the_one_who_is_trusted(court: Court, case: Files) -> None:
    """Whoever makes a key can make a whole case; the words say whose it is."""
    court.decide()
    assert court.pack(triggers=True).code == 0
    court.zkwm("judge-key", "--output", case.folder / "third.key")
    refused = court.zkwm("case", "check", court.archive, "--judge", case.folder / "third.key.pub")
    assert refused.code == 3
    assert "[verdict.judge]" in refused.stderr
    court.change(judge_public=(case.folder / "third.key.pub").read_bytes())
    refused = court.zkwm("case", "check", court.archive)
    assert refused.code == 3
    assert "[verdict.judge]" in refused.stderr


def test_a_verdict_that_the_judge_did_not_sign(court: Court) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    data = bytearray(court.verdict.read_bytes())
    data[-1] ^= 1
    court.change(verdict=bytes(data))
    refused = court.zkwm("case", "check", court.archive)
    assert refused.code == 3
    assert "verdict/case.verdict in the archive" in refused.stderr
    assert "[verdict.signature]" in refused.stderr


def test_a_model_that_was_exchanged(court: Court, case: Files) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    court.change(suspect=case.innocent.read_bytes())
    found = states(court.check(expected=3))
    assert (found["files"], found["suspect"], found["answers"]) == ("differs",) * 3


def test_triggers_that_were_exchanged(court: Court) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    _, contents = read_archive(court.archive.read_bytes())
    data = bytearray(contents["opened-triggers/opened.triggers"])
    images, _ = court.case.triggers()
    place = data.index(images[0].tobytes())
    data[place] ^= 255
    court.change(opened_triggers=bytes(data))
    assert states(court.check(expected=3))["leaves"] == "differs"


def _all_match(verdict: Verdict) -> Verdict:
    """The lie that all triggers match; bits and outcome are those that would follow."""
    assert verdict.evidence is not None
    return replace(verdict, triggers=tuple(
        replace(one, status=TriggerStatus.MATCH, answer=one.expected_output)
        for one in verdict.triggers
    ))  # fmt: skip


def _of_all(true: Verdict) -> Evidence:
    """The evidence of a verdict if all of its triggers matched."""
    assert true.header is not None
    assert true.challenge is not None
    header, policy = true.header, true.challenge.policy
    tried = max(policy.functions_tried, true.functions_tried or 1)
    return assess(
        len(true.triggers), blocks_used=len(true.blocks), block_count=header.block_count,
        block_size=header.block_size, class_count=header.class_count,
        policy=replace(policy, functions_tried=tried),
    )  # fmt: skip


def test_a_judge_who_lies_is_found_out(court: Court, zkwm: Command, case: Files) -> None:
    """Signed by the right key, about the right files, and not what the model answers."""
    court.decide()
    honest = Verdict.from_bytes(
        court.verdict.read_bytes(), open_judge_key(case.judge, PASSPHRASE).public
    )
    options = dispute_over(zkwm, case, model=case.innocent)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, case.innocent]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    court.lie(lambda true: replace(
        _all_match(true), outcome=Outcome.PROVEN, evidence=_of_all(true), checks=honest.checks,
        reason=honest.reason,
    ))  # fmt: skip
    found = court.check(expected=3)
    assert found["verdict"]["outcome"] == "proven"
    assert states(found)["answers"] == "differs"


@pytest.mark.parametrize(
    "lie", [lambda true: _all_match(true), lambda true: replace(true, functions_tried=1000)]
)
def test_a_verdict_that_does_not_follow_from_itself(
    court: Court, zkwm: Command, case: Files, lie: Callable[[Verdict], Verdict]
) -> None:
    options = dispute_over(zkwm, case, model=case.innocent)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, case.innocent]  # fmt: skip
    court.decide(*options, expected=10)
    assert court.pack(triggers=True).code == 0
    court.lie(lie)
    assert "contradicts itself" in court.check(expected=3)["error"]


def test_a_verdict_about_other_files(court: Court) -> None:
    court.decide()
    assert court.pack(triggers=True).code == 0
    court.lie(lambda true: replace(true, files=tuple(
        replace(file, digest=bytes(32)) if file.role == "commitment" else file
        for file in true.files
    )))  # fmt: skip
    assert states(court.check(expected=3))["files"] == "differs"


def test_an_endpoint_is_not_asked_again(
    court: Court, zkwm: Command, case: Files, endpoint: Endpoint
) -> None:
    options = dispute_over(zkwm, case, model=endpoint.url)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public]  # fmt: skip
    court.decide(*options)
    endpoint.asked.clear()
    assert court.pack(triggers=True).code == 0
    found = court.check(expected=3)
    assert states(found) == ALL | {"suspect": "not repeated", "answers": "not repeated"}
    assert endpoint.asked == []
    court.lie(lambda true: replace(true, suspect_record=tuple(
        record | {"output": 7} for record in true.suspect_record
    )))  # fmt: skip
    assert states(court.check(expected=3))["answers"] == "differs"


def test_a_model_with_weights_in_another_file(court: Court, zkwm: Command, case: Files) -> None:
    import onnx

    path = case.folder / "apart.onnx"
    whole = onnx.load(case.model)
    onnx.save(whole, path, save_as_external_data=True, location="apart.data", size_threshold=0)
    options = dispute_over(zkwm, case, model=path)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, path]  # fmt: skip
    court.decide(*options)
    assert court.pack(triggers=True).code == 0
    with zipfile.ZipFile(court.archive) as opened:
        names = [name for name in opened.namelist() if name.startswith("suspect/")]
    assert names == ["suspect/apart.data", "suspect/apart.onnx"]
    assert states(court.check(expected=0)) == ALL


def test_test_data_and_template_by_their_digests(court: Court, zkwm: Command, case: Files) -> None:
    """Files that are no documents are packed where the challenge names them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (500, 1, 16, 16), np.uint8)
    labels = rng.integers(0, 10, 500)
    data, model = case.folder / "test.npz", case.folder / "good.onnx"
    np.savez(data, x_test=images, y_test=labels)
    own, own_labels = case.triggers()
    save_lookup(model, np.concatenate([own, images]), np.concatenate([own_labels, labels]))
    options = dispute_over(zkwm, case, model=model, test_data=data)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, model, data]  # fmt: skip
    court.decide(*options)
    (case.folder / "preprocessor_config.json").write_text(
        '{"do_rescale": true, "do_normalize": false, "size": {"height": 16, "width": 16}}'
    )
    packed = court.pack(case.folder / "preprocessor_config.json", triggers=True)
    assert packed.code == 0, packed.stderr
    with zipfile.ZipFile(court.archive) as opened:
        assert "test-data/test.npz" in opened.namelist()
        assert "preprocessing/preprocessor_config.json" in opened.namelist()
    assert states(court.check(expected=0)) == ALL | {"accuracy": "repeated"}


def test_what_is_no_archive(court: Court) -> None:
    court.archive.write_bytes(b"hello")
    refused = court.zkwm("case", "check", court.archive)
    assert (refused.code, refused.stdout) == (3, "")
    assert "not a case archive" in refused.stderr
