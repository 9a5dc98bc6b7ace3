"""Arbitrary responses by an accuser who knows everything but cannot break a hash.

Hypothesis makes up responses out of everything that an accuser could change; the suspect is
innocent. Each of them ends in an error of zkwm's with a verdict, and none in "proven".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.dispute import Claimant, TableSuspect, random_images, verdict_of
from zkwm.judge.judge import Judge
from zkwm_protocols.errors import Malformed
from zkwm_protocols.opening import OpenedBlock, OpenedTrigger
from zkwm_protocols.policy import Policy

INNOCENT = TableSuspect(name="innocent")
POOL = random_images(400, 77)
"""Images that the accuser tried on the innocent model once the labels were known."""

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["hide", "swap", "fit", "salt", "label", "repeat", "cut", "block"]),
        st.integers(0, 199),
        st.integers(0, 199),
    ),
    max_size=60,
)
NAMES = st.lists(st.integers(0, 5), max_size=3).map(tuple)


def fitting(accuser: Claimant, index: int) -> OpenedTrigger:
    """An image that the innocent model answers with the label of this leaf."""
    wanted = int(accuser.labels[index])
    image = next(image for image in POOL if INNOCENT.rule(image) == wanted)
    return replace(accuser.trigger(index), pixels=image)


def changed(
    accuser: Claimant, numbers: tuple[int, ...], changes: list[tuple[str, int, int]]
) -> list[OpenedBlock]:
    """The blocks of these numbers after all changes."""
    triggers: dict[int, list[OpenedTrigger | None]] = {
        number: list(accuser.block(number % 4).triggers) for number in numbers
    }
    order = list(numbers)
    for what, first, second in changes:
        if not order:
            break
        number = order[first % len(order)]
        block = triggers[number]
        if not block:
            continue
        place = second % len(block)
        index = 50 * (number % 4) + place % 50
        old = block[place] or accuser.trigger(index)
        if what == "hide":
            block[place] = None
        elif what == "swap":
            block[place] = accuser.trigger(first)
        elif what == "fit":
            block[place] = fitting(accuser, index)
        elif what == "salt":
            block[place] = replace(old, salt=bytes(32))
        elif what == "label":
            block[place] = replace(old, label=first % 10)
        elif what == "repeat":
            block.append(old)
        elif what == "cut":
            block.pop()
        else:
            order.append(number)
    return [OpenedBlock(number, tuple(triggers[number])) for number in order]


@pytest.mark.slow
@pytest.mark.parametrize("declared", [False, True])
def test_no_response_convicts_an_innocent(judge: Judge, owner: Claimant, declared: bool) -> None:
    """Declared: the labels were declared before the model was known, and are accepted."""
    accuser = Claimant(owner.images, declared_labels=owner.labels) if declared else owner
    policy = Policy(accept_declared_labels=declared)
    outcomes: set[str] = set()

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
        database=None,
    )
    @given(st.integers(1, 2), NAMES, CHANGES, st.none() | NAMES, st.booleans())
    def search(
        count: int,
        numbers: tuple[int, ...],
        changes: list[tuple[str, int, int]],
        named: tuple[int, ...] | None,
        whole: bool,
    ) -> None:
        challenge = judge.challenge(accuser.commitment, INNOCENT, reveal=50 * count, policy=policy)
        if whole:  # else nearly every response ends at its block numbers
            numbers, named = tuple(range(count)), None
        blocks = changed(accuser, numbers, changes)
        if whole:
            blocks = [
                OpenedBlock(b.block, (b.triggers + (None,) * 50)[:50]) for b in blocks[:count]
            ]
        proof: Any = accuser.answer(challenge, blocks, named_blocks=named)
        try:
            data = proof.to_bytes()
        except Malformed:
            return
        verdict = verdict_of(
            lambda: judge.verify(accuser.commitment.to_bytes(), INNOCENT, challenge, data)
        )
        outcomes.add(verdict.outcome)
        assert verdict.outcome in ("not proven", "could not be checked")
        for result in verdict.triggers:
            if result.image is not None:
                original = accuser.images[result.index]
                assert result.image.tobytes() == original.tobytes()

    search()
    assert outcomes == {"not proven", "could not be checked"}
