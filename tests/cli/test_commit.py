"""commit: generated and given triggers, declared labels, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, SHAPE, Command, Files
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A file of 100 images of random pixels."""
    path = tmp_path / "images.npz"
    pixels = np.random.default_rng(1).integers(0, 256, (100, *SHAPE), dtype=np.uint8)
    np.savez(path, images=pixels)
    return path


def arguments(case: Files, **changes: object) -> list[object]:
    options: dict[str, object] = {
        "vault": case.vault,
        "classes": 10,
        "output": case.folder / "new.commitment",
    }
    return [
        "commit",
        *(part for name, value in (options | changes).items() for part in (f"--{name}", value)),
    ]


@pytest.mark.parametrize("family", ["secret", "blocks", "abstract"])
def test_generated_triggers(zkwm: Command, case: Files, family: str) -> None:
    result = zkwm(*arguments(case, generate=50, shape="1,16,16", family=family))
    assert (result.code, result.stdout) == (0, "")
    commitment = Commitment.from_bytes((case.folder / "new.commitment").read_bytes())
    commitment.verify()
    assert commitment.digest.hex() in result.stderr
    own = Vault.open(case.vault, PASSPHRASE).state.commitments
    assert len(own) == 2
    assert own[commitment.digest].family == family


def test_secret_is_the_default_family(zkwm: Command, case: Files) -> None:
    result = zkwm(*arguments(case, generate=50, shape="1,16,16"), "--json")
    assert result.code == 0
    digest = bytes.fromhex(result.json["digest"])
    assert Vault.open(case.vault, PASSPHRASE).state.commitments[digest].family == "secret"
    assert result.json == {
        "schema": "zkwm/commit/v1",
        "path": str(case.folder / "new.commitment"),
        "digest": digest.hex(),
        "triggers": 50,
        "blocks": 1,
        "block_size": 50,
        "classes": 10,
        "class_names": None,
        "shape": [1, 16, 16],
        "label_mode": "derived",
        "disputes": 1,
    }


def test_mixture_of_own_data(zkwm: Command, case: Files, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    data = tmp_path / "data.npz"
    np.savez(
        data,
        x_train=random.integers(0, 256, (20, 16, 16), dtype=np.uint8),
        y_train=np.arange(20) % 10,
        x_test=random.integers(0, 256, (10, 16, 16), dtype=np.uint8),
        y_test=np.arange(10),
    )
    options = {"generate": 50, "shape": "1,16,16", "family": "mixture", "data": data}
    assert zkwm(*arguments(case, **options)).code == 0


def test_given_images(zkwm: Command, case: Files, images: Path) -> None:
    result = zkwm(*arguments(case, images=images))
    assert result.code == 0
    assert "warning" not in result.stderr
    commitment = Commitment.from_bytes((case.folder / "new.commitment").read_bytes())
    assert commitment.header.label_mode == "derived"


def test_declared_labels_come_with_a_warning(
    zkwm: Command, case: Files, images: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(str(i % 10) for i in range(100)))
    result = zkwm(*arguments(case, images=images, labels=labels))
    assert result.code == 0
    assert "zkwm: warning: labels that an owner chooses prove little" in result.stderr
    commitment = Commitment.from_bytes((case.folder / "new.commitment").read_bytes())
    assert commitment.header.label_mode == "declared"


def test_fit_crops_larger_images(zkwm: Command, case: Files, images: Path) -> None:
    result = zkwm(*arguments(case, images=images, shape="1,12,12"))
    assert result.code == 2
    assert zkwm(*arguments(case, images=images, shape="1,12,12", fit="crop")).code == 0


def test_to_stdout(process: Command, case: Files) -> None:
    result = process(
        *arguments(case, generate=50, shape="1,16,16", output="-"), stdout=-1, stderr=-1
    )
    assert result.code == 0
    assert result.stdout.startswith("zkwm-commitment/3\n")
    assert "committed to 50 triggers" in result.stderr


def test_stdout_cannot_carry_both(zkwm: Command, case: Files) -> None:
    result = zkwm(*arguments(case, generate=50, shape="1,16,16", output="-"), "--json")
    assert result.code == 2
    assert "--json and --output - both claim standard output" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either --generate N or --images PATH"),
        ({"generate": 50, "images": "x.npz", "shape": "1,16,16"}, "either --generate"),
        ({"generate": 50}, "--generate needs --shape"),
        ({"generate": 50, "shape": "16,16"}, "is not a shape"),
        ({"generate": 50, "shape": "1,16,x"}, "is not a shape"),
        ({"generate": 50, "shape": "2,16,16"}, "(2, 16, 16)"),
        ({"generate": 51, "shape": "1,16,16"}, "blocks of 50"),
        ({"generate": 0, "shape": "1,16,16"}, "blocks of 50"),
        ({"generate": 50, "shape": "1,4,4"}, ""),
        ({"generate": 50, "shape": "1,16,16", "family": "pretty"}, "--family"),
        ({"generate": 50, "shape": "1,16,16", "labels": "l"}, "--labels goes with --images"),
        ({"generate": 50, "shape": "1,16,16", "fit": "crop"}, "--fit goes with --images"),
        ({"generate": 50, "shape": "1,16,16", "family": "mixture"}, "--data go together"),
        ({"generate": 50, "shape": "1,16,16", "data": "d"}, "--data go together"),
        ({"images": "x.npz", "family": "blocks"}, "--family goes with --generate"),
        ({"generate": "many", "shape": "1,16,16"}, "--generate"),
    ],
)
def test_usage(zkwm: Command, case: Files, options: dict[str, object], message: str) -> None:
    before = case.vault.read_bytes()
    result = zkwm(*arguments(case, **options))
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "zkwm: hint: " in result.stderr
    assert case.vault.read_bytes() == before
    assert not (case.folder / "new.commitment").exists()


@pytest.mark.parametrize("classes", [0, 1, 70_000])
def test_impossible_class_counts(zkwm: Command, case: Files, classes: int) -> None:
    result = zkwm(*arguments(case, generate=50, shape="1,16,16", classes=classes))
    assert result.code == 2
    assert "'--classes'" in result.stderr
    assert not (case.folder / "new.commitment").exists()


def _npz(folder: Path, array: np.ndarray) -> Path:
    np.savez(folder / "bad.npz", images=array)
    return folder / "bad.npz"


def _bad_images(kind: str, folder: Path) -> Path:
    good = np.random.default_rng(3).integers(0, 256, (50, *SHAPE), dtype=np.uint8)
    if kind == "twice":
        good[7] = good[3]
    elif kind == "constant":
        good[5] = 9
    elif kind == "not a number":
        return _npz(folder, np.full((50, *SHAPE), np.nan))
    elif kind == "one too many":
        good = np.random.default_rng(3).integers(0, 256, (51, *SHAPE), dtype=np.uint8)
    elif kind == "text":
        (folder / "bad.png").write_text("not an image")
        return folder / "bad.png"
    elif kind == "truncated":
        whole = _npz(folder, good)
        whole.write_bytes(whole.read_bytes()[:-100])
        return whole
    elif kind == "pickle":
        np.save(folder / "bad.npy", np.array([{}], dtype=object), allow_pickle=True)
        return folder / "bad.npy"
    elif kind == "missing":
        return folder / "missing.npz"
    return _npz(folder, good)


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("twice", 2, "image 7"),
        ("constant", 2, "image 5"),
        ("not a number", 2, "float64"),
        ("one too many", 2, "51 triggers"),
        ("text", 3, "bad.png"),
        ("truncated", 3, "bad.npz"),
        ("pickle", 3, "bad.npy"),
        ("missing", 3, "missing.npz"),
    ],
)
def test_bad_images(
    zkwm: Command, case: Files, tmp_path: Path, kind: str, code: int, message: str
) -> None:
    before = case.vault.read_bytes()
    result = zkwm(*arguments(case, images=_bad_images(kind, tmp_path)))
    assert result.code == code
    assert message in result.stderr
    assert "zkwm: hint: " in result.stderr
    assert case.vault.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("1\n2\n", 2, "2 labels"),
        ("\n".join(["ten"] * 100), 2, "line 1"),
        ("\n".join(["12"] * 100), 2, "label"),
    ],
)
def test_bad_labels(
    zkwm: Command, case: Files, images: Path, text: str, code: int, message: str
) -> None:
    labels = case.folder / "labels.txt"
    labels.write_text(text)
    result = zkwm(*arguments(case, images=images, labels=labels))
    assert result.code == code
    assert message in result.stderr


def test_nothing_is_replaced_without_force(zkwm: Command, case: Files) -> None:
    before = case.commitment.read_bytes()
    options = arguments(case, generate=50, shape="1,16,16", output=case.commitment)
    result = zkwm(*options)
    assert result.code == 2
    assert "use --force to replace it" in result.stderr
    assert case.commitment.read_bytes() == before
    assert len(Vault.open(case.vault, PASSPHRASE).state.commitments) == 1
    assert zkwm(*options, "--force").code == 0
    assert case.commitment.read_bytes() != before


def test_the_vault_is_never_the_output(zkwm: Command, case: Files) -> None:
    before = case.vault.read_bytes()
    options = arguments(case, generate=50, shape="1,16,16", output=case.vault)
    result = zkwm(*options, "--force")
    assert result.code == 2
    assert "is an input of this command" in result.stderr
    assert case.vault.read_bytes() == before


def test_wrong_passphrase(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "wrong")
    result = zkwm(*arguments(case, generate=50, shape="1,16,16"), "--json")
    assert result.code == 3
    assert result.json["exit_code"] == 3
    assert "passphrase" in result.json["error"]
    assert f"zkwm: error: {result.json['error']}" in result.stderr


def test_how_many_disputes_the_size_is_enough_for(zkwm: Command, case: Files) -> None:
    four = zkwm(*arguments(case, generate=200, shape="1,16,16"), "--json")
    assert (four.code, four.json["disputes"]) == (0, 4)
    assert "enough for 4 disputes by opening, at most" in four.stderr
    one = zkwm(*arguments(case, generate=50, shape="1,16,16"), "--force")
    assert "zkwm: warning: this size is enough for ONE dispute by opening" in one.stderr
    none = [*arguments(case, generate=50, shape="1,16,16"), "--force"]
    none[none.index("--classes") + 1] = 2
    result = zkwm(*none, "--json")
    assert (result.code, result.json["disputes"]) == (0, 0)
    assert "zkwm: warning: this size is enough for NO dispute" in result.stderr


def commit_images(case: Files, images: np.ndarray) -> list[object]:
    np.savez(case.folder / "images.npz", images=images)
    return [
        *("commit", "--vault", case.vault, "--images", case.folder / "images.npz"),
        *("--classes", 10, "--output", case.folder / "shared.commitment"),
    ]


def test_images_that_were_opened_are_refused(zkwm: Command, case: Files) -> None:
    images, _ = case.triggers()
    before = case.vault.read_bytes()
    result = zkwm(*commit_images(case, images[:100]))  # block 0 was opened in the case
    assert result.code == 2
    assert "50 of these images were opened before" in result.stderr
    assert case.vault.read_bytes() == before
    assert not (case.folder / "shared.commitment").exists()


def test_images_in_two_commitments_are_told(zkwm: Command, case: Files) -> None:
    images, _ = case.triggers()
    result = zkwm(*commit_images(case, images[100:150]))
    assert result.code == 0, result.stderr
    (first, _) = Vault.open(case.vault, PASSPHRASE).state.commitments
    assert (
        f"warning: 50 of these images are in commitment {first.hex()[:16]} of this vault too"
        in result.stderr
    )
    shown = zkwm("vault", "show", "--vault", case.vault, "--json").json
    assert shown["commitments"][1]["shared_images"] == {first.hex(): 50}
