"""``zkwm check``: an owner looks at a suspect, and nobody learns of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.argued import save_linear
from tests.support.case_files import Command, Endpoint, Files
from zkwm.extras import NO_TELEMETRY
from zkwm.nn.architectures import build_model
from zkwm.nn.model_file import save_classifier

PROGRAM = """
import sys
from zkwm_cli.main import main
code = main(sys.argv[1:])
assert not {"onnxruntime", "torch"} & set(sys.modules), "the model was run in this process"
sys.exit(code)
"""


def look(case: Files, model: object) -> list[object]:
    return ["check", "--vault", case.vault, "--commitment", case.commitment, "--model", model]


def everything(case: Files) -> dict[str, bytes]:
    """All files of the case, by name."""
    return {file.name: file.read_bytes() for file in case.folder.iterdir()}


def test_the_library_that_asks_the_model_reports_nothing(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime 1.32 keeps what it will send in the user's folder as soon as it is loaded."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in NO_TELEMETRY:
        monkeypatch.delenv(name)
    assert zkwm(*look(case, case.model)).code == 0
    program = (
        "import os; from zkwm.extras import silent_onnxruntime; before = dict(os.environ)\n"
        "silent_onnxruntime().InferenceSession; assert before == dict(os.environ)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert not (tmp_path / "home").exists()


def test_weights_can_be_trained_too(zkwm: Command, case: Files, tmp_path: Path) -> None:
    """Relearning takes too long for a look, and an owner has to know that there is more."""
    model = build_model("cnn2", shape=(1, 16, 16), class_count=10, mean=(0.5,), std=(0.5,))
    save_classifier(tmp_path, model)
    result = zkwm(*look(case, tmp_path), "--no-argument")
    assert result.code == 0, result.stderr
    said = " ".join(result.stdout.split())
    assert "An opening, relearning counted not tried it trains 14 copies" in said


def test_a_transcript(zkwm: Command, case: Files) -> None:
    result = zkwm(*look(case, case.model), "--no-argument")
    assert result.code == 0, result.stderr
    assert "this machine has no mark of this vault" in result.stderr
    lines = result.stdout.splitlines()
    digest = lines.pop(3)
    assert digest.startswith("  its digest    ")
    tried = lines.pop(8)
    assert tried.startswith("  tried         counted as function 2 of those tried")
    assert "your vault has answered 1 challenge about it" in tried
    shown = lines.pop(22)
    assert re.fullmatch(r"  would show    50 of 50 triggers match, .* (\d+) points of .*", shown)
    evidence = "  evidence      91.50 bits left of 40 demanded: proven "
    evidence += "(up to function 138,470,171 tried)"
    assert lines == [
        "A look in private: nothing left this machine, and nothing was recorded.",
        "",
        '  suspect       "model.onnx" (onnx)',
        "  triggers      200 of 200 match; about 20.0 would by luck",
        "  block 0       50 of 50, spent",
        "  block 1       50 of 50",
        "  block 2       50 of 50",
        "  block 3       50 of 50",
        "",
        "An opening, matches counted",
        "  would show    50 of 50 triggers match; 43 needed",
        evidence,
        "  costs         block 1, then spent; 2 unspent left",
        "  takes         a judge who asks for 50 triggers (--reveal 50)",
        "",
        "An opening, ranks counted",
        "  would show    50 of 50 triggers match, their ranks weigh 300 of 300; 273 needed",
        evidence,
        "  costs         block 1, then spent; 2 unspent left",
        "  takes         a judge who asks for 50 triggers (--reveal 50)",
        "",
        "An opening, scores counted",
        evidence,
        "  costs         block 1, then spent; 2 unspent left",
        "  takes         a judge who asks for 50 triggers (--reveal 50)",
    ]


def test_an_innocent_model(zkwm: Command, case: Files) -> None:
    result = zkwm(*look(case, case.innocent), "--no-argument")
    assert result.code == 0
    assert "0 of 150 triggers match" in result.stdout
    assert "not proven" in result.stdout
    assert "no bits (-" in result.stdout


def test_both_ways_in_json(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.owner.check_argument.measure_agreement", lambda *_, **__: ())
    save_linear(case.folder / "linear.onnx", *case.triggers())
    before = everything(case)
    result = zkwm(*look(case, case.folder / "linear.onnx"), "--json")
    assert result.code == 0, result.stderr
    found = result.json
    assert found["schema"] == "zkwm/check/v1"
    assert (found["matches"], found["triggers"]) == (200, 200)
    assert [block["spent"] for block in found["blocks"]] == [True, False, False, False]
    assert [one["statistic"] for one in found["openings"]] == ["matches", "ranks", "scores"]
    argument = found["argument"]
    assert (argument["possible"], argument["reached"]) == (True, True)
    assert (argument["blocks"], argument["bits_released"]) == ([1, 2, 3], 0)
    assert everything(case) == before  # no entry, no lock, no mark


def test_an_argument_in_words(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.owner.check_argument.measure_agreement", lambda *_, **__: ())
    save_linear(case.folder / "linear.onnx", *case.triggers())
    shown = zkwm(*look(case, case.folder / "linear.onnx")).stdout
    assert "of 150 triggers match" in shown
    assert "150 do, in the integer network" in shown
    assert "no block; bit 1 of 16 about this commitment" in shown
    refused = zkwm(*look(case, case.model)).stdout
    assert "An argument in zero knowledge\n  not possible  " in refused


def test_an_endpoint_is_never_asked(zkwm: Command, case: Files, endpoint: Endpoint) -> None:
    result = zkwm(*look(case, endpoint.url))
    assert (result.code, result.stdout) == (2, "")
    assert "whoever runs it would see your triggers" in result.stderr
    assert "nothing was sent" in result.stderr
    assert endpoint.asked == []


def test_the_model_runs_in_another_process(case: Files) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, look(case, case.model))],
        capture_output=True,
        env=os.environ,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_wrong_passphrase(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", "another one")
    result = zkwm(*look(case, case.model))
    assert (result.code, result.stdout) == (3, "")


def test_images_of_another_shape(zkwm: Command, case: Files, tmp_path: Path) -> None:
    from tests.support.case_files import save_lookup

    images, labels = case.triggers()
    large = images.repeat(2, axis=2).repeat(2, axis=3)
    save_lookup(tmp_path / "large.onnx", large, labels, shape=(1, 32, 32))
    result = zkwm(*look(case, tmp_path / "large.onnx"))
    assert result.code == 3
    assert "zkwm: hint: " in result.stderr
