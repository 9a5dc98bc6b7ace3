"""challenge: what a judge fixes, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Endpoint, Files, save_lookup
from zkwm_protocols.challenge import Challenge


def read(case: Files) -> Challenge:
    return Challenge.from_bytes((case.folder / "new.challenge").read_bytes())


def test_challenge(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.challenge_options(purpose="Acme v. Doe", reveal=100))
    assert (result.code, result.stdout) == (0, "")
    assert case.judge_fingerprint in result.stderr
    challenge = read(case)
    challenge.verify_signature()
    assert (challenge.block_count, challenge.purpose) == (2, "Acme v. Doe")
    assert challenge.suspect.kind == "onnx"
    assert challenge.suspect.description == "model.onnx"


def test_in_json(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.challenge_options(), "--json")
    assert result.code == 0
    challenge = read(case)
    assert result.json == {
        "schema": "zkwm/challenge/v1",
        "path": str(case.folder / "new.challenge"),
        "digest": challenge.digest.hex(),
        "commitment": challenge.commitment.hex(),
        "judge": case.judge_fingerprint,
        "suspect": {
            "kind": "onnx",
            "digest": challenge.suspect.digest.hex(),
            "description": "model.onnx",
            "outputs": 10,
            "output": "",
            "adapter": "",
            "template": None,
            "account": None,
        },
        "triggers": 50,
        "blocks": 1,
        "owner_choice_bits": 0,
        "map_bits": 0,
        "classes": [
            {"label": y, "name": None, "output": y, "output_name": None} for y in range(10)
        ],
        "mode": "opening",
        "network": None,
        "least_matches": None,
        "statistic": "matches",
        "relearning_seconds": None,
        "agreement": [],
        "test_accuracy": None,
        "better_preprocessing": None,
        "published": None,
        "trust": None,
        "older": False,
        "trusted_beacon": False,
    }


def test_everything_that_a_judge_can_fix(zkwm: Command, case: Files) -> None:
    class_map = case.folder / "map.json"
    class_map.write_text(json.dumps([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]))
    result = zkwm(
        *case.challenge_options(
            threshold_bits=20,
            functions_tried=3,
            exclude_blocks="2,0",
            class_map=class_map,
            owner_choice_bits=2,
            scale="raw",
            mean="127.5",
            std="63.75",
            outputs=10,
        ),
        "--accept-declared-labels",
    )
    assert result.code == 0, result.stderr
    challenge = read(case)
    assert challenge.class_map == (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
    assert challenge.excluded_blocks == (0, 2)
    assert challenge.preprocessing.to_map() == {
        "layout": "nchw",
        "scale": "raw",
        "mean": ["127.5"],
        "std": ["63.75"],
        "channels": "rgb",
    }
    assert challenge.policy.threshold_bits == 20
    assert challenge.policy.functions_tried == 3
    assert challenge.policy.owner_choice_bits == 2
    assert "22 bits are deducted" in result.stderr  # log2 10! is 21.8
    assert challenge.policy.accept_declared_labels


def test_secret_key_by_its_own_name(zkwm: Command, case: Files) -> None:
    case.public.unlink()
    assert zkwm(*case.challenge_options(judge=case.judge)).code == 0


def test_public_key_alone_cannot_sign(zkwm: Command, case: Files) -> None:
    case.judge.unlink()
    result = zkwm(*case.challenge_options())
    assert result.code == 2
    assert f"the secret key {case.judge} is not beside it" in result.stderr
    assert "zkwm: hint: only the judge can do this" in result.stderr


def test_public_key_of_another_judge(zkwm: Command, case: Files) -> None:
    assert zkwm("judge-key", "--output", case.folder / "other.key").code == 0
    (case.folder / "other.key.pub").replace(case.public)
    result = zkwm(*case.challenge_options())
    assert result.code == 2
    assert "is not the public key of" in result.stderr


def test_from_stdin_to_stdout(process: Command, case: Files) -> None:
    result = process(
        *case.challenge_options(commitment="-", output="-"),
        input=case.commitment.read_bytes(),
        env={"ZKWM_PASSPHRASE": PASSPHRASE},
    )
    assert result.code == 0
    assert result.stdout.startswith("zkwm-challenge/1\n")


def test_only_one_input_is_stdin(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.challenge_options(commitment="-", class_map="-"))
    assert result.code == 2
    assert "--commitment and --class-map cannot both be read from standard input" in result.stderr


def test_endpoint(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    headers = case.folder / "headers"
    headers.write_text("Authorization: Bearer abc\n\nX-Desk: 7\n")
    result = zkwm(*case.challenge_options(model=endpoint.url, header_file=headers, rate=50))
    assert result.code == 0, result.stderr
    assert read(case).suspect.kind == "http"
    assert endpoint.headers[0]["Authorization"] == "Bearer abc"
    assert endpoint.headers[0]["X-Desk"] == "7"
    assert "Bearer" not in result.stderr


def test_endpoint_that_hangs(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    endpoint.reply = lambda _: None
    result = zkwm(*case.challenge_options(model=endpoint.url, timeout=0.1))
    assert result.code == 3
    assert "[suspect.answers]" in result.stderr


def test_endpoint_that_sends_garbage(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    endpoint.reply = lambda _: b"\x00garbage\x1b[2J"
    result = zkwm(*case.challenge_options(model=endpoint.url))
    assert result.code == 3
    assert "[suspect.answers]" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [("no colon here", "line 1"), ("A: b\na: c", "line 2"), (": x", "line 1")],
)
def test_bad_header_files(
    zkwm: Command, case: Files, endpoint: Endpoint, text: str, message: str
) -> None:
    headers = case.folder / "headers"
    headers.write_text(text)
    result = zkwm(*case.challenge_options(model=endpoint.url, header_file=headers))
    assert result.code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"reveal": 49}, 2, "49"),
        ({"reveal": 0}, 2, "--reveal"),
        ({"reveal": 250}, 2, "[challenge.reachable]"),
        ({"reveal": 50, "threshold_bits": 100}, 2, "[challenge.reachable]"),
        ({"threshold_bits": 9000}, 2, "[challenge.reachable]"),
        ({"threshold_bits": 0}, 2, "--threshold-bits"),
        ({"functions_tried": 0}, 2, "--functions-tried"),
        ({"owner_choice_bits": -1}, 2, "--owner-choice-bits"),
        ({"exclude_blocks": "0,1,2,3"}, 2, "[challenge.reachable]"),
        ({"exclude_blocks": "one"}, 2, "is not a list of numbers"),
        ({"mean": "0.5"}, 2, "std"),
        ({"mean": "1e-20", "std": "1"}, 2, "not a decimal number"),
        ({"layout": "nhwc"}, 3, "[suspect.answers]"),
        ({"outputs": 11}, 3, "[suspect.answers]"),
        ({"purpose": "a\nb"}, 2, "500"),
        ({"purpose": "x" * 501}, 2, "500"),
        ({"timeout": 0}, 2, "seconds"),
        ({"rate": -1}, 2, "per_second"),
        ({"model": "ftp://example.org/m"}, 2, "ftp"),
        ({"model": "http://"}, 2, ""),
        ({"header_file": "none"}, 3, "none"),
        ({"judge": "none.key"}, 3, "none.key"),
        ({"commitment": "none"}, 3, "none"),
    ],
)
def test_refused(
    zkwm: Command, case: Files, options: dict[str, object], code: int, message: str
) -> None:
    result = zkwm(*case.challenge_options(**options))
    assert (result.code, result.stdout) == (code, "")
    assert message in result.stderr
    assert result.stderr.count("zkwm: error: ") == 1
    assert "zkwm: hint: " in result.stderr
    assert not (case.folder / "new.challenge").exists()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("not json", 3, "is not a class map"),
        ("[0, 1, 2.5]", 3, "is not a class map"),
        ("[true, 1]", 3, "is not a class map"),
        ('{"0": 1}', 3, "is not a class map"),
        ("[" * 100_000, 3, "is not a class map"),
        ("[0,1,2,3,4,5,6,7,8,8]", 2, "[challenge.class_map]"),
        ("[0,1,2,3,4,5,6,7,8,10]", 2, "[challenge.class_map]"),
        ("[0,1,2]", 2, "[challenge.class_map]"),
    ],
)
def test_bad_class_maps(zkwm: Command, case: Files, text: str, code: int, message: str) -> None:
    class_map = case.folder / "map.json"
    class_map.write_text(text)
    result = zkwm(*case.challenge_options(class_map=class_map))
    assert result.code == code
    assert message in result.stderr


@pytest.mark.parametrize("name", ["model.pt", "model.pkl", "model.pth", "model.npz", "model.h5"])
def test_formats_that_are_never_opened(zkwm: Command, case: Files, name: str) -> None:
    (case.folder / name).write_bytes(b"\x80\x04.")
    result = zkwm(*case.challenge_options(model=case.folder / name))
    assert result.code == 3
    assert "zkwm: hint: " in result.stderr


def test_model_that_is_not_there(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.challenge_options(model=case.folder / "none.onnx"))
    assert result.code == 3
    assert "none.onnx" in result.stderr


def test_model_that_is_garbage(zkwm: Command, case: Files) -> None:
    case.model.write_bytes(b"garbage")
    result = zkwm(*case.challenge_options())
    assert result.code == 3
    assert "[suspect.answers]" in result.stderr


def test_model_of_other_images(zkwm: Command, case: Files) -> None:
    images = np.zeros((2, 3, 8, 8), np.uint8)
    save_lookup(case.model, images, np.array([0, 1]), shape=(3, 8, 8))
    result = zkwm(*case.challenge_options())
    assert result.code == 3
    assert "[suspect.answers]" in result.stderr


def test_model_with_too_few_outputs(zkwm: Command, case: Files) -> None:
    images, labels = case.triggers()
    save_lookup(case.model, images, labels % 4, count=4)
    result = zkwm(*case.challenge_options())
    assert result.code == 2
    assert "[challenge.class_map]" in result.stderr


def test_commitment_with_a_flipped_bit(zkwm: Command, case: Files) -> None:
    data = bytearray(case.commitment.read_bytes())
    data[-200] ^= 1
    case.commitment.write_bytes(data)
    result = zkwm(*case.challenge_options(), "--json")
    assert result.code == 3
    assert (result.json["exit_code"], result.json["check"]) == (3, "commitment.root")


def test_outputs_are_not_inputs(zkwm: Command, case: Files) -> None:
    before = {path: path.read_bytes() for path in case.folder.iterdir()}
    for name in (case.commitment, case.judge, case.public, case.model):
        result = zkwm(*case.challenge_options(output=name), "--force")
        assert result.code == 2
        assert "is an input of this command" in result.stderr
    assert {path: path.read_bytes() for path in case.folder.iterdir()} == before


def test_full_disk(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(case.folder.iterdir())
    monkeypatch.setattr("os.fsync", full)
    result = zkwm(*case.challenge_options())
    assert result.code == 3
    assert "No space left on device" in result.stderr
    assert sorted(case.folder.iterdir()) == before


def test_folder_as_output(zkwm: Command, case: Files, tmp_path: Path) -> None:
    result = zkwm(*case.challenge_options(output=tmp_path))
    assert result.code == 2
    assert "is a folder" in result.stderr


def test_device_as_output(zkwm: Command, case: Files, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = zkwm(*case.challenge_options(output=tmp_path / "pipe"), "--force")
    assert result.code == 2
    assert "is not a regular file" in result.stderr
    assert (tmp_path / "pipe").is_fifo()
