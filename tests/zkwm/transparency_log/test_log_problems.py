"""Every error of a log is problem details, and none shows a path or the database's address."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.support.log_server import Served, served
from tests.support.logs import entries, memory_folder
from tests.support.running_server import running
from tests.zkwm.transparency_log.test_witness import asked, log_in, witness_in
from zkwm.transparency_log.witness_service import witness_application


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


@pytest.fixture
def log(folder: Path) -> Iterator[Served]:
    with served(folder / "log") as running_log:
        yield running_log


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("DELETE", "/v1/log", 405),
        ("POST", "/checkpoint", 405),
        ("GET", "/tile/0/001", 404),
        ("GET", "/v1/proof/xyz?key=A", 422),
        ("GET", f"/v1/proof/{'0' * 64}", 422),  # without a key
        ("GET", f"/v1/proof/{'0' * 64}?key=A", 404),
        ("GET", f"/v1/statement/{'0' * 64}", 404),
        ("GET", "/v1/entries?after=x", 422),
        ("POST", "/v1/entries", 400),
    ],
)
def test_errors_are_problem_details(log: Served, method: str, path: str, status: int) -> None:
    answer = urllib3.request(method, f"{log.url}{path}", retries=False, timeout=20)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    assert set(found) <= {"title", "status", "detail", "hint"}
    if status == 405:
        assert answer.headers.get("allow", "GET")


def test_an_error_of_the_database_is_the_operator_s(
    log: Served, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log.log.append(entries(0, 1))
    with log.log.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE zkwm_log_entries RENAME TO gone")
    body = entries(1, 2)[0].data
    with caplog.at_level(logging.WARNING):
        answers = [
            urllib3.request("GET", f"{log.url}/v1/entries", retries=False),
            urllib3.request("POST", f"{log.url}/v1/entries", body=body, retries=False),
            urllib3.request("POST", f"{log.url}/v1/entries", body=body, retries=False),
        ]
    for answer in answers:
        assert answer.status == 503
        assert answer.headers["retry-after"] == "10"
        for secret in (str(folder), "sqlite", "no such table", "zkwm_log"):
            assert secret not in answer.data.decode()
    assert "database.sqlite" in caplog.text


def test_an_error_of_a_witness_s_memory_is_its_operator_s(folder: Path) -> None:
    witness = witness_in(folder)
    with log_in(folder / "log") as made, running(witness_application(witness)) as url:
        made.append(entries(0, 1))
        body = asked(made, 0)
        (folder / "witness0.sqlite").chmod(0)
        with witness._state._writing() as connection:
            connection.exec_driver_sql("DROP TABLE zkwm_witness_seen")
        answer = urllib3.request("POST", f"{url}/add-checkpoint", body=body, retries=False)
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        for secret in (str(folder), "sqlite", "no such table"):
            assert secret not in answer.data.decode()
