"""case check: a whole case, repeated from its archive alone."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import Command, Endpoint, Files, dispute_over, save_lookup
from tests.support.court import ALL, Court, states


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
    court.files.remove(data)
    assert court.pack(triggers=True).code == 0
    told = zkwm("case", "check", court.archive)
    assert told.code == 0, told.stderr
    assert "not repeated: that the model gets 500 of 500 test images right" in told.stdout


def test_what_is_no_archive(court: Court) -> None:
    court.archive.write_bytes(b"hello")
    refused = court.zkwm("case", "check", court.archive)
    assert (refused.code, refused.stdout) == (3, "")
    assert "not a case archive" in refused.stderr
