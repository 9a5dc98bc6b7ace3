"""Processes that hold secrets: no core dump, no debugger, no passphrase for children."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.support.case_files import PASSPHRASE, Command, Files

PROBE = """
import ctypes, json, os, resource, sys
import zkwm_cli.main as main
def probe(arguments):
    code = main.program.main(arguments, standalone_mode=False)
    child = os.popen("env | grep -c PASSPHRASE").read().strip()
    print(json.dumps([resource.getrlimit(resource.RLIMIT_CORE)[0],
                      ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), child]))
    return code or 0
main.main = probe
main.run()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_an_owner_and_a_judge_leave_nothing_behind(case: Files) -> None:
    proved = case.prove_options(judge_fingerprint=case.judge_fingerprint)
    for arguments in (proved, case.verify_options()):
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *map(str, arguments)],
            env={
                **os.environ,
                "ZKWM_PASSPHRASE": PASSPHRASE,
                "ZKWM_OWNER_PASSPHRASE": PASSPHRASE,
                "ZKWM_JUDGE_PASSPHRASE": PASSPHRASE,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout.splitlines()[-1]) == [0, 0, "0"]


def test_a_lost_public_key_is_written_again(zkwm: Command, case: Files) -> None:
    before = case.public.read_bytes()
    case.public.unlink()
    result = zkwm("judge-key", "--public", "--output", case.judge)
    assert (result.code, result.stdout.strip()) == (0, case.judge_fingerprint)
    assert case.public.read_bytes() == before
    assert zkwm("judge-key", "--public", "--output", case.judge).code == 2


def test_a_challenge_from_a_far_year_is_shown(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm.judge.frame.time", SimpleNamespace(time=lambda: 2.0**40))
    made = zkwm(*case.challenge_options())
    assert made.code == 0, made.stderr
    result = zkwm(*case.prove_options(challenge=case.folder / "new.challenge"), "--again")
    assert result.code == 0, result.stderr
    assert "seconds after 1970" in result.stderr
