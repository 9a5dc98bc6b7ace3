"""A whole case of an extracted mark by commands alone, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, Result
from tests.support.trigger_owner import small_data
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.extraction.keys import read_keys
from zkwm.nn.model_file import load_model, save_classifier
from zkwm.owner.vault import Vault
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment

SCHEME = ("--watermark", "uchida")
TRAINING = ("--parameter", "strength=3", "--parameter", "epochs=16")


@pytest.fixture(scope="module")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, an unmarked network, and the same one marked, by the commands."""
    from tests.support.trigger_owner import trained_model
    from zkwm_cli.main import main

    folder = tmp_path_factory.mktemp("extraction")
    data = small_data()
    np.savez(
        folder / "data.npz",
        x_train=data.train_images,
        y_train=data.train_labels,
        x_test=data.test_images,
        y_test=data.test_labels,
    )
    save_folder(folder / "unmarked", trained_model())

    def run(*arguments: object) -> None:
        assert main([str(argument) for argument in arguments]) == 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZKWM_PASSPHRASE", PASSPHRASE)
        patch.chdir(folder)
        run("keygen", "--output", "acme.vault")
        run("judge-key", "--output", "judge.key")
        run(
            *("commit", "--vault", "acme.vault", *SCHEME, "--data", "data.npz"),
            *("--owner-model", "unmarked", "--output", "acme.commitment"),
        )
        run(
            *("embed", "--vault", "acme.vault", "--commitment", "acme.commitment", *SCHEME),
            *(*TRAINING, "--architecture", "lenet5", "--data", "data.npz", "--start", "unmarked"),
            *("--output", "marked", "--device", "cpu"),
        )
    save_folder(folder / "disguised", shuffle(load_model(folder / "marked"), 5))
    return folder


def save_folder(folder: Path, model: object) -> None:
    folder.mkdir()
    save_classifier(folder, model)


@pytest.fixture
def folder(case_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(case_folder)
    return case_folder


def challenge(zkwm: Command, model: str, output: Path, *more: str) -> Result:
    return zkwm(
        *("challenge", "--commitment", "acme.commitment", "--model", model, *SCHEME, *more),
        *("--reveal", 128, "--threshold-bits", 20, "--judge", "judge.key.pub", "--output", output),
    )


def prove(zkwm: Command, vault: Path, case: Path) -> None:
    """Answer the challenge ``c`` in the folder of a case with ``p``, from a copy of the vault."""
    fingerprint = Challenge.from_bytes((case / "c").read_bytes()).judge.fingerprint()
    copy = case / "acme.vault"
    copy.write_bytes(vault.read_bytes())
    copy.chmod(0o600)
    proved = zkwm(
        *("prove", "--last", "--vault", copy, "--commitment", "acme.commitment", "--challenge"),
        *(case / "c", "--judge-fingerprint", fingerprint, "--output", case / "p"),
    )
    assert proved.code == 0, proved.stderr


@pytest.mark.slow
def test_the_commitment_is_to_keys_and_names_the_model(folder: Path) -> None:
    commitment = Commitment.from_bytes((folder / "acme.commitment").read_bytes())
    assert (commitment.header.class_count, commitment.header.shape) == (2, (1, 1, 32))
    assert commitment.header.owner_model is not None
    own = Vault.open(folder / "acme.vault", PASSPHRASE).state.commitments[commitment.digest]
    keys = np.frombuffer(own.images, np.uint8).reshape(-1, 1, 1, 32)
    assert {key.layer for key in read_keys(keys)} == {1}


@pytest.mark.parametrize("model", ["marked", "disguised"])
def test_from_challenge_to_proven(zkwm: Command, folder: Path, tmp_path: Path, model: str) -> None:
    asked = challenge(zkwm, model, tmp_path / "c", "--reference", "unmarked")
    assert asked.code == 0, asked.stderr
    assert "aligned with the owner's unmarked model" in asked.stderr
    prove(zkwm, folder / "acme.vault", tmp_path)

    def verify(*more: object) -> Result:
        return zkwm(
            *(
                "verify",
                "--commitment",
                "acme.commitment",
                "--model",
                model,
                *SCHEME,
                "--challenge",
            ),
            *(tmp_path / "c", "--proof", tmp_path / "p", "--judge", "judge.key", *more),
        )

    found = verify("--reference", "unmarked", "--report", tmp_path / "report.html")
    assert found.code == 0, found.stdout
    assert found.stdout.startswith("PROVEN: 1")
    assert "of 128 bits of the mark match" in found.stdout
    report = (tmp_path / "report.html").read_text()
    assert "secret keys" in report
    assert re.findall("[^<>]*trigger[^<>]*", report) == ['section class="triggers"']
    for said in (found.stdout, found.stderr, asked.stderr):
        assert "trigger" not in said.lower(), said  # there are none
    for wrong in ((), ("--reference", "marked")):
        refused = verify(*wrong)
        assert refused.code == 3
        assert "COULD NOT BE CHECKED" in refused.stdout


def test_a_judge_learns_which_reference_is_missing(
    zkwm: Command, folder: Path, tmp_path: Path
) -> None:
    for options, complaint in (
        ((), "give it as the reference (--reference)"),
        (("--reference", "marked"), "[challenge.suspect]"),
        (("--reference", "unmarked", "--parameter", "strength=1"), "strength"),
        (("--parameter", "strength"), "strength"),
    ):
        result = challenge(zkwm, "marked", tmp_path / "c", *options)
        assert result.code != 0
        assert complaint in result.stderr
        assert not (tmp_path / "c").exists()


def test_a_judge_learns_that_the_scheme_is_missing(
    zkwm: Command, folder: Path, tmp_path: Path
) -> None:
    given = ("--commitment", "acme.commitment", "--model", "marked", "--reveal", 64)
    refused = zkwm("challenge", *given, "--judge", "judge.key.pub", "--output", tmp_path / "c")
    assert refused.code == 3
    assert "name its scheme (--watermark)" in refused.stderr


def test_zero_knowledge_is_unsupported(zkwm: Command, folder: Path, tmp_path: Path) -> None:
    result = zkwm(
        *("challenge", "--commitment", "acme.commitment", "--model", "marked", *SCHEME),
        *("--reference", "unmarked", "--zero-knowledge", "--judge", "judge.key.pub"),
        *("--output", tmp_path / "c"),
    )
    assert result.code == 3
    assert "zero" in result.stderr
    assert "extract" in result.stderr


def test_the_start_is_the_model_that_was_named(zkwm: Command, folder: Path, tmp_path: Path) -> None:
    result = zkwm(
        *("embed", "--vault", "acme.vault", "--commitment", "acme.commitment", *SCHEME),
        *("--architecture", "lenet5", "--data", "data.npz", "--start", "marked"),
        *("--output", tmp_path / "again"),
    )
    assert result.code == 2
    assert "start" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("commit", *SCHEME, "--output", "x"), "needs --data"),
        (("commit", *SCHEME, "--data", "d", "--generate", 50, "--output", "x"), "draws what it"),
        (("commit", "--generate", 50, "--shape", "1,16,16", "--output", "x"), "give --classes"),
        (
            ("commit", "--generate", 50, "--shape", "1,16,16", "--classes", 9, "--owner-model", "m",
             "--output", "x"),
            "go with --watermark",
        ),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(
    zkwm: Command, case: Files, arguments: tuple[object, ...], complaint: str
) -> None:
    result = zkwm(*arguments, "--vault", case.vault)
    assert result.code == 2
    assert complaint in result.stderr


def test_reference_and_probes_need_a_scheme(zkwm: Command, case: Files) -> None:
    for option in ("--reference", "--probes", "--parameter"):
        result = zkwm(*case.challenge_options(), option, "a=b")
        assert result.code == 2
        assert "go with --watermark" in result.stderr


@pytest.mark.slow
def test_a_court_extracts_the_mark_again(zkwm: Command, folder: Path, tmp_path: Path) -> None:
    """Pack scheme and reference with the case; the archive alone is enough to repeat it."""
    assert challenge(zkwm, "marked", tmp_path / "c", "--reference", "unmarked").code == 0
    prove(zkwm, folder / "acme.vault", tmp_path)
    mark = (*SCHEME, "--reference", "unmarked")
    zkwm(
        *("verify", "--commitment", "acme.commitment", "--model", "marked", *mark, "--challenge"),
        *(tmp_path / "c", "--proof", tmp_path / "p", "--judge", "judge.key"),
        *("--verdict", tmp_path / "v"),
    )
    files = ("acme.commitment", tmp_path / "c", tmp_path / "p", tmp_path / "v", "judge.key.pub")
    packing = ("case", "pack", "--output", tmp_path / "case.zip", *files)
    unsaid = zkwm(*packing, "marked")
    assert unsaid.code == 2
    assert "--watermark" in unsaid.stderr
    packed = zkwm(*packing, "marked", *mark, "--with-triggers", "--judge", "judge.key", "--json")
    assert packed.code == 0, packed.stderr
    assert "the owner's unmarked model" in packed.stderr
    roles = [file["role"] for file in packed.json["files"]]
    assert roles.count("reference") == roles.count("suspect") == 2
    checked = zkwm("case", "check", tmp_path / "case.zip", "--json")
    assert checked.code == 0, checked.stderr
    assert {step["state"] for step in checked.json["steps"]} == {"repeated"}
