"""How often somebody may read below ``/v1``; files of the log have no rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from tests.support.log_server import POLICY, Served, served
from tests.support.logs import entries
from zkwm.transparency_log import http_client
from zkwm.transparency_log.admission import Asker, Rate, by_address
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.readers import Readers
from zkwm_protocols.errors import CouldNotCheck

POOL = urllib3.PoolManager(retries=False)


def get(url: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
    return POOL.request(method, url, headers=headers)


def post(url: str, body: bytes) -> int:
    return POOL.request("POST", f"{url}/v1/entries", body=body).status


def asked(readers: Readers, **more: Any) -> int | None:
    """The status of a refusal; None where the request may be made."""
    scope = {"method": "GET", "path": "/v1/log", "client": ("192.0.2.1", 9), "headers": [], **more}
    found = asyncio.run(readers.refusal(scope))
    return None if found is None else found.status


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Served]:
    """A log with two entries of which one address may read three things a minute."""
    with served(tmp_path / "log", readers=Readers(per_minute=3)) as running:
        assert [post(running.url, one.data) for one in entries(0, 2)] == [201, 201]
        yield running


def test_who_reads_too_often_is_told_when_to_come_again(log: Served) -> None:
    paths = ("/v1/log", "/v1/entries", f"/v1/statement/{'0' * 64}", "/v1/log", "/v1/nothing")
    found = [get(f"{log.url}{path}") for path in paths]
    assert [one.status for one in found] == [200, 200, 404, 429, 429]
    refused = found[3]
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 21
    assert "too many reads" in refused.json()["detail"]


def test_files_and_writes_are_not_counted(log: Served) -> None:
    """A mirror and a registrant go on where an address has read too often."""
    for _ in range(4):
        last = get(f"{log.url}/v1/log").status
    assert last == 429
    for path in ("/checkpoint", "/tile/0/000.p/2", "/tile/entries/000.p/2"):
        assert [get(f"{log.url}{path}").status for _ in range(5)] == [200] * 5
    assert post(log.url, entries(2, 3)[0].data) == 201


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/v1/log"), ("GET", "/%76%31/log")])
def test_no_other_spelling_is_free(log: Served, method: str, path: str) -> None:
    for _ in range(3):
        assert get(f"{log.url}/v1/log").status == 200
    assert get(f"{log.url}{path}", method).status == 429


def test_a_client_waits_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    readers = Readers(per_minute=3, clock=lambda: clock[0])
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    with served(tmp_path / "log", readers=readers) as log:
        hasty, patient = (LogClient(log.url, POLICY, patience=one) for one in (10, 600))
        monkeypatch.setattr(
            http_client, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait)
        )
        for _ in range(3):
            assert hasty.listed(bytes(32)) == []
        with pytest.raises(CouldNotCheck, match="429: too many reads"):
            hasty.listed(bytes(32))
        assert waits == []
        assert patient.listed(bytes(32)) == []
        assert waits == [pytest.approx(20)]
        for client in (hasty, patient):
            client.close()


def test_an_address_does_not_read_for_another() -> None:
    readers = Readers(per_minute=1)
    assert [asked(readers), asked(readers)] == [None, 429]
    assert asked(readers, client=("192.0.2.2", 9)) is None
    forged = [(b"x-forwarded-for", b"192.0.2.77")]
    assert asked(readers, headers=forged) == 429
    whole = Readers(per_minute=1)
    assert asked(whole, client=("2001:db8::1", 9)) is None
    assert asked(whole, client=("2001:db8::2", 9)) == 429, "one customer has the /64"


def test_behind_a_web_server_of_ones_own_its_visitors_are_counted() -> None:
    readers = Readers(by_address(("192.0.2.1",)), 1)
    first, second = ([(b"x-forwarded-for", one)] for one in (b"198.51.100.1", b"198.51.100.2"))
    found = [asked(readers, headers=one) for one in (first, first, second)]
    assert found == [None, 429, None]


def test_a_key_has_a_rate_of_its_own() -> None:
    """It is looked up only once the address has asked too often."""
    looked: list[str] = []

    async def known(scope: Any) -> Asker | None:
        looked.append(scope["path"])
        return Asker("key a", Rate(2)) if scope["headers"] else None

    readers = Readers(per_minute=1, known=known)
    key = [(b"authorization", b"Bearer x")]
    assert asked(readers, headers=key) is None
    assert looked == []
    assert [asked(readers, headers=key) for _ in range(3)] == [None, None, 429]
    assert asked(readers) == 429
    elsewhere = {"client": ("192.0.2.9", 9), "headers": key}
    assert [asked(readers, **elsewhere), asked(readers, **elsewhere)] == [None, 429]


def test_keys_that_cannot_be_looked_up_do_not_count() -> None:
    """A database that is away ends no request in an error."""

    async def known(scope: Any) -> Asker | None:
        raise CouldNotCheck("the database is away")

    readers = Readers(per_minute=1, known=known)
    assert [asked(readers), asked(readers)] == [None, 429]
