"""Desks on one database that are killed under load, and what they had acknowledged by then.

``python -m tests.support.killed_desks LOCATION FOLDER PROCESSES SECONDS`` forks desks that
register, challenge, take answers and settle without end; ends one of them with SIGKILL at random,
again and again, and starts another in its place. FOLDER has the judge's keys (``key``, two lines of
hexadecimal) and gets one file of acknowledgements for each desk: after each step that returned one
line, ``register D``, ``challenge ID``, ``answer ID SHA256``, ``opened D BLOCK`` or
``verdict ID OUTCOME``. ``examine`` then looks for each of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tests.support.dispute import Claimant, marked, random_images, verdict_of
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm.marketplace import Marketplace
from zkwm.registry_database.tables import PROOFS
from zkwm_protocols import labels
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.keys import ED25519, BoxKey, SigningKey

BLOCK, BLOCKS = 40, 200
FEWEST_VERDICTS, MOST_SECONDS = 8, 300.0
Acknowledge = Callable[..., None]


def write_key(path: Path, key: JudgeKey) -> None:
    """Write the keys of a judge for tests."""
    path.write_text(f"{key.signing.to_bytes().hex()} {key.box.to_bytes().hex()}")


def read_key(path: Path) -> JudgeKey:
    """Read ``write_key``."""
    signing, box = (bytes.fromhex(word) for word in path.read_text().split())
    return JudgeKey(SigningKey.from_bytes(ED25519, signing), BoxKey(box))


def shared_owner() -> Claimant:
    """The owner on whom all desks count together."""
    return Claimant(random_images(BLOCK * BLOCKS), block_size=BLOCK)


def quick_seed(digest: bytes, beacon: bytes | None) -> bytes:
    """The seed of labels by SHA-256 instead of Argon2id."""
    return hashlib.sha256(b"a test's seed" + digest + (beacon or bytes(32))).digest()


def claim(market: Marketplace, owner: Claimant, number: int, acknowledge: Acknowledge) -> None:
    """One claim from registration to verdict, each step acknowledged once it has returned."""
    name = market.register(owner.commitment)
    acknowledge("register", name)
    suspect = marked(owner.images, owner.labels, name=f"model {number}")
    challenge = market.challenge(name, suspect)
    case = challenge.digest.hex()
    acknowledge("challenge", case)
    block = min(set(range(owner.commitment.header.block_count)) - set(challenge.excluded_blocks))
    proof = owner.answer(challenge, [block]).to_bytes()
    market.answer(challenge, proof)
    acknowledge("answer", case, hashlib.sha256(proof).hexdigest())
    outcome = verdict_of(lambda: market.settle(suspect, challenge)).outcome
    acknowledge("opened", name, block)
    acknowledge("verdict", case, outcome.replace(" ", "-"))


def work(location: str, folder: Path, number: int, shared: Claimant) -> None:
    """A desk, until it is killed."""
    numbers = random.Random(number)
    file = (folder / f"desk {number}").open("w", buffering=1)
    with Marketplace(location, Judge.from_key(read_key(folder / "key"))) as market:
        while True:
            seed = numbers.randrange(2**31)
            own = Claimant(random_images(2 * BLOCK, seed), block_size=BLOCK)
            for owner in (own, shared):
                try:
                    claim(market, owner, seed, lambda *words: print(*words, file=file, flush=True))
                except ZkwmError as error:
                    if error.check != "challenge.reachable":  # all blocks were opened
                        raise


def warm_up(folder: Path, shared: Claimant) -> None:
    """Import all that a claim needs, once, before desks are forked."""
    where, judge = folder / "warm.sqlite", Judge.from_key(read_key(folder / "key"))
    with Marketplace(where, judge) as market:
        claim(market, shared, 0, lambda *_: None)


def fork(location: str, folder: Path, number: int, shared: Claimant) -> int:
    """Start a desk; its process id."""
    child = os.fork()
    if child == 0:
        try:
            work(location, folder, number, shared)
        except BaseException as error:
            (folder / f"fault {number}").write_text(repr(error))
        finally:
            os._exit(1)
    return child


def main() -> None:
    """Kill desks under load, each after a random number of steps, then all of them."""
    location, folder, processes, seconds = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
    labels.label_seed = quick_seed
    shared = shared_owner()
    warm_up(folder, shared)
    started, count, kills = time.monotonic(), 0, 0
    running: dict[int, tuple[int, int]] = {}  # by number: process and how many steps it may do
    while (passed := time.monotonic() - started) < MOST_SECONDS:
        if passed >= float(seconds) and _verdicts(folder) >= FEWEST_VERDICTS:
            break
        while len(running) < int(processes):
            running[count] = fork(location, folder, count, shared), random.randrange(30)
            count += 1
        time.sleep(random.uniform(0.0, 0.1))
        for number, (process, steps) in list(running.items()):
            file = folder / f"desk {number}"
            if file.exists() and file.read_bytes().count(b"\n") >= steps:
                _kill(process)
                del running[number]
                kills += 1
                break
    for process, _ in running.values():
        _kill(process)
        kills += 1
    print(json.dumps({"kills": kills}))  # noqa: T201


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _verdicts(folder: Path) -> int:
    """How many verdicts were acknowledged so far."""
    return sum(file.read_bytes().count(b"\nverdict ") for file in folder.glob("desk *"))


def examine(location: str, folder: Path) -> dict[str, Any]:
    """How many steps of each kind were acknowledged, how many of them are lost, and faults."""
    told, lost = Counter[str](), []
    with Marketplace(location, Judge.from_key(read_key(folder / "key"))) as market:
        registered = {kept.id for kept in market.commitments()}
        with market._database.reading() as connection:
            proofs = {
                (bytes(case).hex(), bytes(digest).hex())
                for case, digest in connection.execute(select(PROOFS.c.challenge, PROOFS.c.digest))
            }
        opened: dict[str, tuple[int, ...]] = {}

        def kept(kind: str, name: str, *rest: str) -> bool:
            if kind == "register":
                return name in registered
            if kind == "challenge":
                return bool(market.case(name).id) and bool(market.issued(name))
            if kind == "answer":
                return (name, rest[0]) in proofs
            if kind == "opened":
                if name not in opened:
                    opened[name] = market.judge.ledger.opened_blocks(bytes.fromhex(name))
                return int(rest[0]) in opened[name]
            return market.case(name).outcome.replace(" ", "-") == rest[0]

        for file in folder.glob("desk *"):
            for line in file.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    told[line.split()[0]] += 1
                    try:
                        present = kept(*line.split())
                    except UsageError:
                        present = False
                    if not present:
                        lost.append(line.strip())
        numbers = _numbers(market, shared_owner().commitment.digest)
    faults = [file.read_text() for file in folder.glob("fault *")]
    return {"told": dict(told), "lost": lost, "faults": faults, "numbers": numbers}


def _numbers(market: Marketplace, commitment: bytes) -> list[int]:
    """The numbers j of all functions that were counted on a commitment."""
    with market._database.transaction() as database:
        rows = database.execute(
            "SELECT number FROM ledger_functions WHERE commitment = :commitment ORDER BY number",
            {"commitment": commitment},
        ).fetchall()
    return [row[0] for row in rows]


if __name__ == "__main__":
    main()
