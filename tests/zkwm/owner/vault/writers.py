"""Processes that write to one vault: killed at random, killed at each step, beside each other.

Run as a script by ``test_vault_processes.py``; it forks, which a test runner with threads must not.
Writes one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from zkwm import files
from zkwm.owner.vault import Vault

PASSPHRASE = os.environ["ZKWM_PASSPHRASE"]


def append(vault: Vault, index: int | None = None) -> int:
    """Add the entry of challenge and block ``index``, by default the next one; its index."""
    with vault.transaction() as state:
        first = state.ledger[0]
        index = len(state.ledger) if index is None else index
        state.ledger.append(
            replace(first, challenge_digest=index.to_bytes(32, "big"), blocks=(index,))
        )
    return index


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """Run ``work`` in a child with a pipe to write to; the child's id, and the reading end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            work(writing)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    return child, reading


def numbers(reading: int) -> list[int]:
    """The four-byte numbers that a child wrote before it ended."""
    with os.fdopen(reading, "rb") as stream:
        data = stream.read()
    return [int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data) // 4 * 4, 4)]


def indices(path: Path) -> list[int]:
    """The ledger as it is on disk, by an opening of its own."""
    ledger = Vault.open(path, PASSPHRASE).state.ledger
    return [int.from_bytes(entry.challenge_digest, "big") for entry in ledger]


def leftovers(path: Path) -> int:
    """How many temporary files lie beside the vault."""
    return sum(1 for name in path.parent.iterdir() if name.name.endswith(".tmp"))


def killed_at_random(path: Path, rounds: int) -> dict[str, Any]:
    """Kill a process that appends without pause, ``rounds`` times, at random instants."""
    vault = Vault.open(path, PASSPHRASE)
    chance = random.Random(20)

    def work(writing: int) -> None:
        while True:
            os.write(writing, append(vault).to_bytes(4, "big"))

    lost, unacknowledged, most, interrupted = 0, 0, 0, 0
    acknowledged: set[int] = set()
    for _ in range(rounds):
        child, reading = forked(work)
        select.select([reading], [], [], 30)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        acknowledged.update(numbers(reading))
        found = indices(path)
        lost += len(acknowledged - set(found))
        unacknowledged += len(found) - 1 - len(acknowledged)
        acknowledged.update(found[1:])
        interrupted += leftovers(path) > 0
        most = max(most, leftovers(path))
    append(vault)
    return {
        "acknowledged": len(acknowledged),
        "lost": lost,
        "unacknowledged": unacknowledged,
        "interrupted": interrupted,
        "most_leftovers": most,
        "leftovers": leftovers(path),
        "in_order": indices(path) == list(range(len(indices(path)))),
    }


def killed_at_each_step(path: Path) -> list[dict[str, Any]]:
    """Kill a process right before, or right after, each step of writing one entry."""
    results = []
    for step, calls in (("open", 1), ("fsync", 1), ("replace", 1), ("open", 2), ("fsync", 2)):
        for when in ("before", "after"):
            vault = Vault.open(path, PASSPHRASE)
            before = indices(path)

            def work(writing: int, vault: Vault = vault, at: Any = (step, calls, when)) -> None:
                with killing(*at):
                    append(vault)
                os.write(writing, bytes(4))

            child, reading = forked(work)
            _, status = os.waitpid(child, 0)
            after = indices(path)
            stale = leftovers(path)
            append(vault)
            results.append(
                {
                    "step": f"{when} {step} {calls}",
                    "killed": os.WIFSIGNALED(status) and not numbers(reading),
                    "kept": after[: len(before)] == before and len(after) - len(before) in (0, 1),
                    "stale": stale,
                    "leftovers": leftovers(path),
                    "writable": len(indices(path)) == len(after) + 1,
                }
            )
    return results


@contextmanager
def killing(step: str, calls: int, when: str) -> Iterator[None]:
    """End this process by SIGKILL around the given call of a function that ``zkwm.files`` uses."""
    owner: Any = Path if step == "replace" else files.os
    real = getattr(owner, step)
    count = 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        # The lock file is opened by the same function, before anything is written.
        count += not str(arguments[0]).endswith(".lock")
        if count == calls and when == "before":
            die()
        result = real(*arguments, **options)
        if count == calls:
            die()
        return result

    setattr(owner, step, call)
    try:
        yield
    finally:
        setattr(owner, step, real)


def die() -> NoReturn:
    """End at once, as by a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def beside_each_other(path: Path, processes: int, each: int) -> dict[str, Any]:
    """Append from several processes at once, each to entries of its own, begun at one signal."""
    starting, start = os.pipe()

    def work_of(number: int) -> Callable[[int], None]:
        def work(writing: int) -> None:
            os.close(start)
            vault = Vault.open(path, PASSPHRASE)
            os.read(starting, 1)
            for i in range(each):
                index = append(vault, 1 + number * each + i)
                os.write(writing, index.to_bytes(4, "big"))

        return work

    children = [forked(work_of(number)) for number in range(processes)]
    os.close(start)
    acknowledged = [index for _, reading in children for index in numbers(reading)]
    statuses = [os.waitpid(child, 0)[1] for child, _ in children]
    return {
        "statuses": statuses,
        "acknowledged": sorted(acknowledged),
        "found": sorted(indices(path)),
        "leftovers": leftovers(path),
    }


if __name__ == "__main__":
    vault_file = Path(sys.argv[2])
    jobs: dict[str, Callable[[], Any]] = {
        "random": lambda: killed_at_random(vault_file, int(sys.argv[3])),
        "steps": lambda: killed_at_each_step(vault_file),
        "beside": lambda: beside_each_other(vault_file, int(sys.argv[3]), int(sys.argv[4])),
    }
    sys.stdout.write(json.dumps(jobs[sys.argv[1]]()))
