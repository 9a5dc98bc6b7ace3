"""What is begun before its turn changes no outcome: order of errors, same figures, nothing left."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.argued import StandIn
from tests.support.dispute import Claimant, TableSuspect, failed
from zkwm.early import Early
from zkwm.judge import check_argument
from zkwm.judge.judge import Judge
from zkwm.quantizer import early_questions
from zkwm.quantizer.derive import network_of
from zkwm.quantizer.early_questions import EarlyQuestions, asked_meanwhile, quantizer_for
from zkwm.quantizer.network_agreement import drawn_count, drawn_sets, measure_agreement
from zkwm.suspects import Answer, Suspect, limited_process
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import CouldNotCheck, SuspectUnusable, Unsupported
from zkwm_protocols.suspect_identity import Preprocessing

PLAIN, NONCE = Preprocessing(), bytes(range(32))


class SlowSuspect(TableSuspect):
    """Tells when it is asked, and answers image by image until it is stopped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.begun = threading.Event()
        self.told = 0

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Preprocessing, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        self.begun.set()
        while True:  # a model that never comes to an end, but for its progress
            self.told += 1
            progress(1, len(images))


def test_the_same_figures_with_and_without(suspect: Suspect) -> None:
    network = network_of(suspect, PLAIN)
    with asked_meanwhile(suspect, PLAIN, nonce=NONCE) as early:
        pass
    asked = early.taken()
    assert asked is not None
    assert len(asked.answers() or ()) == drawn_count(suspect.identity.shape)
    found = measure_agreement(network, suspect, PLAIN, nonce=NONCE, asked=asked)
    assert found == measure_agreement(network, suspect, PLAIN, nonce=NONCE)


def test_sets_are_taken_before_they_are_answered() -> None:
    slow = SlowSuspect(shape=(1, 4, 4))
    early = EarlyQuestions(slow, PLAIN, NONCE, None)
    asked = early.taken()
    assert asked is not None
    assert sum(map(len, asked.sets.values())) == drawn_count((1, 4, 4))
    early.stop()
    assert asked.answers() is None


def test_what_was_not_answered_early_is_asked_in_its_turn(
    suspect: Suspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, answer, asked = network_of(suspect, PLAIN), suspect.answer, []

    def fails_once(*given: Any, **options: Any) -> tuple[Answer, ...]:
        asked.append(threading.current_thread())
        if len(asked) == 1:
            raise SuspectUnusable("it answers nothing", check="suspect.answers")
        return answer(*given, **options)

    monkeypatch.setattr(suspect, "answer", fails_once)
    with asked_meanwhile(suspect, PLAIN, nonce=NONCE) as early:
        found = measure_agreement(network, suspect, PLAIN, nonce=NONCE, asked=early.taken())
    assert asked[1:] == [threading.main_thread()] != asked[:1]
    assert found == measure_agreement(network, suspect, PLAIN, nonce=NONCE)


def test_a_failing_block_stops_the_questions() -> None:
    slow = SlowSuspect(shape=(1, 4, 4))

    def fail() -> None:
        with asked_meanwhile(slow, PLAIN, nonce=NONCE):
            assert slow.begun.wait(60)
            raise Unsupported("no network")

    with pytest.raises(Unsupported):
        fail()
    told = slow.told
    assert not threading.Event().wait(0.1)
    assert slow.told == told


def test_the_network_fails_before_the_suspect_does(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()

    def fails(*_: object, **__: object) -> None:
        asked.set()
        raise SuspectUnusable("it answers nothing", check="suspect.answers")

    def refused(*_: object) -> None:
        assert asked.wait(60)
        raise Unsupported("no network", check="challenge.network")

    monkeypatch.setattr(suspect, "answer", fails)
    monkeypatch.setattr(check_argument, "network_of", refused)
    with pytest.raises(Unsupported) as caught:
        judge.verify(owner.commitment, suspect, challenge, proof)
    assert failed(caught.value.verdict) == ["challenge.network"]


def test_the_comparison_fails_before_the_proof_does(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are wrong, and the proof is found to be so first."""
    bad = replace(proof, argument=b"noise").signed_by(owner.keys)
    verified = threading.Event()
    verify = argument.verify

    def noted(*given: Any) -> Any:
        try:
            return verify(*given)
        finally:
            verified.set()

    def far(*_: object, **__: object) -> None:
        assert verified.wait(60)
        raise SuspectUnusable("far from it", check="argument.agreement")

    monkeypatch.setattr("zkwm_protocols.argument.verifier.verify", noted)
    monkeypatch.setattr(check_argument, "measure_agreement", far)
    with pytest.raises(SuspectUnusable) as caught:
        judge.verify(owner.commitment, suspect, challenge, bad)
    assert failed(caught.value.verdict) == ["argument.agreement"]


@pytest.mark.parametrize(("bound", "value"), [("EARLY_BYTES", 0), ("EARLY_MEMORY", 1 << 60)])
def test_large_proofs_and_little_memory_are_verified_in_turn(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    value: int,
) -> None:
    threads = []
    verify = argument.verify

    def noted(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return verify(*given)

    monkeypatch.setattr("zkwm_protocols.argument.verifier.verify", noted)
    monkeypatch.setattr(check_argument, bound, value)
    assert judge.verify(owner.commitment, suspect, challenge, proof).proven
    assert threads == [threading.main_thread()]


@pytest.mark.parametrize(
    ("options", "images"),
    [
        ({"kind": "http", "remote": True}, None),
        ({"shape": (3, 224, 224)}, None),
        ({}, np.zeros((0, 1, 8, 8), np.uint8)),
        ({}, np.zeros((3, 1, 9, 9), np.uint8)),
    ],
)
def test_what_is_not_asked_early(options: dict[str, Any], images: NDArray[np.uint8] | None) -> None:
    """Endpoints, images that take long to draw, images that do not fit."""
    suspect = TableSuspect(**options)
    assert EarlyQuestions(suspect, PLAIN, NONCE, images).taken() is None
    assert suspect.asked == []


def test_own_images_are_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    suspect = TableSuspect(shape=(1, 8, 8))
    own = np.arange(128, dtype=np.uint8).reshape(2, 1, 8, 8)
    asked = EarlyQuestions(suspect, PLAIN, NONCE, own).taken()
    assert asked is not None
    assert asked.answers() is not None
    assert suspect.asked[0][-2:] == [image.tobytes() for image in own]
    monkeypatch.setattr(early_questions, "MOST_IMAGES", 1)
    assert EarlyQuestions(suspect, PLAIN, NONCE, own).taken() is None


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 16, 16)])
def test_the_number_of_images_is_known_before_they_are_drawn(shape: tuple[int, int, int]) -> None:
    sets = drawn_sets(shape, NONCE, NONCE)
    assert drawn_count(shape) == sum(map(len, sets.values()))


def test_one_process_reads_the_file_and_is_ended(
    suspect: Suspect, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    start = limited_process._start
    monkeypatch.setattr(
        limited_process, "_start", lambda *given: started.append(start(*given)) or started[-1]
    )
    with quantizer_for(suspect, None) as process:
        assert len(started) == 1
        network = network_of(suspect, PLAIN, process)
        measure_agreement(network, suspect, PLAIN, nonce=NONCE, process=process)
        assert started[0].poll() is None
    assert [one.returncode is None for one in started] == [False]


def test_a_suspect_without_a_file_has_no_process() -> None:
    with quantizer_for(TableSuspect(shape=(1, 8, 8)), None) as process:
        assert process is None


def test_an_early_error_is_raised_where_the_value_is_taken() -> None:
    def fails() -> int:
        raise CouldNotCheck("no")

    early = Early(fails)
    with pytest.raises(CouldNotCheck):
        early.result()
    assert Early(lambda: 5).result() == 5
