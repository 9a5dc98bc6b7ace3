"""The stored vectors, and small ready-made files, for tests of the documents of a dispute."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.spec_vectors import VECTORS
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm.judge.verdict import Verdict
from zkwm.suspects import Answer, Progress, Suspect
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.keys import BoxKey, SigningKey
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

FILES = ("commitment", "challenge", "proof")


@cache
def vectors(name: str) -> Any:
    """One of the files of vectors that the package ships."""
    resource = VECTORS.joinpath(f"{name}.json")
    return json.loads(resource.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Case:
    """One case of `exchange.json`, complete."""

    name: str
    check: str | None
    commitment: bytes
    challenge: bytes
    proof: bytes
    suspect: dict[str, Any]
    answers: dict[bytes, int | None]
    labels: list[int | None]
    matches: int | None
    evidence: int | None
    checks: dict[str, str]


@cache
def cases() -> tuple[Case, ...]:
    """All cases; what one leaves out is taken from the first."""
    stored = vectors("exchange")["cases"]
    return tuple(_case({**stored[0], **case}) for case in stored)


def _case(value: dict[str, Any]) -> Case:
    answers = {bytes.fromhex(answer["pixels"]): answer["output"] for answer in value["answers"]}
    suspect = {**value["suspect"], "digest": bytes.fromhex(value["suspect"]["digest"])}
    kept: dict[str, Any] = {
        key: value[key] for key in ("name", "check", "labels", "matches", "evidence", "checks")
    }
    contents: dict[str, bytes] = {key: bytes.fromhex(value[key]) for key in FILES}
    return Case(suspect=suspect, answers=answers, **{**kept, **contents})


@cache
def judge_key() -> JudgeKey:
    """The judge of `exchange.json`."""
    judge = vectors("exchange")["judge"]
    return JudgeKey(
        SigningKey.from_bytes("ed25519", bytes.fromhex(judge["signing"]["secret"])),
        BoxKey(bytes.fromhex(judge["box"]["secret"])),
    )


@dataclass(frozen=True)
class TableSuspect(Suspect):
    """A suspect that answers from a table of images."""

    identity: SuspectIdentity
    answers: dict[bytes, int | None]
    remote: bool = False

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Takes anything."""

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Look every image up."""
        outputs = [self.answers.get(image.tobytes()) for image in images]
        return tuple(Answer(o, "" if o is not None else "timed out") for o in outputs)

    def close(self) -> None:
        """Nothing to close."""


@cache
def judged(name: str) -> tuple[Verdict, ZkwmError | None]:
    """What the package's judge finds of a case."""
    case = next(case for case in cases() if case.name == name)
    identity = SuspectIdentity(**{**case.suspect, "shape": tuple(case.suspect["shape"])})
    suspect = TableSuspect(identity, case.answers)
    try:
        verdict = Judge(judge_key()).verify(case.commitment, suspect, case.challenge, case.proof)
    except ZkwmError as error:
        found: Verdict = error.verdict
        return found, error
    return verdict, None


def fast_label_seed(digest: bytes, beacon: bytes | None) -> bytes:
    """In place of Argon2id where a test needs many commitments and no real labels."""
    return hashlib.sha256(b"a stand-in" + digest + (beacon or bytes(32))).digest()
