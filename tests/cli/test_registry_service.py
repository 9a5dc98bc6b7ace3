"""registry init --service, add-key, serve: a registry as a process, and keys that come and go."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.cli.test_registry import process
from tests.support.case_files import Command
from tests.support.dispute import Claimant, random_images
from tests.support.own_receivers import PROGRAM
from tests.support.registry_server import Caller, registration
from tests.support.webhook_receiver import receiving
from zkwm.registry_service.signed_delivery import Secret, verify

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", "a long phrase")
    monkeypatch.setenv("ZKWM_JUDGE_PASSPHRASE", "the judge's long phrase")


def test_a_registry_from_init_to_a_revoked_key(zkwm: Command, tmp_path: Path) -> None:
    """With a webhook: from the API to a receiver, signed with the secret that was shown once."""
    log, owner = tmp_path / "log", Claimant(random_images(50))
    assert zkwm("registry", "init", log, "--origin", "log.example/1", "--service").code == 0
    assert (log / "service" / "judges").is_dir()
    judge = zkwm("judge-key", "-o", tmp_path / "judge", "--json")
    shutil.copy(tmp_path / "judge.pub", log / "service" / "judges")
    scope = ("--scope", "register", "--scope", "claims")
    made = zkwm("registry", "add-key", log, "--holder", "market.example", *scope)
    (text,) = made.stdout.split()
    assert text not in made.stderr
    assert stat.S_IMODE((log / "service" / "registry.sqlite").stat().st_mode) == 0o600
    (log / "service" / "trust").mkdir()
    (log / "service" / "trust" / "trust.toml").write_text("authorities_needed = 1\n")
    serve = ("serve", log, "--listen", "127.0.0.1:0")
    with receiving() as receiver, process(*serve, program=PROGRAM) as (_, said):
        market = Caller(said["url"], text)
        wanted = {"url": receiver.url, "kinds": ["commitment.registered"]}
        secret = Secret.from_text(market.post("/v1/webhooks", wanted).json["secret"])
        answer = market.post("/v1/commitments", registration(owner))
        assert answer.status == 201, answer.body
        assert market.get("/v1/judges").json["judges"] == [judge.json["fingerprint"]]
        page = market.get("/")
        assert (page.status, page.headers["content-type"][:9]) == (200, "text/html")
        (key,) = zkwm("registry", "list-keys", log, "--json").json["keys"]
        assert (key["holder"], key["scopes"]) == ("market.example", ["register", "claims"])
        revoked = zkwm("registry", "revoke-key", log, key["id"], "--json").json
        assert revoked["revoked"] is not None
        assert market.post("/v1/commitments", registration(owner)).status == 401
        message = receiver.wait_for(1)
    assert verify(secret, *message)
    value = json.loads(message[1])
    assert (value["type"], value["data"]["subject"], value["data"]["entry"]) == (
        "commitment.registered", owner.commitment.digest.hex(), 0,
    )  # fmt: skip
    shown = zkwm("registry", "list-keys", log)
    assert shown.stdout.split() == [key["id"], "market.example", "register,claims", "revoked"]
    assert text.split("_", 2)[2] not in shown.stdout
    with process("serve", log, "--listen", "127.0.0.1:0") as (_, said):
        assert json.loads(Caller(said["url"]).get("/v1/commitments").body)["commitments"]


def test_a_trust_folder_that_is_none_is_told_at_the_start(zkwm: Command, tmp_path: Path) -> None:
    log = tmp_path / "log"
    zkwm("registry", "init", log, "--origin", "log.example/1", "--service")
    (log / "service" / "trust").mkdir()
    refused = zkwm("registry", "serve", log)
    assert (refused.code, "service/trust is no trust folder" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--scope", "everything", "--holder", "x"), "one of register, claims, answer, decide"),
        (("--scope", "claims", "--holder", ""), "printable characters"),
        (("--scope", "claims", "--holder", "x", "--per-minute", "0"), "requests in a minute"),
        (("--holder", "x"), "--scope"),
    ],
)
def test_what_is_no_key(
    zkwm: Command, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "service" / "judges").mkdir(parents=True)
    refused = zkwm("registry", "add-key", tmp_path, *arguments)
    assert (refused.code, told in refused.stderr) == (2, True)
    assert zkwm("registry", "list-keys", tmp_path, "--json").json["keys"] == []


def test_a_log_without_a_service_says_how_to_get_one(zkwm: Command, tmp_path: Path) -> None:
    log = tmp_path / "log"
    zkwm("registry", "init", log, "--origin", "log.example/1")
    for words in (("add-key", log, "--holder", "x", "--scope", "claims"), ("list-keys", log),
                  ("revoke-key", log, "0" * 16)):  # fmt: skip
        refused = zkwm("registry", *words)
        assert (refused.code, f"mkdir -p {log}/service/judges" in refused.stderr) == (2, True)
    (log / "service" / "judges").mkdir(parents=True)
    assert zkwm("registry", "list-keys", log).code == 0
    gone = zkwm("registry", "revoke-key", log, "0" * 16)
    assert (gone.code, "list-keys" in gone.stderr) == (2, True)


def test_a_forgotten_database_is_not_made_anew(
    zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a PostgreSQL: a key went into a new file that nobody serves."""
    log = tmp_path / "log"
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", "a long phrase")
    assert zkwm("registry", "init", log, "--origin", "log.example/1", "--service").code == 0
    (log / "database.sqlite").unlink()  # as where it is on a server
    for command in (
        ("add-key", log, "--holder", "market.example", "--scope", "register"),
        ("list-keys", log),
        ("serve", log, "--listen", "127.0.0.1:0"),
    ):
        refused = zkwm("registry", *command)
        assert refused.code == 3, command
        assert "ZKWM_REGISTRY_DATABASE" in refused.stderr
    assert not list(log.rglob("*.sqlite"))
