"""A marketplace with 100,000 challenges on its desk: one more challenge. Bar: 20 ms.

All are about one commitment, which is the worst case: each counted as a function of its own. What
is timed is the desk's own share, everything but asking the suspect: reading and checking the
commitment, opened blocks, j, the signature, and what is kept durably. SQLite in a folder, or the
database of a PostgreSQL server whose URL is in ZKWM_POSTGRESQL.

With ``--kill SECONDS`` instead: desks that are ended with SIGKILL at random under load, eight at a
time, and whether anything that they had acknowledged is lost.

With ``--buyer``: a buyer checks a listing again from public files, commitment, challenge, proof,
model and the judge's public key, by ``zkwm verify`` as a whole process: an argument about 100
triggers in a LeNet-5, which the marketplace has settled. Bar: a minute on two cores. The training
is short, 5 epochs: what a buyer's check costs does not depend on it.

    python benchmarks/marketplace.py [--kill 60 | --buyer]
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import command_line
import measure
import numpy as np
from sqlalchemy import insert, text

import zkwm
from zkwm.judge.key_file import JudgeKey
from zkwm.registry_database.tables import CASES
from zkwm.suspects import Answer
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.killed_desks import examine, write_key

ROOT = Path(__file__).parents[1]
CHALLENGES = 100_000
RUNS = 40
PROCESSES = 8
ROWS = 10_000


class InstantSuspect(zkwm.Suspect):
    """A model that answers at once, so that only the desk is timed."""

    def __init__(self, name: str) -> None:
        """``name`` decides its digest."""
        digest = hashlib.sha256(name.encode()).digest()
        self.identity = SuspectIdentity("onnx", digest, name, 10, (1, 28, 28))

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Accept anything."""

    def answer(
        self, images: np.ndarray, preprocessing: Preprocessing, *, progress: object = None
    ) -> tuple[Answer, ...]:
        """Answer 0 to all images, uint8 (n, c, h, w)."""
        return (Answer(0),) * len(images)


def a_commitment() -> zkwm.Commitment:
    """A commitment of 200 triggers, as ``zkwm.commit`` makes it, with labels of Argon2id."""
    images = np.random.default_rng(0).integers(0, 256, (200, 1, 28, 28), np.uint8)
    salts = [number.to_bytes(32, "big") for number in range(200)]
    return make_commitment(
        images, salts, class_count=10, signers=(SigningKey.generate(ED25519),), block_size=50
    )


def fill(market: zkwm.Marketplace, like: Challenge) -> None:
    """Put as many challenges on the desk, each answered: a function with a number of its own."""
    database, file = market._database, like.to_bytes()
    names = [number.to_bytes(32, "big") for number in range(CHALLENGES)]
    for start in range(0, CHALLENGES, ROWS):
        chosen = names[start : start + ROWS]
        with database.writing(like.commitment) as connection:
            connection.execute(
                insert(CASES),
                [
                    {"challenge": name, "commitment": like.commitment, "suspect": name,
                     "listing": "", "file": file, "asked": like.issued, "answer_by": None,
                     "reason": ""}
                    for name in chosen
                ],
            )  # fmt: skip
            for statement in (
                "INSERT INTO ledger_challenges VALUES (:name, :commitment, :name, :name, 0)",
                "INSERT INTO ledger_functions VALUES (:commitment, :name, :number)",
                "INSERT INTO ledger_sights VALUES (:name, 0)",
            ):
                connection.execute(
                    text(statement),
                    [
                        {"name": name, "commitment": like.commitment, "number": start + number + 1}
                        for number, name in enumerate(chosen)
                    ],
                )


def timed(
    act: Callable[[int], object], clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Milliseconds of each of the calls, without the first."""
    taken = []
    for run in range(RUNS + 1):
        start = clock()
        act(run)
        taken.append(1000 * (clock() - start))
    return taken[1:]


def measure_desk(location: str, kind: str) -> None:
    """Print one JSON line for a database."""
    judge, policy = zkwm.Judge.from_key(JudgeKey.generate()), zkwm.Policy(threshold_bits=40)
    commitment = a_commitment()
    with zkwm.Marketplace(location, judge, policy) as market:
        name = market.register(commitment)
        fill(market, market.challenge(name, InstantSuspect("the first")))
        issued: list[Challenge] = []
        challenges = timed(
            lambda run: issued.append(market.challenge(name, InstantSuspect(f"one more {run}")))
        )
        computed = timed(
            lambda run: market.challenge(name, InstantSuspect(f"and one {run}")), time.process_time
        )
        tried = {one.policy.functions_tried for one in issued}
        opened = timed(lambda run: market.case(issued[run]))
        screened = timed(lambda run: market.screen(InstantSuspect(f"one more {run}")))
        registered = timed(lambda run: market.register(replace(commitment)))
        settled = [case.id for case in market.cases(state="asked", limit=5)]
    measure.report(
        "marketplace",
        database=kind,
        challenges=CHALLENGES,
        functions_tried=sorted(tried),
        one_more_challenge_ms=round(statistics.median(challenges), 2),
        one_more_challenge_cpu_ms=round(statistics.median(computed), 2),
        slowest_of_40_ms=round(max(challenges), 2),
        case_ms=round(statistics.median(opened), 2),
        screen_one_commitment_ms=round(statistics.median(screened), 2),
        register_again_ms=round(statistics.median(registered), 2),
        cases_seen=len(settled),
    )


def measure_kills(location: str, kind: str, seconds: float) -> None:
    """Print one JSON line: desks killed at random under load."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_key(folder / "key", JudgeKey.generate())
        where = location or str(folder / "market")
        command = ["-m", "tests.support.killed_desks", where, name, str(PROCESSES), str(seconds)]
        done = subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
        found = examine(where, folder)
    measure.report(
        "marketplace_killed",
        database=kind,
        processes=PROCESSES,
        seconds=seconds,
        **json.loads(done.stdout),
        acknowledged=found["told"],
        lost=found["lost"],
        faults=found["faults"],
        numbers_given_twice=len(found["numbers"]) - len(set(found["numbers"])),
    )


def measure_buyer() -> None:
    """Print one JSON line: a listing that is checked again by ``zkwm verify``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command_line.marked(folder)
        vault = zkwm.Vault.open(folder / "a.vault", command_line.PASSPHRASE)
        commitment = zkwm.Commitment.from_bytes((folder / "a.commitment").read_bytes())
        desk, model = zkwm.Judge.from_key(JudgeKey.generate()), folder / "marked" / "model.onnx"
        with zkwm.Marketplace(folder / "market", desk) as market:
            suspect = zkwm.open_suspect(model, shape=commitment.header.shape)
            known = market.register(commitment)
            market.add_listing("17", suspect)
            challenge = market.challenge(
                known, suspect, listing="17", zero_knowledge=True, reveal=command_line.TRIGGERS
            )
            fingerprint = desk.public.fingerprint()
            start = time.perf_counter()
            proof = zkwm.prove(
                vault, commitment, challenge, judge_fingerprint=fingerprint, model=model
            )
            proving = time.perf_counter() - start
            market.settle(suspect, challenge, proof)
            for file, data in (
                ("listing.commitment", commitment.to_bytes()),
                ("listing.challenge", challenge.to_bytes()),
                ("listing.proof", market.proof(challenge)),
                ("listing.verdict", market.verdict_file(challenge)),
                ("judge.key.pub", desk.public.to_bytes()),
            ):
                (folder / file).write_bytes(data)
        commands = {
            "verify": ["verify", "--commitment", "listing.commitment", "--model", str(model),
                       "--challenge", "listing.challenge", "--proof", "listing.proof",
                       "--judge", "judge.key.pub"],
            "inspect_verdict": ["inspect", "listing.verdict", "--judge", "judge.key.pub"],
        }  # fmt: skip
        taken: dict[str, float] = {}
        for what, arguments in commands.items():
            found = command_line.figures(what, command_line.repeated(arguments, folder))
            # memory of a child is at first that of this process, which has proven
            taken |= {name: value for name, value in found.items() if name.endswith("_seconds")}
    measure.report(
        "marketplace_buyer",
        triggers=command_line.TRIGGERS,
        proving_seconds=round(proving, 1),
        **taken,
    )


def main() -> None:
    """Print one JSON line for each database."""
    if "--buyer" in sys.argv:
        measure_buyer()
        return
    url = os.environ.get("ZKWM_POSTGRESQL", "")
    for kind in ("sqlite", "postgresql")[: 1 + bool(url)]:
        location = url if kind == "postgresql" else ""
        if "--kill" in sys.argv:
            measure_kills(location, kind, float(sys.argv[sys.argv.index("--kill") + 1]))
            continue
        with tempfile.TemporaryDirectory() as folder:
            measure_desk(location or f"{folder}/market", kind)


if __name__ == "__main__":
    main()
