"""What jobs do, with real models in processes with limits; and workers that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.case_files import save_lookup
from tests.support.dispute import Claimant, TestJudge, random_images
from tests.support.killed_desks import write_key
from zkwm.marketplace import Marketplace
from zkwm.marketplace.label_seeds import known_seed
from zkwm.registry_database.database import Database
from zkwm.registry_database.location import find_location
from zkwm.registry_service.handlers import SCREENING, VERDICT, handlers
from zkwm.registry_service.jobs import LEASE_SECONDS, Job, Jobs, JobState
from zkwm.suspects import open_suspect
from zkwm_protocols.errors import CouldNotCheck, UsageError

SHAPE = (1, 8, 8)


@dataclass
class Desk:
    """A marketplace with answered cases on models of a folder."""

    market: Marketplace
    location: str
    models: Path
    cases: list[str]

    def do(self, kind: str, **payload: object) -> dict[str, object]:
        """One job, done here."""
        handler = handlers(self.market, self.models)[kind]
        return dict(handler(Job(1, kind, dict(payload), 1), threading.Event()))


@pytest.fixture(scope="module")
def real_owner() -> Claimant:
    """Labels of Argon2id: other processes know no others."""
    return Claimant(random_images(200))


@pytest.fixture
def desk(judge: TestJudge, real_owner: Claimant, tmp_path: Path) -> Iterator[Desk]:
    location, models, cases = str(tmp_path / "market.sqlite"), tmp_path / "models", []
    models.mkdir()
    with Marketplace(location, judge) as market:
        name = market.register(real_owner.commitment)
        with known_seed(market._database, judge.key, real_owner.commitment):
            pass  # it is kept: the other processes need not derive it
        for number, shift in enumerate((0, 1)):
            outputs = (real_owner.labels + shift) % 10
            file = models / f"{number}.onnx"
            save_lookup(file, real_owner.images, outputs, factor=1.0 + number, shape=SHAPE)
            with open_suspect(file, shape=SHAPE) as suspect:
                challenge = market.challenge(name, suspect)
            market.answer(challenge, real_owner.answer(challenge, [number]))
            cases.append(challenge.digest.hex())
        yield Desk(market, location, models, cases)


def test_a_response_is_weighed_and_the_verdict_kept(desk: Desk) -> None:
    assert desk.do(VERDICT, case=desk.cases[0], suspect="0.onnx")["outcome"] == "proven"
    assert desk.market.verdict(desk.cases[0]).proven


def test_a_job_that_is_given_up_ends_its_processes(desk: Desk) -> None:
    given_up = threading.Event()
    given_up.set()
    job = Job(1, VERDICT, {"case": desk.cases[0], "suspect": "0.onnx"}, 1)
    with pytest.raises(CouldNotCheck, match="given up"):
        handlers(desk.market, desk.models)[VERDICT](job, given_up)
    assert desk.market.verdicts() == {}


def test_a_listed_model_is_screened(desk: Desk) -> None:
    payload = {"listing": "shop/1", "suspect": "0.onnx", "shape": list(SHAPE)}
    found = desk.do(SCREENING, **payload)
    (standing,) = found["standings"]
    assert standing["commitment"] == desk.market.commitments()[0].id
    assert [one.id for one in desk.market.listings("shop/1")] == ["shop/1"]
    with pytest.raises(UsageError, match="shape"):
        desk.do(SCREENING, listing="shop/1", suspect="0.onnx", shape=[1, 8])


@pytest.mark.parametrize("kind", [VERDICT, SCREENING])
def test_no_job_reaches_another_file_or_this_network(
    judge: TestJudge, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("connected"))
    (tmp_path / "models").mkdir()
    with Marketplace(tmp_path / "market.sqlite", judge) as market:
        desk = Desk(market, "", tmp_path / "models", [])
        for suspect in (
            "", "../market.sqlite", "/etc/passwd", "a/0.onnx", "..", ".hidden.onnx", "a\x00.onnx",
            "file:///etc/passwd", "http://127.0.0.1/", "https://127.0.0.1:8080/",
        ):  # fmt: skip
            with pytest.raises(UsageError):
                desk.do(kind, case="0" * 64, listing="a", shape=list(SHAPE), suspect=suspect)
        with pytest.raises(Exception, match=r"not public|no such challenge"):
            desk.do(kind, case="0" * 64, listing="a", shape=[1, 8, 8], suspect="https://localhost/")
        assert market.listings() == ()


def start(desk: Desk, key: Path, ahead: int) -> subprocess.Popen[str]:
    """A worker in a process of its own."""
    command = [sys.executable, "-m", "tests.support.killed_worker"]
    return subprocess.Popen(
        [*command, desk.location, key, desk.models, str(ahead)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_workers_killed_in_the_middle_of_a_job_lose_none(
    desk: Desk, judge: TestJudge, tmp_path: Path
) -> None:
    """kill -9 at moments of a job; the next worker's clock is a lease ahead, so that it takes over.

    Then two workers at once end what is left, and each job has one result.
    """
    key = tmp_path / "judge"
    write_key(key, judge.key)
    jobs = Jobs(Database(find_location(desk.location)))
    numbers = [
        jobs.add(VERDICT, {"case": case, "suspect": f"{number}.onnx"})
        for number, case in enumerate(desk.cases)
    ]
    taken: list[tuple[str, ...]] = []
    for round_, pause in enumerate((0.0, 0.4)):
        worker = start(desk, key, round_ * (LEASE_SECONDS + 1))
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.startswith("taken"):
                taken.append(tuple(line.split()[1:]))
                break
        time.sleep(pause)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    assert taken == [(str(numbers[0]), "1"), (str(numbers[0]), "2")]
    workers = [start(desk, key, 2 * (LEASE_SECONDS + 1)) for _ in range(2)]
    end = time.monotonic() + 120
    while any(jobs.status(number).state is not JobState.DONE for number in numbers):
        assert time.monotonic() < end
        time.sleep(0.1)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    lines = [line for worker in workers for line in worker.communicate(timeout=60)[0].split("\n")]
    assert [worker.returncode for worker in workers] == [0, 0]
    ended = [tuple(line.split()[1:]) for line in lines if line.startswith("taken")]
    assert sorted(ended) == [(str(numbers[0]), "3"), (str(numbers[1]), "1")]
    outcomes = [(jobs.status(number).result or {})["outcome"] for number in numbers]
    assert outcomes == ["proven", "not proven"]
    assert desk.market.verdict(desk.cases[0]).proven
