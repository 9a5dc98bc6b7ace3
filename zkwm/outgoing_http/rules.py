"""Where a URL may lead, by whose word it is: schemes, ports, and which addresses.

Whoever runs the product may name any host. A URL from somebody else must not make this machine ask
its own network for them (server-side request forgery, CWE-918): only addresses are asked that
anybody on the internet has. Special addresses are those of the registries of IANA (RFC 6890).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from zkwm.outgoing_http.location import Location, locate
from zkwm_protocols.errors import UsageError

_SPECIAL = tuple(
    ipaddress.ip_network(one)
    for one in (
        "192.0.0.0/24",  # of the IETF's protocols (RFC 6890)
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "2001::/23",  # of the IETF's protocols, Teredo and ORCHID among them (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4, which embeds an address of IPv4 (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""Of IPv6 (RFC 4291, section 2.4): without mapped, translated (NAT64), unique local and the rest"""


class ForbiddenError(Exception):
    """A URL leads where its rules do not allow; the text says to what, without the address."""


@dataclass(frozen=True)
class Rules:
    """Where a URL may lead.

    Args:
        whose: what named the host, for messages: "a certificate".
        ports: the allowed ones of each allowed scheme; None for all.
        public: whether only addresses count that anybody on the internet has.
    """

    whose: str
    ports: Mapping[str, frozenset[int] | None]
    public: bool = True

    def locate(self, url: str, *, hint: str) -> Location:
        """The parts of a URL that is allowed, as far as can be told without asking anybody.

        Raises UsageError with the hint, and without repeating the URL.
        """
        location = locate(url, hint=hint)
        try:
            self.require_location(location)
        except ForbiddenError as error:
            raise UsageError(str(error), hint=hint) from None
        return location

    def require_location(self, location: Location) -> None:
        """Raise ForbiddenError for a scheme or port that is not allowed."""
        if location.scheme not in self.ports:
            raise ForbiddenError(f"{self.whose} is not https")
        allowed = self.ports[location.scheme]
        if allowed is not None and location.port not in allowed:
            raise ForbiddenError(f"{self.whose} names an unusual port")

    def require_addresses(self, addresses: list[str]) -> None:
        """Raise ForbiddenError unless all addresses are allowed.

        One that is not makes the whole host suspicious: which is asked must not be up to chance.
        """
        if self.public and not all(map(is_public, addresses)):
            raise ForbiddenError(f"{self.whose} names an address that is not public")


OWN_WORD = Rules("the one who runs this", {"http": None, "https": None}, public=False)
"""For URLs that the one who runs the product has given."""
CERTIFICATE = Rules("a certificate", {"http": frozenset({80}), "https": frozenset({443})})
"""For URLs in certificates: CRLs and issuers are published over plain http (RFC 5280)."""
STRANGER = Rules("this URL", {"https": frozenset({443, 8443})})
"""For URLs that strangers give to a service: suspects, receivers of webhooks."""


def is_public(address: str) -> bool:
    """Whether anybody on the internet has this address, as its own and for one machine.

    Addresses of IPv6 that embed one of IPv4 (mapped, compatible, translated, 6to4, Teredo) are none
    of these: a public service has an address of its own.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.scope_id or not _is_global(parsed)):
        return False
    if any(parsed in network for network in _SPECIAL if network.version == parsed.version):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _is_global(address: ipaddress.IPv6Address) -> bool:
    """Whether it is global unicast, and no ISATAP address (RFC 5214, section 6.1)."""
    isatap = int(address) >> 32 & 0xFDFFFFFF == 0x00005EFE
    return address in _GLOBAL_UNICAST and not isatap
