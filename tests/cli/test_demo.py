"""demo: the tour with a stand-in for the commands, and once with real training."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import zkwm_cli.demo_story
from tests.support.case_files import Command
from zkwm_protocols.errors import Cancelled, CouldNotCheck, UsageError
from zkwm_protocols.keys import BoxKey, JudgePublic, SigningKey

VERDICTS = {
    "case.json": {"outcome": "proven", "reason": "50 of 50"},
    "other.json": {"outcome": "not proven", "reason": "4 of 50"},
}


class Stage:
    """Pretends to run commands; remembers them, and makes the files that the story reads."""

    def __init__(self, failing: str = "", code: int = 3) -> None:
        self.lines: list[list[str]] = []
        self._failing = failing
        self._code = code

    def __call__(self, arguments: list[str]) -> tuple[int, str]:
        self.lines.append(arguments)
        if arguments[0] == self._failing:
            return self._code, ""
        if arguments[0] == "judge-key":
            public = JudgePublic(SigningKey.generate().public, BoxKey.generate().public)
            Path("judge.key.pub").write_bytes(public.to_bytes())
        if arguments[0] == "embed":
            folder = Path(arguments[-1])
            folder.mkdir()
            record = {"test_accuracy": 0.87, "trigger_matches": 199, "trigger_count": 200}
            (folder / "record.json").write_text(json.dumps(record))
        if arguments[0] != "verify":
            return 0, ""
        proven = "marked/model.onnx" in arguments
        return (0 if proven else 10), json.dumps(VERDICTS["case.json" if proven else "other.json"])


def test_the_story(tmp_path: Path) -> None:
    stage, said = Stage(), []
    result = zkwm_cli.demo_story.demo(tmp_path / "demo", run=stage, say=said.append)
    assert [line[0] for line in stage.lines] == [
        "keygen", "commit", "embed", "embed", "judge-key",
        "challenge", "prove", "verify", "challenge", "prove", "verify",
    ]  # fmt: skip
    shown = [line for line in said if line.startswith("$ zkwm")]
    assert len(shown) == len(stage.lines)
    for line, arguments in zip(shown, stage.lines, strict=True):
        assert shlex.split(line.split(" > ")[0])[2:] == arguments
    summary = "\n".join(result.summary())
    assert "87.0 % test accuracy, 199 of 200 triggers" in summary
    assert "marked model: proven (50 of 50)" in summary
    assert "unmarked model: not proven (4 of 50)" in summary
    assert result.to_json()["schema"] == "zkwm/demo/v1"


def test_a_command_that_fails(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck, match="zkwm prove ended with exit code 3, not 0"):
        zkwm_cli.demo_story.demo(tmp_path / "demo", run=Stage("prove"), say=lambda _: None)


def test_a_verdict_that_is_not_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck, match="zkwm verify ended with exit code 10, not 0"):
        zkwm_cli.demo_story.demo(tmp_path / "demo", run=Stage("verify", 10), say=lambda _: None)


def test_a_command_that_is_interrupted(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        zkwm_cli.demo_story.demo(tmp_path / "demo", run=Stage("embed", 5), say=lambda _: None)


def test_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("keep me")
    with pytest.raises(UsageError, match=str(tmp_path)):
        zkwm_cli.demo_story.demo(tmp_path, run=Stage(), say=lambda _: None)


def test_folder_in_use_from_the_command_line(zkwm: Command, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("keep me")
    result = zkwm("demo", "--directory", tmp_path)
    assert (result.code, result.stdout) == (2, "")
    assert "zkwm: hint: choose another --directory" in result.stderr


def test_environment_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delenv("ZKWM_PASSPHRASE")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    said: list[str] = []
    zkwm_cli.demo_story.demo(tmp_path / "demo", run=Stage(), say=said.append)
    assert "$ export ZKWM_PASSPHRASE=only-a-demo" in said
    assert not any("OMP_NUM_THREADS" in line for line in said)
    assert "ZKWM_PASSPHRASE" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "2"


# A process's peak counts what it was before exec: this one is small, and has no other children.
PEAK = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "zkwm_cli", *sys.argv[2:]]).returncode
with open(sys.argv[1], "w") as peak:
    peak.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


@pytest.mark.slow
def test_the_real_tour(tmp_path: Path) -> None:
    """Real training on the bundled data: proven on the marked model and not on its twin."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "peak",
         "demo", "--directory", tmp_path / "demo", "--json"],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trigger_matches"] >= 198
    assert found["marked"]["outcome"] == "proven"
    assert found["unmarked"]["outcome"] == "not proven"
    assert found["marked_accuracy"] > 0.8
    assert (tmp_path / "demo" / "case.html").exists()
    assert int((tmp_path / "peak").read_text()) < 2 * 2**20  # KiB
