"""Names of classes by commands alone: SPEC.md 5.2, 6.1, 8.2; two attacks, and where names are from.

``tests/adversarial/test_class_names.py`` tries the same through the API.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from scipy.optimize import linear_sum_assignment

from tests.support.case_files import PASSPHRASE, SHAPE, Command, Files, save_lookup
from tests.support.trigger_owner import small_data
from zkwm.owner.vault import Vault
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment

CLASSES = 100
NAMES = [f"class {number}" for number in range(CLASSES)]


def commit_to(zkwm: Command, case: Files, *options: object) -> Path:
    """A commitment of 100 classes to 200 images, image i showing class i modulo 100."""
    pixels = np.random.default_rng(3).integers(0, 256, (200, *SHAPE), dtype=np.uint8)
    np.savez(case.folder / "natural.npz", images=pixels)
    path = case.folder / "named.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--images", case.folder / "natural.npz"),
        *("--classes", CLASSES, "--output", path, *options),
    )
    assert made.code == 0, made.stderr
    return path


def opened(path: Path, case: Files) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of a commitment in the vault."""
    commitment = Commitment.from_bytes(path.read_bytes())
    own = Vault.open(case.vault, PASSPHRASE).state.commitments[commitment.digest]
    return np.frombuffer(own.images, np.uint8).reshape(-1, *SHAPE), commitment.labels()


def names_file(folder: Path, names: list[str], name: str = "names.txt") -> Path:
    path = folder / name
    path.write_text("\n".join(names) + "\n")
    return path


def verdict_on(zkwm: Command, case: Files, commitment: Path, model: Path) -> tuple[int, dict]:
    """Exit code and JSON of verify, after prove has answered ``new.challenge``."""
    files = {"commitment": commitment, "challenge": case.folder / "new.challenge"}
    proved = zkwm(*case.prove_options(**files), "--again", "--last")
    assert proved.code == 0, proved.stderr
    proof = case.folder / "new.proof"
    done = zkwm(*case.verify_options(**files, model=model, proof=proof), "--json")
    return done.code, done.json


def test_an_assignment_on_an_innocent_model_of_100_classes_leaves_no_proof(
    zkwm: Command, case: Files
) -> None:
    """305 bits for nothing once: 200 natural images, the best of 100! maps."""
    commitment = commit_to(zkwm, case)
    images, labels = opened(commitment, case)
    shown = np.arange(200) % CLASSES
    save_lookup(case.innocent, images, shown, CLASSES)
    votes = np.zeros((CLASSES, CLASSES))
    np.add.at(votes, (labels, shown), 1)
    chosen = linear_sum_assignment(-votes)[1]
    (case.folder / "map.json").write_text(json.dumps([int(output) for output in chosen]))
    files = {"commitment": commitment, "model": case.innocent}
    made = zkwm(
        *case.challenge_options(**files, reveal=200, class_map=case.folder / "map.json"), "--json"
    )
    assert made.code == 0, made.stderr
    assert made.json["map_bits"] == 525
    assert "525 bits are deducted" in made.stderr
    code, verdict = verdict_on(zkwm, case, commitment, case.innocent)
    terms = {term["name"]: term["bits"] for term in verdict["evidence"]["terms"]}
    assert (code, verdict["outcome"]) == (10, "not proven")
    assert terms["matches by chance"] > 200
    assert terms["choice of the class map"] == -525
    assert [one["output"] for one in verdict["classes"]] == list(chosen)


def test_against_committed_names_the_assignment_gets_no_challenge(
    zkwm: Command, case: Files
) -> None:
    commitment = commit_to(zkwm, case, "--class-names", names_file(case.folder, NAMES))
    images, _ = opened(commitment, case)
    save_lookup(case.innocent, images, np.arange(200) % CLASSES, CLASSES)
    (case.folder / "map.json").write_text(json.dumps([*range(1, CLASSES), 0]))
    refused = zkwm(
        *case.challenge_options(
            commitment=commitment,
            model=case.innocent,
            reveal=200,
            class_map=case.folder / "map.json",
            suspect_classes=case.folder / "names.txt",
        ),
        "--json",
    )
    assert (refused.code, refused.json["check"]) == (2, "challenge.class_map")


@pytest.mark.parametrize("told_by", ["metadata", "config.json", "--suspect-classes"])
def test_a_thief_who_permutes_documented_outputs_is_proven(
    zkwm: Command, case: Files, told_by: str
) -> None:
    commitment = commit_to(zkwm, case, "--class-names", names_file(case.folder, NAMES))
    images, labels = opened(commitment, case)
    order = np.random.default_rng(1).permutation(CLASSES)
    folder = case.folder / "stolen"
    folder.mkdir()
    model, options = folder / "model.onnx", []
    save_lookup(model, images, order[labels], CLASSES)
    documented = {str(output): NAMES[label].upper() for label, output in enumerate(order)}
    if told_by == "metadata":
        stolen = onnx.load_model(model)
        onnx.helper.set_model_props(stolen, {"names": json.dumps(documented)})
        onnx.save_model(stolen, model)
    elif told_by == "config.json":
        (folder / told_by).write_text(json.dumps({"id2label": documented, "model_type": "vit"}))
    else:
        listed = [documented[str(output)] for output in range(CLASSES)]
        options = [told_by, names_file(folder, listed, "outputs.txt")]
    made = zkwm(*case.challenge_options(commitment=commitment, model=model), *options, "--json")
    assert made.code == 0, made.stderr
    assert made.json["map_bits"] == 0
    challenge = Challenge.from_bytes((case.folder / "new.challenge").read_bytes())
    assert challenge.class_map == tuple(order)
    assert f"label 7 'class 7' is output {order[7]} 'CLASS 7'" in made.stderr
    code, verdict = verdict_on(zkwm, case, commitment, model)
    assert (code, verdict["matches"]) == (0, 50)
    assert verdict["classes"][7] == {
        "label": 7, "name": "class 7", "output": int(order[7]), "output_name": "CLASS 7",
    }  # fmt: skip


def test_names_stand_in_text_and_report(zkwm: Command, case: Files) -> None:
    hostile = ["<b>cat</b>", "\N{HEBREW LETTER ALEF}1", *NAMES[2:10]]
    commitment = case.folder / "hostile.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--generate", 50, "--shape", "1,16,16"),
        *("--classes", 10, "--output", commitment),
        *("--class-names", names_file(case.folder, hostile)),
    )
    assert made.code == 0, made.stderr
    images, labels = opened(commitment, case)
    save_lookup(case.model, images, 9 - labels)
    (case.folder / "config.json").write_text(json.dumps(
        {"id2label": {str(9 - label): name for label, name in enumerate(hostile)}}
    ))  # fmt: skip
    files = {"commitment": commitment, "challenge": case.folder / "new.challenge"}
    assert zkwm(*case.challenge_options(commitment=commitment)).code == 0
    assert zkwm(*case.prove_options(**files), "--again", "--last").code == 0
    shown = zkwm("inspect", commitment, "--json").json
    assert shown["fields"]["class_names"] == hostile
    asked = zkwm("inspect", files["challenge"], "--json").json["fields"]
    assert asked["suspect_classes"] == hostile[::-1]
    report = case.folder / "report.html"
    done = zkwm(*case.verify_options(**files, proof=case.folder / "new.proof", report=report))
    assert done.code == 0, done.stderr
    line = 'label 0 "{0}" → output 9 "{0}"'
    assert line.format("<b>cat</b>") in done.stdout
    assert "same name; listed below" in " ".join(done.stdout.split())
    page = report.read_text()
    escaped = line.format("&lt;b&gt;cat&lt;/b&gt;").replace('"', "&#34;")
    assert f"<bdi>{escaped}</bdi>" in page
    assert "<b>cat" not in page


def test_names_under_a_watermark(zkwm: Command, case: Files) -> None:
    data = small_data()
    np.savez(
        case.folder / "data.npz",
        x_train=data.train_images,
        y_train=data.train_labels,
        x_test=data.test_images,
        y_test=data.test_labels,
    )
    options = [
        *("commit", "--vault", case.vault, "--data", case.folder / "data.npz"),
        *("--architecture", "lenet5", "--output", case.folder / "scheme.commitment"),
        *("--force", "--class-names"),
    ]
    names = names_file(case.folder, NAMES[:10])
    made = zkwm(*options, names, "--watermark", "robust", "--json")
    assert made.code == 0, made.stderr
    assert made.json["class_names"] == NAMES[:10]
    few = names_file(case.folder, NAMES[:9], "few.txt")
    refused = zkwm(*options, few, "--watermark", "robust")
    assert refused.code == 2
    assert "has 9 names" in refused.stderr
    bits = zkwm(*options, names, "--watermark", "uchida")
    assert bits.code == 2
    assert "labels are bits" in bits.stderr
