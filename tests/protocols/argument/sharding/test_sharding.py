"""One proof by many workers: the bytes of one prover, whoever is lost meanwhile."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest

from tests.support.argument_case import argument_case
from tests.support.local_crew import LocalCrew, without_chance
from zkwm_protocols.argument.logup_gkr.blocks import Lookups, lookup_table
from zkwm_protocols.argument.logup_gkr.level import begin_rows
from zkwm_protocols.argument.logup_gkr.round_weights import round_weights
from zkwm_protocols.argument.prover import prove
from zkwm_protocols.argument.sharding.crew import even_parts
from zkwm_protocols.argument.sharding.prover import prove_by_crew
from zkwm_protocols.argument.sharding.shard import TriggerShard
from zkwm_protocols.errors import CouldNotCheck, NotEnoughMatches, UsageError
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.scalar import Element, P, add

CASE = argument_case(5, least_matches=3)
SETTINGS = {"secret": b"s" * 32, "release": "1"}


@pytest.fixture(scope="module")
def local() -> bytes:
    """The proof of one prover."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_chance(monkeypatch)
        return prove(CASE.statement, CASE.images, CASE.salts, **SETTINGS)


@pytest.fixture(autouse=True)
def _without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    without_chance(monkeypatch)


def by(crew: LocalCrew) -> bytes:
    return prove_by_crew(CASE.statement, CASE.images, CASE.salts, crew=crew, **SETTINGS)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_the_proof_is_that_of_one_prover(local: bytes, size: int) -> None:
    crew = LocalCrew(size)
    assert by(crew) == local
    assert crew.replaced == 0


@pytest.mark.parametrize(
    ("method", "times"),
    [
        ("run", 1),
        ("mark", 1),
        ("tree", 1),
        ("level", 2),
        ("bind", 7),
        ("bound", 2),
        ("fold", 1),
        ("leaves", 1),
        ("columns", 1),
    ],
)
def test_a_lost_worker_is_replaced(local: bytes, method: str, times: int) -> None:
    crew = LocalCrew(2, lambda worker, called, n: (worker, called, n) == (1, method, times))
    assert by(crew) == local
    assert (crew.replaced, crew.seen) == (1, [1])


def test_all_workers_may_be_lost_and_their_replacements(local: bytes) -> None:
    crew = LocalCrew(3, lambda worker, called, n: called == "level" and n in (3, 4))
    assert by(crew) == local
    assert sorted(crew.seen) == [0, 0, 1, 1, 2, 2]


def test_losses_without_end_give_the_proof_up() -> None:
    crew = LocalCrew(2, lambda worker, called, n: called == "tree" and worker == 0, most=3)
    with pytest.raises(CouldNotCheck, match="4 workers were lost"):
        by(crew)


def test_a_replacement_repeats_only_what_counts() -> None:
    """A level that is over, and its rounds, are not proven again."""
    crew = LocalCrew(1, lambda worker, called, n: (called, n) == ("fold", 1))
    by(crew)
    methods = [method for _, method in crew.called]
    assert methods[methods.index("fold") :] == ["fold", "run", "mark", "fold", "columns"]


def test_a_worker_that_computes_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = TriggerShard.fold

    def wrong(shard: TriggerShard, weights: np.ndarray) -> np.ndarray:
        return (honest(shard, weights) + np.uint64(1)) % np.uint64(2130706433)

    monkeypatch.setattr(TriggerShard, "fold", wrong)
    with pytest.raises(CouldNotCheck, match="does not verify; nothing was released") as caught:
        by(LocalCrew(2))
    assert "cluster" in caught.value.hint


def test_errors_of_workers_are_errors_of_the_proof() -> None:
    foreign = argument_case(5, seed=2)
    with pytest.raises(UsageError, match="do not hash"):
        prove_by_crew(CASE.statement, foreign.images, CASE.salts, crew=LocalCrew(2), **SETTINGS)
    few = replace(
        CASE.statement,
        least_matches=5,
        outputs=((CASE.statement.outputs[0] + 1) % 3, *CASE.statement.outputs[1:]),
    )
    with pytest.raises(NotEnoughMatches):
        prove_by_crew(few, CASE.images, CASE.salts, crew=LocalCrew(2), **SETTINGS)


@pytest.mark.parametrize("lookups", [64, 133, 130])
def test_rows_in_parts_have_the_sums_of_all_rows(lookups: int) -> None:
    """Numerators 1 at the leaves, a partial last node, and general form above."""
    generator, rows = np.random.default_rng(lookups), 5
    table = generator.integers(0, P, (5, 40), dtype=np.uint64)
    numbers = generator.integers(0, 40, (rows, lookups)).astype(np.int32)
    a, b, c, r = ((i, 2, 3, 4, 5) for i in (7, 8, 9, 11))
    point = (a, b, c)
    for depth in (0, 1):
        found = []
        for parts in ([(0, 5)], [(0, 2), (2, 3), (3, 5)]):
            begun = [
                begin_rows(
                    Lookups(numbers[first:end], lookup_table(to_montgomery(table))),
                    depth, point, first, r,
                )
                for first, end in parts
            ]  # fmt: skip
            weights = [round_weights((b, a, b, c, a, c)[: 6 - depth - i]) for i in range(3)]
            messages = [[part.start(weights[0]) for part in begun]]
            messages += [[part.bind(c, one) for part in begun] for one in weights[1:]]
            arrays = [part.bound(6) for part in begun]
            found.append(
                (
                    [tuple(map(add_all, zip(*one, strict=True))) for one in messages],
                    np.concatenate([bound[..., :columns] for bound, columns in arrays]).tolist(),
                )
            )
        assert found[0] == found[1]


def add_all(elements: tuple[Element, ...]) -> Element:
    return reduce(add, elements)


def test_parts_are_even() -> None:
    assert even_parts(10, 3) == [(0, 3), (3, 6), (6, 10)]
    assert even_parts(2, 2) == [(0, 1), (1, 2)]
