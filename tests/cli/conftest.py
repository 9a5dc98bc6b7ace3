"""A case in files, made once by the command line itself, and a way to run commands in-process.

Vaults and keys are made at the smallest cost that their format allows, so that opening one is
quick.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.case_files import (
    PASSPHRASE,
    Command,
    Endpoint,
    Files,
    Result,
    save_lookup,
    scores,
)
from tests.support.court import Court
from tests.support.json_outputs import require_schema
from zkwm.judge.key_file import read_judge_public
from zkwm.secret_files.encrypted import Cost
from zkwm_cli.main import main

CHEAP = Cost(operations=1, memory_kib=8 * 1024)


@pytest.fixture
def zkwm(capfd: pytest.CaptureFixture[str]) -> Command:
    """``zkwm("verify", "--json", ...)`` runs a command in this process and returns its Result.

    Whatever it prints with ``--json`` is checked against its schema.
    """

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        if "--json" in arguments and out:
            require_schema(json.loads(out))
        return Result(code, out, err)

    return run


@pytest.fixture
def process() -> Command:
    """As ``zkwm``, but in a process of its own, without a terminal; keywords go to subprocess."""

    def run(*arguments: object, **options: Any) -> Result:
        environment = {**os.environ, **options.pop("env", {})}
        done = subprocess.run(
            [sys.executable, "-m", "zkwm_cli", *map(str, arguments)],
            capture_output="stdout" not in options,
            start_new_session=True,
            env=environment,
            **{"timeout": 120, **options},
        )
        out = (done.stdout or b"").decode("utf-8", "replace")
        return Result(done.returncode, out, (done.stderr or b"").decode())

    return run


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase in the environment, and nobody to ask."""
    monkeypatch.setenv("ZKWM_PASSPHRASE", PASSPHRASE)
    monkeypatch.delenv("ZKWM_DEBUG", raising=False)
    monkeypatch.setattr("zkwm_cli.terminal.open_terminal", lambda: None)


@pytest.fixture(autouse=True, scope="module")
def _cheap_passphrases() -> Iterator[None]:
    """Commands make keys at the smallest cost; only in these tests, hence not for the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zkwm.secret_files.encrypted.DEFAULT_COST", CHEAP)
        yield


def _made(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="session")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A case from keys to proof, and the challenge of a second judge, made by the commands."""
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZKWM_PASSPHRASE", PASSPHRASE)
        patch.setattr("zkwm.secret_files.encrypted.DEFAULT_COST", CHEAP)
        patch.chdir(folder)
        _made("keygen", "--output", "acme.vault")
        _made("judge-key", "--output", "judge.key")
        _made(
            *("commit", "--vault", "acme.vault", "--generate", 200, "--family", "blocks"),
            *("--shape", "1,16,16", "--classes", 10, "--output", "acme.commitment"),
        )
    files = Files(folder, read_judge_public(folder / "judge.key.pub").fingerprint())
    images, labels = files.triggers()
    save_lookup(files.model, images, labels)
    save_lookup(files.innocent, images, (labels + 1) % 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZKWM_PASSPHRASE", PASSPHRASE)
        patch.setattr("zkwm.secret_files.encrypted.DEFAULT_COST", CHEAP)
        _made(
            *files.challenge_options(output=files.challenge, purpose="Acme v. Doe"),
        )
        _made("judge-key", "--output", folder / "second.key")
        _made(
            *files.challenge_options(
                judge=folder / "second.key", purpose="again", output=files.second_challenge
            ),
        )
        _made(
            *files.prove_options(output=files.proof, judge_fingerprint=files.judge_fingerprint),
        )
    return files


@pytest.fixture
def case(_original: Files, tmp_path: Path) -> Files:
    """A copy of the case that a test may spoil."""
    folder = tmp_path / "case"
    shutil.copytree(_original.folder, folder)
    return Files(folder, _original.judge_fingerprint)


@pytest.fixture
def court(zkwm: Command, case: Files) -> Court:
    """A court with that case."""
    return Court(zkwm, case)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr("zkwm.suspects.http_suspect.time.sleep", lambda _: None)


@pytest.fixture
def endpoint(case: Files, no_pauses: None) -> Iterator[Endpoint]:
    """The marked model behind HTTP; ``reply`` can be replaced (None keeps the asker waiting)."""
    images, labels = case.triggers()
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            pixels = base64.b64decode(json.loads(self.rfile.read(length))["image"])
            found.asked.append(pixels)
            found.headers.append(dict(self.headers))
            body = found.reply(found.table.get(pixels, sum(pixels) % 10))
            if body is None:
                released.wait(5)
                body = b""
            with contextlib.suppress(OSError):  # whoever asked may not have waited
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing where an asker hung up: a traceback on stderr would be taken for ours."""

    server = Server(("127.0.0.1", 0), Handler)
    found = Endpoint(
        f"http://127.0.0.1:{server.server_port}/model",
        {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)},
        scores,
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fresh(case: Files) -> Path:
    """A challenge of a second judge, whom the vault does not know."""
    return case.second_challenge
