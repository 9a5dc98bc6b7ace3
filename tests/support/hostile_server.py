"""Servers on this machine that read a request and then behave as they like."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Behavior = Callable[[socket.socket], None]


def says(*lines: str, body: bytes = b"") -> Behavior:
    """A server that sends this head and body."""
    return lambda client: client.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def drips(client: socket.socket) -> None:
    """One byte of a head every 50 ms, without end."""
    with contextlib.suppress(OSError):
        client.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            client.sendall(b"a")
            time.sleep(0.05)


def endless(content_type: str) -> Behavior:
    """A body that never ends."""

    def behave(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode())
            while True:
                client.sendall(bytes(65_536))

    return behave


def _read_request(client: socket.socket) -> None:
    """Head and body: a connection closed on what is unread may take the answer with it."""
    with client.makefile("rb") as request:
        length = 0
        for line in iter(request.readline, b"\r\n"):
            if not line:
                return
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        request.read(length)


@contextmanager
def serving(behavior: Behavior) -> Iterator[str]:
    """A server on this machine that reads a request and behaves so; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):
                    _read_request(client)
                    behavior(client)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/tsa"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
