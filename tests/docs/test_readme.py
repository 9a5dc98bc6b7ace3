"""README is short, its figures are those of the results, and what it names exists."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT

README = ROOT / "README.md"
MOST_LINES = 130
FIGURES = 6


def test_it_is_short():
    assert len(README.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("script", ["docs_results.py", "docs_scale.py", "docs_speed.py"])
def test_figures_and_tables_are_what_the_results_say(script):
    script = ROOT / "benchmarks" / script
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_figure_names_its_file():
    text = README.read_text().partition("<!-- begin figures -->")[2]
    rows = text.partition("<!-- end figures -->")[0].strip().splitlines()[2:]
    assert len(rows) == FIGURES
    for row in rows:
        names = re.findall(r"\]\((benchmarks/results/[a-z_]+\.jsonl)\)", row)
        assert names, row
        assert all((ROOT / name).is_file() for name in names)


def test_every_command_of_the_tour_is_one():
    from zkwm_cli.main import COMMANDS

    named = set(re.findall(r"^zkwm ([a-z-]+)", README.read_text(), flags=re.M))
    assert len(named) >= 7
    assert named <= set(COMMANDS)


def test_every_make_target_that_is_named_exists():
    text = README.read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = {
        word for words in re.findall(r"^make ([a-z-]+)|`make ([a-z -]+)`", text, flags=re.M)
        for group in words for word in group.split()
    }  # fmt: skip
    assert {"demo", "test", "test-all", "lint", "types", "bench", "docs"} <= named
    assert named <= targets
