"""Where a server listens, and its sockets."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from zkwm_protocols.errors import CouldNotCheck


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As a client writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def listening(address: Address) -> list[socket.socket]:
    """Sockets that listen on an address. Raises CouldNotCheck, which names it."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, _, _, place in found[: 1 if address.port == 0 else None]:
            one = socket.socket(family, kind)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(place)
    except OSError as error:
        for one in sockets:
            one.close()
        where = Address(address.host, address.port).url.removeprefix("http://")
        raise CouldNotCheck(
            f"cannot listen on {where}: {error.strerror or 'no such address'}",
            hint="another process may listen there: choose another port, or end that process"
            if error.errno == errno.EADDRINUSE
            else "give an address of this machine, and a port from 1024 on",
        ) from None
    return sockets


def require_free(address: Address) -> None:
    """Raise CouldNotCheck unless this process could listen on an address."""
    for one in listening(address):
        one.close()
