"""Sockets of servers."""

from __future__ import annotations

import socket

from zkwm.transparency_log.listening import Address, listening


def test_answers_are_not_kept_back() -> None:
    """On an idle machine a reader would wait 40 ms for a body after its head (Nagle)."""
    with (
        listening(Address("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
        server.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
