"""What people typed, and what they are told: one test for each kind of message.

A message says what is wrong in words of whoever runs the command, names the file or the option, and
its hint is something that they can do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.case_files import Command, Files, Result


def told(result: Result) -> tuple[str, str]:
    """The error and the hint of a refusal."""
    lines = result.stderr.splitlines()
    (error,) = [one for one in lines if one.startswith("zkwm: error: ")]
    (hint,) = [one for one in lines if one.startswith("zkwm: hint: ")]
    return error.removeprefix("zkwm: error: "), hint.removeprefix("zkwm: hint: ")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 50 pictures of 16 by 16."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(7)
    for number in range(50):
        pixels = random.integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def committing(case: Files, folder: Path, **more: object) -> list[object]:
    """``zkwm commit`` to the pictures in a folder."""
    options = [part for name, value in more.items() for part in (f"--{name}", value)]
    output = case.folder / "own.commitment"
    return [
        *("commit", "--vault", case.vault, "--images", folder, "--classes", 10),
        *("--output", output, "--force", *options),
    ]


# fingerprints


@pytest.mark.parametrize("change", [str.upper, lambda text: text.replace("-", ""), str.strip])
def test_a_fingerprint_as_people_type_it(zkwm: Command, case: Files, change: object) -> None:
    fingerprint = zkwm("inspect", case.folder / "second.key.pub", "--json").json["fields"]
    typed = change(f" {fingerprint['fingerprint']} ")
    options = case.prove_options(challenge=case.second_challenge, judge_fingerprint=typed)
    assert zkwm(*options).code == 0


def test_half_a_fingerprint_is_none(zkwm: Command, case: Files) -> None:
    """It would else end as "another judge", which is another matter."""
    half = case.prove_options(challenge=case.second_challenge, judge_fingerprint="7cq7-3evh-wudt")
    error, hint = told(zkwm(*half))
    assert error.startswith("--judge-fingerprint: this is no fingerprint: it has 12")
    assert hint == "give the whole fingerprint, as the judge told it"


def test_another_judge_is_told_without_a_fingerprint_to_paste(zkwm: Command, case: Files) -> None:
    options = case.prove_options(
        challenge=case.second_challenge, judge_fingerprint="aaaa-" * 7 + "aaaa"
    )
    refused = zkwm(*options)
    actual = zkwm("inspect", case.folder / "second.key.pub", "--json").json["fields"]["fingerprint"]
    error, hint = told(refused)
    assert refused.code == 2
    assert actual not in error + hint


def test_trusted_judges_that_are_none(zkwm: Command, case: Files, tmp_path: Path) -> None:
    path = tmp_path / "trusted"
    path.write_text(f"# judges\n{case.judge_fingerprint}\nthe court of Bern\n")
    options = case.prove_options(challenge=case.second_challenge, trusted_judges=path)
    assert "line 3 of" in told(zkwm(*options))[0]


# values that are typed


def test_a_long_purpose_names_option_and_length(zkwm: Command, case: Files) -> None:
    error, _ = told(zkwm(*case.challenge_options(purpose="x" * 744)))
    assert error.startswith("--purpose has 744 characters; at most 500")


@pytest.mark.parametrize(
    ("typed", "signed"), [(".25", "0.25"), ("1e-1", "0.1"), ("0.2470", "0.2470")]
)
def test_decimals_as_people_write_them(zkwm: Command, case: Files, typed: str, signed: str) -> None:
    made = case.challenge_options(mean=typed, std=typed, output=case.folder / "m.challenge")
    assert zkwm(*made).code == 0
    shown = zkwm("inspect", case.folder / "m.challenge", "--json").json["fields"]["preprocessing"]
    assert shown["mean"] == [signed]


@pytest.mark.parametrize("typed", ["abc", "nan", "0.5,,", "1" * 50])
def test_a_mean_that_is_none_names_the_option(zkwm: Command, case: Files, typed: str) -> None:
    error, _ = told(zkwm(*case.challenge_options(mean=typed, std="1")))
    assert "'--mean'" in error


# files of another kind, cut off, or not there


def test_a_wrong_file_has_one_exit_code(zkwm: Command, case: Files) -> None:
    """3 for whatever is given where a model, a document or a key is wanted: nothing is decided."""
    page = case.folder / "report.html"
    page.write_text("<html>")
    missing = case.folder / "nothing"
    empty = case.folder / "empty"
    empty.mkdir()
    for wrong in (page, missing, case.challenge, empty):
        assert zkwm(*case.verify_options(model=wrong)).code == 3
        assert zkwm(*case.challenge_options(model=wrong)).code == 3
    for wrong in (page, missing, empty, case.model):
        assert zkwm(*case.challenge_options(commitment=wrong)).code == 3
        assert zkwm(*case.challenge_options(judge=wrong)).code == 3
        assert zkwm("inspect", page).code == 3
        assert (
            zkwm("evaluate", page if wrong.is_dir() else wrong, "-o", case.folder / "g").code == 3
        )


@pytest.mark.parametrize("name", ["vault", "judge"])
def test_a_secret_file_of_another_kind_is_told_first(zkwm: Command, case: Files, name: str) -> None:
    """Not that it is too large, nor that others may read it: chmod would not help."""
    wrong = case.commitment if name == "judge" else case.challenge
    options = {"judge": case.challenge_options, "vault": case.prove_options}[name]
    error, hint = told(zkwm(*options(**{name: wrong})))
    assert "of another kind" in error
    assert str(wrong) in error
    assert "chmod" not in hint


@pytest.mark.parametrize("name", ["commitment", "challenge", "proof", "vault", "judge"])
def test_a_file_that_was_cut_off(zkwm: Command, case: Files, name: str) -> None:
    path: Path = getattr(case, name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    error, hint = told(zkwm("inspect", path))
    assert str(path) in error
    assert "cut off" in error
    assert f"{len(whole) // 2 - len(whole.splitlines()[0]) - 1:,} bytes are there" in error
    assert "put back a copy" in hint
    if name in ("vault", "judge"):
        options = case.prove_options() if name == "vault" else case.challenge_options()
        error, _ = told(zkwm(*options))
        assert error.startswith(f"{path}: cut off")


def test_a_file_that_is_no_model_is_named(zkwm: Command, case: Files) -> None:
    error, _ = told(zkwm("quantize", case.challenge, "--output", case.folder / "n.zknet"))
    assert error == f"{case.challenge}: this is not an ONNX file"


def test_hints_go_to_whoever_runs_the_command(zkwm: Command, case: Files) -> None:
    """The owner is not told to ask the owner."""
    made = zkwm(
        *("commit", "--vault", case.vault, "--generate", 50, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", case.folder / "other.commitment"),
    )
    assert made.code == 0
    other = {"commitment": case.folder / "other.commitment"}
    error, hint = told(zkwm(*case.prove_options(**other)))
    assert "another commitment" in error
    assert "ask the owner" not in hint
    assert "zkwm inspect" in hint
    assert "ask the owner" in told(zkwm(*case.verify_options(**other)))[1]


def test_the_file_in_a_folder_is_named(zkwm: Command, case: Files) -> None:
    case.model.rename(case.folder / "marked.onnx")  # model.onnx would be taken
    _, hint = told(zkwm(*case.challenge_options(model=case.folder)))
    assert hint == f"give the file in it, such as {case.innocent}"


def test_a_data_set_that_is_none(zkwm: Command, case: Files) -> None:
    training = ("embed", "--unmarked", "--architecture", "lenet5", "--output", case.folder / "m")
    for wrong in (case.proof, case.folder / "nothing"):
        refused = zkwm(*training, "--data", wrong)
        assert refused.code == 3
        assert "a data set is a .npz file, a folder with train/CLASS" in told(refused)[1]


def test_a_model_that_is_not_there(zkwm: Command, case: Files) -> None:
    missing = case.folder / "unmarked"
    options = ("commit", "--vault", case.vault, "--watermark", "uchida", "--owner-model", missing)
    data = ("--data", "fashion-mnist-small", "--output", case.folder / "c.commitment")
    error, hint = told(zkwm(*options, *data))
    assert error == f"there is no {missing}"
    assert "model.safetensors and config.json" in hint
    missing.mkdir()
    shutil.copy(case.model, missing / "model.onnx")
    error, hint = told(zkwm(*options, *data))
    assert error.startswith(f"{missing} has no config.json")
    assert str(missing / "model.onnx") in hint


# folders of pictures


LITTER = ("Thumbs.db", "LICENSE", "labels.csv", ".DS_Store", "desktop.ini", "README.md")


def test_litter_beside_pictures_is_skipped(zkwm: Command, case: Files, pictures: Path) -> None:
    for name in LITTER:
        (pictures / name).write_text("x")
    assert zkwm(*committing(case, pictures)).code == 0
    (pictures / "50.dat").write_text("x")
    error, _ = told(zkwm(*committing(case, pictures)))
    assert "50.dat is not an intact image" in error, "what may be a picture is never left out"


def test_equal_pictures_are_named(zkwm: Command, case: Files, pictures: Path) -> None:
    shutil.copy(pictures / "03.png", pictures / "41.png")
    error, _ = told(zkwm(*committing(case, pictures)))
    assert error == f"{pictures / '41.png'} is the same as {pictures / '03.png'}"


@pytest.mark.parametrize(("suffix", "kind"), [("gif", "a GIF file"), ("tiff", "a TIFF file")])
def test_a_format_that_is_not_read_is_named(
    zkwm: Command, case: Files, pictures: Path, suffix: str, kind: str
) -> None:
    Image.open(pictures / "03.png").save(pictures / f"03.{suffix}")
    (pictures / "03.png").unlink()
    error, hint = told(zkwm(*committing(case, pictures)))
    assert kind in error
    assert "PNG" in hint


def test_an_animation_is_refused(zkwm: Command, case: Files, pictures: Path) -> None:
    """Its first picture would be taken in silence."""
    frames = [Image.open(pictures / f"{number:02}.png") for number in (3, 4, 5)]
    frames[0].save(pictures / "60.png", save_all=True, append_images=frames[1:])
    (pictures / "03.png").unlink()
    error, _ = told(zkwm(*committing(case, pictures)))
    assert "60.png is an animation of 3 pictures" in error


def test_other_sizes_name_the_options(zkwm: Command, case: Files, pictures: Path) -> None:
    error, hint = told(zkwm(*committing(case, pictures, shape="1,12,12")))
    assert "16 by 16 pixels, not 12 by 12" in error
    assert hint.startswith("give a --shape, and --fit crop")
    assert zkwm(*committing(case, pictures, shape="1,12,12", fit="crop")).code == 0


@pytest.mark.parametrize("command", ["quantize", "challenge"])
def test_a_command_without_fit_names_none(
    zkwm: Command, case: Files, pictures: Path, command: str
) -> None:
    """``--fit`` is of ``zkwm commit`` alone."""
    odd = pictures / "03.png"
    Image.open(odd).resize((12, 12)).save(odd)
    data = shutil.copytree(pictures, case.folder / "data" / "0").parent
    calls: dict[str, list[object]] = {
        "quantize": ["quantize", case.model, "--calibration", pictures, "--output", "x.zknet"],
        "challenge": ["challenge", "--commitment", case.commitment, "--model", case.model,
                      "--test-data", data, "--judge", case.public, "--output", "x",
                      "--reveal", 50],
    }  # fmt: skip
    error, hint = told(zkwm(*calls[command]))
    assert "03.png is 12 by 12 pixels, not 16 by 16" in error
    assert hint == "store all images at 16 by 16 pixels"


def test_the_folder_above(zkwm: Command, case: Files, pictures: Path) -> None:
    _, hint = told(zkwm(*committing(case, pictures.parent)))
    assert hint.startswith("give a folder that holds the images themselves, such as ")


# passphrases and streams


def test_a_byte_order_mark_is_no_part_of_a_passphrase(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(b"\xef\xbb\xbf" + os.environ["ZKWM_PASSPHRASE"].encode() + b"\r\n")
    path.chmod(0o600)
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    assert zkwm(*case.verify_options(passphrase_file=path)).code == 0
    path.write_text("five words", encoding="utf-16")
    error, hint = told(zkwm(*case.verify_options(passphrase_file=path)))
    assert "not text in UTF-8" in error
    assert hint == "save it as UTF-8"


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_leaves_early_ends_the_command_quietly() -> None:
    """``zkwm ... | head -1``: no message, and no code that says anything about a verdict."""
    line = f"{sys.executable} -m zkwm_cli --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout in ("141\n", "0\n"), "0 where it had written all before the reader left"


def test_the_file_of_a_missing_option_is_made_by_a_command(zkwm: Command, case: Files) -> None:
    asked = ("--commitment", case.commitment, "--model", case.model, "--reveal", 50)
    error, hint = told(zkwm("challenge", *asked, "--output", "new.challenge"))
    assert error == "missing option '--judge'"
    assert hint.startswith("zkwm judge-key --output judge.key")


def test_more_blocks_than_there_are(zkwm: Command, case: Files) -> None:
    error, hint = told(zkwm(*case.challenge_options(reveal=250, exclude_blocks="0")))
    assert "asks for 5 blocks; the commitment has 4, of which 1 are excluded" in error
    assert hint == "ask for at most 3 blocks of 50 triggers"
