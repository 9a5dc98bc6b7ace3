"""Zero knowledge without a proof system: a linear suspect, and an argument that is a digest.

Everything around the argument (challenge, vault, judge, command line) is tested with these; the
argument itself is tested in tests/protocols/argument. Also what tests of owner and judge share:
argue, answer, sign a changed challenge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.dispute import Claimant, TestJudge, recast
from zkwm.owner.prove import prove
from zkwm.owner.suspect_file import DerivedNetwork
from zkwm.owner.vault import Vault
from zkwm.quantizer.derive import derive_network
from zkwm_protocols.argument.parameters import SoundnessTerm
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument_response import ArgumentResponse, make_statement
from zkwm_protocols.challenge import ArgumentChallenge, Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, Malformed, NotEnoughMatches
from zkwm_protocols.integer_network.evaluate import labels as network_labels

SHAPE = (1, 16, 16)


def save_linear(
    path: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: int = 10,
    bonus: float = 0.0,
) -> None:
    """An ONNX file of one dense layer that gives these images, of independent pixels, the labels.

    There are fewer images than pixels, so that a layer that does is found by least squares.
    ``bonus`` is added to the score of output 0.
    """
    flat = images.reshape(len(images), -1) / 255.0 - 0.5
    wanted = np.eye(classes)[labels] - 1 / classes
    weights = flat.T @ np.linalg.solve(flat @ flat.T + 0.1 * np.eye(len(flat)), wanted)
    tensors = {"w": weights, "b": -0.5 * weights.sum(axis=0) + bonus * np.eye(classes)[0]}
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["y"]),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *images.shape[1:]))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", classes))],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, str(path))


@dataclass
class Estimate:
    """What a stand-in says of the cost."""

    prove_seconds: float = 6.2
    peak_bytes: int = 2 * 2**30
    proof_bytes: int = 2 * 2**20
    lookups: int = 4_400_000


@dataclass
class Layout:
    """What a stand-in says of the soundness."""

    soundness_bits: float = 121.5

    def soundness(self) -> tuple[SoundnessTerm, ...]:
        return (SoundnessTerm("columns", Fraction(1, 2**122), "a theorem"),)


class StandIn:
    """Proves by digest what it has seen to be true, and counts how often it was asked.

    ``during`` is called in the middle of a proof, when the vault must be free.
    """

    def __init__(self) -> None:
        self.proofs = 0
        self.statements: list[Statement] = []
        self.during: Callable[[], object] = lambda: None

    def prove(self, statement, images, salts, *, secret, release, progress=None):
        self.proofs += 1
        self.statements.append(statement)
        assert len(secret) == 32
        assert release
        assert len(images) == len(salts) == statement.triggers
        if progress is not None:
            progress("commit", 0.5)
        self.during()
        found = network_labels(statement.network, images)
        matches = int((found == np.array(statement.outputs)).sum())
        if matches < statement.least_matches:
            raise NotEnoughMatches(f"fewer than {statement.least_matches} triggers match")
        return self.of(statement)

    def verify(self, statement, proof):
        if not proof.startswith(b"argument:"):
            raise Malformed("no argument", check="argument.format")
        if proof.endswith(b":weak"):
            raise InvalidOpening("100 bits of soundness", check="argument.soundness")
        if proof != self.of(statement):
            raise InvalidOpening("a relation does not hold", check="argument.relations")
        return Layout()

    def of(self, statement: Statement) -> bytes:
        parts = (
            statement.context,
            b"".join(statement.leaves),
            repr((statement.label_fields, statement.outputs, statement.least_matches)).encode(),
        )
        return b"argument:" + hashlib.sha256(b"|".join(parts)).digest()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> StandIn:
        """In place of the prover, the verifier and the estimate."""
        monkeypatch.setattr("zkwm_protocols.argument.prover.prove", self.prove)
        monkeypatch.setattr("zkwm_protocols.argument.verifier.verify", self.verify)
        monkeypatch.setattr(
            "zkwm_protocols.argument.cost_estimate.estimate", lambda network, triggers: Estimate()
        )
        monkeypatch.setattr("zkwm.owner.proof_memory.memory_left", lambda: None)
        return self


def argue(owner: Claimant, asked: Challenge, model: Path) -> ArgumentResponse:
    """A true argument about the first r blocks, whatever the suspect does."""
    network = derive_network(model, asked.suspect, asked.preprocessing)
    blocks = tuple(range(asked.block_count))
    labels = None
    if owner.declared is not None:
        labels = tuple(int(label) for label in owner.declared[: 25 * len(blocks)])
    statement = make_statement(owner.commitment, asked, network, blocks, labels)
    return ArgumentResponse(
        asked.digest, owner.commitment.digest, blocks, labels, StandIn().of(statement)
    ).signed_by(owner.keys)


def answer(
    vault: Vault,
    commitment: Commitment,
    asked: Challenge,
    model: Path | DerivedNetwork,
    **more: Any,
) -> Any:
    """The owner's answer about a model to a confirmed judge."""
    options = {"judge_fingerprint": asked.judge.fingerprint(), "model": model, **more}
    return prove(vault, commitment, asked, **options)


def opening_instead(
    challenge: ArgumentChallenge, judge: TestJudge, **changes: Any
) -> OpeningChallenge:
    """A challenge to open blocks, otherwise as this one, signed by its judge."""
    return recast(challenge, OpeningChallenge, **changes).signed_by(judge.key.signing)


def signed(challenge: Challenge, judge: TestJudge, **changes: Any) -> Challenge:
    """A challenge changed, and signed again by its judge."""
    return replace(challenge, signature=b"", **changes).signed_by(judge.key.signing)


@dataclass(frozen=True)
class Scene:
    """An owner's vault, commitment and marked model; a judge and their challenge about it."""

    vault: Vault
    commitment: Commitment
    judge: TestJudge
    challenge: Challenge
    model: Path
    argument: StandIn

    def asked(self, **changes: Any) -> Challenge:
        """The challenge changed, and signed again."""
        return signed(self.challenge, self.judge, **changes)

    def answer(
        self,
        asked: Challenge | None = None,
        model: Path | DerivedNetwork | None = None,
        **more: Any,
    ) -> Any:
        """The owner's answer to the challenge or to another one, about the model or another."""
        asked = self.challenge if asked is None else asked
        return answer(self.vault, self.commitment, asked, model or self.model, **more)
