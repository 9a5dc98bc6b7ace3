"""Eight desks on one database, killed at random: nothing that was acknowledged is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dispute import TestJudge
from tests.support.killed_desks import examine, write_key

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost(
    location: str, tmp_path: Path, judge: TestJudge
) -> None:
    folder = tmp_path / "acknowledged"
    folder.mkdir()
    write_key(folder / "key", judge.key)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_desks", location, folder, "8", "8"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = examine(location, folder)
    assert (found["lost"], found["faults"]) == ([], [])
    assert set(found["told"]) == {"register", "challenge", "answer", "opened", "verdict"}
    assert found["numbers"] == sorted(set(found["numbers"]))  # no j was given to two functions
