"""Codes 0 and 10 are given only when the verdict was written whole; 1 never (SPEC.md 9.3).

What the operating system does to a process (closed, full and broken streams) is done here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")


def shell(line: str, arguments: list[str]) -> int:
    """The exit code of a shell line in which "$@" is a zkwm command."""
    command = [sys.executable, "-m", "zkwm_cli", *arguments]
    return subprocess.run(
        ["bash", "-c", line, "bash", *command], capture_output=True, check=False
    ).returncode


def options(case: Files, *, spoilt: bool = False) -> list[str]:
    """``zkwm verify`` of a case that is proven, or has a broken proof."""
    cut = case.folder / "cut.proof"
    if spoilt:
        cut.write_bytes(case.proof.read_bytes()[:5000])
    changes = {"proof": cut} if spoilt else {}
    return [str(part) for part in case.verify_options(**changes)]


@pytest.mark.slow
@needs_full
@pytest.mark.parametrize(
    "line",
    [
        'cat /dev/null; "$@" >/dev/full 2>/dev/full',
        '"$@" >&-',
        '"$@" >&- 2>&-',
        '"$@" >/dev/full',
    ],
)
def test_a_verdict_that_cannot_be_written_is_none(case: Files, line: str) -> None:
    assert shell(line, options(case)) == 3


@needs_full
@pytest.mark.parametrize("line", ['"$@" 2>/dev/full', '"$@" 2>&-'])
def test_stderr_that_nobody_reads_changes_nothing(case: Files, line: str) -> None:
    assert shell(line, options(case)) == 0


@needs_full
@pytest.mark.parametrize(
    "line", ['"$@" 2>/dev/full >/dev/null', '"$@" 2>&1 >/dev/null | true; exit ${PIPESTATUS[0]}']
)
def test_a_broken_proof_is_no_verdict_whatever_stderr_is(case: Files, line: str) -> None:
    assert shell(line, options(case, spoilt=True)) == 3


@needs_full
def test_a_usage_error_is_one_without_stderr() -> None:
    assert shell('"$@" 2>/dev/full', ["verify"]) == 2


def test_a_report_that_cannot_be_written_changes_no_outcome(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("zkwm.report.render_report", fail)
    result = zkwm(*case.verify_options(report=case.folder / "page.html"), "--json")
    assert result.code == 0
    assert result.json["outcome"] == "proven"
    assert "the report was not written" in result.stderr
    assert "the verdict above stands" in result.stderr
    assert "nothing was decided" not in result.stderr
    assert not (case.folder / "page.html").exists()
