"""registry: a log and a witness as processes; register, cosign, check, rebuild, end and go on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
import urllib3

from tests.support.case_files import Command
from zkwm.secret_files.encrypted import Cost
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm.transparency_log.witness_folder import WitnessFolder
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.receipt import Receipt
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tree import TreeHead
from zkwm_protocols.transparency.witness import EMPTY_TREE

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a long phrase"
KEY = SigningKey.generate()
LOG_KEY = TreeKey.generate(KeyKind.LOG, "log.example/1")


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", PASSPHRASE)


def iter_until(read: Callable[[], str], last: str) -> Iterator[str]:
    """Lines up to and with ``last``, or to the end."""
    while line := read():
        yield line
        if line == last:
            return


@contextmanager
def process(
    *arguments: object, program: str = "zkwm_cli"
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """``zkwm registry ...`` that does not end by itself, and what it says once it listens."""
    command = [sys.executable, "-m", program, "registry", *map(str, arguments), "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        said = "".join(iter_until(running.stdout.readline, "}\n"))
        try:
            yield running, json.loads(said)
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=30) in (0, -signal.SIGKILL)


def statement(number: int) -> SignedStatement:
    """A statement about a commitment."""
    return sign_statement(CommitmentStatement(bytes([number]) * 32), KEY)


def test_log_and_witness_from_init_to_rebuild(zkwm: Command, tmp_path: Path) -> None:
    log, witness = tmp_path / "log", tmp_path / "w1"
    made = zkwm("registry", "init", log, "--origin", "log.example/1", "--json").json
    keys = made["keys"]
    assert (log / "key.pub").read_text().split() == keys
    assert zkwm("registry", "init", log, "--origin", "log.example/1").code == 2
    kept = SeenCheckpoints(tmp_path / "seen")
    with ExitStack() as stack:
        listen = ("--listen", "127.0.0.1:0")
        _, of_witness = stack.enter_context(
            process("witness", witness, "--name", "w.example/1", "--log", log / "key.pub", *listen)
        )
        lines = [f"log {key}" for key in keys]
        lines += [f"witness w{i} {key} {of_witness['url']}"
                  for i, key in enumerate(of_witness["keys"])]  # fmt: skip
        text = "\n".join([*lines, "group both all w0 w1", "quorum both", ""])
        (log / "policy").write_text(text)
        policy = LogPolicy.from_bytes(text.encode())
        _, of_log = stack.enter_context(process("serve", log, *listen))
        client = LogClient(of_log["url"], policy, kept)
        stated = statement(1)
        done = client.register(stated.to_bytes(), wait_seconds=30)
        assert set(done.witnessed.witnesses) == {"w0", "w1"}
        leaf = leaf_hash(stated.to_bytes())
        receipt = Receipt.from_bytes(done.receipt)
        assert receipt.verify(leaf, stated.content.subject, policy.logs[0].key)
        with pytest.raises(CouldNotCheck, match="400"):
            client.register(stated.to_bytes()[:-1] + b"x")
        older = tmp_path / "older"
        older.write_bytes((log / "public/checkpoint").read_bytes())
        client.register(statement(2).to_bytes(), wait_seconds=30)
    check = ("registry", "check", log / "public", "--keys", log / "key.pub")
    found = zkwm(*check, "--older", older, "--json").json
    assert found["size"] == 2
    assert found["kinds"] == {"application/vnd.zkwm.commitment": 2}
    (log / "database.sqlite").unlink()
    assert zkwm("registry", "serve", log, "--listen", "127.0.0.1:0").code == 3
    assert zkwm("registry", "rebuild", log).code == 3
    assert zkwm("registry", "rebuild", log, "--adopt-checkpoint").code == 0
    tile = log / "public/tile/entries/000.p/2"
    tile.write_bytes(tile.read_bytes()[:-1] + b"x")
    assert zkwm(*check).code == 3


@pytest.mark.slow
def test_a_killed_log_goes_on(zkwm: Command, tmp_path: Path) -> None:
    log = tmp_path / "log"
    keys = zkwm("registry", "init", log, "--origin", "log.example/1", "--json").json["keys"]
    policy = LogPolicy.from_bytes(
        "".join(f"log {key}\n" for key in keys).encode() + b"quorum none\n"
    )
    with process("serve", log, "--listen", "127.0.0.1:0") as (running, said):
        LogClient(said["url"], policy).register(statement(1).to_bytes())
        running.kill()
    with process("serve", log, "--listen", "127.0.0.1:0") as (_, said):
        client = LogClient(said["url"], policy)
        assert client.register(statement(1).to_bytes()).proof.index == 0
        assert zkwm("registry", "rebuild", log).code == 3  # another process holds it
    shutil.rmtree(log)


@pytest.mark.parametrize("listen", ["8080", "host:", ":80", "host:99999"])
def test_an_address_that_is_none(zkwm: Command, tmp_path: Path, listen: str) -> None:
    result = zkwm("registry", "serve", tmp_path, "--listen", listen)
    assert result.code == 2
    assert "--listen is HOST:PORT" in result.stderr


def test_the_pages_of_a_service_name_its_address(zkwm: Command, tmp_path: Path) -> None:
    log, listen = tmp_path / "log", ("--listen", "127.0.0.1:0")
    assert zkwm("registry", "init", log, "--origin", "log.example/1", "--service").code == 0
    for url in ("registry.example", "ftp://x", "http://[", "https://x?y"):
        refused = zkwm("registry", "serve", log, "--url", url)
        assert (refused.code, "--url is the address" in refused.stderr) == (2, True), url
    with process("serve", log, *listen, "--url", "https://registry.example/") as (_, said):
        shown = urllib3.request("GET", said["url"] + "/log", headers={"accept": "text/html"})
    assert b"This page: <bdi>https://registry.example/log</bdi>" in shown.data
    assert b"log.example/1" in shown.data


@pytest.mark.slow
def test_a_witness_that_lost_its_memory_does_not_go_on(zkwm: Command, tmp_path: Path) -> None:
    zkwm("registry", "init", tmp_path / "log", "--origin", "log.example/1")
    public = tmp_path / "log/key.pub"
    arguments = ("witness", tmp_path / "w1", "--log", public, "--listen", "127.0.0.1:0")
    with process(*arguments, "--name", "w.example/1"):
        pass
    (tmp_path / "w1/witness.sqlite").unlink()
    result = zkwm("registry", *arguments)
    assert result.code == 3
    assert "make a new one (--name)" in result.stderr


def test_names_are_no_addresses(zkwm: Command, tmp_path: Path) -> None:
    """C2SP: an origin has no scheme. Nothing is left behind."""
    log = zkwm("registry", "init", tmp_path / "log", "--origin", "https://log.example/2027/")
    assert log.code == 2
    assert "name it log.example/2027" in log.stderr
    assert not (tmp_path / "log/key").exists()
    assert not (tmp_path / "log/public").exists()
    keys = tmp_path / "key.pub"
    keys.write_text("".join(f"{key.to_text()}\n" for key in LOG_KEY.verifiers))
    made = ("registry", "witness", tmp_path / "w1", "--log", keys, "--listen", "127.0.0.1:0")
    assert zkwm(*made, "--name", "http://w.example/1").code == 2
    assert not (tmp_path / "w1/key").exists()


def test_a_witness_whose_first_start_fails_leaves_no_key(zkwm: Command, tmp_path: Path) -> None:
    keys = tmp_path / "key.pub"
    keys.write_text("".join(f"{key.to_text()}\n" for key in LOG_KEY.verifiers))
    first = ("registry", "witness", tmp_path / "w1", "--name", "w.example/1")
    missing = zkwm(*first, "--log", tmp_path / "none.pub", "--listen", "127.0.0.1:0")
    assert missing.code != 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = zkwm(*first, "--log", keys, "--listen", address)
        assert result.code == 3
        assert f"cannot listen on {address}" in result.stderr
        assert "choose another port" in result.stderr
    assert not (tmp_path / "w1/key").exists()
    with process(*first[1:], "--log", keys, "--listen", "127.0.0.1:0") as (_, said):
        assert said["name"] == "w.example/1"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("serve", "nothing"), "there is no log in nothing"),
        (("rebuild", "nothing"), "there is no log in nothing"),
        (("witness", "nothing", "--log", __file__), "there is no witness in nothing"),
        (("evidence", "nothing", "--output", "evidence"), "there is no witness in nothing"),
    ],
)
def test_a_folder_that_is_none_is_named(
    zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...],
    said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    result = zkwm("registry", *command)
    assert result.code == 2
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_evidence_of_a_witness_is_written_and_inspected(zkwm: Command, tmp_path: Path) -> None:
    """A log that signed two trees of one size; a trust folder that names it verifies the file."""
    place = WitnessFolder(tmp_path / "w1")
    place.create("w.example/1", PASSPHRASE, cost=Cost(1, 8192))
    state = WitnessState(place.folder / "witness.sqlite")
    trees = [TreeHead(3, bytes([number]) * 32) for number in (1, 2)]
    assert state.advance(LOG_KEY.origin, EMPTY_TREE, trees[0], LOG_KEY.sign(trees[0]))
    state.keep_conflict(LOG_KEY.origin, LOG_KEY.sign(trees[1]))
    state.close()
    output = tmp_path / "evidence"
    found = zkwm("registry", "evidence", place.folder, "--output", output, "--json").json
    assert [one["origin"] for one in found["evidence"]] == [LOG_KEY.origin]
    file = output / found["evidence"][0]["file"]
    shown = zkwm("inspect", file, "--json").json
    assert shown["kind"] == "equivocation"
    assert shown["fields"]["first"] == {"size": 3, "root": "01" * 32}
    assert shown["checks"] == {"log.equivocation": "not checked"}
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "trust.toml").write_text("authorities_needed = 1\n")
    lines = [f"log {key.to_text()}" for key in LOG_KEY.verifiers]
    (trust / "log-policy").write_text("\n".join([*lines, "quorum none", ""]))
    by_trust = ("inspect", file, "--trust", trust, "--json")
    assert zkwm(*by_trust).json["checks"] == {"log.equivocation": "verified"}
    other = TreeKey.generate(KeyKind.LOG, LOG_KEY.origin)
    lines = [f"log {key.to_text()}" for key in other.verifiers]
    (trust / "log-policy").write_text("\n".join([*lines, "quorum none", ""]))
    assert zkwm(*by_trust).code == 3


def test_a_log_without_an_answer_of_its_witnesses_takes_what_a_person_allows(
    zkwm: Command, tmp_path: Path
) -> None:
    """Refused, then allowed by name; and no address registers more than its rate."""
    log = tmp_path / "log"
    keys = zkwm("registry", "init", log, "--origin", "log.example/1", "--json").json["keys"]
    witness = TreeKey.generate(KeyKind.WITNESS, "w.example/1").verifiers[0].to_text()
    lines = [f"log {key}" for key in keys]
    text = "\n".join([*lines, f"witness w {witness} http://127.0.0.1:9", "quorum w", ""])
    (log / "policy").write_text(text)
    policy = LogPolicy.from_bytes("\n".join([*lines, "quorum none", ""]).encode())
    serve = ("serve", log, "--listen", "127.0.0.1:0", "--rate", "0.1")
    with process(*serve) as (_, said):
        with pytest.raises(CouldNotCheck, match="503: this log takes no entries for now"):
            LogClient(said["url"], policy, patience=0).register(statement(1).to_bytes())
        assert LogClient(said["url"], policy).look().size == 0
    with process(*serve, "--without-witnesses") as (_, said):
        LogClient(said["url"], policy).register(statement(1).to_bytes())
        with pytest.raises(CouldNotCheck, match="429: too many registrations"):
            LogClient(said["url"], policy, patience=0).register(statement(2).to_bytes())


def test_an_earlier_database_is_refused_and_made_again(zkwm: Command, tmp_path: Path) -> None:
    log = tmp_path / "log"
    zkwm("registry", "init", log, "--origin", "log.example/1")
    with closing(sqlite3.connect(log / "database.sqlite")) as connection, connection:
        connection.execute("UPDATE zkwm_log_head SET version = 1")
    refused = zkwm("registry", "serve", log, "--listen", "127.0.0.1:0")
    assert refused.code == 3
    assert "has version 1" in refused.stderr
    assert "zkwm registry rebuild (--adopt-checkpoint)" in " ".join(refused.stderr.split())
    (log / "database.sqlite").rename(tmp_path / "away")
    assert zkwm("registry", "rebuild", log, "--adopt-checkpoint").code == 0
    with process("serve", log, "--listen", "127.0.0.1:0") as (_, said):
        assert said["size"] == 0


def test_whoever_checks_a_log_needs_no_library_of_an_extra(tmp_path: Path) -> None:
    LogFolder(tmp_path / "log").create("log.example/1", PASSPHRASE, cost=Cost(1, 8192))
    script = """
import sys
import time
for name in ("sqlalchemy", "fastapi", "uvicorn", "pydantic", "starlette"):
    sys.modules[name] = None
from zkwm_cli.main import main
sys.exit(main(["registry", "check", sys.argv[1] + "/public", "--keys", sys.argv[1] + "/key.pub"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")], cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (
        0, "log.example/1: 0 entries, all of the signed tree\n"
    ), done.stderr  # fmt: skip


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="a limit of another process: Linux")
def test_a_log_without_a_file_descriptor_goes_on_once_it_has_some(
    zkwm: Command, tmp_path: Path
) -> None:
    """Whatever the process cannot open, also in the middle of a batch; nobody starts it again."""
    log = tmp_path / "log"
    keys = zkwm("registry", "init", log, "--origin", "log.example/1", "--json").json["keys"]
    text = "".join(f"log {key}\n" for key in keys) + "quorum none\n"
    with process("serve", log, "--listen", "127.0.0.1:0") as (running, said):
        policy = LogPolicy.from_bytes(text.encode())
        client = LogClient(said["url"], policy, patience=0.0)
        client.register(statement(1).to_bytes())  # the connection is kept
        limit = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        lowest = max(int(path.name) for path in Path(f"/proc/{running.pid}/fd").iterdir())
        for left in range(4):
            few = lowest + 1 + left
            resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (few, limit[1]))
            with suppress(CouldNotCheck):
                client.register(statement(2 + left).to_bytes())
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, limit)
        until = time.monotonic() + 30
        while True:
            try:
                done = client.register(statement(99).to_bytes())
                break
            except CouldNotCheck:
                assert time.monotonic() < until
                assert running.poll() is None
                time.sleep(0.2)
        assert 1 <= done.proof.index <= 5
