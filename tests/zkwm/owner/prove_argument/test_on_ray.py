"""An answer whose proof is shared: what the owner is told, and what leaves; on no real cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from tests.support.dispute import TestJudge
from tests.support.local_crew import LocalCrew
from zkwm.owner import proof_on_ray
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, UsageError


class Crew(LocalCrew):
    """Three workers, of which the second is lost when the tree is built; or all, without end."""

    lost_for_ever = False

    def __init__(self, most: int, lost: Callable[[int], None]) -> None:
        super().__init__(3, lambda worker, method, times: self._is_lost(worker, method, times))
        assert most == 100
        self._lost = lost

    def _is_lost(self, worker: int, method: str, times: int) -> bool:
        return method == "tree" and (self.lost_for_ever or (worker, times) == (1, 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> type[Crew]:
    monkeypatch.setattr(proof_on_ray, "RayCrew", Crew)
    return Crew


def test_an_answer_is_proven_verified_and_recorded(
    vault: Vault, commitment: Commitment, challenge: Challenge, judge: TestJudge, model: Path,
    crew: type[Crew],
) -> None:  # fmt: skip
    told: list[str] = []
    response = prove(
        vault, commitment, challenge, judge_fingerprint=judge.public.fingerprint(), model=model,
        ray=True, progress=lambda step, done: told.append(step),
    )  # fmt: skip
    assert isinstance(response, ArgumentResponse)
    assert "start workers on the Ray cluster" in told
    assert "worker 2 was lost, and another takes its place" in told
    assert told[-2:] == ["verify the proof", "done"]
    again = prove(vault, commitment, challenge, model=model)
    assert again.to_bytes() == response.to_bytes()


def test_nothing_is_recorded_without_a_proof(
    vault: Vault, commitment: Commitment, challenge: Challenge, judge: TestJudge, model: Path,
    crew: type[Crew], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    known = {"judge_fingerprint": judge.public.fingerprint(), "model": model}
    monkeypatch.setattr(crew, "lost_for_ever", True)
    with pytest.raises(CouldNotCheck, match="workers were lost during one proof"):
        prove(vault, commitment, challenge, ray=True, **known)
    with vault.transaction() as state:
        assert state.arguments(commitment.digest) == []


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs ray") as caught:
        proof_on_ray.RayCrew(2)
    assert caught.value.hint == "pip install 'zkwm[distributed]'"
