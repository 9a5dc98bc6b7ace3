"""Which of a suspect's functions is asked: order of channels, named output, labels alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.case_files import PASSPHRASE, Command, Files, save_lookup
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment

COLORS = (3, 16, 16)


def with_node(path: Path, operator: str, type_: int, **attributes: object) -> Path:
    """A copy of a file whose scores ``y`` go through one more node, to an output ``z`` as well."""
    model = onnx.load(path)
    model.graph.node.append(helper.make_node(operator, ["y"], ["z"], **attributes))
    model.graph.output.append(helper.make_tensor_value_info("z", type_, None))
    made = path.with_name(f"{operator}.onnx")
    onnx.save(model, made)
    return made


@pytest.fixture
def colors(case: Files, zkwm: Command) -> tuple[Path, Path]:
    """A commitment to 50 color images, and a marked file that takes blue first."""
    path = case.folder / "colors.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--generate", 50, "--family", "abstract"),
        *("--shape", "3,16,16", "--classes", 10, "--output", path),
    )
    assert made.code == 0, made.stderr
    commitment = Commitment.from_bytes(path.read_bytes())
    own = Vault.open(case.vault, PASSPHRASE).state.commitments[commitment.digest]
    images = np.frombuffer(own.images, np.uint8).reshape(-1, *COLORS)
    save_lookup(case.folder / "bgr.onnx", images[:, ::-1], commitment.labels(), shape=COLORS)
    return path, case.folder / "bgr.onnx"


def test_channels(case: Files, zkwm: Command, colors: tuple[Path, Path]) -> None:
    """Asked in the wrong order a marked file is not proven; the block is weighed again."""
    commitment, model = colors
    about = {"commitment": commitment, "model": model}
    asked = case.challenge_options(**about)
    challenge, proof = case.folder / "new.challenge", case.folder / "new.proof"
    answer = case.prove_options(
        commitment=commitment, challenge=challenge, judge_fingerprint=case.judge_fingerprint
    )
    judged = case.verify_options(**about, challenge=challenge, proof=proof)
    assert zkwm(*asked).code == 0
    assert zkwm(*answer, "--last").code == 0
    assert zkwm(*judged).code == 10
    place = asked.index("--reveal")
    del asked[place : place + 2]
    assert zkwm(*asked, "--reopen", 0, "--channels", "bgr", "--force").code == 0
    assert zkwm(*answer, "--force").code == 0
    verdict = zkwm(*judged)
    assert verdict.code == 0
    assert "channels blue, green, red" in " ".join(verdict.stdout.split())


def test_gray_images_have_no_order(case: Files, zkwm: Command) -> None:
    refused = zkwm(*case.challenge_options(), "--channels", "bgr")
    assert refused.code == 2
    assert "leave the order of channels out" in refused.stderr


@pytest.mark.slow
def test_channels_and_outputs_of_a_network(
    case: Files, zkwm: Command, colors: tuple[Path, Path]
) -> None:
    from tests.support.small_models import Sketch

    plain = case.folder / "plain.onnx"
    sketch = Sketch(COLORS)
    plain.write_bytes(sketch.flat(768, 10))
    model = onnx.load(plain)
    model.graph.node.append(helper.make_node("Neg", [sketch.last], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
    onnx.save(model, case.folder / "two.onnx")
    digests = set()
    for name, options in {
        "plain": [],
        "plain ": ["--channels", "bgr"],
        "two": ["--output-name", sketch.last],
        "two ": ["--output-name", "other"],
    }.items():
        made = zkwm(
            *("quantize", case.folder / f"{name.strip()}.onnx", "--shape", "3,16,16", *options),
            *("--output", case.folder / "out.zknet", "--force", "--json"),
        )
        assert made.code == 0, made.stderr
        digests.add(made.json["digest"])
    assert len(digests) == 3  # the two files with one function have one network
    several = ("quantize", case.folder / "two.onnx", "--shape", "3,16,16", "--output", "x.zknet")
    assert zkwm(*several).code == 3


def test_output_name(case: Files, zkwm: Command) -> None:
    """Named once, in the challenge: prove and verify take it from there."""
    model = with_node(case.model, "Neg", TensorProto.FLOAT)
    asked = case.challenge_options(model=model)
    refused = zkwm(*asked)
    assert refused.code == 3
    assert "--output-name" in refused.stderr
    assert "y" in refused.stderr
    assert zkwm(*asked, "--output-name", "none").code == 3
    made = zkwm(*asked, "--output-name", "y", "--json")
    assert made.code == 0, made.stderr
    assert made.json["suspect"]["output"] == "y"
    challenge, proof = case.folder / "new.challenge", case.folder / "new.proof"
    fingerprint = {"judge_fingerprint": case.judge_fingerprint}
    assert zkwm(*case.prove_options(challenge=challenge, **fingerprint), "--again").code == 0
    verdict = zkwm(*case.verify_options(model=model, challenge=challenge, proof=proof), "--json")
    assert verdict.code == 0
    assert verdict.json["suspect"]["output"] == "y"


def test_labels_alone(case: Files, zkwm: Command) -> None:
    """Asked for labels the file is proven; an argument compares scores, which it has none of."""
    model = with_node(case.model, "ArgMax", TensorProto.INT64, axis=1, keepdims=0)
    about = {"model": model, "output_name": "z"}
    asked = case.challenge_options(**about)
    refused = zkwm(*asked)
    assert refused.code == 3
    assert "--outputs" in refused.stderr
    assert zkwm(*asked, "--outputs", 10).code == 0
    place = asked.index("--reveal")
    del asked[place : place + 2]
    argued = zkwm(*asked, "--outputs", 10, "--zero-knowledge", "--force")
    assert argued.code == 3
    assert "--reveal" in argued.stderr
