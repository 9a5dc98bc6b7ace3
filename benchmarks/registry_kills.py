"""A log that is killed again and again under load: nothing acknowledged is lost, no second tree.

SIGKILL at a random moment of a process that does what ``zkwm registry serve`` does, forked with
everything imported so that most of the time it works, while two clients register without pause,
keep all receipts and compare all checkpoints. In the end every receipt and checkpoint has to hold.
SQLite in the log's folder, and with ``ZKWM_POSTGRESQL`` (a URL) that server. Prints one JSON line
for each.

    python benchmarks/registry_kills.py [300 [60]]     # SQLite, PostgreSQL
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import measure
from registry import PASSPHRASE, begin, statement

from zkwm.transparency_log.admission import Rate
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.listening import Address
from zkwm.transparency_log.log_folder import DATABASE_VARIABLE, LogFolder
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints
from zkwm.transparency_log.serve import LogSettings, serve_log
from zkwm.transparency_log.statements import read_statement
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof, InvalidSignature
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tiles import TileHashes
from zkwm_protocols.transparency.tree import TreeHead, root_of

KILLS = (300, 60)
PRELOADED = [
    "zkwm.transparency_log.serve", "zkwm.transparency_log.client", "zkwm.training.versions",
    "zkwm.secret_files.encrypted", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql",
    "psycopg", "uvicorn.protocols.http.h11_impl", "uvicorn.loops.auto", "urllib3.connection",
]  # fmt: skip
MOST_RECEIPTS = 10
"""Of a log's life, from none on."""
MOST_SECONDS = 20.0
ENDED = threading.Event()
"""By SIGTERM: no more kills; what was done is checked and printed."""
FORKS = multiprocessing.get_context("forkserver")


def serve(folder: Path, url: str, started: Connection) -> None:
    """The log's process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ[DATABASE_VARIABLE] = url
    place = LogFolder(folder)
    settings = LogSettings(rate=Rate(10**6), reads=10**7)

    def listens(address: str, _: int) -> None:
        started.send(address)

    serve_log(place, place.key(PASSPHRASE), Address("127.0.0.1", 0), listens, settings)


def start(folder: Path, url: str) -> tuple[ForkServerProcess, str]:
    """Run a log, until it listens; its process and its address."""
    receiver, sender = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=serve, args=(folder, url, sender))
    process.start()
    sender.close()
    return process, receiver.recv()


class Receiver(threading.Thread):
    """A client that registers without pause, keeps all receipts and compares all checkpoints."""

    def __init__(
        self, number: int, policy: LogPolicy, folder: Path, address: Callable[[], str]
    ) -> None:
        super().__init__(daemon=True)
        self.number, self.policy, self.address = number, policy, address
        self.seen = SeenCheckpoints(folder / f"seen{number}")
        self.receipts: dict[int, bytes] = {}
        self.heads: set[TreeHead] = set()
        self.ended = threading.Event()
        self.broken: list[BaseException] = []

    def run(self) -> None:
        """Until ``ended``."""
        while not self.ended.is_set():
            client = LogClient(self.address(), self.policy, self.seen, seconds=5)
            try:
                while not self.ended.is_set():
                    body = statement(os.urandom(32))
                    done = client.register(body)
                    self.receipts[done.proof.index] = body
                    self.heads.add(done.proof.checkpoint.checkpoint.head)
            except (InvalidLogProof, InvalidSignature, AssertionError) as error:
                self.broken.append(error)
                return
            except CouldNotCheck:
                time.sleep(0.05)
            finally:
                client.close()


def wait_for_load(clients: Sequence[Receiver]) -> None:
    """Until some registrations have come through, so that a slow machine is no calm one."""
    before = sum(len(client.receipts) for client in clients)
    wanted, until = before + random.randint(0, MOST_RECEIPTS), time.monotonic() + MOST_SECONDS
    while sum(len(one.receipts) for one in clients) < wanted and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))


def measure_kills(url: str, kind: str, kills: int) -> None:
    """SIGKILL at random moments; in the end every receipt and every checkpoint must hold."""
    with tempfile.TemporaryDirectory(prefix="zkwm-bench-") as place:
        folder = Path(place) / "log"
        policy = begin(folder, url)
        log, address = start(folder, url)
        current = [address]
        clients = [Receiver(i, policy, Path(place), lambda: current[0]) for i in range(2)]
        for client in clients:
            client.start()
        done = 0
        while done < kills and not ENDED.is_set():
            wait_for_load(clients)
            done += 1
            log.kill()
            log.join()
            log, current[0] = start(folder, url)
        for client in clients:
            client.ended.set()
            client.join()
        log.terminate()
        log.join(30)
        place_of = LogFolder(folder)
        database = place_of.database()
        lost = 0
        with open_log(folder, place_of.key(PASSPHRASE), database, read_statement) as opened:
            hashes = TileHashes(opened.row.size, opened.files.read)
            heads = {head for client in clients for head in client.heads}
            other = sum(root_of(head.size, hashes) != head.root for head in heads)
            for client in clients:
                for index, body in client.receipts.items():
                    lost += hashes(0, index) != leaf_hash(body)
            size = opened.row.size
        database.close()
        measure.report(
            "registry_kills", database=kind, kills=done, entries=size,
            receipts=sum(len(client.receipts) for client in clients), lost=lost,
            checkpoints=len(heads), inconsistent=other,
            broken=[str(error) for client in clients for error in client.broken],
        )  # fmt: skip


def main() -> None:
    """Kill, and print what was found."""
    FORKS.set_forkserver_preload(PRELOADED)
    signal.signal(signal.SIGTERM, lambda *_: ENDED.set())
    given = [int(one) for one in sys.argv[1:3]]
    kills = [*given, *KILLS[len(given) :]]
    if kills[0]:
        measure_kills("", "sqlite", kills[0])
    if url := os.environ.get("ZKWM_POSTGRESQL", ""):
        measure_kills(url, "postgresql", kills[1])


if __name__ == "__main__":
    main()
