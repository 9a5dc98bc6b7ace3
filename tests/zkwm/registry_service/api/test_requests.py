"""What comes in: lengths, paths, methods and parameters; every refusal is a problem's details."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from tests.support.dispute import Claimant
from tests.support.registry_server import Served, registration
from zkwm.registry_database.tables import COMMITMENTS
from zkwm.registry_service import claims
from zkwm.registry_service.bodies import Bodies
from zkwm.registry_service.claim_routes import CHALLENGE_LIMIT
from zkwm.transparency_log import admission
from zkwm_protocols.errors import CouldNotCheck


def test_every_error_is_a_problems_details(plain: Served) -> None:
    """``Caller.send`` looks at the content type and at the body of each."""
    anybody, market = plain.caller(), plain.caller("market.example")
    assert anybody.get("/v1/nothing").status == 404
    assert anybody.send("DELETE", "/v1/claims").status == 405
    assert anybody.send("DELETE", "/v1/claims").headers["allow"]
    assert anybody.send("POST", "/checkpoint", b"").status == 405
    assert anybody.get("/tile/0/x999/999").status == 404
    for query in (
        "claims?state=lost", "claims?limit=0", "claims?limit=101", "claims?after=xyz",
        "commitments?owner=somebody", "commitments?shape=32x32", "commitments?digest=abc",
        "commitments?class_count=0", "events?after=-1", "events?subject=abc",
        f"commitments/{'0' * 63}", f"claims/{'G' * 64}", "inclusion?index=0", "verdicts/abc",
    ):  # fmt: skip
        assert anybody.get(f"/v1/{query}").status == 422, query
    for path in ("commitments", "claims", "verdicts"):
        assert anybody.get(f"/v1/{path}/{'0' * 64}").status == 404, path
    for path in ("challenge", "verdict"):
        assert anybody.get(f"/v1/claims/{'0' * 64}/{path}").status == 404
    assert market.get(f"/v1/claims/{'0' * 64}/answer").status == 404
    assert market.post("/v1/claims", b"").status == 400
    assert market.post("/v1/claims?answer_within=-1", b"").status == 422


@pytest.mark.parametrize(
    "path", ["/v1/commitments", "/v1/nothing", "/v1/entries", "/checkpoint", "/", "/openapi.json"]
)
def test_no_browser_guesses_the_type_of_an_answer(plain: Served, path: str) -> None:
    assert plain.caller().get(path).headers["x-content-type-options"] == "nosniff"


def test_what_the_operator_alone_may_know_is_not_told(
    plain: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise CouldNotCheck("the registry's database (/srv/secret/r.sqlite) cannot be used")

    monkeypatch.setattr("zkwm.registry_service.commitments.find", away)
    told = plain.caller().get("/v1/commitments")
    assert told.status == 503
    assert int(told.headers["retry-after"]) > 0
    assert b"secret" not in told.body


@pytest.mark.usefixtures("quick_labels")
def test_a_damaged_row_is_no_fault_of_whoever_asks(plain: Served, owner: Claimant) -> None:
    market = plain.caller("market.example")
    assert market.post("/v1/commitments", registration(owner)).status == 201
    digest = owner.commitment.digest
    with plain.database.writing() as connection:
        changed = update(COMMITMENTS).where(COMMITMENTS.c.digest == digest)
        connection.execute(changed.values(file=b"something else"))
    assert market.get(f"/v1/commitments/{digest.hex()}/file").status == 503
    assert market.get(f"/v1/commitments/{digest.hex()}").status == 200


@pytest.fixture
def connection(plain: Served) -> Iterator[http.client.HTTPConnection]:
    parts = urlsplit(plain.url)
    opened = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    yield opened
    opened.close()


def test_a_long_body_is_refused_before_it_is_sent(
    plain: Served, connection: http.client.HTTPConnection
) -> None:
    key = plain.caller("market.example").key
    connection.putrequest("POST", "/v1/claims")
    connection.putheader("authorization", f"Bearer {key}")
    connection.putheader("content-length", str(CHALLENGE_LIMIT + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_body_without_a_length_is_cut_off_at_the_limit(
    plain: Served, connection: http.client.HTTPConnection
) -> None:
    key = plain.caller("market.example").key
    connection.putrequest("POST", "/v1/claims")
    connection.putheader("authorization", f"Bearer {key}")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    part, status = bytes(2**20), None
    try:
        for _ in range(CHALLENGE_LIMIT // len(part) + 2):
            connection.send(b"%x\r\n%b\r\n" % (len(part), part))
    except OSError:  # it is closed before all is sent
        pass
    try:
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return
    assert status == 413


def test_a_stranger_sends_no_body_at_all(plain: Served) -> None:
    """Without a key the answer comes before the body is read."""
    parts = urlsplit(plain.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as client:
        head = f"POST /v1/claims HTTP/1.1\r\nhost: x\r\ncontent-length: {CHALLENGE_LIMIT}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 401")


def test_many_long_bodies_share_one_budget(plain: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain.registry, "bodies", Bodies(budget=1000))
    market = plain.caller("market.example")
    assert market.post("/v1/claims", bytes(900)).status == 400
    refused = market.post("/v1/claims", bytes(1100))
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert market.post("/v1/claims", bytes(900)).status == 400, "what is done is given back"


def test_no_answer_leads_where_a_requests_host_says(plain: Served) -> None:
    """A slash too many is not there; the header Host, which anybody writes, is in no Location."""
    for path in ("/v1/claims/", "/v1/commitments/", "/log/", f"/commitments/{'0' * 64}/"):
        answer = plain.caller().send("GET", path, host="evil.example")
        assert answer.status == 404
        assert "location" not in answer.headers
        assert b"evil" not in answer.body


def test_a_nearly_full_disk_takes_no_claims_and_no_answers(
    plain: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the log keeps free for itself is not filled by what stands beside it."""
    monkeypatch.setattr(admission, "is_nearly_full", lambda _: True)
    monkeypatch.setattr(admission, "_DISK_SECONDS", 0.0)
    market = plain.caller("market.example")
    assert market.post("/v1/claims", b"x").status == 507
    monkeypatch.setattr(claims, "find", lambda *_: (None, None))
    assert market.post(f"/v1/claims/{'0' * 64}/answer", b"x").status == 507
