"""The timestamp authority of ``zkwm demo --dispute``: RFC 3161 over HTTP, on this machine alone.

Of the demo and nothing else: its key is made for one run, lives in memory, and is worth no trust.
It answers plain requests as RFC 3161 says and hands out its list of revoked certificates, so that
``zkwm register`` asks it like any other.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zkwm_protocols.timestamps.structures import (
    CONTENT_TYPE,
    CONTEXT_0,
    MESSAGE_DIGEST,
    OBJECT_IDENTIFIER,
    OCTETS,
    SEQUENCE,
    SET,
    SIGNED_DATA,
    SIGNING_CERTIFICATE_V2,
    TST_INFO,
    Imprint,
    decode,
    integer,
    tlv,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

POLICY = "1.3.6.1.4.1.57264.2"
"""An identifier of a policy that no authority outside of tests and demos means by its tokens."""
_LIFE = timedelta(days=1)
_LIMIT = 4_096
_LIST = "/root.crl"
_SHA256, _ECDSA_SHA256 = "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2"
_GENERALIZED_TIME = 0x18


@asn1.sequence
class _Request:
    """TimeStampReq, as far as ``zkwm register`` writes it."""

    version: int
    imprint: Imprint
    nonce: int
    certificates: Annotated[bool, asn1.Default(value=False)]


class DemoAuthority:
    """A root, a signer beneath it, and the tokens that they give; it has a port from the start."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._place = f"http://127.0.0.1:{self._server.server_port}"
        root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name = _name("zkwm demo: root of no trust")
        self._root = _certificate(root_name, root_key, root_name, root_key, None)
        self._signer = _certificate(
            _name("zkwm demo: authority"), self._key, root_name, root_key, f"{self._place}{_LIST}"
        )
        self.revoked = _none_revoked(root_name, root_key)

    @property
    def root(self) -> bytes:
        """The root's certificate, PEM, for a trust folder."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def reply(self, query: bytes) -> bytes:
        """TimeStampResp with a token of now. Raises Malformed for another request."""
        asked = decode(_Request, query, "the request")
        token = self._token(asked.imprint.digest, asked.nonce)
        return tlv(SEQUENCE, tlv(SEQUENCE, integer(0)), token)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The authority behind HTTP on 127.0.0.1, once; gives its URL."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"{self._place}/tsa"
        finally:
            self._server.shutdown()
            thread.join()
            self.close()

    def close(self) -> None:
        """Give the port back, as the end of ``serving`` does."""
        self._server.server_close()

    def _token(self, digest: bytes, nonce: int) -> bytes:
        """The TimeStampToken over a SHA-256 digest."""
        info = _info(digest, nonce)
        signer = self._signer
        attributes = _attributes(info, signer.public_bytes(serialization.Encoding.DER))
        signature = self._key.sign(tlv(SET, *attributes), ec.ECDSA(hashes.SHA256()))
        issued = tlv(SEQUENCE, signer.issuer.public_bytes(), integer(signer.serial_number))
        signed_by = tlv(
            SEQUENCE,
            integer(1),
            issued,
            _algorithm(_SHA256),
            tlv(CONTEXT_0, *attributes),
            _algorithm(_ECDSA_SHA256),
            tlv(OCTETS, signature),
        )
        signed = tlv(
            SEQUENCE,
            integer(3),
            tlv(SET, _algorithm(_SHA256)),
            tlv(SEQUENCE, _identifier(TST_INFO), tlv(CONTEXT_0, tlv(OCTETS, info))),
            tlv(CONTEXT_0, signer.public_bytes(serialization.Encoding.DER)),
            tlv(SET, signed_by),
        )
        return tlv(SEQUENCE, _identifier(SIGNED_DATA), tlv(CONTEXT_0, signed))


def _info(digest: bytes, nonce: int) -> bytes:
    """TSTInfo: this very second, with an accuracy of one second."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii")
    return tlv(
        SEQUENCE,
        integer(1),
        _identifier(POLICY),
        tlv(SEQUENCE, _algorithm(_SHA256), tlv(OCTETS, digest)),
        integer(secrets.randbits(63)),
        tlv(_GENERALIZED_TIME, now),
        tlv(SEQUENCE, integer(1)),
        integer(nonce),
    )


def _attributes(info: bytes, signer: bytes) -> list[bytes]:
    """The signed attributes in the order of DER."""
    certificate = tlv(SEQUENCE, tlv(OCTETS, hashlib.sha256(signer).digest()))
    values = {
        CONTENT_TYPE: _identifier(TST_INFO),
        MESSAGE_DIGEST: tlv(OCTETS, hashlib.sha256(info).digest()),
        SIGNING_CERTIFICATE_V2: tlv(SEQUENCE, tlv(SEQUENCE, certificate)),
    }
    return sorted(
        tlv(SEQUENCE, _identifier(name), tlv(SET, value)) for name, value in values.items()
    )


def _identifier(name: str) -> bytes:
    """An object identifier."""
    first, second, *rest = map(int, name.split("."))
    body = b""
    for number in (40 * first + second, *rest):
        parts = [number & 127]
        while number := number >> 7:
            parts.append(number & 127 | 128)
        body += bytes(reversed(parts))
    return tlv(OBJECT_IDENTIFIER, body)


def _algorithm(name: str) -> bytes:
    """An AlgorithmIdentifier without parameters."""
    return tlv(SEQUENCE, _identifier(name))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    key: EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: EllipticCurvePrivateKey,
    revoked: str | None,
) -> x509.Certificate:
    """A certificate that is valid for a day; of a root, or of a signer of timestamps alone.

    ``revoked`` is the URL of the issuer's list of revoked certificates; None for a root.
    """
    ca = revoked is None
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    own = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
    usage |= dict.fromkeys(own, True)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if revoked is not None:
        listed = x509.DistributionPoint([x509.UniformResourceIdentifier(revoked)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([listed]), critical=False)
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usages, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _none_revoked(issuer: x509.Name, key: EllipticCurvePrivateKey) -> bytes:
    """A list of revoked certificates without any, DER, for as long as the demo's are valid."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer)
    builder = builder.last_update(now - timedelta(hours=1)).next_update(now + _LIFE)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _handler(authority: DemoAuthority) -> type[BaseHTTPRequestHandler]:
    """A handler that answers requests of RFC 3161, section 3.4, and hands out the CRL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer one request of at most 4 KiB."""
            size = int(self.headers.get("Content-Length") or 0)
            if not 0 < size <= _LIMIT:
                self.send_error(413)
                return
            self._send("application/timestamp-reply", authority.reply(self.rfile.read(size)))

        def do_GET(self) -> None:
            """The list of revoked certificates."""
            if self.path != _LIST:
                self.send_error(404)
                return
            self._send("application/pkix-crl", authority.revoked)

        def _send(self, kind: str, content: bytes) -> None:
            """A whole answer."""
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on stderr."""

    return Handler
