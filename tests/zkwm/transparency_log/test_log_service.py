"""A log over HTTP: register, prove, read, refuse; many clients; a disk that fails under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import event

from tests.support.log_server import KEY, POLICY, Served, served
from tests.support.logs import contents, entries, memory_folder, opened_with
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.proof_file import ProofFile


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


@pytest.fixture
def running_log(folder: Path) -> Iterator[Served]:
    with served(folder / "log") as log:
        yield log


def get(url: str, method: str = "GET", **more: object) -> urllib3.BaseHTTPResponse:
    """One request."""
    return urllib3.request(method, url, retries=False, timeout=20, **more)


def test_a_client_registers_and_verifies(folder: Path, running_log: Served) -> None:
    client = LogClient(running_log.url, POLICY, SeenCheckpoints(folder / "seen"))
    one, two = entries(0, 2)
    first = client.register(one.data)
    assert first.proof.index == 0
    assert first.receipt == b"0 of 1 by 0"
    assert client.register(two.data).proof.index == 1
    assert client.register(one.data).proof.index == 0  # the same statement, its first index
    assert running_log.log.row.size == 2
    assert client.verify(two.data, client.proof(two.subject, "A-KEY")).log.key == KEY.verifiers[0]
    with pytest.raises(InvalidLogProof):
        client.verify(one.data, client.proof(two.subject, "A-KEY"))
    with pytest.raises(CouldNotCheck, match="404"):
        client.proof(bytes(32), "A-KEY")
    with pytest.raises(CouldNotCheck, match="400: no entry of a test"):
        client.register(b"something else")
    assert client.look().size == 2


def test_many_clients_at_once_share_trees(running_log: Served) -> None:
    chosen = entries(0, 300)

    def register(number: int) -> int:
        client = LogClient(running_log.url, POLICY)
        return client.register(chosen[number].data).proof.index

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(register, [*range(300), *range(50)]))
    assert sorted(found[:300]) == list(range(300))
    assert found[300:] == found[:50]
    held = contents(running_log.log)
    assert [held[at] for at in found[:300]] == [entry.data for entry in chosen]
    commits = [name for operation, name in running_log.disk.done if operation == "rename"]
    assert commits.count("checkpoint") < 200  # group commit


def test_files_are_those_of_the_folder_and_may_be_cached(running_log: Served) -> None:
    running_log.log.append(entries(0, 257))
    for path in (
        "checkpoint",
        "tile/0/000",
        "tile/entries/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
    ):
        answer = get(f"{running_log.url}/{path}")
        assert answer.data == (running_log.log.files.folder / path).read_bytes()
        expected = "no-cache" if path == "checkpoint" else "public, max-age=31536000, immutable"
        assert answer.headers["cache-control"] == expected
    assert (
        get(f"{running_log.url}/tile/0/000.p/7").data
        == (running_log.log.files.folder / "tile/0/000").read_bytes()[: 7 * 32]
    )
    assert get(f"{running_log.url}/checkpoint", "POST", body=b"x").status == 405
    assert get(f"{running_log.url}/tile/0/000", "HEAD").headers["content-length"] == "8192"


@pytest.mark.parametrize(
    "path",
    ["tile/0/001", "tile/0/001.p/2", "tile/0/00", "tile/0/../../../key", "tile/%2e%2e/key", "tile/",
     "tile/0/000.p/0", "tile/0/000.p/256", "key", "../key", "v1/proof/xyz", "checkpoint.witnessed"],
)  # fmt: skip
def test_what_is_no_file_of_the_signed_tree_is_not_handed_out(
    running_log: Served, path: str
) -> None:
    running_log.log.append(entries(0, 257))
    public = running_log.log.files.folder
    (public.parent / "key").write_bytes(b"secret")
    (public / "tile/0/001.p/2").write_bytes(bytes(64))  # written, and not yet signed
    assert get(f"{running_log.url}/{path}").status in (404, 422)


def test_entries_are_found_by_what_they_are_about(running_log: Served) -> None:
    chosen = entries(0, 150)
    running_log.log.append(chosen)
    first = get(f"{running_log.url}/v1/entries?issuer=somebody&kind=text/plain").json()
    assert [one["index"] for one in first["entries"]] == list(range(100))
    rest = get(f"{running_log.url}/v1/entries?issuer=somebody&after={first['after']}").json()
    assert [one["index"] for one in rest["entries"]] == list(range(100, 150))
    assert rest["after"] is None
    about = get(f"{running_log.url}/v1/entries?digest={chosen[7].subject.hex()}").json()
    assert about["entries"][0]["statement"] == chosen[7].statement.hex()
    assert get(f"{running_log.url}/v1/log").json()["size"] == 150


def test_a_statement_that_is_too_long_is_refused(running_log: Served) -> None:
    for length in (65_536, 65_537, 2**20):
        assert get(f"{running_log.url}/v1/entries", "POST", body=bytes(length)).status in (400, 413)
    assert running_log.log.row.size == 0


def test_a_disk_that_fails_under_load_loses_nothing_acknowledged(folder: Path) -> None:
    acknowledged: dict[int, bytes] = {}
    with served(folder / "log") as running_log:
        running_log.disk.at, running_log.disk.fault = len(running_log.disk.done) + 100, "EIO"

        def register(number: int) -> None:
            entry = entries(number, number + 1)[0]
            try:
                made = LogClient(running_log.url, POLICY, patience=0).register(entry.data)
            except CouldNotCheck:
                return
            acknowledged[made.proof.index] = entry.data

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(register, range(200)))
        assert 0 < len(acknowledged) < 200
        refused = get(f"{running_log.url}/v1/entries", "POST", body=entries(500, 501)[0].data)
        assert refused.status == 503
        assert get(f"{running_log.url}/checkpoint").status == 200  # reading goes on
    with opened_with(folder / "log", KEY) as log:
        held = contents(log)
        assert {at: held[at] for at in acknowledged} == acknowledged


def test_a_disk_that_was_full_for_a_while_stops_nothing_for_ever(running_log: Served) -> None:
    """The writer looks by itself whether it can go on; nobody starts anything again."""
    client = LogClient(running_log.url, POLICY, patience=0)
    client.register(entries(0, 1)[0].data)
    running_log.disk.at, running_log.disk.fault = len(running_log.disk.done) + 5, "ENOSPC"
    with pytest.raises(CouldNotCheck, match="503"):
        client.register(entries(1, 2)[0].data)
    until = time.monotonic() + 20
    while running_log.log.interrupted:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert client.register(entries(1, 2)[0].data).proof.index == 1
    assert client.register(entries(2, 3)[0].data).proof.index == 2


def test_two_trees_of_one_log_are_written_down_as_evidence(folder: Path) -> None:
    """The log shows one tree to one client, and another one to the same client later."""
    seen = SeenCheckpoints(folder / "seen")
    with served(folder / "one") as one:
        LogClient(one.url, POLICY, seen).register(entries(0, 1)[0].data)
    with served(folder / "two") as two:
        with pytest.raises(InvalidLogProof, match="two different trees of size 1"):
            LogClient(two.url, POLICY, seen).register(entries(5, 6)[0].data)
        evidence = Equivocation.from_bytes(
            next((folder / "seen").glob("*.equivocation")).read_bytes()
        )
        assert evidence.verify(KEY.verifiers) == KEY.verifiers[0]
        two.log.append(entries(6, 9))
        with pytest.raises(InvalidLogProof, match="does not prove that it only grew"):
            LogClient(two.url, POLICY, seen).look()


def test_a_proof_is_what_the_standard_says(running_log: Served) -> None:
    entry = entries(0, 1)[0]
    LogClient(running_log.url, POLICY).register(entry.data)
    answer = get(f"{running_log.url}/v1/proof/{entry.subject.hex()}?key=A-KEY")
    assert answer.headers["content-type"].startswith("text/plain")
    assert ProofFile.from_bytes(answer.data).index == 0


def test_a_stranger_s_statement_about_a_digest_is_not_the_owner_s(running_log: Served) -> None:
    """Anybody registers first, under the owner's name; the proof is asked for by key."""
    owners = entries(7, 8)[0]
    strangers = replace(entries(8, 9)[0], subject=owners.subject, key="OTHER-KEY")
    running_log.log.append([strangers, owners])
    url = running_log.url
    found = get(f"{url}/v1/entries?digest={owners.subject.hex()}").json()["entries"]
    assert [(one["issuer"], one["key"]) for one in found] == [
        ("somebody", "OTHER-KEY"), ("somebody", "A-KEY"),
    ]  # fmt: skip
    client = LogClient(url, POLICY)
    assert client.proof(owners.subject, "A-KEY").index == 1
    assert client.proof(owners.subject, "OTHER-KEY").index == 0
    assert client.verify(owners.data, client.proof_of(owners.data))
    with pytest.raises(CouldNotCheck, match="404"):
        client.proof_of(b"entry of nobody")
    both = f"{url}/v1/entries?digest={owners.subject.hex()}&issuer=somebody"
    assert len(get(both).json()["entries"]) == 2


def test_entries_of_all_kinds_come_in_the_order_of_the_log(running_log: Served) -> None:
    """Without a kind each is read by its index; the pages are those of the whole."""
    chosen = [
        replace(one, kind=f"kind/{number % 3}", subject=bytes(32))
        for number, one in enumerate(entries(0, 250))
    ]
    running_log.log.append(chosen)
    after, seen = -1, []
    while after is not None:
        page = get(f"{running_log.url}/v1/entries?digest={'0' * 64}&after={after}").json()
        seen += [one["index"] for one in page["entries"]]
        after = page["after"]
    assert seen == list(range(250))
    one = get(f"{running_log.url}/v1/entries?issuer=somebody&kind=kind/2").json()
    assert [entry["index"] for entry in one["entries"]][:3] == [2, 5, 8]


def test_no_query_reads_the_whole_index(running_log: Served) -> None:
    """The plans of SQLite: each filter is a search in an index, also for what is not there."""
    database = running_log.log.database
    plans: list[str] = []

    def note(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.startswith("SELECT") and "EXPLAIN" not in statement:
            rows = connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in rows.fetchall())

    running_log.log.append(entries(0, 3))
    event.listen(database._engine, "before_cursor_execute", note)
    database.find(subject=bytes(32))
    database.find(issuer="somebody")
    database.find(subject=bytes(32), key="A-KEY", kind="text/plain")
    database.find(kind="text/plain")
    database.find()
    database.stated(bytes(32))
    assert len(plans) > 6
    for plan in plans:
        assert "SCAN" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
