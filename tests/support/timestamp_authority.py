"""A real RFC 3161 authority for tests: ``openssl ts -reply`` in a folder, and behind local HTTP.

    authority = LocalAuthority(tmp_path / "tsa")              # P-256: root, issuing CA, signer
    second = LocalAuthority(tmp_path / "other", key="rsa2048", intermediate=False)
    evidence = authority.evidence(commitment.digest)          # a token, CRLs, all that is carried
    trusted = authority.trusted()                             # as a judge's policy states it
    with authority.serving() as url: ...                      # answers POST by HTTP

Authorities tell the real time; tokens of other times and shapes are in ``timestamp_tokens``.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import algos, tsp

from tests.support.certificate_authority import (
    Certified,
    Revoked,
    certify,
    new_key,
    ocsp_response,
    revocation_list,
)
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence

POLICY = "1.3.6.1.4.1.57264.2"
OTHER_POLICY = "1.3.6.1.4.1.57264.3"
CONTENT_TYPES = ("application/timestamp-query", "application/timestamp-reply")

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the program openssl is not installed"
)

_CONFIGURATION = """
[ tsa ]
default_tsa = authority
[ authority ]
serial = serial
signer_cert = signer.pem
certs = chain.pem
signer_key = signer.key
signer_digest = sha256
default_policy = {policy}
other_policies = {other}
digests = sha256, sha384, sha512
{accuracy}
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def request(digest: bytes, nonce: bytes, policy: str | None = None) -> bytes:
    """A TimeStampReq for a SHA-256 digest, DER, by asn1crypto."""
    return tsp.TimeStampReq(
        {
            "version": 1,
            "message_imprint": {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "hashed_message": digest,
            },
            "req_policy": policy,
            "nonce": int.from_bytes(nonce, "big"),
            "cert_req": True,
        }
    ).dump()


def new_nonce() -> bytes:
    """A nonce without leading zeros, 16 bytes."""
    return bytes([secrets.randbelow(127) + 1]) + secrets.token_bytes(15)


class LocalAuthority:
    """An authority with its own chain, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "Test TSA",
        key: str = "p256",
        intermediate: bool = True,
        accuracy: str = "accuracy = secs:1",
        **signer: Any,
    ) -> None:
        self.name, self.folder = name, folder
        self.root = certify(f"{name} root", new_key(key), ca=True)
        self.issuer = self.root
        if intermediate:
            self.issuer = certify(f"{name} issuing", new_key(key), self.root, ca=True)
        self.signer = certify(f"{name} signer", new_key(key), self.issuer, **signer)
        self.answers: list[bytes] = []
        """What was sent over HTTP, oldest first."""
        self._lock = threading.Lock()
        folder.mkdir(parents=True)
        self._write(accuracy)

    @property
    def intermediates(self) -> tuple[Certified, ...]:
        """Those between root and signer."""
        return () if self.issuer is self.root else (self.issuer,)

    def _write(self, accuracy: str) -> None:
        (self.folder / "signer.pem").write_bytes(self.signer.pem)
        (self.folder / "signer.key").write_bytes(self.signer.key_pem)
        (self.folder / "root.pem").write_bytes(self.root.pem)
        (self.folder / "serial").write_text("01\n", encoding="ascii")
        chain = b"".join(one.pem for one in (*self.intermediates, self.root))
        (self.folder / "chain.pem").write_bytes(chain)
        text = _CONFIGURATION.format(policy=POLICY, other=OTHER_POLICY, accuracy=accuracy)
        (self.folder / "tsa.cnf").write_text(text, encoding="ascii")

    def openssl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``openssl ts`` in the folder."""
        return subprocess.run(
            ["openssl", "ts", *arguments], cwd=self.folder, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    def reply(self, query: bytes) -> bytes:
        """The response (TimeStampResp, DER) to a request (TimeStampReq, DER)."""
        with self._lock:
            (self.folder / "query").write_bytes(query)
            done = self.openssl(
                "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"
            )
            assert done.returncode == 0, done.stderr
            return (self.folder / "reply").read_bytes()

    def token(self, digest: bytes, nonce: bytes, policy: str | None = None) -> bytes:
        """The TimeStampToken for a digest, DER."""
        response = tsp.TimeStampResp.load(self.reply(request(digest, nonce, policy)))
        assert response["status"]["status"].native == "granted", response.native
        token: bytes = response["time_stamp_token"].dump()
        return token

    def crls(self, *revoked: Revoked, **times: Any) -> tuple[bytes, ...]:
        """The CRLs of root and issuing CA; each names those of its own that are revoked."""
        return tuple(
            revocation_list(
                issuer,
                *(r for r in revoked if r.certificate.issuer == issuer.certificate.subject),
                **times,
            )
            for issuer in dict.fromkeys((self.root, self.issuer))
        )

    def ocsp_responses(self, **options: Any) -> tuple[bytes, ...]:
        """OCSP responses about issuing CA and signer, by their issuers."""
        below = (*self.intermediates, self.signer)
        above = (self.root, *self.intermediates)
        return tuple(
            ocsp_response(subject.certificate, issuer, **options)
            for subject, issuer in zip(below, above, strict=True)
        )

    def evidence(
        self, digest: bytes, nonce: bytes | None = None, **parts: Any
    ) -> TimestampEvidence:
        """All that a commitment file carries: a token of now, and CRLs unless told otherwise."""
        nonce = nonce or new_nonce()
        token = self.token(digest, nonce)
        return TimestampEvidence(**{"token": token, "nonce": nonce, "crls": self.crls(), **parts})

    def trusted(self, **options: Any) -> TimestampAuthority:
        """The authority as a judge's policy states it."""
        return TimestampAuthority(self.name, (self.root.der,), (POLICY,), **options)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The authority behind HTTP on 127.0.0.1 (RFC 3161, section 3.4); gives its URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(authority: LocalAuthority) -> type[BaseHTTPRequestHandler]:
    """A handler that answers requests of RFC 3161, and CRLs by GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Type"] != CONTENT_TYPES[0]:
                self.send_error(415)
                return
            answer = authority.reply(query)
            authority.answers.append(answer)
            self._send(CONTENT_TYPES[1], answer)

        def do_GET(self) -> None:
            crls = dict(zip(("/root.crl", "/issuing.crl"), authority.crls(), strict=False))
            if self.path not in crls:
                self.send_error(404)
                return
            self._send("application/pkix-crl", crls[self.path])

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    return Handler
