"""A receiver of webhooks on this machine, and events for it. Not a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from zkwm.outgoing_http.rules import OWN_WORD
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind, add_event
from zkwm.registry_service.deliveries import Deliveries
from zkwm.registry_service.signed_delivery import Secret
from zkwm.registry_service.webhooks import add_webhook
from zkwm_protocols.keys import BoxKey

KEY = BoxKey.generate()
Status = Callable[[int], int]


class Receiver:
    """A receiver on this machine: what it got, and the status of its n-th answer."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status: Status = lambda _: 204
        self.location = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((headers, body))
                self.send_response(receiver.status(len(receiver.got)))
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook?key=s3cret-of-the-url"

    def wait_for(self, number: int, seconds: float = 60) -> tuple[dict[str, str], bytes]:
        """The n-th message, once it has come."""
        until = time.monotonic() + seconds
        while len(self.got) < number:
            assert time.monotonic() < until, "no message came"
            time.sleep(0.05)
        return self.got[number - 1]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens until the block ends."""
    made = Receiver()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.http.shutdown()
        made.http.server_close()
        thread.join()


def happen(database: Database, kind: EventKind = EventKind.DECIDED, **data: object) -> None:
    with database.writing() as connection:
        add_event(connection, kind, b"\x0a" * 32, data)


def made(database: Database, url: str, clock: Callable[[], float], *kinds: str) -> Secret:
    return add_webhook(database, KEY.public, "ann", url, kinds, rules=OWN_WORD, clock=clock)[1]


def all_due(deliveries: Deliveries) -> list[bool]:
    """Make every delivery that is due now."""
    deliveries.queue()
    done = []
    while (due := deliveries.take()) is not None:
        done.append(deliveries.deliver(due))
    return done
