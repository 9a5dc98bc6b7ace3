"""What a judge needs works with the base install alone: no library of an extra is there.

A folder of modules that cannot be imported stands before everything else on the path, also of the
processes that run ONNX files. The argument is made beforehand, with everything installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.argued import save_linear
from tests.support.case_files import save_lookup
from zkwm.extras import EXTRAS
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import create_judge_key
from zkwm.owner.commit import commit, trigger_set
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.secret_files.encrypted import Cost
from zkwm.suspects import open_suspect

PASSPHRASE = "five words for the tests"
SHAPE = (1, 16, 16)
CHEAP = Cost(operations=1, memory_kib=8 * 1024)

DISPUTE = """
import json, sys
from pathlib import Path
from zkwm_cli.main import main

def run(expected, *arguments):
    code = main([str(argument) for argument in arguments])
    assert code == expected, (arguments, code)

folder = Path(sys.argv[1])
vault, key = folder / "acme.vault", folder / "judge.key"
about = ["--commitment", folder / "acme.commitment"]
run(0, "keygen", "--output", folder / "new.vault")
run(0, "judge-key", "--output", folder / "new.key")
run(0, "commit", "--vault", folder / "new.vault", "--generate", 50, "--family", "secret",
    "--shape", "1,28,28", "--classes", 10, "--output", folder / "new.commitment")
for name in ("new.commitment", "judge.key.pub", "argued.challenge", "argued.proof"):
    run(0, "inspect", folder / name)
for name, expected in (("marked", 0), ("innocent", 10)):
    case, model = folder / name, folder / f"{name}.onnx"
    run(0, "challenge", *about, "--model", model, "--reveal", 50, "--judge", f"{key}.pub",
        "--output", f"{case}.challenge")
    run(0, "prove", "--vault", vault, *about, "--challenge", f"{case}.challenge",
        "--judge-fingerprint", sys.argv[2], "--output", f"{case}.proof")
    run(expected, "verify", *about, "--model", model, "--challenge", f"{case}.challenge",
        "--proof", f"{case}.proof", "--judge", key, "--report", f"{case}.html")
    assert "</html>" in Path(f"{case}.html").read_text()
run(0, "challenge", *about, "--model", folder / "linear.onnx", "--zero-knowledge",
    "--blocks", 1, "--judge", f"{key}.pub", "--output", folder / "again.challenge")
run(0, "verify", *about, "--model", folder / "linear.onnx",
    "--challenge", folder / "argued.challenge", "--proof", folder / "argued.proof",
    "--judge", key, "--report", folder / "argued.html")
run(3, "verify", *about, "--model", folder / "marked.onnx",
    "--challenge", folder / "argued.challenge", "--proof", folder / "argued.proof",
    "--judge", key)
"""

ENDPOINT = """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
import numpy as np
import zkwm

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "19")
        self.end_headers()
        self.wfile.write(b'{"scores": [0, 9] }')

server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
suspect = zkwm.open_suspect(url, shape=(1, 2, 2))
answers = suspect.answer(np.zeros((2, 1, 2, 2), np.uint8), zkwm.Preprocessing())
assert [answer.output for answer in answers] == [1, 1]
suspect.close()
server.shutdown()
"""

MISSING = """
import sys
import zkwm

def missing(extra, function):
    try:
        function()
    except zkwm.UsageError as error:
        assert error.hint == f"pip install 'zkwm[{extra}]'", error.hint
    else:
        raise AssertionError(extra)

for name in ("embed", "build_model", "load_model", "save_model"):
    missing("train", lambda: getattr(zkwm, name))
missing("train", lambda: zkwm.open_suspect("model.safetensors", shape=(1, 2, 2)))
missing("train", lambda: zkwm.open_suspect(
    "model", shape=(1, 1, 32), extraction=zkwm.ExtractionSettings("uchida")))
from zkwm.watermarks import make_watermark
missing("train", lambda: make_watermark("uchida"))
from zkwm.owner.prove import prove
vault = zkwm.Vault.open(sys.argv[1] + "/acme.vault", "five words for the tests")
commitment = zkwm.Commitment.from_bytes(open(sys.argv[1] + "/acme.commitment", "rb").read())
challenge = zkwm.Challenge.from_bytes(open(sys.argv[1] + "/unanswered.challenge", "rb").read())
missing("prove", lambda: prove(vault, commitment, challenge, judge_fingerprint=sys.argv[2],
                               model=sys.argv[1] + "/linear.onnx"))
"""

COMMANDS = """
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from zkwm_cli.main import main

def run(line):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(line.split())
    return code, out.getvalue(), err.getvalue().splitlines()

OWNER = "--vault acme.vault --commitment acme.commitment"
LENET = "--architecture lenet5 --data fashion-mnist-small"
for extra, line in (
    ("train", f"embed {OWNER} {LENET}"),
    ("train", f"embed {OWNER} {LENET} --watermark uchida"),
    ("train", f"commit --vault acme.vault {LENET} --watermark uchida"),
    ("train", "challenge --commitment acme.commitment --model linear.onnx --watermark uchida"
              " --reveal 50 --judge judge.key"),
    ("prove", f"prove {OWNER} --challenge unanswered.challenge --zero-knowledge"
              " --model linear.onnx --yes"),
    ("evaluate", "evaluate grid.yaml"),
):
    code, out, err = run(f"{line} --output made")
    assert (code, out) == (2, ""), (line, code, out, err)
    assert err[-2].startswith("zkwm: error: "), err
    assert err[-1] == f"zkwm: hint: pip install 'zkwm[{extra}]'", (line, err)
    assert not Path("made").exists()
for line in ("demo --directory made", "evaluate --list"):
    code, out, err = run(line)
    assert (code, out) == (2, ""), (line, code, out, err)
    assert err[-2].startswith("zkwm: error: "), err
    assert err[-1].startswith("zkwm: hint: pip install 'zkwm["), err
assert run("quantize linear.onnx --output linear.zknet")[0] == 0
"""


@pytest.fixture(scope="module")
def base_install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the path, whose modules are as if they were not installed."""
    folder = tmp_path_factory.mktemp("base_install")
    for name in EXTRAS:
        text = f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')\n"
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The files of a dispute with an argument, and the judge's fingerprint."""
    folder = tmp_path_factory.mktemp("case")
    vault = Vault.create(folder / "acme.vault", PASSPHRASE, cost=CHEAP)
    judge = Judge(create_judge_key(folder / "judge.key", PASSPHRASE, cost=CHEAP))
    commitment = commit(vault, class_count=10, shape=SHAPE, generate_count=200, family="blocks")
    triggers = trigger_set(vault, commitment)
    (folder / "acme.commitment").write_bytes(commitment.to_bytes())
    save_linear(folder / "linear.onnx", triggers.images, triggers.labels)
    save_lookup(folder / "marked.onnx", triggers.images, triggers.labels)
    save_lookup(folder / "innocent.onnx", triggers.images, (triggers.labels + 1) % 10)
    suspect = open_suspect(folder / "linear.onnx", shape=SHAPE)
    fingerprint = judge.public.fingerprint()
    for name in ("argued", "unanswered"):
        challenge = judge.challenge_argument(commitment, suspect, blocks=1)
        (folder / f"{name}.challenge").write_bytes(challenge.to_bytes())
        if name == "argued":
            proof = prove(
                vault,
                commitment,
                challenge,
                judge_fingerprint=fingerprint,
                model=folder / "linear.onnx",
            )
            (folder / "argued.proof").write_bytes(proof.to_bytes())
    suspect.close()
    return folder, fingerprint


def run_light(program: str, base_install: Path, *arguments: object) -> None:
    """Run a program in a process that has the base install alone."""
    path = os.pathsep.join([str(base_install), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        # a wheel with the kernels from C needs no extra to prove; one without them does
        env={
            **os.environ,
            "PYTHONPATH": path,
            "ZKWM_PASSPHRASE": PASSPHRASE,
            "ZKWM_KERNELS": "numba",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("library", EXTRAS)
def test_the_folder_hides_what_is_installed(base_install: Path, library: str) -> None:
    program = f"""
try:
    import {library}
except ModuleNotFoundError as error:
    assert error.name == {library!r}
else:
    raise AssertionError
"""
    run_light(program, base_install)


def test_a_whole_dispute_by_commands(base_install: Path, case: tuple[Path, str]) -> None:
    """Keys, commitment, challenges, openings, both verdicts of openings, and an argument."""
    run_light(DISPUTE, base_install, *case)


def test_an_endpoint_answers(base_install: Path) -> None:
    run_light(ENDPOINT, base_install)


def test_what_is_missing_is_named(base_install: Path, case: tuple[Path, str]) -> None:
    run_light(MISSING, base_install, *case)


def test_a_command_that_needs_an_extra_names_it(
    base_install: Path, case: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case[0])
    run_light(COMMANDS, base_install)
