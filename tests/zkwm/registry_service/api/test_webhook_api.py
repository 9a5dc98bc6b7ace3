"""Webhooks by the API: made, listed and ended by their holder, and delivered over TLS."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest

from tests.support.log_server import KEY
from tests.support.registry_server import Served
from tests.support.webhook_receiver import Receiver, all_due, happen
from tests.zkwm.suspects.test_http_tls import write_certificate
from zkwm.registry_database.events import EventKind
from zkwm.registry_service.deliveries import Deliveries
from zkwm.registry_service.signed_delivery import Secret, verify
from zkwm.registry_service.webhooks import webhook_key

URL = "https://receiver.example:8443/hook"
PUBLIC = "93.184.216.34"


def test_a_webhook_is_made_delivered_to_and_ended(
    plain: Served, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the strict rules: the receiver's name is looked up once, its certificate is checked."""
    ann, bob = plain.caller("ann"), plain.caller("bob")
    made = ann.post("/v1/webhooks", {"url": URL, "kinds": ["claim.decided"]})
    assert made.status == 201, made.body
    secret = Secret.from_text(made.json.pop("secret"))
    number = made.json["number"]
    listed = ann.get("/v1/webhooks")
    assert [one["number"] for one in listed.json["webhooks"]] == [number]
    assert b"whsec_" not in listed.body
    for answer in (made, listed):
        assert "no-store" in answer.headers["cache-control"], "it is the holder's"
    assert bob.get("/v1/webhooks").json == {"webhooks": []}
    happen(plain.database, EventKind.DECIDED, outcome="proven")
    happen(plain.database, EventKind.ASKED)

    certificate, key = write_certificate(tmp_path, "receiver.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver.http.socket = context.wrap_socket(
        receiver.http.socket, server_side=True, do_handshake_on_connect=False
    )
    port, asked = receiver.http.server_port, []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        opened = socket.socket()
        opened.settimeout(timeout)
        opened.connect(("127.0.0.1", port))
        return opened

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 8443))]
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        patched.setattr(socket, "create_connection", connect)
        trusted = ssl.create_default_context(cafile=str(certificate))
        assert all_due(Deliveries(plain.database, webhook_key(KEY), tls=trusted)) == [True]
        happen(plain.database, EventKind.DECIDED, outcome="proven")
        assert all_due(Deliveries(plain.database, webhook_key(KEY))) == [False]  # unknown issuer
    assert set(asked) == {(PUBLIC, 8443)}
    ((headers, body),) = receiver.got
    assert verify(secret, headers, body)
    assert json.loads(body)["data"]["outcome"] == "proven"

    assert bob.send("DELETE", f"/v1/webhooks/{number}").status == 404
    assert ann.send("DELETE", f"/v1/webhooks/{number}").status == 204
    assert ann.get("/v1/webhooks").json["webhooks"][0]["ended"] is not None


def test_what_makes_no_webhook(plain: Served) -> None:
    ann = plain.caller("carl")
    assert plain.caller().post("/v1/webhooks", {"url": URL}).status == 401
    for url in ("http://receiver.example/", "https://receiver.example:22/", "https://u:p@a/", ""):
        assert ann.post("/v1/webhooks", {"url": url}).status == 422
    for more in ({"kinds": ["claim.lost"]}, {"secret": "mine"}, {"url": 5}):
        assert ann.post("/v1/webhooks", {"url": URL, **more}).status == 422
    for _ in range(10):
        assert ann.post("/v1/webhooks", {"url": URL}).status == 201
    assert ann.post("/v1/webhooks", {"url": URL}).status == 409
    assert ann.send("DELETE", "/v1/webhooks/999").status == 404
