"""Where an authority is, and where a URL in a foreign certificate may send us.

The owner may name any authority. The addresses of CRLs and issuers come from certificates that
anybody can make, and must not make the owner's machine ask its own network.
"""

from __future__ import annotations

from dataclasses import replace

from zkwm.outgoing_http import location as urls
from zkwm.outgoing_http.location import Location
from zkwm.outgoing_http.rules import CERTIFICATE, OWN_WORD, Rules


def locate(url: str) -> Location:
    """The parts of a URL of http or https. Raises UsageError, without repeating the URL."""
    return urls.locate(url, hint="give http(s)://host[:port]/path, as the authority publishes it")


def destination(location: Location, asked: Location | None) -> tuple[Location, Rules]:
    """Where to ask for a URL, and where it may lead.

    ``asked`` is None for a URL that the owner typed. For one of a certificate it is the authority
    that they typed: only the address that answered there, for its own host and port, or public
    addresses at the usual ports, are asked.
    """
    if asked is None:
        return location, OWN_WORD
    if (location.host, location.port) == (asked.host, asked.port) and asked.address:
        return replace(location, address=asked.address), OWN_WORD  # not what its name means by now
    return location, CERTIFICATE
