"""A server of zkwm's own in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from zkwm.transparency_log.http_server import App, Server
from zkwm.transparency_log.listening import Address


@contextmanager
def running(app: App) -> Iterator[str]:
    """The URL of a server that runs ``app`` until the block ends."""
    server = Server(app, Address("127.0.0.1", 0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < until
            assert thread.is_alive()
            time.sleep(0.01)
        yield server.url
    finally:
        server.stop()
        thread.join()
