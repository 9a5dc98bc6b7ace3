"""Issuer, CRL and OCSP response, fetched over HTTP from where certificates say, and verified."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from asn1crypto import tsp
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID as Access

from tests.support.certificate_authority import (
    certify,
    new_key,
    now,
    ocsp_response,
    revocation_list,
)
from tests.support.past_authority import AGE
from tests.support.timestamp_authority import POLICY
from tests.support.timestamp_tokens import DIGEST, TokenMaker, generalized, integer, sequence
from zkwm.timestamp_client import obtain
from zkwm_protocols.errors import TrustMaterialMissing
from zkwm_protocols.timestamps.authority import Revocation, TimestampAuthority
from zkwm_protocols.timestamps.verification import verify_with_any
from zkwm_protocols.trust import Trust

OF_ANOTHER_VERSION = revocation_list(certify("ca", new_key(), ca=True)).replace(
    b"\x02\x01\x01", b"\x02\x01\x07", 1
)
"""A CRL whose version no library knows."""
COMMITMENT: Any = SimpleNamespace(digest=DIGEST)


class Service:
    """An authority whose tokens carry the signer alone; the rest lies where certificates say.

    The signer's issuer and OCSP responder, and the issuer's CRL, are at the authority's own
    address; ``files`` are answered by path, and ``asked`` are the paths that were.
    """

    def __init__(self, port: int) -> None:
        self.place = f"http://127.0.0.1:{port}"
        point = x509.DistributionPoint([self._url("/root.crl")], None, None, None)
        access = [
            x509.AccessDescription(Access.CA_ISSUERS, self._url("/issuing.cer")),
            x509.AccessDescription(Access.OCSP, self._url("/ocsp")),
        ]
        self.root = certify("root", new_key(), ca=True)
        self.issuing = certify(
            "issuing", new_key(), self.root, ca=True,
            extensions=((x509.CRLDistributionPoints([point]), False),),
        )  # fmt: skip
        self.signer = certify(
            "signer", new_key(), self.issuing,
            extensions=((x509.AuthorityInformationAccess(access), False),),
        )  # fmt: skip
        self.files = {
            "/issuing.cer": self.issuing.der,
            "/root.crl": revocation_list(self.root),
            "/ocsp": ocsp_response(self.signer.certificate, self.issuing),
        }
        self.asked: list[str] = []

    def _url(self, path: str) -> x509.UniformResourceIdentifier:
        return x509.UniformResourceIdentifier(self.place + path)

    def reply(self, query: bytes) -> bytes:
        """The response to a request for a token."""
        nonce = tsp.TimeStampReq.load(query)["nonce"].native
        maker = TokenMaker(
            self.root, self.issuing, self.signer, time=generalized(now() - AGE),
            nonce=nonce.to_bytes((nonce.bit_length() + 7) // 8, "big"),
            certificates=(self.signer.der,),
        )  # fmt: skip
        return sequence(sequence(integer(0)), maker.token())

    def trust(self) -> Trust:
        """A judge who demands to know about revocation."""
        known = TimestampAuthority("a", (self.root.der,), (POLICY,), demand_revocation=True)
        return Trust((known,))


@pytest.fixture
def service() -> Iterator[Service]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Service(server.server_port)
    types = {"/tsa": "application/timestamp-reply", "/ocsp": "application/ocsp-response"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, query: bytes) -> None:
            made.asked.append(self.path)
            found = made.reply(query) if self.path == "/tsa" else made.files.get(self.path)
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", types.get(self.path, "application/pkix-cert"))
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_all_that_verification_needs_is_fetched_and_kept(service: Service) -> None:
    """Offline it verifies again, by what the commitment carries alone."""
    made = obtain(COMMITMENT, f"{service.place}/tsa", trust=service.trust())
    assert service.asked == ["/tsa", "/issuing.cer", "/ocsp", "/root.crl"]
    assert made.missing == ()
    evidence = made.evidence
    assert service.issuing.der in evidence.certificates
    assert evidence.crls == (service.files["/root.crl"],)
    assert evidence.ocsp_responses == (service.files["/ocsp"],)
    again = verify_with_any(evidence, DIGEST, service.trust().authorities)
    assert (again.revocation, made.dated.revocation) == (Revocation.GOOD, Revocation.GOOD)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/issuing.cer", "the issuer of CN=signer"),
        ("/ocsp", "an OCSP response or CRL about CN=signer"),
        ("/root.crl", "an OCSP response or CRL about CN=issuing"),
    ],
)
@pytest.mark.parametrize("data", [None, b"something else", OF_ANOTHER_VERSION])
def test_what_cannot_be_fetched_is_told(
    service: Service, path: str, missing: str, data: bytes | None
) -> None:
    if data is None:
        del service.files[path]
    else:
        service.files[path] = data
    with pytest.raises(TrustMaterialMissing) as caught:
        obtain(COMMITMENT, f"{service.place}/tsa", trust=service.trust())
    assert missing in caught.value.message + caught.value.hint
