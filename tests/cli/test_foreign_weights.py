"""A suspect whose weights lie in a file of whoever examines it: SPEC.md 4.3."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from PIL import Image

from tests.support.case_files import PASSPHRASE, Command, Files, dispute_over
from zkwm.suspects.onnx_parts import WeightFiles
from zkwm.suspects.onnx_process import NoReplyError


def reading(model: Path, target: Path, name: str) -> Path:
    """The model at ``target``, which takes the bytes of the file ``name`` beside it for weights."""
    changed = onnx.load(model)
    size = (target.parent / name).stat().st_size
    tensor = TensorProto(name="taken", data_type=TensorProto.UINT8, dims=[size])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", name), ("offset", "0"), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    changed.graph.initializer.append(tensor)
    changed.graph.node.add(op_type="Identity", input=["taken"], output=["told"])
    target.write_bytes(changed.SerializeToString())
    return target


def test_a_suspect_reads_no_secret_beside_it(zkwm: Command, case: Files) -> None:
    """The digest of a passphrase, in a verdict, is enough to guess it; an archive has the file."""
    (case.folder / "passphrase.txt").write_text(PASSPHRASE + "\n")
    for name, command in {
        "passphrase.txt": lambda thief: ["inspect", thief],
        "judge.key": lambda thief: case.challenge_options(model=thief),
        "acme.vault": lambda thief: ["card", thief, "--commitment", case.commitment],
    }.items():
        refused = zkwm(*command(reading(case.model, case.folder / "thief.onnx", name)))
        assert refused.code in (2, 3), name
        assert name in refused.stderr
        assert "a folder of its own" in refused.stderr
        assert PASSPHRASE not in refused.stderr + refused.stdout


def test_what_holds_no_weights(case: Files) -> None:
    """By its first bytes alone: keys, ledgers, texts, archives, pictures and sets of images."""
    images, _ = case.triggers()
    np.savez(case.folder / "images.npz", images=images)
    np.save(case.folder / "images.npy", images)
    Image.fromarray(images[0, 0]).save(case.folder / "image.png")
    (case.folder / "words").write_text("é" * 40_000, encoding="utf-8")
    (case.folder / "report.pdf").write_bytes(b"%PDF-1.7\n\0")
    for name in ("judge.key", "judge.key.ledger", "acme.vault", "images.npz", "images.npy",
                 "image.png", "words", "report.pdf"):  # fmt: skip
        with pytest.raises(NoReplyError, match="holds no weights"):
            WeightFiles(case.model)(name)
    for data in (b"", bytes(8), b"zkwm\0", b"words, and then\0", images.tobytes()):
        (case.folder / "numbers").write_bytes(data)
        assert WeightFiles(case.model)("numbers") == data


def test_weights_that_look_like_nothing_else_are_read(zkwm: Command, case: Files) -> None:
    """Every tensor in a file of its own."""
    path = case.folder / "apart.onnx"
    whole = onnx.load(case.model)
    onnx.save(
        whole, path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0
    )
    decided = zkwm(*dispute_over(zkwm, case, model=path))
    assert decided.code == 0, decided.stderr
