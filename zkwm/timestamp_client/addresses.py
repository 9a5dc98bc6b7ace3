"""Where a host is, resolved once, and whether a URL in a foreign certificate may send us there.

The owner may name any authority. The addresses of CRLs and issuers come from certificates that
anybody can make, and must not make the owner's machine ask its own network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from zkwm_protocols.errors import UsageError

_URL_LIMIT = 400
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Location:
    """A URL, taken apart: scheme, host, port, and the path with its query.

    ``address`` is, of an authority that was asked, the address that answered.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: str = ""

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """What the header ``Host`` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def locate(url: str) -> Location:
    """The parts of a URL of http or https. Raises UsageError, without repeating the URL."""
    hint = "give http(s)://host[:port]/path, as the authority publishes it"
    if len(url) > _URL_LIMIT or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise UsageError(
            f"a URL is at most {_URL_LIMIT} ASCII characters without spaces", hint=hint
        )
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname, parts.port, parts.scheme.lower()
    except ValueError:
        host, port, scheme = None, None, ""
    if scheme not in _PORTS or not host or port == 0:
        raise UsageError("this is no URL of http or https", hint=hint)
    if "@" in parts.netloc or "#" in url:
        raise UsageError("a URL must carry no user name, password or fragment", hint=hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Location(scheme, host, port or _PORTS[scheme], path)


def resolve(location: Location, asked: Location | None) -> list[str]:
    """The addresses to connect to: all of the host's, resolved once. Raises OSError.

    ``asked`` is None for a URL that the owner typed. For one of a certificate it is the authority
    that they typed: only the address that answered there, for its own host and port, or public
    addresses at the usual ports, are asked. Raises ValueError for any other.
    """
    same = asked is not None and (location.host, location.port) == (asked.host, asked.port)
    if asked is not None and same and asked.address:
        return [asked.address]  # not what its name means by now
    found = socket.getaddrinfo(location.host, location.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if asked is None:
        return addresses
    if location.port != _PORTS[location.scheme]:
        raise ValueError("a certificate names an unusual port")
    if not all(_is_public(address) for address in addresses):
        raise ValueError("a certificate names an address that is not public")
    return addresses


def _is_public(address: str) -> bool:
    """Whether anybody on the internet has this address (IPv6: RFC 4291, section 2.4)."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and (
        parsed not in _GLOBAL_UNICAST or parsed.sixtofour or parsed.teredo
    ):
        return False  # a public service has an address of its own, not one translated
    return parsed.is_global and not parsed.is_multicast


_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
