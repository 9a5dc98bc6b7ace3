"""``zkwm.timestamp_client`` against servers that are slow, endless, elsewhere, or lie."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest

from tests.support.certificate_authority import certify, new_key
from tests.support.hostile_server import Behavior, drips, endless, says, serving
from tests.support.timestamp_authority import LocalAuthority, needs_openssl, new_nonce, request
from zkwm.outgoing_http import connection as connecting
from zkwm.outgoing_http import resolution
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import Location
from zkwm.outgoing_http.rules import ForbiddenError
from zkwm.timestamp_client import fetch as fetching
from zkwm.timestamp_client.addresses import destination, locate
from zkwm.timestamp_client.ask import ask
from zkwm.timestamp_client.fetch import Wanted, fetch
from zkwm.timestamp_client.material import gather
from zkwm_protocols.errors import CouldNotCheck, UsageError

DIGEST = bytes(range(32))
TYPE = "application/timestamp-reply"


def resolve(location: Location, asked: Location | None) -> list[str]:
    """The addresses that would be asked."""
    return resolution.resolve(*destination(location, asked), Deadline(10))


OK, KIND = "HTTP/1.1 200 OK", f"Content-Type: {TYPE}"
BEHAVIORS = {
    "a head without end": (drips, "within"),
    "silence": (lambda client: time.sleep(3), "within"),
    "a body without end": (endless(TYPE), "larger than"),
    "an announced body that is too large": (says(OK, KIND, "Content-Length: 900000000"), ""),
    "a redirect to an address of ours": (
        says("HTTP/1.1 302 Found", "Location: http://169.254.169.254/latest"), "redirects",
    ),
    "an error": (says("HTTP/1.1 500 Internal Server Error", KIND), "status 500"),
    "a page": (says(OK, "Content-Type: text/html", body=b"<html>"), "not of the type"),
    "a compressed reply": (says(OK, KIND, "Content-Encoding: gzip", body=b"a"), "compressed"),
    "a reply that ends too early": (says(OK, KIND, "Content-Length: 9", body=b"abc"), ""),
    "no HTTP": (lambda client: client.sendall(b"\x15\x03\x01" * 50), "connection failed"),
    "nothing": (lambda client: None, "connection failed"),
    "a reply that is no response": (says(OK, KIND, body=b"\x30\x03\x02\x01\x05"), "no usable"),
    "headers without end": (
        says(OK, *(f"X-{i}: a" for i in range(500))), "connection failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("behavior", "words"), BEHAVIORS.values(), ids=BEHAVIORS)
def test_whatever_a_server_does_it_ends_in_time_with_its_name(
    behavior: Behavior, words: str
) -> None:
    begun = time.monotonic()
    with serving(behavior) as url, pytest.raises(CouldNotCheck) as caught:
        ask(locate(url), DIGEST, seconds=0.5)
    assert time.monotonic() - begun < 10  # a loaded machine; without a limit it never ends
    assert "127.0.0.1" in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint


def test_nobody_there(tmp_path: object) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        ask(locate("http://127.0.0.1:9/tsa"), DIGEST, seconds=2)
    assert "connection failed" in caught.value.message


@needs_openssl
def test_an_old_answer_is_no_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A token for another nonce, and one for another digest, from a real authority."""
    authority = LocalAuthority(tmp_path_factory.mktemp("tsa") / "a", intermediate=False)
    for digest, words in ((DIGEST, "nonce"), (bytes(32), "digest")):
        old = authority.reply(request(digest, new_nonce()))
        with serving(says(OK, KIND, f"Content-Length: {len(old)}", body=old)) as url:
            with pytest.raises(CouldNotCheck) as caught:
                ask(locate(url), DIGEST)
            assert words in caught.value.message


@pytest.mark.parametrize(
    "url", ["", "ftp://a/b", "http://", "http://a b/", "http://u:p@a/", "http://a/#x", "file:///a",
            "http://a:0/", "http://a:99999/", "http://[::1/", "http://a/" + "b" * 400],
)  # fmt: skip
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        locate(url)
    assert not url or url not in caught.value.message


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
                "224.0.0.1", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
                "2002:7f00:1::", "::", "::127.0.0.1", "fec0::1", "64:ff9b:1::a00:1",
                "::ffff:0:127.0.0.1", "5f00::1", "2001:0:7f00:1::1", "2001:db8::1"],
)  # fmt: skip
def test_a_certificate_sends_nobody_into_their_own_network(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    asked = locate("https://tsa.example/tsr")
    with pytest.raises(ForbiddenError, match="not public"):
        resolve(locate("http://crl.example/root.crl"), asked)
    with pytest.raises(ForbiddenError, match="not public"):  # its name means another address by now
        resolve(locate("https://tsa.example/root.crl"), asked)
    assert resolve(locate("http://crl.example/root.crl"), None) == [address]  # the owner's own word


def test_the_authority_itself_is_asked_again_where_it_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its name leads to the cloud's metadata by then; nobody asks it again what it means."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    asked = replace(locate("http://tsa.example/tsr"), address="93.184.216.34")
    assert resolve(locate("http://tsa.example/latest/meta-data"), asked) == ["93.184.216.34"]
    for other in ("http://crl.example/", "https://tsa.example/"):
        with pytest.raises(ForbiddenError, match="certificate names"):
            resolve(locate(other), asked)


def test_many_dead_addresses_take_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def dead(_: object, timeout: float) -> socket.socket:
        waited.append(timeout)
        time.sleep(min(timeout, 0.12))
        raise TimeoutError

    monkeypatch.setattr(connecting, "resolve", lambda *_: [f"203.0.113.{i}" for i in range(200)])
    monkeypatch.setattr(socket, "create_connection", dead)
    with pytest.raises(CouldNotCheck, match=r"within 0\.3 seconds"):
        fetch(locate("http://tsa.example/"), Wanted((), 10), seconds=0.3)
    assert waited == sorted(waited, reverse=True)
    assert len(waited) <= 3
    assert waited[0] <= 0.3
    waited.clear()
    with pytest.raises(CouldNotCheck):
        fetch(locate("http://tsa.example/"), Wanted((), 10), seconds=60)
    assert len(waited) == 4


def test_a_public_address_at_another_port_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    asked = locate("https://tsa.example/tsr")
    assert resolve(locate("http://crl.example/root.crl"), asked) == ["93.184.216.34"]
    with pytest.raises(ForbiddenError, match="port"):
        resolve(locate("http://crl.example:22/root.crl"), asked)
    assert resolve(locate("https://tsa.example/root.crl"), asked) == ["93.184.216.34"]


def test_material_behind_a_private_address_is_left_out_and_told() -> None:
    """A certificate whose issuer, CRL and OCSP responder are on this machine, at another port."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID as Access

    asked: list[bytes] = []
    with serving(lambda client: asked.append(b"asked")) as url:
        where = x509.UniformResourceIdentifier(url)
        access = [x509.AccessDescription(one, where) for one in (Access.OCSP, Access.CA_ISSUERS)]
        points = [x509.DistributionPoint([where], None, None, None)]
        root = certify("root", new_key(), ca=True)
        signer = certify(
            "signer", new_key(), root,
            extensions=(
                (x509.AuthorityInformationAccess(access), False),
                (x509.CRLDistributionPoints(points), False),
            ),
        )  # fmt: skip
        found = gather([signer.der], [], locate("https://tsa.example/"), 1.0, lambda _: None)
    assert asked == []
    assert found.missing == ["the issuer of CN=signer"]
    assert (found.crls, found.ocsp_responses, found.root) == ([], [], None)


def test_a_reply_as_large_as_allowed_is_read() -> None:
    with serving(says(OK, KIND, "Content-Length: 10", body=b"0123456789")) as url:
        assert fetch(locate(url), Wanted((TYPE,), 10)) == b"0123456789"
        with pytest.raises(CouldNotCheck):
            fetch(locate(url), Wanted((TYPE,), 9))
    assert fetching.SECONDS <= 60
