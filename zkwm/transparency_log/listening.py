"""Where a server listens, and its sockets."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from zkwm_protocols.errors import CouldNotCheck

BACKLOG = 2048
"""Connections that wait for the process."""


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


def listening(address: Address) -> socket.socket:
    """A socket that listens on an address. Raises CouldNotCheck, which names it.

    Its connections send at once (TCP_NODELAY): asyncio sees to that only for sockets made with the
    number of TCP, and Nagle's algorithm keeps a body back until its head is acknowledged, 40 ms.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        server = socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        where = address.url.removeprefix("http://")
        raise CouldNotCheck(
            f"cannot listen on {where}: {error.strerror or 'no such address'}",
            hint="another process may listen there: choose another port, or end that process"
            if error.errno == errno.EADDRINUSE
            else "give an address of this machine, and a port from 1024 on",
        ) from None
    return server


def require_free(address: Address) -> None:
    """Raise CouldNotCheck unless this process could listen on an address."""
    listening(address).close()
