"""What is begun before its turn decides nothing, and costs what its turn would have cost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.support.dispute import Claimant, marked, new_judge, random_images
from zkwm.early import Early
from zkwm.judge import head_start
from zkwm.suspects import resource_limits
from zkwm_protocols import labels
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, InvalidSignature


class Argon:
    """Counts derivations, each a quick one; ``failing`` of them fail first."""

    def __init__(self) -> None:
        self.failing = 0
        self.threads: list[threading.Thread] = []

    def __call__(self, password: bytes, salt: bytes, **cost: int) -> bytes:
        self.threads.append(threading.current_thread())
        if self.failing:
            self.failing -= 1
            raise CouldNotCheck("Argon2id needs 256 MiB of memory and did not get it")
        return bytes(reversed(password))[:32].ljust(32, b"\1")


@pytest.fixture
def argon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Argon]:
    made = Argon()
    monkeypatch.setattr(labels, "password_key", made)
    monkeypatch.setattr(head_start, "memory_left", lambda: 1 << 40)
    labels.label_seed.cache_clear()
    yield made
    labels.label_seed.cache_clear()


@pytest.fixture(scope="module")
def owner() -> Claimant:
    return Claimant(random_images(100))


def test_a_seed_that_was_begun_is_not_derived_again(argon: Argon, owner: Claimant) -> None:
    with head_start.head_start(owner.commitment.to_bytes(), "no suspect"):
        head_start.await_label_seed(owner.commitment)
        found = owner.commitment.labels()
    assert argon.threads != [threading.main_thread()]
    assert len(argon.threads) == 1
    labels.label_seed.cache_clear()
    assert np.array_equal(found, owner.commitment.labels())


def test_without_a_thread_all_is_done_in_its_turn(
    argon: Argon, owner: Claimant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", refuse)
        with head_start.head_start(owner.commitment, "no suspect"):
            head_start.await_label_seed(owner.commitment)
        early = Early(lambda: argon.threads.append(threading.current_thread()))
    assert early.result() is None
    assert early.result() is None
    assert argon.threads == [threading.main_thread()]
    head_start.await_label_seed(owner.commitment)
    assert len(owner.commitment.labels()) == 100


def test_a_seed_that_failed_early_is_derived_in_its_turn(argon: Argon, owner: Claimant) -> None:
    argon.failing = 1
    with head_start.head_start(owner.commitment, "no suspect"):
        head_start.await_label_seed(owner.commitment)
        assert len(owner.commitment.labels()) == 100
    assert argon.threads[1:] == [threading.main_thread()]


def test_where_memory_is_short_nothing_is_begun(
    argon: Argon, owner: Claimant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_start, "memory_left", lambda: head_start.AMPLE_MEMORY - 1)
    with head_start.head_start(owner.commitment, "no suspect"):
        head_start.await_label_seed(owner.commitment)
    assert argon.threads == []


@pytest.mark.parametrize("data", [b"", b"zkwm-commitment/3\n", bytes(100)])
def test_a_file_that_is_no_commitment_costs_nothing(argon: Argon, data: bytes) -> None:
    with head_start.head_start(data, "no suspect"):
        assert argon.threads == []


def test_declared_labels_have_no_seed(argon: Argon) -> None:
    images = random_images(50)
    declared = Claimant(images, declared_labels=np.zeros(50, np.int64))
    with head_start.head_start(declared.commitment, "no suspect"):
        assert argon.threads == []


def test_one_commitment_costs_one_derivation(argon: Argon, owner: Claimant) -> None:
    """However often it is begun: nobody makes a judge work twice."""
    judge, suspect = new_judge(), marked(owner.images, owner.labels)
    labels.label_seed.cache_clear()
    argon.threads.clear()
    challenge = judge.challenge(owner.commitment, suspect, reveal=100)
    with head_start.head_start(owner.commitment, "no suspect"):
        verdict = judge.verify(
            owner.commitment, suspect, challenge, owner.answer(challenge, [0, 1])
        )
    assert verdict.evidence is not None
    assert len(argon.threads) == 1


def test_the_checks_fail_in_their_order(argon: Argon, owner: Claimant) -> None:
    """A commitment that nobody signed is refused as such, whatever was begun with it."""
    judge, suspect = new_judge(), marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=100)
    unsigned: Commitment = replace(owner.commitment, signatures=(bytes(64),))
    with head_start.head_start(unsigned, "no suspect"), pytest.raises(InvalidSignature) as caught:
        judge.verify(unsigned, suspect, challenge, owner.answer(challenge, [0, 1]))
    assert caught.value.check == "commitment.signature"


def test_memory_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least of what the machine, the container and the limits of the process leave."""
    files = {"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 4194304 kB\n"}
    monkeypatch.setattr(resource_limits, "_read", lambda name: files.get(name, ""))
    monkeypatch.setattr(resource_limits, "_address_space", lambda: None)
    assert resource_limits.memory_left() == 4 << 30
    files |= {
        "/sys/fs/cgroup/memory.max": f"{512 << 20}\n",
        "/sys/fs/cgroup/memory.current": f"{112 << 20}\n",
    }
    assert resource_limits.memory_left() == 400 << 20
    monkeypatch.setattr(resource_limits, "_address_space", lambda: 1 << 20)
    assert resource_limits.memory_left() == 0
    files.clear()
    assert resource_limits.memory_left() is None
