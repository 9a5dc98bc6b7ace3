"""examples/timestamp_authority.py: a commitment is dated by the commands of the docs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.case_files import Command
from tests.support.timestamp_authority import needs_openssl

SCRIPT = Path(__file__).parents[2] / "examples/timestamp_authority.py"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A new authority in a process of its own."""
    command = [sys.executable, str(SCRIPT), str(tmp_path / "tsa"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[2].rstrip(";")
        finally:
            process.terminate()


@needs_openssl
def test_an_authority_of_ones_own_dates_a_commitment(
    zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "trust/authorities/own"
    own.mkdir(parents=True)
    (own / "root.pem").write_bytes((tmp_path / "tsa/root.pem").read_bytes())
    (own / "authority.toml").write_text(
        'policies = ["1.3.6.1.4.1.57264.1"]\ndemand_revocation = false\n'
    )
    (tmp_path / "trust/trust.toml").write_text("authorities_needed = 1\n")
    assert zkwm("keygen", "--output", "acme.vault").code == 0
    made = zkwm(
        *("commit", "--vault", "acme.vault", "--generate", 200, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", "acme.commitment"),
    )
    assert made.code == 0, made.stderr
    done = zkwm(
        *("register", "--vault", "acme.vault", "--commitment", "acme.commitment", "--tsa", url),
        *("--trust", "trust/", "--output", "acme.commitment", "--force", "--json"),
    )
    assert done.code == 0, done.stderr
    assert done.json["added"][0]["trusted"]
    shown = zkwm("inspect", "acme.commitment", "--trust", "trust", "--json")
    assert shown.json["checks"]["commitment.timestamp"] == "verified"
    assert shown.json["fields"]["existed_by"] is not None
    assert (tmp_path / "tsa").stat().st_mode & 0o77 == 0
