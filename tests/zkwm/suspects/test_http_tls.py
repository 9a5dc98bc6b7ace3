"""Certificates of endpoints are always checked."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zkwm.suspects import Answer, HttpSettings, open_suspect
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 2, 2)


def write_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "suspect")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


@pytest.fixture(params=["localhost", "other.example"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, Path]]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b'{"label": 1}')

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            pass

    certificate, key = write_certificate(tmp_path, request.param)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Quiet(("127.0.0.1", 0), Handler) as http:
        # The handshake is the handler's: a client that is silent must not keep the server waiting.
        http.socket = context.wrap_socket(
            http.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"https://localhost:{http.server_port}/", request.param, certificate
        http.shutdown()
        thread.join()


def answers(url: str, settings: HttpSettings) -> set[Answer]:
    suspect = open_suspect(
        url, shape=SHAPE, outputs=10, http=settings, headers={"Authorization": "Bearer x"}
    )
    images = np.arange(12, dtype=np.uint8).reshape(3, *SHAPE)
    try:
        return set(suspect.answer(images, Preprocessing()))
    finally:
        suspect.close()


def test_an_unknown_authority_is_refused(server: tuple[str, str, Path]) -> None:
    assert answers(server[0], HttpSettings()) == {Answer(None, "its certificate is not valid")}


def test_a_named_authority_for_this_host_only(server: tuple[str, str, Path]) -> None:
    url, host, certificate = server
    expected = Answer(1) if host == "localhost" else Answer(None, "its certificate is not valid")
    assert answers(url, HttpSettings(certificate_authorities=certificate)) == {expected}


def test_a_strangers_endpoint_is_asked_at_the_address_that_was_checked(
    server: tuple[str, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is for the name, whatever the address."""
    url, host, certificate = server
    port, asked = urlsplit(url).port, []

    def connected(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        opened = socket.socket()
        opened.settimeout(timeout)
        opened.connect(("127.0.0.1", port))
        return opened

    public = "93.184.216.34"
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (public, 8443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", connected)
    settings = HttpSettings(
        named_by_strangers=True, certificate_authorities=certificate, attempts=1
    )
    expected = Answer(1) if host == "localhost" else Answer(None, "its certificate is not valid")
    assert answers("https://localhost:8443/ask", settings) == {expected}
    assert set(asked) == {(public, 8443)}


def test_authorities_among_other_lines(server: tuple[str, str, Path], tmp_path: Path) -> None:
    url, host, certificate = server
    file = tmp_path / "authorities.pem"
    text = certificate.read_text(encoding="ascii")
    file.write_text(f"# F\u0151tan\u00fas\u00edtv\u00e1ny\n{text}\n\n{text}# end", encoding="utf-8")
    expected = Answer(1) if host == "localhost" else Answer(None, "its certificate is not valid")
    assert answers(url, HttpSettings(certificate_authorities=file)) == {expected}


def test_authorities_that_cannot_be_read(server: tuple[str, str, Path], tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    good = server[2].read_bytes()
    half, odd = good[: len(good) // 2], good.replace(b"M", b"\xe9", 1)
    contents = (None, b"no certificate", b"", half, good + half, good + odd, bytes(5 << 20) + good)
    for content in contents:
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError, match="certificate authorities"):
            answers("https://localhost/", HttpSettings(certificate_authorities=file))
