"""Who may write: a key that counts, with the scope, not too often; everybody reads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.dispute import TestJudge
from tests.support.registry_server import EVERY_SCOPE, Caller, Served, served_registry, statement
from zkwm.registry_database.location import find_location
from zkwm.registry_database.service_tables import API_KEYS
from zkwm.registry_service.api_keys import ApiKeys, Scope, read_scopes
from zkwm.transparency_log.rates import Rates
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.errors import UsageError
from zkwm_protocols.keys import SigningKey

CLAIM = f"/v1/claims/{'0' * 64}"
WRITES = {
    "/v1/commitments": Scope.REGISTER,
    "/v1/claims": Scope.CLAIMS,
    f"{CLAIM}/deadline": Scope.CLAIMS,
    f"{CLAIM}/withdrawal": Scope.CLAIMS,
    f"{CLAIM}/answer": Scope.ANSWER,
    f"{CLAIM}/owner-withdrawal": Scope.ANSWER,
    f"{CLAIM}/verdict": Scope.DECIDE,
}
OWN = {"/v1/webhooks": ("GET", "POST"), "/v1/webhooks/1": ("DELETE",)}
"""What any key may do, for its holder alone."""


@pytest.fixture
def keys(registry: Served) -> ApiKeys:
    return ApiKeys(registry.database)


@pytest.mark.parametrize("path", WRITES)
def test_writing_needs_a_key_with_the_scope(plain: Served, path: str) -> None:
    others = tuple(scope for scope in EVERY_SCOPE if scope != WRITES[path])
    good = plain.caller("somebody", WRITES[path])
    for key in ("", "zkwm_0123456789abcdef_" + 43 * "A", "nonsense", good.key[:-2] + "__"):
        refused = Caller(plain.url, key).post(path, b"")
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    assert plain.caller("somebody", *others).post(path, b"").status == 403
    assert good.post(path, b"").status in (400, 404, 422), "past the key, it is about the request"


def test_every_writing_operation_of_the_description_is_tested_above(plain: Served) -> None:
    paths = plain.caller().get("/openapi.json").json["paths"]
    secured = {
        path.replace("{challenge}", "0" * 64)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method == "post" and "security" in operation
    }
    assert secured == {*WRITES, "/v1/webhooks"}
    writing = {path for path, operations in paths.items() if set(operations) - {"get"}}
    others = len(OWN) + 1  # the log's own entries are signed by anybody
    assert len(writing) == len(WRITES) + others


def test_what_is_a_holders_own_needs_a_key(plain: Served) -> None:
    for path, methods in OWN.items():
        for method in methods:
            for key in ("", "zkwm_0123456789abcdef_" + 43 * "A"):
                assert Caller(plain.url, key).send(method, path, b"{}").status == 401


def test_a_revoked_key_counts_no_more(registry: Served, keys: ApiKeys) -> None:
    caller = registry.caller("somebody", Scope.CLAIMS)
    assert caller.post("/v1/claims", b"").status == 400
    made = next(key for key in keys.all() if key.id == caller.key.split("_")[1])
    revoked = keys.revoke(made.id)
    assert revoked.revoked is not None
    assert keys.revoke(made.id) == revoked
    assert caller.post("/v1/claims", b"").status == 401
    assert caller.get("/v1/claims").status == 200
    with pytest.raises(UsageError):
        keys.revoke("0" * 16)


def test_the_database_has_no_key(registry: Served, keys: ApiKeys) -> None:
    key, text = keys.add("somebody", (Scope.DECIDE, Scope.REGISTER))
    assert keys.find(text) == key
    assert key.scopes == (Scope.REGISTER, Scope.DECIDE)
    secret = text.split("_", 2)[2]
    with registry.database.reading() as connection:
        row = connection.execute(select(API_KEYS).where(API_KEYS.c.id == key.id)).one()
    assert len(row.hash) == 32
    assert secret not in repr(tuple(row))
    for wrong in (text[:-1], f"{text}A", text.replace(key.id, "0" * 16), f" {text}"):
        assert keys.find(wrong) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("", (Scope.CLAIMS,)), ("x" * 101, (Scope.CLAIMS,)), ("a\nb", (Scope.CLAIMS,)),
        ("somebody", ()), ("somebody", (Scope.CLAIMS,), 0), ("somebody", (Scope.CLAIMS,), 100_001),
    ],
)  # fmt: skip
def test_what_is_no_key(keys: ApiKeys, arguments: Any) -> None:
    with pytest.raises(UsageError):
        keys.add(*arguments)
    with pytest.raises(UsageError, match="no scope"):
        read_scopes(("claims", "everything"))


def test_too_often_is_told_when_to_come_again(registry: Served) -> None:
    caller = registry.caller("somebody", Scope.CLAIMS, per_minute=3)
    statuses = [caller.post("/v1/claims", b"").status for _ in range(5)]
    assert statuses == [400, 400, 400, 429, 429]
    assert 1 <= int(caller.post("/v1/claims", b"").headers["retry-after"]) <= 21
    assert registry.caller("somebody", Scope.CLAIMS).post("/v1/claims", b"").status == 400


def test_a_key_has_its_own_rate_at_the_log(plain: Served) -> None:
    """Entries need no key; one that may register is counted by itself, at its own rate."""
    key = SigningKey.generate()
    entries = [statement(CommitmentStatement(bytes([9, i]) * 16), key) for i in range(12)]
    slow = plain.caller("somebody", Scope.REGISTER, per_minute=1)
    statuses = [slow.post("/v1/entries", entry).status for entry in entries]
    assert (statuses[:10], statuses[-1]) == ([201] * 10, 429)
    others = (plain.caller(), plain.caller("somebody", Scope.CLAIMS, per_minute=1),
              Caller(plain.url, slow.key[:-3] + "abc"))  # fmt: skip
    assert [one.post("/v1/entries", entries[-1]).status for one in others] == [201, 200, 200]


@pytest.fixture
def clock() -> Iterator[list[float]]:
    return [100.0]


def test_a_rate_fills_evenly(clock: list[float]) -> None:
    rates = Rates(lambda: clock[0])
    assert [rates.take("somebody", 6) for _ in range(6)] == [0.0] * 6
    assert rates.take("somebody", 6) == pytest.approx(10)
    assert rates.take("another", 6) == 0.0
    clock[0] += 9.9
    assert rates.take("somebody", 6) == pytest.approx(0.1)
    clock[0] += 0.2
    assert rates.take("somebody", 6) == 0.0
    clock[0] += 10_000
    assert [rates.take("somebody", 6) for _ in range(7)][:6] == [0.0] * 6
    assert rates.take("somebody", 6) > 0


def test_a_flood_of_names_is_forgotten(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.transparency_log.rates.MOST_NAMES", 2)
    rates = Rates(lambda: clock[0])
    assert [rates.take(name, 1) for name in "abc"] == [0.0] * 3
    assert rates.take("c", 1) > 0
    assert rates.take("a", 1) == 0.0, "who asked first of three is forgotten, and begins again"


def test_no_key_is_in_a_log_or_an_answer(plain: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    good = plain.caller("somebody", Scope.CLAIMS)
    wrong = good.key[:-3] + "abc"
    bodies = [
        Caller(plain.url, key).send(method, path, body).body
        for key in (good.key, wrong)
        for method, path, body in (
            ("POST", "/v1/claims", b"{"), ("POST", "/v1/commitments", b""),
            ("GET", "/v1/claims", None), ("POST", "/v1/nothing", b""),
        )
    ]  # fmt: skip
    shown = b"".join(bodies).decode() + caplog.text
    for key in (good.key, wrong):
        assert key.split("_", 2)[2][:20] not in shown


def test_holders_read_on_and_forged_or_ended_keys_do_not(tmp_path: Path, judge: TestJudge) -> None:
    location = find_location(tmp_path / "registry.sqlite")
    with served_registry(tmp_path / "log", location, (judge,), reads=2) as running:
        paths = ("/v1/commitments", "/v1/claims", "/v1/events", f"/v1/claims/{'0' * 64}")
        anybody, holder = running.caller(), running.caller("market.example", Scope.CLAIMS)
        found = [anybody.get(path).status for path in paths]
        assert found == [200, 200, 429, 429]
        assert [holder.get(path).status for path in paths] == [200, 200, 200, 404]
        forged = Caller(running.url, holder.key[:-3] + "abc")
        assert forged.get("/v1/events").status == 429
        keys = ApiKeys(running.database)
        keys.revoke(keys.all()[0].id)
        assert holder.get("/v1/events").status == 429
        assert anybody.get("/checkpoint").status == 200
        assert int(anybody.get("/v1/log").headers["retry-after"]) >= 1
