"""Where URLs may lead: addresses of every special kind, names for them, ports and schemes."""

from __future__ import annotations

import socket

import pytest

from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.location import locate
from zkwm.outgoing_http.resolution import resolve
from zkwm.outgoing_http.rules import CERTIFICATE, OWN_WORD, STRANGER, ForbiddenError, is_public
from zkwm_protocols.errors import UsageError

SPECIAL = {
    "this host": ("0.0.0.0", "0.1.2.3", "::"),
    "loopback": ("127.0.0.1", "127.255.1.1", "::1"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    "shared": ("100.64.0.1", "100.127.255.255"),
    "link-local": ("169.254.169.254", "fe80::1", "fe80::1%eth0"),
    "unique local": ("fc00::1", "fd00:ec2::254", "fec0::1"),
    "multicast": ("224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1"),
    "reserved": ("240.0.0.1", "255.255.255.255", "5f00::1", "4000::1", "192.0.0.8", "192.88.99.1"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "benchmarks": ("198.18.0.1", "2001:2::1"),
    "mapped": ("::ffff:127.0.0.1", "::ffff:93.184.216.34", "::ffff:0:127.0.0.1", "::127.0.0.1"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1"),
    "6to4": ("2002:7f00:1::", "2002:c0a8:101::1"),
    "Teredo": ("2001:0:7f00:1::1",),
    "ISATAP": ("2606:2800:220:1:0:5efe:7f00:1", "2606:2800:220:1:200:5efe:a00:1"),
    "discard": ("100::1",),
    "no address": ("", "localhost", "127.1", "93.184.216.34.", "1.2.3.4/8"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_an_address_that_is_special_is_not_public(kind: str) -> None:
    assert not [one for one in SPECIAL[kind] if is_public(one)]


def test_addresses_of_the_internet_are_public() -> None:
    for one in ("93.184.216.34", "1.1.1.1", "2606:2800:220:1:248:1893:25c8:1946", "2a00::1"):
        assert is_public(one)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "localhost", "LOCALHOST", "0", "10.1",
     "169.254.169.254", "[fe80::1%25lo]"],
)  # fmt: skip
def test_no_spelling_of_an_own_address_gets_through(host: str) -> None:
    """By the system's own lookup, which reads more spellings than a check of text would know."""
    with pytest.raises((ForbiddenError, OSError)):
        resolve(locate(f"https://{host}/", hint=""), STRANGER, Deadline(20))


@pytest.mark.parametrize("rules", [STRANGER, CERTIFICATE])
def test_one_special_address_among_public_ones_is_enough(
    rules: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = ["93.184.216.34", "10.0.0.1"]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    location = locate("https://a.example/", hint="")
    with pytest.raises(ForbiddenError, match="not public"):
        resolve(location, rules, Deadline(20))
    assert resolve(location, OWN_WORD, Deadline(20)) == addresses


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://a.example/", "not https"), ("https://a.example:22/", "unusual port"),
     ("https://a.example:80/", "unusual port"), ("http://a.example:443/", "not https")],
)  # fmt: skip
def test_strangers_name_https_at_usual_ports_alone(
    url: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked up"))
    with pytest.raises(ForbiddenError, match=words):
        resolve(locate(url, hint=""), STRANGER, Deadline(20))


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a/b", "https://", "https://u:s3cret@a/", "https://s3cret@a/", "https://a/#s3cret",
     "https://a\\@b/", "https://a b/", "https://a/\n", "https://a:0/", "https://a:99999/",
     "https://[::1/", "https://a/" + "b" * 400, "https://\u00e4/", "//a/", "javascript:alert(1)"],
)  # fmt: skip
def test_a_url_with_a_secret_or_two_readings_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        locate(url, hint="give another")
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"
