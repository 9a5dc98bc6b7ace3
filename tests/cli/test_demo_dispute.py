"""demo --dispute: its authority, its story with stand-ins, and once with real commands."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import zkwm_cli.demo_dispute
from tests.support.case_files import Command
from tests.support.trust_folders import write_trust
from zkwm.disputes.case_file import read_case
from zkwm.trust_folder import read_trust
from zkwm_cli.demo_authority import POLICY, DemoAuthority
from zkwm_cli.demo_servers import DemoLog
from zkwm_cli.demo_story import Story
from zkwm_protocols.errors import CouldNotCheck, Malformed, ZkwmError
from zkwm_protocols.keys import BoxKey, JudgePublic, SigningKey
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.timestamps.request import make_request, token_of_response
from zkwm_protocols.timestamps.verification import verify_with_any

DISPUTE = {
    "outcome": "supported",
    "reason": "acme's mark",
    "claims": [{"mark": "acme", "model": "doe-model", "standing": "counts"}],
}


class Stage:
    """Pretends to run commands, and makes the files that the story reads."""

    def __init__(self, failing: str = "") -> None:
        self.lines: list[list[str]] = []
        self._failing = failing

    def __call__(self, arguments: list[str]) -> tuple[int, str]:
        self.lines.append(arguments)
        if arguments[0] == self._failing:
            return 3, ""
        if arguments[0] == "judge-key":
            public = JudgePublic(SigningKey.generate().public, BoxKey.generate().public)
            Path("judge.key.pub").write_bytes(public.to_bytes())
        if arguments[0] == "verify":
            return (10 if "doe-in-acme-model.proof" in arguments else 0), "{}"
        if arguments[0] == "dispute":
            read_case("CASE.yaml")
            read_trust("trust")
            return 0, json.dumps(DISPUTE)
        return 0, ""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is started, and nobody waits until a second is over."""

    @contextmanager
    def nobody(*_: object) -> Iterator[DemoLog]:
        yield DemoLog("http://127.0.0.1:1", "quorum none\n")

    monkeypatch.setattr("zkwm_cli.demo_dispute.log_and_witness", nobody)
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("quick")
def test_the_story(tmp_path: Path) -> None:
    stage, said = Stage(), []
    result = zkwm_cli.demo_dispute.dispute_demo(tmp_path / "demo", run=stage, say=said.append)
    assert [line[0] for line in stage.lines] == [
        "judge-key", "keygen", "commit", "register", "embed", "keygen", "commit", "embed",
        "register", *(3 * ("challenge", "prove", "verify")), "dispute", "inspect",
    ]  # fmt: skip
    summary = "\n".join(result.summary())
    assert "The dispute: supported (acme's mark)." in summary
    assert "dispute.html" in summary
    assert result.to_json()["schema"] == "zkwm/demo-dispute/v1"


def test_a_server_is_shown_as_one_types_it() -> None:
    said: list[str] = []
    Story(run=Stage(), say=said.append).show("zkwm", "registry", "serve", "log", beside=True)
    assert said == ["$ zkwm registry serve log &"]


@pytest.mark.usefixtures("quick")
def test_a_command_that_fails(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck, match="zkwm register ended with exit code 3, not 0"):
        zkwm_cli.demo_dispute.dispute_demo(
            tmp_path / "demo", run=Stage("register"), say=lambda _: None
        )


def test_its_authority_gives_tokens_that_verify_strictly() -> None:
    """By both readers; only where somebody trusts the root of this very run."""
    digest, nonce = hashlib.sha256(b"D").digest(), bytes(range(1, 17))

    def trusted(one: DemoAuthority) -> tuple[TimestampAuthority, ...]:
        root = x509.load_pem_x509_certificate(one.root).public_bytes(Encoding.DER)
        return (TimestampAuthority("demo", (root,), (POLICY,), demand_revocation=True),)

    with closing(DemoAuthority()) as authority, closing(DemoAuthority()) as another:
        token = token_of_response(authority.reply(make_request(digest, nonce)))
        evidence = TimestampEvidence(token, nonce, crls=(authority.revoked,))
        found = verify_with_any(evidence, digest, trusted(authority))
        assert found.accuracy == 1_000_000
        for bad in (
            lambda: verify_with_any(evidence, bytes(32), trusted(authority)),
            lambda: verify_with_any(evidence, digest, trusted(another)),
            lambda: verify_with_any(replace(evidence, crls=()), digest, trusted(authority)),
        ):
            with pytest.raises(ZkwmError):
                bad()
        with pytest.raises(Malformed):
            authority.reply(b"no request")


def test_register_asks_it_over_http(zkwm: Command, tmp_path: Path) -> None:
    vault, commitment = tmp_path / "a.vault", tmp_path / "a.commitment"
    assert zkwm("keygen", "--output", vault).code == 0
    made = zkwm(
        *("commit", "--vault", vault, "--generate", 50, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", commitment),
    )
    assert made.code == 0, made.stderr
    authority = DemoAuthority()
    trust = write_trust(tmp_path / "trust", {"demo": (authority.root,)})
    with authority.serving() as url:
        done = zkwm(
            *("register", "--vault", vault, "--commitment", commitment, "--tsa", url),
            *("--trust", trust, "--output", tmp_path / "a.registered", "--json"),
        )
    assert done.code == 0, done.stderr
    assert done.json["timestamps"] == 1
    assert "warning" not in done.stderr, "its list of revoked certificates was had"


ENDED_BY_A_SIGNAL = """
import subprocess, sys, time
from zkwm_cli.demo_servers import log_and_witness
from zkwm_cli.demo_story import Story

def run(words):
    command = [sys.executable, "-m", "zkwm_cli", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout

with log_and_witness(Story(run, lambda text: None), "demo-signal.invalid") as log:
    print(log.url, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_its_servers_end_with_it_when_a_signal_ends_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDED_BY_A_SIGNAL], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "ZKWM_REGISTRY_PASSPHRASE": "of a test"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10):
            pass
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=10)
