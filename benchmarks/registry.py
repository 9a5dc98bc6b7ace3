"""A log under load: durable registrations, reads, a large log's start, verification, kills.

Each part prints one JSON line. The log runs as ``zkwm registry serve`` on this machine, with the
clients beside it. SQLite in the log's folder, and with ``ZKWM_POSTGRESQL`` (a URL) that server too.

``--register``  acknowledged durable registrations a second, and their p99. Bars: 500, 200 ms.
``--read``      tiles a second, by wrk. Bar: 5,000.
``--large``     start and memory of a log of a million entries. Bars: 5 s, 300 MiB.
``--verify``    a proof with 3 cosignatures, and consistency, offline. Bar: 50 ms.
``--idle``      10,000 connections that say nothing; an honest client meanwhile.

    python benchmarks/registry.py [--register] [--read] [--large] [--verify] [--idle]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import measure

from zkwm.secret_files.encrypted import Cost
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.entries import Entry
from zkwm.transparency_log.log_folder import DATABASE_VARIABLE, LogFolder
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.merkle import node_hash
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import (
    TreeHead,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
)

PASSPHRASE = "a benchmark's phrase"
KEY = SigningKey.generate()
CLIENTS = 64
SECONDS = 15.0
LARGE = 1_000_000
ORIGIN = "log.example/benchmark"
RATE = "1000000"
"""All clients have one address here."""


def statement(seed: bytes) -> bytes:
    """A statement about a commitment, as owners make it; ``seed`` has 32 bytes."""
    return sign_statement(CommitmentStatement(seed), KEY).to_bytes()


def environment(url: str) -> dict[str, str]:
    """The environment of a log's process."""
    return {**os.environ, "ZKWM_REGISTRY_PASSPHRASE": PASSPHRASE, DATABASE_VARIABLE: url}


def begin(folder: Path, url: str) -> LogPolicy:
    """A log, and the policy that names it. Its passphrase is cheap to try, so that starts are."""
    os.environ[DATABASE_VARIABLE] = url
    LogFolder(folder).create(ORIGIN, PASSPHRASE, cost=Cost(1, 8192))
    keys = "".join(f"log {key.to_text()}\n" for key in LogFolder(folder).verifiers())
    return LogPolicy.from_bytes(f"{keys}quorum none\n".encode())


@dataclass
class Running:
    """A log's process, and where it listens."""

    process: subprocess.Popen[str]
    url: str
    start_seconds: float


def start(folder: Path, url: str) -> Running:
    """Run a log, until it listens."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "zkwm_cli", "registry", "serve", str(folder), "--json"]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--rate", RATE], env=environment(url), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        line = process.stdout.readline()
        assert line, "the log has not started"
        said += line
    return Running(process, json.loads(said)["url"], time.perf_counter() - begun)


@contextmanager
def served(folder: Path, url: str) -> Iterator[Running]:
    """A log that runs until the block ends."""
    log = start(folder, url)
    try:
        yield log
    finally:
        log.process.send_signal(signal.SIGTERM)
        log.process.wait(30)


def cpu_seconds(process: int) -> float:
    """The processor's time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def post(host: str, port: int, bodies: list[bytes], until: float) -> list[float]:
    """Register over one connection, one after the other; return the seconds of each."""
    reader, writer = await asyncio.open_connection(host, port)
    taken = []
    for body in bodies:
        if time.perf_counter() > until:
            break
        begun = time.perf_counter()
        head = f"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer)
        assert length is not None
        assert answer.startswith(b"HTTP/1.1 201"), answer[:100]
        await reader.readexactly(int(length[1]))
        taken.append(time.perf_counter() - begun)
    writer.close()
    return taken


def measure_register(url: str, kind: str) -> None:
    """Registrations from 64 connections; statements are signed beforehand."""
    with tempfile.TemporaryDirectory(prefix="zkwm-bench-") as place:
        folder = Path(place) / "log"
        begin(folder, url)
        bodies = [[statement(os.urandom(32)) for _ in range(250)] for _ in range(CLIENTS)]
        with served(folder, url) as log:
            host, port = log.url.removeprefix("http://").split(":")

            async def load() -> list[list[float]]:
                until = time.perf_counter() + SECONDS
                return await asyncio.gather(*(post(host, int(port), b, until) for b in bodies))

            begun = time.perf_counter()
            taken = sorted(one for many in asyncio.run(load()) for one in many)
            seconds = time.perf_counter() - begun
            cpu = cpu_seconds(log.process.pid)
        measure.report(
            "registry_register", database=kind, clients=CLIENTS, registrations=len(taken),
            per_second=round(len(taken) / seconds, 1),
            median_ms=round(1000 * statistics.median(taken), 1),
            p99_ms=round(1000 * taken[int(len(taken) * 0.99)], 1),
            server_cpu_ms=round(1000 * cpu / len(taken), 2),
        )  # fmt: skip


def fill(folder: Path, count: int) -> None:
    """Put entries into a log at once: real leaves, statements that nobody reads again."""
    place = LogFolder(folder)
    database = place.database()

    def describe(data: bytes) -> Entry:
        return Entry(data, data[:32], "somebody", "A-KEY", "application/vnd.zkwm.commitment")

    class Quick(Disk):
        def flush(self, path: Path) -> None:
            """Nothing: this log is measured, and thrown away."""

    with open_log(folder, place.key(PASSPHRASE), database, describe, Quick()) as log:
        for first in range(0, count, 8192):
            size = min(8192, count - first)
            log.append([describe(random.randbytes(400)) for _ in range(size)])
    database.close()


def measure_read(url: str, kind: str) -> None:
    """Full tiles, by wrk with 64 connections."""
    with tempfile.TemporaryDirectory(prefix="zkwm-bench-") as place:
        folder = Path(place) / "log"
        begin(folder, url)
        fill(folder, 1024)
        with served(folder, url) as log:
            for path in ("tile/0/001", "checkpoint"):
                command = ["wrk", "-t1", f"-c{CLIENTS}", "-d8s", f"{log.url}/{path}"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
                assert rate is not None
                assert "Non-2xx" not in done.stdout
                measure.report("registry_read", database=kind, path=path,
                               per_second=float(rate[1]))  # fmt: skip


def measure_large(url: str, kind: str) -> None:
    """Start, memory and a whole check of a log of a million entries."""
    with tempfile.TemporaryDirectory(prefix="zkwm-bench-") as place:
        folder = Path(place) / "log"
        begin(folder, url)
        fill(folder, LARGE)
        with served(folder, url) as log:
            policy = LogPolicy.from_bytes(
                "".join(f"log {key.to_text()}\n" for key in LogFolder(folder).verifiers()).encode()
                + b"quorum none\n"
            )
            client = LogClient(log.url, policy)
            begun = time.perf_counter()
            client.register(statement(os.urandom(32)))
            registered = time.perf_counter() - begun
            status = Path(f"/proc/{log.process.pid}/status").read_text()
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            assert peak is not None
            measure.report(
                "registry_large", database=kind, entries=LARGE,
                start_seconds=round(log.start_seconds, 2), memory_mib=int(peak[1]) // 1024,
                first_registration_ms=round(1000 * registered, 1),
            )  # fmt: skip


def measure_verify() -> None:
    """A proof in a tree of a million entries, 3 cosignatures by two keys each, and consistency."""
    key = TreeKey.generate(KeyKind.LOG, ORIGIN)
    witnesses = [TreeKey.generate(KeyKind.WITNESS, f"w{i}.example") for i in range(3)]
    levels = [bytes(32)]  # of equal leaves all subtrees of one height are equal
    for height in range(20):
        levels.append(node_hash(levels[height], levels[height]))

    def hashes(height: int, _: int) -> bytes:
        return levels[height]

    head = TreeHead(LARGE, root_of(LARGE, hashes))
    old = TreeHead(LARGE - 12_345, root_of(LARGE - 12_345, hashes))
    signed = SignedCheckpoint.from_bytes(key.sign(head))
    for witness in witnesses:
        signed = signed.with_signatures(witness.lines(signed.checkpoint))
    lines = [f"log {one.to_text()}" for one in key.verifiers]
    for number, witness in enumerate(witnesses):
        lines += [f"witness w{number}{i} {one.to_text()}"
                  for i, one in enumerate(witness.verifiers)]  # fmt: skip
        lines += [f"group g{number} all w{number}0 w{number}1"]
    policy = LogPolicy.from_bytes(
        "\n".join([*lines, "group q all g0 g1 g2", "quorum q", ""]).encode()
    )
    proof = ProofFile(777, tuple(prove_inclusion(777, LARGE, hashes)), signed).to_bytes()
    consistency = prove_consistency(old.size, head.size, hashes)
    taken = []
    for _ in range(50):
        begun = time.perf_counter()
        ProofFile.from_bytes(proof).verify(bytes(32), policy, latest=int(time.time()) + 5)
        verify_consistency(old, head, consistency)
        taken.append(1000 * (time.perf_counter() - begun))
    measure.report("registry_verify", witnesses=3, entries=LARGE, proof_bytes=len(proof),
                   median_ms=round(statistics.median(taken), 2),
                   worst_ms=round(max(taken), 2))  # fmt: skip


def measure_idle(url: str, kind: str) -> None:
    """Connections that say nothing, and what an honest client notices."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="zkwm-bench-") as place:
        folder = Path(place) / "log"
        policy = begin(folder, url)
        with served(folder, url) as log, contextlib.ExitStack() as stack:
            host, port = log.url.removeprefix("http://").split(":")
            opened = 0
            for _ in range(10_000):
                with contextlib.suppress(OSError):
                    stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
                    opened += 1
            client, taken = LogClient(log.url, policy), []
            for _ in range(20):
                begun = time.perf_counter()
                client.register(statement(os.urandom(32)))
                taken.append(1000 * (time.perf_counter() - begun))
            measure.report("registry_idle", database=kind, connections=opened,
                           worst_ms=round(max(taken), 1))  # fmt: skip


PARTS: dict[str, Callable[[str, str], None]] = {
    "register": measure_register,
    "read": measure_read,
    "large": measure_large,
    "idle": measure_idle,
}


def main() -> None:
    """Measure what was asked for, or everything."""
    parser = argparse.ArgumentParser()
    for name in (*PARTS, "verify"):
        parser.add_argument(f"--{name}", action="store_true")
    chosen = parser.parse_args()
    everything = not any(getattr(chosen, name) for name in (*PARTS, "verify"))
    postgresql = os.environ.get("ZKWM_POSTGRESQL", "")
    for kind, url in (("sqlite", ""), ("postgresql", postgresql)):
        if kind == "postgresql" and not url:
            continue
        for name, part in PARTS.items():
            if everything or getattr(chosen, name):
                part(url, kind)
    if everything or chosen.verify:
        measure_verify()


if __name__ == "__main__":
    main()
