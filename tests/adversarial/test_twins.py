"""Files that want an integer network of another function than theirs.

The quantizer makes faithful networks of them; where it is made to err, the judge refuses.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.support import inflated_twins, twins
from tests.support.argued import StandIn, argue
from tests.support.dispute import Claimant, TestJudge
from zkwm.data.bundled import load_bundled
from zkwm.quantizer import Agreement, derive, measure_agreement, public_images
from zkwm.quantizer.agreement_bounds import LEAST_SURE
from zkwm.quantizer.derive import network_of
from zkwm.quantizer.network_agreement import drawn_sets
from zkwm.suspects import open_suspect
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


def matching(path: Path, claimant: Claimant) -> tuple[int, int]:
    """Triggers that the file, and its integer network, give their labels."""
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        answers = suspect.answer(claimant.images, PLAIN)
        network = network_of(suspect, PLAIN)
    given = np.array([answer.output for answer in answers])
    whole = labels(network, claimant.images)
    return int((given == claimant.labels).sum()), int((whole == claimant.labels).sum())


def mistake(patch: pytest.MonkeyPatch, shown: bytes) -> None:
    """Let the quantizer take any file for ``shown``."""
    right = derive._quantized
    patch.setattr(derive, "_quantized", lambda _, *others: right(shown, *others))


@pytest.mark.parametrize("name", ["E1", "E2"])
def test_a_thiefs_twin_carries_the_mark_and_is_proven(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    StandIn().install(monkeypatch)
    path = tmp_path / "model.onnx"
    path.write_bytes(models[name])
    file, network = matching(path, claimant)
    assert file >= 95
    assert network >= 95
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        challenge = judge.challenge_argument(claimant.commitment, suspect)
        verdict = judge.verify(
            claimant.commitment, suspect, challenge, argue(claimant, challenge, path)
        )
    assert verdict.proven


@pytest.mark.slow
def test_a_real_argument_about_a_thiefs_twin(
    judge: TestJudge, claimant: Claimant, models: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models["E2"])
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        challenge = judge.challenge_argument(claimant.commitment, suspect)
        network = network_of(suspect, PLAIN)
        blocks = tuple(range(challenge.block_count))
        statement = make_statement(claimant.commitment, challenge, network, blocks, None)
        count = statement.triggers
        proof = prove(
            statement,
            claimant.images[:count],
            claimant.salts[:count],
            secret=bytes(32),
            release="tests",
        )
        response = ArgumentResponse(
            challenge.digest, claimant.commitment.digest, blocks, None, proof
        ).signed_by(claimant.keys)
        verdict = judge.verify(claimant.commitment, suspect, challenge, response)
    assert verdict.proven


def test_an_accusers_twin_carries_no_mark(
    claimant: Claimant, models: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models["P1"])
    assert max(matching(path, claimant)) < 25


@pytest.mark.parametrize("name", ["E2", "P1"])
def test_a_mistaken_quantizer_gets_no_challenge_and_no_verdict(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    StandIn().install(monkeypatch)
    mistake(monkeypatch, models["seen for " + name])
    path = tmp_path / "model.onnx"
    path.write_bytes(models[name])
    file, network = matching(path, claimant)
    assert (file, network) == pytest.approx((90, 10) if name == "E2" else (10, 90), abs=20)
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        with pytest.raises(SuspectUnusable) as caught:
            judge.challenge_argument(claimant.commitment, suspect)
        assert caught.value.check == "argument.agreement"
        # a challenge of a judge who did not look does not help either
        with pytest.MonkeyPatch.context() as patch:
            for demand in ("translation", "agreement"):
                patch.setattr(f"zkwm.judge.judge.require_{demand}", lambda _: None)
            challenge = judge.challenge_argument(claimant.commitment, suspect)
        proof = argue(claimant, challenge, path)
        with pytest.raises(SuspectUnusable) as caught:
            judge.verify(claimant.commitment, suspect, challenge, proof)
        assert caught.value.check == "argument.agreement"
        assert caught.value.verdict.outcome == "could not be checked"


def refusals(judge: TestJudge, claimant: Claimant, path: Path) -> tuple[str, tuple[Agreement, ...]]:
    """The message of a judge who issues no challenge, and what they measured."""
    found: list[tuple[Agreement, ...]] = []
    with (
        closing(open_suspect(path, shape=SHAPE)) as suspect,
        pytest.raises(SuspectUnusable) as caught,
    ):
        judge.challenge_argument(claimant.commitment, suspect, report=found.append)
    assert caught.value.check == "argument.agreement"
    return caught.value.message, found[0]


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """Images like those that a judge will draw."""
    return np.concatenate(list(drawn_sets(SHAPE, bytes(32), bytes(32)).values()))


@pytest.mark.parametrize("kind", inflated_twins.KINDS)
def test_outputs_of_huge_range_hide_no_other_output(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    expected: np.ndarray,
    tmp_path: Path,
    kind: str,
) -> None:
    path = tmp_path / "model.onnx"
    for name in ("P1", "E2") if kind in ("step", "never wins") else ("P1",):
        path.write_bytes(inflated_twins.inflated(models[name], kind, expected))
        with pytest.MonkeyPatch.context() as patch:
            shown = models["seen for " + name]
            mistake(patch, inflated_twins.inflated(shown, kind, expected))
            _, found = refusals(judge, claimant, path)
        secret = next(one for one in found if "secret" in one.kind)
        assert secret.agreeing < 0.85 * secret.asked
        assert secret.same_order is not None
        assert secret.same_order < 0.7
        if kind not in ("smooth", "offset"):
            assert secret.high_error < 0.3  # the size of the scores hides it


def test_an_output_that_wins_nearly_everywhere_leaves_no_triggers_to_a_mark(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    expected: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(inflated_twins.winning_nearly_everywhere(models["P1"], expected, 0.04))
    shown = models["seen for P1"]
    mistake(monkeypatch, inflated_twins.winning_nearly_everywhere(shown, expected, 0.04))
    message, found = refusals(judge, claimant, path)
    assert "in the same order" in message
    for one in found:  # the other bounds are met
        assert one.high_error <= 0.5
        assert one.agreeing >= 0.85 * one.asked
    assert max(matching(path, claimant)) < 25


def test_an_output_that_leaves_just_the_triggers_to_the_others_does_not_hide_them(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    expected: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "model.onnx"
    inflating = (models["marked"], claimant.images, expected)
    path.write_bytes(inflated_twins.winning_off_triggers(models["P1"], *inflating))
    shown = models["seen for P1"]
    mistake(monkeypatch, inflated_twins.winning_off_triggers(shown, *inflating))
    file, network = matching(path, claimant)
    assert (file, network) == pytest.approx((10, 80), abs=20)
    _, found = refusals(judge, claimant, path)
    assert all(one.same_order is None or one.same_order < 0.7 for one in found)


def test_a_network_that_errs_only_where_the_file_is_sure_is_refused(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    expected: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "model.onnx"
    known = np.concatenate([load_bundled().train_images[600:2600], expected[200:400]])
    file, shown = twins.surest_cover(models["marked"], known, threshold=3.8)
    path.write_bytes(file)
    assert min(matching(path, claimant)) >= 95  # today's network is faithful
    mistake(monkeypatch, shown)
    assert matching(path, claimant)[1] < 40
    _, found = refusals(judge, claimant, path)
    secret = next(one for one in found if "secret" in one.kind)
    assert secret.agreeing >= 0.85 * secret.asked  # it errs on few images
    assert secret.sure_agreeing < 0.9 * secret.sure


def test_a_file_less_sure_just_where_it_differs_is_refused_by_most_nonces(
    claimant: Claimant, models: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(twins.less_sure(models["marked"], SHAPE, threshold=3.6))
    mistake(monkeypatch, models["marked"])
    assert matching(path, claimant) == pytest.approx((25, 95), abs=15)
    nonces, refused = [bytes([number]) * 32 for number in range(3)], 0
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        network = network_of(suspect, PLAIN)
        for nonce in nonces:
            for one in measure_agreement(network, suspect, PLAIN, nonce=nonce):
                refused += one.sure_agreeing < LEAST_SURE * one.sure
    assert refused >= 2


def test_a_file_that_reads_its_batch_size_is_refused(
    judge: TestJudge, claimant: Claimant, models: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models["P2"])
    with closing(open_suspect(path, shape=SHAPE)) as suspect, pytest.raises(Unsupported):
        judge.challenge_argument(claimant.commitment, suspect)


def test_a_file_read_as_another_function_gets_no_challenge(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models["clean"])
    monkeypatch.setattr("zkwm.quantizer.derive._pinned", lambda *_: models["marked"])
    suspect = open_suspect(path, shape=SHAPE)
    with closing(suspect), pytest.raises(SuspectUnusable) as caught:
        judge.challenge_argument(claimant.commitment, suspect)
    assert caught.value.check == "argument.translation"


def test_the_marked_model_itself_is_proven(
    judge: TestJudge,
    claimant: Claimant,
    models: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    StandIn().install(monkeypatch)
    path = tmp_path / "model.onnx"
    path.write_bytes(models["marked"])
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        challenge = judge.challenge_argument(claimant.commitment, suspect)
        verdict = judge.verify(
            claimant.commitment, suspect, challenge, argue(claimant, challenge, path)
        )
    assert verdict.proven
    assert verdict.argued is not None
    for one in verdict.argued.agreements:
        assert one.high_error < 0.3
        assert one.clear_agreeing >= 0.95 * one.clear
        assert one.agreeing >= 0.88 * one.asked
        assert one.same_order is None or one.same_order > 0.9
