"""Who may register how much: addresses, keys of a service, a disk that is nearly full, bodies."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import urllib3

from tests.support.log_server import POLICY, served
from tests.support.logs import entries, memory_folder
from zkwm.transparency_log import admission, http_server, log_service
from zkwm.transparency_log.admission import (
    Admission,
    Asker,
    Rate,
    Scope,
    by_address,
    is_nearly_full,
)
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.refusals import RefusedError
from zkwm_protocols.errors import CouldNotCheck


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


def post(url: str, body: bytes, **headers: str) -> urllib3.BaseHTTPResponse:
    """Register, as a client without a library does."""
    return urllib3.request(
        "POST", f"{url}/v1/entries", body=body, headers=headers, retries=False, timeout=20
    )


def test_an_address_that_registers_too_often_is_told_when_to_come_again(folder: Path) -> None:
    with served(folder / "log", admission=Admission(folder, rate=Rate(0.2))) as log:
        assert [post(log.url, one.data).status for one in entries(0, 2)] == [201, 201]
        assert post(log.url, entries(0, 1)[0].data).status == 429
        refused = post(log.url, entries(3, 4)[0].data)
        assert refused.status == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert 0 < int(refused.headers["retry-after"]) <= 300
        assert refused.json()["hint"].startswith("try again in ")
        assert urllib3.request("GET", f"{log.url}/checkpoint").status == 200  # reading is free
        with pytest.raises(CouldNotCheck, match="429: too many registrations"):
            LogClient(log.url, POLICY, patience=0).register(entries(3, 4)[0].data)
        assert log.log.row.size == 2


def test_what_is_in_the_log_already_costs_nothing(folder: Path) -> None:
    """Whoever waits for cosignatures asks with the same statement again and again."""
    with served(folder / "log", admission=Admission(folder, rate=Rate(0.2))) as log:
        one, two = entries(0, 2)
        assert [post(log.url, one.data).status for _ in range(20)] == [201] + [200] * 19
        assert post(log.url, two.data).status == 201
        assert post(log.url, b"no statement").status == 429


def test_a_service_names_its_keys_and_their_rates(folder: Path) -> None:
    """The hook: a header here; room for a lookup in a database, since it is awaited."""

    async def identify(scope: Scope) -> Asker:
        key = dict(scope["headers"]).get(b"x-key", b"").decode()
        if key == "wrong":
            raise RefusedError("no such key", status=401, retry_seconds=0)
        return Asker(f"key {key}", Rate(10**6)) if key else await by_address()(scope)

    with served(folder / "log", admission=Admission(folder, identify, Rate(0.1))) as log:
        assert [post(log.url, one.data).status for one in entries(0, 2)] == [201, 429]
        many = [post(log.url, one.data, **{"X-Key": "good"}).status for one in entries(2, 20)]
        assert many == [201] * 18
        refused = post(log.url, entries(30, 31)[0].data, **{"X-Key": "wrong"})
        assert (refused.status, refused.json()["detail"]) == (401, "no such key")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # not of a web server of ours
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what the client wrote first
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "", "192.0.2.7"),
        ("127.0.0.1", "garbage", "unknown"),
    ],
)
def test_who_asks_is_the_address_behind_one_s_own_web_server(
    peer: str, forwarded: str, expected: str
) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    asked = by_address(["127.0.0.1"])({"client": (peer, 1), "headers": headers})
    assert asyncio.run(asked).name == f"address {expected}"


def test_large_statements_cost_more_and_a_bucket_fills_again(folder: Path) -> None:
    now = [0.0]
    chosen = Admission(folder, rate=Rate(60), clock=lambda: now[0])
    scope = {"client": ("192.0.2.7", 1), "headers": []}

    def taken(length: int) -> int:
        for count in range(10**4):
            try:
                asker = asyncio.run(chosen.admit(scope))
            except RefusedError:
                return count
            chosen.charge(asker, length)
        return 10**4

    assert taken(400) == 600
    now[0] += 60
    assert taken(400) == 60
    now[0] += 10**6
    assert taken(65_535) == 10  # each is 64 units
    assert len(chosen._left) == 1


def test_askers_that_are_remembered_are_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST_ASKERS", 5)
    chosen = Admission(folder)
    for number in range(20):
        asyncio.run(chosen.admit({"client": (f"192.0.2.{number}", 1), "headers": []}))
    assert len(chosen._left) == 5


def test_a_nearly_full_disk_takes_no_entries_and_the_log_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(folder / "log") as log:
        assert post(log.url, entries(0, 1)[0].data).status == 201
        monkeypatch.setattr(admission, "is_nearly_full", lambda _: True)
        monkeypatch.setattr(admission, "_DISK_SECONDS", 0.0)
        refused = post(log.url, entries(1, 2)[0].data)
        assert (refused.status, refused.headers["retry-after"]) == (507, "300")
        assert urllib3.request("GET", f"{log.url}/v1/log").json()["size"] == 1
        assert log.log.append(entries(5, 6)).size == 2  # it can still sign
        monkeypatch.setattr(admission, "is_nearly_full", lambda _: False)
        assert post(log.url, entries(1, 2)[0].data).status == 201


def test_how_much_of_a_disk_stays_free(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = 4096

    def disk(total: int, free: int, files: int = 10**6) -> SimpleNamespace:
        return SimpleNamespace(f_frsize=block, f_blocks=total // block, f_bavail=free // block,
                               f_files=10**6, f_favail=files)  # fmt: skip

    for found, full in (
        (disk(2**40, 2**31), False),
        (disk(2**40, 2**29), True),
        (disk(2**30, 2**27), False),  # 5 % of a small one
        (disk(2**30, 2**25), True),
        (disk(2**40, 2**31, files=10), True),
    ):
        monkeypatch.setattr(os, "statvfs", lambda _, found=found: found)
        assert is_nearly_full(folder) is full


def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Many bodies that do not end hold little memory, and keep nobody out for long."""
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(http_server.Bounded.__init__, "__defaults__", (100_000, 100_000))
    with served(folder / "log") as log, ExitStack() as stack:
        host, port = log.url.removeprefix("http://").split(":")
        head = b"POST /v1/entries HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
        answers = []
        for _ in range(4):
            one = stack.enter_context(socket.create_connection((host, int(port))))
            one.sendall(head + bytes(40_000))
            time.sleep(0.05)
            answers.append(one)
        first = answers[-1].recv(65536)
        assert first.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in first
        time.sleep(1.2)  # the others have run into their deadline
        assert post(log.url, entries(0, 1)[0].data).status == 201


def test_readers_of_the_index_do_not_keep_registrations_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow query runs in a thread; too many of them are told to come again."""
    monkeypatch.setattr(log_service, "_MOST_QUERIES", 6)
    slow = threading.Event()
    with served(folder / "log") as log, ThreadPoolExecutor(12) as threads:
        monkeypatch.setattr(log.log.database, "find", lambda **_: [slow.wait(20)][1:])
        asked = [
            threads.submit(urllib3.request, "GET", f"{log.url}/v1/entries", retries=False)
            for _ in range(12)
        ]
        refused = list(islice(as_completed(asked, timeout=20), 6))
        assert {one.result().status for one in refused} == {503}
        assert post(log.url, entries(0, 1)[0].data).status == 201
        slow.set()
        assert [one.result().status for one in set(asked) - set(refused)] == [200] * 6
