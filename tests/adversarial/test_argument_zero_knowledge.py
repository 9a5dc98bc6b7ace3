"""A proof leaks nothing: a simulator, two seeds, two witnesses, distributions, masks.

Leaks that were found in other proof systems are tried, with their issue's number.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.argument_case import ArgumentCase, argument_case
from tests.support.simulator import ProgrammedOracle, simulate
from zkwm_protocols.argument import prover as provers
from zkwm_protocols.argument.ligero.messages import CombinationChallenge, CombinedRows
from zkwm_protocols.argument.ligero.prover import WitnessCommitment
from zkwm_protocols.argument.logup_gkr import protocol as interactions
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.scalar import P
from zkwm_protocols.field.vector import from_elements

POLYNOMIALS = ("low", "dot", "pads", "product")


@pytest.fixture(scope="module")
def case() -> ArgumentCase:
    return argument_case(3, wrong=1)


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> ProgrammedOracle:
    found = ProgrammedOracle(11)
    monkeypatch.setattr(interactions, "Transcript", found.transcript)
    return found


def test_a_simulator_without_a_witness_is_accepted(
    case: ArgumentCase, oracle: ProgrammedOracle
) -> None:
    proof = simulate(case.statement, case.relation, case.layout, oracle, seed=1)
    verify(case.statement, proof.to_bytes())


def test_a_simulator_of_a_false_statement_is_accepted(
    case: ArgumentCase, oracle: ProgrammedOracle
) -> None:
    """Its power lies in choosing the challenges: with others it fails (next test)."""
    false = replace(case.statement, leaves=(bytes(32),) * 3, least_matches=3)
    proof = simulate(false, case.relation, case.layout, oracle, seed=2)
    verify(false, proof.to_bytes())


def test_a_simulated_proof_is_refused_by_a_verifier_with_other_challenges(
    case: ArgumentCase,
) -> None:
    oracle = ProgrammedOracle(11)
    proof = simulate(case.statement, case.relation, case.layout, oracle, seed=1)
    with pytest.raises(InvalidOpening):
        verify(case.statement, proof.to_bytes())


@pytest.fixture
def combined(monkeypatch: pytest.MonkeyPatch) -> list[CombinedRows]:
    """The combined rows of every proof from here on: whoever sees a proof may see all of them."""
    found: list[CombinedRows] = []
    honest = WitnessCommitment.combine

    def combine(self: WitnessCommitment, challenge: CombinationChallenge) -> CombinedRows:
        found.append(honest(self, challenge))
        return found[-1]

    monkeypatch.setattr(WitnessCommitment, "combine", combine)
    return found


def words(proof: Proof, combined: list[CombinedRows]) -> dict[str, np.ndarray]:
    """All that a proof's seer may learn; ``combined`` has the proof's rows last."""
    return {
        "messages": from_elements(list(proof.messages)).reshape(-1),
        **{name: getattr(combined[-1], name).reshape(-1) for name in POLYNOMIALS},
        "columns": proof.opened.cells.reshape(-1),
        "last": proof.opening.last.reshape(-1),
        **{f"fold {i}": fold.columns.reshape(-1) for i, fold in enumerate(proof.opening.folds)},
    }


def test_two_runs_share_no_word(
    case: ArgumentCase, oracle: ProgrammedOracle, combined: list[CombinedRows]
) -> None:
    """Even with the same challenges: an equal word was not masked (Plonky3 #1727)."""
    first = words(case.prove(), combined)
    second = words(case.prove(), combined)
    for name, values in first.items():
        equal = int((values == second[name]).sum())
        # each of the values meets by chance once in 2^31
        assert equal <= 3, (name, equal)
    assert case.prove().root != case.prove().root


def test_every_coefficient_of_every_element_is_masked(
    case: ArgumentCase, oracle: ProgrammedOracle
) -> None:
    """Masks from F_p instead of K would leave four of five coefficients as they are (#1726)."""
    first, second = case.prove(), case.prove()
    for a, b in zip(first.messages, second.messages, strict=True):
        assert all(x != y for x, y in zip(a, b, strict=True))


def test_two_witnesses_share_no_word(
    case: ArgumentCase, oracle: ProgrammedOracle, combined: list[CombinedRows]
) -> None:
    """Which of the matching triggers are marked is the witness's choice and stays hidden."""
    other = argument_case(3, wrong=1, least_matches=1)
    one = words(case.prove(), combined)
    two = words(replace(case, witness=other.witness).prove(), combined)
    for name, values in one.items():
        assert int((values == two[name]).sum()) <= 3, name


def test_the_prover_draws_from_the_operating_system(
    case: ArgumentCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The masks do not follow from vault secret, statement and witness alone."""
    made: list[bytes] = []

    def prove_twice() -> None:
        made.append(
            provers.prove(
                case.statement, case.images, case.salts, secret=b"vault secret" * 3, release="1"
            )
        )

    prove_twice()
    prove_twice()
    assert made[0] != made[1]


@pytest.mark.parametrize("trial", range(3))
def test_words_are_uniform(case: ArgumentCase, trial: int, combined: list[CombinedRows]) -> None:
    """Chi-square over 64 classes for every kind of word; one witness, fresh randomness."""
    sums: dict[str, np.ndarray] = {}
    for _ in range(3):
        proof = case.prove()
        for name, values in words(proof, combined).items():
            counts = np.bincount((values.astype(np.uint64) * 64 // P).astype(int), minlength=64)
            sums[name] = sums.get(name, 0) + counts
    for name, counts in sums.items():
        expected = counts.sum() / 64
        statistic = float(((counts - expected) ** 2 / expected).sum())
        # 63 degrees of freedom: 160 is exceeded twice in ten thousand million
        assert statistic < 160, (name, statistic)


def test_a_message_cannot_be_changed_once_it_is_sent(case: ArgumentCase) -> None:
    """All pads are committed before the first challenge (one chosen late: barretenberg #1539)."""
    proof = case.prove()
    messages = list(proof.messages)
    messages[-1] = (messages[-1][0] ^ 1, *messages[-1][1:])
    with pytest.raises(InvalidOpening) as caught:
        verify(case.statement, replace(proof, messages=tuple(messages)).to_bytes())
    assert caught.value.check == "argument.columns"


def test_randomness_cannot_be_cloned() -> None:
    import copy

    stream = RandomStream(b"secret" * 6)
    with pytest.raises(TypeError):
        copy.copy(stream)
    with pytest.raises(TypeError):
        copy.deepcopy(stream)
