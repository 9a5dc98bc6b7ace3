"""Labels by an authority's token in a real training: commit, register, embed, check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import Command
from tests.support.past_authority import PastAuthority
from tests.support.small_training import data as quadrants
from tests.support.timestamp_authority import needs_openssl
from tests.support.trust_folders import write_trust

pytestmark = [needs_openssl, pytest.mark.slow]
TRAINING = ("--architecture", "lenet5", "--data", "data.npz", "--device", "cpu", "--seed", 1)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PastAuthority:
    """In a folder with a vault, data of four classes, ``root.pem`` and a trust folder."""
    monkeypatch.chdir(tmp_path)
    made = PastAuthority(tmp_path / "tsa", name="public", intermediate=False)
    Path("root.pem").write_bytes(made.root.pem)
    write_trust(Path("trust"), {"public": (made.root.pem,)}, demand_revocation=False)
    images, edge = quadrants(), ((0, 0), (0, 0), (2, 2), (2, 2))
    np.savez(
        "data.npz", x_train=np.pad(images.train_images, edge), y_train=images.train_labels,
        x_test=np.pad(images.test_images, edge), y_test=images.test_labels,
    )  # fmt: skip
    return made


def test_a_model_learns_the_labels_of_the_token(zkwm: Command, authority: PastAuthority) -> None:
    """The file from before registering does; without the token or the trust nothing is trained."""
    owner = ("--vault", "vault", "--commitment", "commitment")
    assert zkwm("keygen", "--output", "vault").code == 0
    made = zkwm(
        *("commit", "--vault", "vault", "--generate", 50, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 4, "--timestamp-authority", "root.pem"),
        *("--output", "commitment"),
    )
    assert made.code == 0, made.stderr
    embed = ("embed", *owner, *TRAINING, "--epochs", 20, "--batch-size", 20,
             "--triggers-per-batch", 10,
             "--learning-rate", 0.02, "--output", "marked", "--json")  # fmt: skip
    assert zkwm(*embed, "--trust", "trust").code == 4
    with authority.serving() as url:
        done = zkwm("register", *owner, "--tsa", url, "--trust", "trust", "--output", "registered")
    assert done.code == 0, done.stderr
    assert zkwm(*embed).code == 4
    trained = zkwm(*embed, "--trust", "trust")  # with the file that has no token
    assert trained.code == 0, trained.stderr
    assert trained.json["trigger_matches"] > 40
    registered = ("--vault", "vault", "--commitment", "registered")
    look = ("check", *registered, "--model", "marked/model.onnx", "--json")
    assert zkwm(*look).code == 4
    seen = zkwm(*look, "--trust", "trust")
    assert seen.code == 0, seen.stderr
    assert sum(block["matches"] for block in seen.json["blocks"]) > 40


def test_a_published_scheme_takes_labels_of_a_token_too(
    zkwm: Command, authority: PastAuthority
) -> None:
    owner = ("--vault", "vault", "--commitment", "commitment")
    assert zkwm("keygen", "--output", "vault").code == 0
    scheme = ("--watermark", "zhang", "--parameter", "triggers=50", "--parameter", "labels=derived")
    made = zkwm(
        *("commit", "--vault", "vault", *scheme, "--data", "data.npz", "--architecture", "lenet5"),
        *("--timestamp-authority", "root.pem", "--output", "commitment"),
    )
    assert made.code == 0, made.stderr
    embed = ("embed", *owner, *scheme, *TRAINING, "--epochs", 2, "--output", "marked", "--json",
             "--trust", "trust")  # fmt: skip
    assert zkwm(*embed).code == 4
    with authority.serving() as url:
        done = zkwm(
            "register",
            *owner,
            "--tsa",
            url,
            "--trust",
            "trust",
            "--output",
            "commitment",
            "--force",
        )
    assert done.code == 0, done.stderr
    trained = zkwm(*embed)
    assert trained.code == 0, trained.stderr
    assert trained.json["trigger_count"] == 50
