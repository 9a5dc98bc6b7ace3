"""Every error of a log is problem details, and none shows a path or the database's address."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from tests.support.log_server import Served, served
from tests.support.logs import entries, memory_folder
from tests.support.running_server import running
from tests.support.statements import ED_KEY, P256_KEY, contents
from tests.zkwm.transparency_log.test_witness import asked, log_in, witness_in
from zkwm.transparency_log.statements import read_statement
from zkwm.transparency_log.witness_service import witness_application
from zkwm_protocols.cose.key_contents import KeyBinding
from zkwm_protocols.cose.sign1 import sig_structure
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.errors import InvalidSignature


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


def test_a_log_takes_no_binding_of_a_key_by_somebody_else_s_certificate() -> None:
    """Certificates are public: the leaf's key is the statement's own, or agreed (SPEC 26.6)."""
    stated = [sign_statement(one, ED_KEY) for one in contents(ED_KEY)]
    bindings = [one for one in stated if isinstance(one.content, KeyBinding)]
    certified = [one for one in bindings if one.content.certificates]
    assert certified
    for one in certified:
        assert read_statement(one.to_bytes()).issuer == ED_KEY.public.fingerprint()
        other = replace(one.content, key=P256_KEY.public.fingerprint())
        with pytest.raises(InvalidSignature):
            sign_statement(other, P256_KEY)
        unsigned = SignedStatement(
            other, P256_KEY.public.fingerprint(), P256_KEY.public, b""
        )._sign1()
        forged = replace(
            unsigned,
            signature=P256_KEY.sign_cose(sig_structure(unsigned.protected, other.to_payload())),
        )
        with pytest.raises(InvalidSignature, match="certificate"):
            read_statement(forged.to_bytes())
