"""A long command says what it does before anything that takes long is begun.

No clock: the process ends itself where the first large library is imported, or the first process
is started, and until then it has used less processor time than a second.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.case_files import PASSPHRASE, Files
from zkwm_protocols.argument_response import ArgumentResponse

LARGE = ("torch", "numba", "scipy", "onnx", "onnxruntime", "matplotlib")
UNTIL_LARGE = f"""
import os, resource, sys
def end():
    used = resource.getrusage(resource.RUSAGE_SELF)
    os.write(1, str(used.ru_utime + used.ru_stime).encode())
    os._exit(77)
class Large:
    def find_spec(self, name, path=None, target=None):
        if name in {LARGE!r}:
            end()
sys.meta_path.insert(0, Large())
sys.addaudithook(lambda event, _: end() if event == "subprocess.Popen" else None)
sys.argv[0] = "zkwm"
from zkwm_cli.start import run
run()
"""
MOST_SECONDS = 1.0
"""Of a processor, in which the command starts and says its first line: 0.1 to 0.5 are used."""


def first_line(*arguments: object, terminal: bool = False) -> str:
    """What a command says on stderr before it imports a large library or starts a process."""
    command = [sys.executable, "-c", UNTIL_LARGE, *map(str, arguments)]
    ours, theirs = os.openpty() if terminal else os.pipe()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "ZKWM_PASSPHRASE": PASSPHRASE},
        start_new_session=True,
        timeout=120,
        check=False,
    )
    os.set_blocking(ours, False)
    try:
        said = os.read(ours, 10_000).decode()
    except BlockingIOError:
        said = ""
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 77, said
    assert float(done.stdout) < MOST_SECONDS
    whole = re.sub(r"\r?\n +", " ", said)  # a terminal has it in lines of its width
    return whole.splitlines()[0] if said else ""


@pytest.mark.parametrize("terminal", [False, True])
def test_embed(tmp_path: Path, terminal: bool) -> None:
    said = first_line(
        *("embed", "--unmarked", "--architecture", "lenet5", "--data", "fashion-mnist-small"),
        *("--output", tmp_path / "model"),
        terminal=terminal,
    )
    assert said == "training lenet5 on fashion-mnist-small"


def test_demo(tmp_path: Path) -> None:
    said = first_line("demo", "--directory", tmp_path / "demo")
    assert said == "a whole dispute, training included: a minute or two"


def test_evaluate(tmp_path: Path) -> None:
    said = first_line("evaluate", "grid.yaml", "--output", tmp_path / "grid")
    assert said == f"measuring what grid.yaml asks for; results go to {tmp_path}/grid"


def test_quantize(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"any bytes")
    said = first_line("quantize", tmp_path / "m.onnx", "--output", tmp_path / "n")
    assert said == f"reading {tmp_path}/m.onnx and making its integer network"


@pytest.mark.parametrize("terminal", [False, True])
def test_challenge(case: Files, terminal: bool) -> None:
    said = first_line(
        *("challenge", "--zero-knowledge", "--commitment", case.commitment, "--model", case.model),
        *("--judge", case.judge, "--output", case.folder / "new.challenge"),
        terminal=terminal,
    )
    assert said == f"making the integer network of {case.model}, and comparing it with the file"


@pytest.mark.parametrize("terminal", [False, True])
def test_verify_of_an_argument(case: Files, terminal: bool) -> None:
    proof = case.folder / "argued.proof"
    argued = ArgumentResponse(
        challenge=bytes(32), commitment=bytes(32), blocks=(0,), labels=None, argument=b"any",
        signatures=(bytes(64),),
    )  # fmt: skip
    proof.write_bytes(argued.to_bytes())
    said = first_line(*case.verify_options(proof=proof), terminal=terminal)
    assert said == (f"checking an argument about {case.model}: integer network, agreement, proof")


@pytest.mark.parametrize("terminal", [False, True])
def test_check(case: Files, terminal: bool) -> None:
    said = first_line(
        *("check", "--vault", case.vault, "--commitment", case.commitment, "--model", case.model),
        terminal=terminal,
    )
    expected = f"asking {case.model} your own triggers, here: nothing leaves or is recorded"
    assert said == expected


def test_verify_of_an_opening_is_over_before_a_line_is_needed(case: Files) -> None:
    assert first_line(*case.verify_options()) == ""
