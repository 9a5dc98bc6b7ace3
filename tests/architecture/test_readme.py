"""README's figures are those of the benchmarks' results, and its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tables_are_what_the_results_say():
    script = ROOT / "benchmarks" / "readme.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_tour_is_one():
    from zkwm_cli.main import COMMANDS

    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"^zkwm ([a-z-]+)", text, flags=re.M))
    assert len(named) >= 8
    assert named <= set(COMMANDS)


def test_every_make_target_that_is_named_exists():
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = {
        word for words in re.findall(r"^make ([a-z]+)|`make ([a-z ]+)`", text, flags=re.M)
        for group in words for word in group.split()
    }  # fmt: skip
    assert {"demo", "test", "lint", "types", "bench"} <= named
    assert named <= targets
