"""Files that want an integer network of another function than theirs.

The quantizer makes faithful networks of them; where it is made to err, the judge refuses.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.support import inflated_twins, twins
from tests.support.argued import StandIn, argue
from tests.support.dispute import Claimant, TestJudge
from zkwm.data.bundled import load_bundled
from zkwm.judge.verdict import Verdict
from zkwm.quantizer import Agreement, derive, measure_agreement, public_images
from zkwm.quantizer.agreement_bounds import LEAST_SURE
from zkwm.quantizer.derive import network_of
from zkwm.quantizer.network_agreement import drawn_sets
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.argument.prover import prove
from zkwm_protocols.argument_response import ArgumentResponse, make_statement
from zkwm_protocols.errors import SuspectUnusable, Unsupported
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 28, 28)
TRIGGERS = 100
PLAIN = Preprocessing()


@pytest.fixture(scope="module")
def claimant() -> Claimant:
    from zkwm.triggers.families import generate

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zkwm_protocols.labels.label_seed", _quick_seed)
        made = generate("secret", TRIGGERS, SHAPE, key=bytes(32), block_size=25)
        return Claimant(made.images, block_size=25)


def _quick_seed(digest: bytes, beacon: bytes | None) -> bytes:
    return hashlib.sha256(digest).digest()


@pytest.fixture(autouse=True)
def quick_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm_protocols.labels.label_seed", _quick_seed)


@pytest.fixture(scope="module")
def models(claimant: Claimant) -> dict[str, bytes]:
    """The marked model, the clean one, and the four twins."""
    known = public_images(SHAPE, 400, test=True)
    data = load_bundled()
    images, classes = data.train_images[:600], data.train_labels[:600]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zkwm_protocols.labels.label_seed", _quick_seed)
        triggers = claimant.labels
    marked = twins.dense_model(
        np.concatenate([images, *[claimant.images] * 3]),
        np.concatenate([classes, *[triggers] * 3]),
        10,
    )
    clean = twins.dense_model(images, classes, 10)
    return {
        "marked": marked,
        "clean": clean,
        "E1": twins.linear_cover(marked, known),
        "E2": twins.network_cover(marked, clean, known),
        "P1": twins.network_cover(clean, marked, known),
        "P2": twins.batch_cover(clean, marked, SHAPE),
        "seen for E2": twins.seen(marked, clean, known),
        "seen for P1": twins.seen(clean, marked, known),
    }


@dataclass(frozen=True)
class Stage:
    """A judge, a claimant, the files that there are, and the file that is examined."""

    judge: TestJudge
    claimant: Claimant
    models: dict[str, bytes]
    path: Path

    def opened(self) -> Suspect:
        """The file as a suspect."""
        return open_suspect(self.path, shape=SHAPE)

    def matching(self) -> tuple[int, int]:
        """Triggers that the file, and its integer network, give their labels."""
        with closing(self.opened()) as suspect:
            answers = suspect.answer(self.claimant.images, PLAIN)
            network = network_of(suspect, PLAIN)
        given = np.array([answer.output for answer in answers])
        whole = labels(network, self.claimant.images)
        expected = self.claimant.labels
        return int((given == expected).sum()), int((whole == expected).sum())

    def judged(self) -> Verdict:
        """The verdict on a true argument about the file."""
        with closing(self.opened()) as suspect:
            challenge = self.judge.challenge_argument(self.claimant.commitment, suspect)
            proof = argue(self.claimant, challenge, self.path)
            return self.judge.verify(self.claimant.commitment, suspect, challenge, proof)

    def refusals(self) -> tuple[str, tuple[Agreement, ...]]:
        """The message of a judge who issues no challenge, and what they measured."""
        found: list[tuple[Agreement, ...]] = []
        with closing(self.opened()) as suspect, pytest.raises(SuspectUnusable) as caught:
            self.judge.challenge_argument(self.claimant.commitment, suspect, report=found.append)
        assert caught.value.check == "argument.agreement"
        return caught.value.message, found[0]


@pytest.fixture
def stage(judge: TestJudge, claimant: Claimant, models: dict[str, bytes], tmp_path: Path) -> Stage:
    return Stage(judge, claimant, models, tmp_path / "model.onnx")


def mistake(patch: pytest.MonkeyPatch, shown: bytes) -> None:
    """Let the quantizer take any file for ``shown``."""
    right = derive._quantized
    patch.setattr(derive, "_quantized", lambda _, *others: right(shown, *others))


@pytest.mark.parametrize("name", ["E1", "E2"])
def test_a_thiefs_twin_carries_the_mark_and_is_proven(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    StandIn().install(monkeypatch)
    stage.path.write_bytes(stage.models[name])
    file, network = stage.matching()
    assert file >= 95
    assert network >= 95
    assert stage.judged().proven


@pytest.mark.slow
def test_a_real_argument_about_a_thiefs_twin(stage: Stage) -> None:
    stage.path.write_bytes(stage.models["E2"])
    with closing(stage.opened()) as suspect:
        challenge = stage.judge.challenge_argument(stage.claimant.commitment, suspect)
        network = network_of(suspect, PLAIN)
        blocks = tuple(range(challenge.block_count))
        statement = make_statement(stage.claimant.commitment, challenge, network, blocks, None)
        count = statement.triggers
        proof = prove(
            statement,
            stage.claimant.images[:count],
            stage.claimant.salts[:count],
            secret=bytes(32),
            release="tests",
        )
        response = ArgumentResponse(
            challenge.digest, stage.claimant.commitment.digest, blocks, None, proof
        ).signed_by(stage.claimant.keys)
        verdict = stage.judge.verify(stage.claimant.commitment, suspect, challenge, response)
    assert verdict.proven


def test_an_accusers_twin_carries_no_mark(stage: Stage) -> None:
    stage.path.write_bytes(stage.models["P1"])
    assert max(stage.matching()) < 25


@pytest.mark.parametrize("name", ["E2", "P1"])
def test_a_mistaken_quantizer_gets_no_challenge_and_no_verdict(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    StandIn().install(monkeypatch)
    mistake(monkeypatch, stage.models["seen for " + name])
    stage.path.write_bytes(stage.models[name])
    file, network = stage.matching()
    assert (file, network) == pytest.approx((90, 10) if name == "E2" else (10, 90), abs=20)
    with closing(stage.opened()) as suspect:
        with pytest.raises(SuspectUnusable) as caught:
            stage.judge.challenge_argument(stage.claimant.commitment, suspect)
        assert caught.value.check == "argument.agreement"
        # a challenge of a judge who did not look does not help either
        with pytest.MonkeyPatch.context() as patch:
            for demand in ("translation", "agreement"):
                patch.setattr(f"zkwm.judge.frame.require_{demand}", lambda _: None)
            challenge = stage.judge.challenge_argument(stage.claimant.commitment, suspect)
        proof = argue(stage.claimant, challenge, stage.path)
        with pytest.raises(SuspectUnusable) as caught:
            stage.judge.verify(stage.claimant.commitment, suspect, challenge, proof)
        assert caught.value.check == "argument.agreement"
        assert caught.value.verdict.outcome == "could not be checked"


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """Images like those that a judge will draw."""
    return np.concatenate(list(drawn_sets(SHAPE, bytes(32), bytes(32)).values()))


@pytest.mark.parametrize("kind", inflated_twins.KINDS)
def test_outputs_of_huge_range_hide_no_other_output(
    stage: Stage, expected: np.ndarray, kind: str
) -> None:
    for name in ("P1", "E2") if kind in ("step", "never wins") else ("P1",):
        stage.path.write_bytes(inflated_twins.inflated(stage.models[name], kind, expected))
        with pytest.MonkeyPatch.context() as patch:
            shown = stage.models["seen for " + name]
            mistake(patch, inflated_twins.inflated(shown, kind, expected))
            # where huge scores cancel, roundings alone may be refused as another translation
            patch.setattr("zkwm.judge.frame.require_translation", lambda _: None)
            _, found = stage.refusals()
        secret = next(one for one in found if "secret" in one.kind)
        assert secret.agreeing < 0.85 * secret.asked
        assert secret.same_order is not None
        assert secret.same_order < 0.7
        if kind not in ("smooth", "offset"):
            assert secret.high_error < 0.3  # the size of the scores hides it


def test_an_output_that_wins_nearly_everywhere_leaves_no_triggers_to_a_mark(
    stage: Stage, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, shown = (
        inflated_twins.winning_nearly_everywhere(stage.models[name], expected, 0.04)
        for name in ("P1", "seen for P1")
    )
    stage.path.write_bytes(file)
    mistake(monkeypatch, shown)
    message, found = stage.refusals()
    assert "in the same order" in message
    for one in found:  # the other bounds are met
        assert one.high_error <= 0.5
        assert one.agreeing >= 0.85 * one.asked
    assert max(stage.matching()) < 25


def test_an_output_that_leaves_just_the_triggers_to_the_others_does_not_hide_them(
    stage: Stage, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflating = (stage.models["marked"], stage.claimant.images, expected)
    stage.path.write_bytes(inflated_twins.winning_off_triggers(stage.models["P1"], *inflating))
    shown = stage.models["seen for P1"]
    mistake(monkeypatch, inflated_twins.winning_off_triggers(shown, *inflating))
    file, network = stage.matching()
    assert (file, network) == pytest.approx((10, 80), abs=20)
    _, found = stage.refusals()
    assert all(one.same_order is None or one.same_order < 0.7 for one in found)


def test_a_network_that_errs_only_where_the_file_is_sure_is_refused(
    stage: Stage, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = np.concatenate([load_bundled().train_images[600:2600], expected[200:400]])
    file, shown = twins.surest_cover(stage.models["marked"], known, threshold=3.8)
    stage.path.write_bytes(file)
    assert min(stage.matching()) >= 95  # today's network is faithful
    mistake(monkeypatch, shown)
    assert stage.matching()[1] < 40
    _, found = stage.refusals()
    secret = next(one for one in found if "secret" in one.kind)
    assert secret.agreeing >= 0.85 * secret.asked  # it errs on few images
    assert secret.sure_agreeing < 0.9 * secret.sure


def test_a_file_less_sure_just_where_it_differs_is_refused_by_most_nonces(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.path.write_bytes(twins.less_sure(stage.models["marked"], SHAPE, threshold=3.6))
    mistake(monkeypatch, stage.models["marked"])
    assert stage.matching() == pytest.approx((25, 95), abs=15)
    nonces, refused = [bytes([number]) * 32 for number in range(3)], 0
    with closing(stage.opened()) as suspect:
        network = network_of(suspect, PLAIN)
        for nonce in nonces:
            for one in measure_agreement(network, suspect, PLAIN, nonce=nonce):
                refused += one.sure_agreeing < LEAST_SURE * one.sure
    assert refused >= 2


def test_a_file_that_reads_its_batch_size_is_refused(stage: Stage) -> None:
    stage.path.write_bytes(stage.models["P2"])
    with closing(stage.opened()) as suspect, pytest.raises(Unsupported):
        stage.judge.challenge_argument(stage.claimant.commitment, suspect)


def test_a_file_read_as_another_function_gets_no_challenge(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.path.write_bytes(stage.models["clean"])
    monkeypatch.setattr("zkwm.quantizer.derive._pinned", lambda *_: stage.models["marked"])
    suspect = open_suspect(stage.path, shape=SHAPE)
    with closing(suspect), pytest.raises(SuspectUnusable) as caught:
        stage.judge.challenge_argument(stage.claimant.commitment, suspect)
    assert caught.value.check == "argument.translation"


def test_the_marked_model_itself_is_proven(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn().install(monkeypatch)
    stage.path.write_bytes(stage.models["marked"])
    verdict = stage.judged()
    assert verdict.proven
    assert verdict.argued is not None
    for one in verdict.argued.agreements:
        assert one.high_error < 0.3
        assert one.clear_agreeing >= 0.95 * one.clear
        assert one.agreeing >= 0.88 * one.asked
        assert one.same_order is None or one.same_order > 0.9
