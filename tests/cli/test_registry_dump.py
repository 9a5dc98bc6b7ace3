"""A registry whose databases are on a PostgreSQL: dumped, copied and restored as documented."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_registry import ROOT, process
from tests.support.case_files import Command
from tests.support.dispute import Claimant, random_images
from tests.support.postgres import Server
from tests.support.registry_server import Caller, registration

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_labels")]
VARIABLE = "ZKWM_REGISTRY_DATABASE"


def documented(step: int) -> str:
    """The command of a step in docs/operations.md."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^{step}\. (?:To restore: )?`(pg_[^`]+)`", text, re.MULTILINE)
    return found


def run(command: str, folder: Path) -> None:
    subprocess.run(["bash", "-ec", command], cwd=folder, check=True, env=dict(os.environ))


def owners(*numbers: int) -> list[Claimant]:
    return [Claimant(random_images(50, seed=n), salt_seed=n) for n in numbers]


def test_a_dump_and_a_copy_are_the_registry_again(
    zkwm: Command, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged before the dump is there, and the log has what came until the copy."""
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", "a long phrase")
    live = server.own_database()
    monkeypatch.setenv(VARIABLE, live)
    log, before, between, after = tmp_path / "log", *owners(1, 2, 3)
    zkwm("registry", "init", log, "--origin", "log.example/1", "--service")
    scope = ("--scope", "register", "--scope", "claims")
    key = zkwm("registry", "add-key", log, "--holder", "market.example", *scope).stdout.strip()
    with process("serve", log, "--listen", "127.0.0.1:0") as (_, said):
        market = Caller(said["url"], key)
        assert market.post("/v1/commitments", registration(before)).status == 201
        run(documented(1), tmp_path)
        assert market.post("/v1/commitments", registration(between)).status == 201
        made = zkwm("registry", "backup", log, "--output", tmp_path / "copy", "--json")
        assert (made.json["size"], made.json["databases"]) == (2, [])
        assert market.post("/v1/commitments", registration(after)).status == 201

    monkeypatch.setenv(VARIABLE, server.own_database())
    run(documented(3), tmp_path)
    again = tmp_path / "again"
    with monkeypatch.context() as patch:
        patch.setenv(VARIABLE, live)
        ahead = zkwm("registry", "restore", tmp_path / "copy", again)
        assert (ahead.code, again.exists()) == (3, False)
    restored = zkwm("registry", "restore", tmp_path / "copy", again, "--json")
    assert restored.code == 0, restored.stderr
    with process("serve", again, "--listen", "127.0.0.1:0") as (_, said):
        market = Caller(said["url"], key)
        kept = market.get("/v1/commitments").json["commitments"]
        assert [one["digest"] for one in kept] == [before.commitment.digest.hex()]
        assert market.get("/v1/log").json["size"] == 2, "the signed tree is the copy's"
        found = market.get(f"/v1/entries?digest={between.commitment.digest.hex()}").json
        assert len(found["entries"]) == 1, "the index goes forward to it"
        answer = market.post("/v1/commitments", registration(between))
        assert (answer.status, answer.json["entry"]) == (201, 1), (
            "its statement is not logged again"
        )
    checked = zkwm("registry", "check", again / "public", "--keys", again / "key.pub", "--json")
    assert (checked.code, checked.json["size"]) == (0, 2)
