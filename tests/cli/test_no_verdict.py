"""Broken installations, libraries that leave, folders that vanish: none of them is a verdict."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files, dispute_over

PROGRAM = [sys.executable, "-m", "zkwm_cli"]


@pytest.mark.parametrize("missing", ["click", "cbor2", "numpy", "zkwm_protocols", "zkwm"])
def test_a_broken_installation_is_no_verdict(case: Files, tmp_path: Path, missing: str) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / f"{missing}.py").write_text("raise ImportError('not installed')")
    path = os.pathsep.join([str(tmp_path / "broken"), *filter(None, sys.path)])
    done = subprocess.run(
        [*PROGRAM, *map(str, case.verify_options())],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    assert b"zkwm: error: " in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_exit_inside_of_a_library_is_no_verdict(case: Files) -> None:
    script = (
        "import sys, zkwm.judge.judge as judge\n"
        "code = int(sys.argv.pop())\n"
        "def leave(*_, **__): sys.exit(code)\n"
        "judge.Judge.verify = leave\n"
        "from zkwm_cli.start import run\n"
        "run()"
    )
    for code in ("0", "1", "10"):
        words = [sys.executable, "-c", script, *map(str, case.verify_options()), code]
        done = subprocess.run(words, capture_output=True, check=False)
        assert done.returncode == 3
        assert b"a library left with" in done.stderr


def test_a_report_into_a_folder_that_vanished(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zkwm_cli.commands import verify

    made = verify._verify
    folder = case.folder / "reports"

    def vanish(*arguments: object) -> object:
        shutil.rmtree(folder)
        return made(*arguments)

    monkeypatch.setattr(verify, "_verify", vanish)
    for model, expected in ((case.model, 0), (case.innocent, 10)):
        options = dispute_over(zkwm, case, model=model)
        for name in ("new.challenge", "new.proof"):
            (case.folder / name).rename(case.folder / f"{expected}-{name}")
        options = [str(part).replace("/new.", f"/{expected}-new.") for part in options]
        folder.mkdir()
        result = zkwm(*options, "--report", folder / "page.html", "--json")
        assert result.code == expected
        assert result.json["outcome"] == ("proven" if expected == 0 else "not proven")
        assert "the report was not written" in result.stderr
        assert "nothing was decided" not in result.stderr


def test_no_more_open_files_is_not_called_a_fault_of_stdout(
    zkwm: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", fail)
    result = zkwm("inspect", __file__, "--json")
    assert (result.code, result.json["exit_code"]) == (3, 3)
    assert "Too many open files" in result.stderr
    assert "standard output" not in result.stderr
