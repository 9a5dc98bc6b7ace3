"""States, deadlines and answers of cases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.dispute import Claimant, TableSuspect, TestJudge, marked, random_images
from zkwm.marketplace import CaseState, Marketplace
from zkwm.suspects import Answer
from zkwm_protocols import labels
from zkwm_protocols.argument_response import Refusal
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import (
    InvalidOpening,
    InvalidSignature,
    Malformed,
    NotProven,
    UsageError,
    ZkwmError,
)
from zkwm_protocols.keys import SigningKey

pytestmark = pytest.mark.usefixtures("quick_labels")
WEEK = timedelta(days=7)
REAL_SEED = labels.label_seed.__wrapped__


@pytest.fixture
def suspect(owner: Claimant) -> TableSuspect:
    return marked(owner.images, owner.labels)


@pytest.fixture
def asked(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, clock: list[float]
) -> Challenge:
    """A challenge that has to be answered within a week."""
    return market.challenge(market.register(owner.commitment), suspect, answer_within=WEEK)


def ids(market: Marketplace, state: str) -> list[str]:
    return [case.id for case in market.cases(state=state)]


def test_from_asked_to_decided(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge,
    clock: list[float],
) -> None:  # fmt: skip
    case = market.case(asked)
    assert (case.state, case.asked, case.outcome) == (CaseState.ASKED, int(clock[0]), "")
    assert case.answer_by == case.asked + 7 * 86_400
    clock[0] += 60
    answered = market.answer(asked, owner.answer(asked, [0]))
    assert (answered.state, answered.answered) == (CaseState.ANSWERED, case.asked + 60)
    clock[0] += 60
    assert market.settle(suspect, asked).proven
    decided = market.case(asked.digest.hex())
    assert (decided.state, decided.decided) == (CaseState.DECIDED, case.asked + 120)
    assert decided.outcome == "proven"
    for state in CaseState:
        assert ids(market, state) == ([case.id] if state == "decided" else [])


def test_a_deadline_passes_without_anybodys_doing(
    market: Marketplace, owner: Claimant, asked: Challenge, clock: list[float]
) -> None:
    clock[0] += 7 * 86_400
    assert ids(market, "asked") == [asked.digest.hex()]
    clock[0] += 1
    assert market.case(asked).state == CaseState.OVERDUE
    assert (ids(market, "asked"), ids(market, "overdue")) == ([], [asked.digest.hex()])


def test_a_late_answer_is_refused_until_the_deadline_is_moved(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge,
    clock: list[float],
) -> None:  # fmt: skip
    clock[0] += 8 * 86_400
    proof = owner.answer(asked, [0])
    for give in (lambda: market.answer(asked, proof), lambda: market.settle(suspect, asked, proof)):
        with pytest.raises(UsageError, match="86400 seconds late") as caught:
            give()
        assert "extend" in caught.value.hint
    assert market.judge.ledger.opened_blocks(owner.commitment.digest) == ()
    assert suspect.asked == []
    assert market.extend(asked, timedelta(hours=1)).state == CaseState.ASKED
    assert market.settle(suspect, asked, proof).proven


def test_an_answer_in_time_is_settled_after_the_deadline(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge,
    clock: list[float],
) -> None:  # fmt: skip
    proof = owner.answer(asked, [0])
    market.answer(asked, proof)
    clock[0] += 30 * 86_400
    assert market.case(asked).state == CaseState.ANSWERED
    assert market.settle(suspect, asked, proof).proven  # the same answer is none that is late


def test_without_a_deadline_nothing_is_overdue(
    market: Marketplace, owner: Claimant, clock: list[float]
) -> None:
    name = market.register(owner.commitment)
    challenge = market.challenge(name, TableSuspect(), answer_within=None)
    clock[0] += 10**9
    assert market.case(challenge).state == CaseState.ASKED
    with pytest.raises(UsageError, match="answer_within"):
        market.extend(challenge, timedelta(seconds=-1))


def test_a_withdrawn_case_is_not_answered_nor_settled(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    case = market.withdraw(asked, "they agreed")
    assert (case.state, case.reason) == (CaseState.WITHDRAWN, "they agreed")
    assert market.withdraw(asked, "again") == case
    proof = owner.answer(asked, [0])
    for act in (
        lambda: market.answer(asked, proof),
        lambda: market.settle(suspect, asked, proof),
        lambda: market.extend(asked, WEEK),
    ):
        with pytest.raises(UsageError, match="withdrawn: they agreed"):
            act()
    assert market.verdicts() == {}
    assert market.judge.ledger.opened_blocks(owner.commitment.digest) == ()


@pytest.mark.parametrize("marked_model", [True, False])
def test_a_case_that_is_withdrawn_while_its_model_is_asked_gets_no_verdict(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge,
    monkeypatch: pytest.MonkeyPatch, marked_model: bool,
) -> None:  # fmt: skip
    """What was opened stays opened; the parties' settlement stands, whatever would come out."""
    if not marked_model:
        suspect.table.clear()
    answer = suspect.answer

    def answered(*images: Any, **options: Any) -> tuple[Answer, ...]:
        market.withdraw(asked, "they agreed")
        return answer(*images, **options)

    monkeypatch.setattr(suspect, "answer", answered)
    with pytest.raises(UsageError, match="withdrawn: they agreed"):
        market.settle(suspect, asked, owner.answer(asked, [0]))
    case = market.case(asked)
    assert (case.state, case.decided, case.outcome) == (CaseState.WITHDRAWN, None, "")
    assert market.verdicts() == {}
    with pytest.raises(UsageError, match="no verdict"):
        market.verdict_file(asked)
    assert market.judge.ledger.opened_blocks(owner.commitment.digest) == (0,)


def test_a_decided_case_is_not_withdrawn(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    market.settle(suspect, asked, owner.answer(asked, [0]))
    with pytest.raises(UsageError, match="decided"):
        market.withdraw(asked)


def test_answering_twice(market: Marketplace, owner: Claimant, asked: Challenge) -> None:
    """The same answer changes nothing; another is kept beside it, and the last one counts."""
    first = owner.answer(asked, [0]).to_bytes()
    once = market.answer(asked, first)
    assert market.answer(asked, first) == once
    second = owner.answer(asked, [1]).to_bytes()
    market.answer(asked, second)
    assert market.proof(asked) == second
    for _ in range(14):
        market.answer(asked, owner.answer(asked, [0]))  # sealed anew: other bytes
    with pytest.raises(UsageError, match="16 different answers"):
        market.answer(asked, owner.answer(asked, [0]))


def test_settling_again_asks_only_for_what_is_missing(market: Marketplace, owner: Claimant) -> None:
    """An endpoint was down for ten triggers; a verdict that comes further replaces the first."""
    suspect = marked(owner.images, owner.labels, kind="http", remote=True, name="https://a.example")
    late = [image.tobytes() for image in owner.images[30:50]]
    labels = {image: suspect.table.pop(image) for image in late}
    suspect.rule = lambda _: "timed out"
    challenge = market.challenge(market.register(owner.commitment), suspect)
    with pytest.raises(ZkwmError) as caught:
        market.settle(suspect, challenge, owner.answer(challenge, [0]))
    assert caught.value.check == "suspect.answers"
    assert market.case(challenge).state == CaseState.ANSWERED
    assert market.case(challenge).outcome == "could not be checked"
    suspect.table = dict(labels)
    verdict = market.settle(suspect, challenge)
    triggers = {image.tobytes() for image in owner.images[:50]}
    assert set(suspect.asked[1]) & triggers == set(late)
    assert verdict.functions_tried == 1
    assert market.case(challenge).outcome == "proven"


def test_a_verdict_is_replaced_only_by_one_that_came_further(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    """A block of misses after one that proved: not proven takes nothing back."""
    market.settle(suspect, asked, owner.answer(asked, [0]))
    report = market.report(asked)
    for index in range(50, 100):
        suspect.table[owner.images[index].tobytes()] = 9 - int(owner.labels[index])
    with pytest.raises(NotProven):
        market.settle(suspect, asked, owner.answer(asked, [1]))
    assert market.case(asked).outcome == "proven"
    assert market.report(asked) == report
    assert market.judge.ledger.opened_blocks(owner.commitment.digest) == (0, 1)


def test_a_strangers_answer_is_not_kept_nor_counted(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    stranger = Claimant(owner.images, keys=(SigningKey.generate(),))
    forged = stranger.answer(asked, [0], commitment=owner.commitment.digest)
    with pytest.raises(InvalidSignature):
        market.answer(asked, forged)
    with pytest.raises(InvalidSignature) as caught:
        market.settle(suspect, asked, forged)
    assert caught.value.verdict is not None
    for garbage in (b"", b"zkwm-proof/1\n\x00", b"x" * 1000):
        with pytest.raises(Malformed):
            market.answer(asked, garbage)
    assert market.case(asked).state == CaseState.ASKED
    assert market.verdicts() == {}
    assert suspect.asked == []
    later = market.challenge(owner.commitment.digest.hex(), TableSuspect(name="another"))
    assert later.policy.functions_tried == 1


def test_an_answer_to_another_challenge_is_refused(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    other = market.challenge(owner.commitment.digest.hex(), suspect)
    with pytest.raises(InvalidOpening) as caught:
        market.answer(asked, owner.answer(other, [0]))
    assert caught.value.check == "response.challenge"


def test_a_refusal_is_an_answer(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    """Signed by the owner, about this challenge: of another mode it is none."""
    refusal = Refusal(asked.digest, owner.commitment.digest, unopened_blocks=0)
    with pytest.raises(InvalidOpening) as caught:
        market.answer(asked, refusal.signed_by(owner.keys))
    assert caught.value.check == "response.challenge"


def test_cases_come_in_pages(market: Marketplace, owner: Claimant, clock: list[float]) -> None:
    other = Claimant(random_images(200, 1))
    names = [market.register(who.commitment) for who in (owner, other)]
    issued = []
    for number in range(6):
        clock[0] += number % 2  # two of one second each
        issued.append(market.challenge(names[number % 2], TableSuspect(name=f"{number}")))
    found, last = [], None
    while page := market.cases(after=last, limit=4):
        found += page
        last = page[-1].id
    assert {case.id for case in found} == {one.digest.hex() for one in issued}
    assert [case.asked for case in found] == sorted(case.asked for case in found)
    assert len(market.cases(commitment=names[1])) == 3
    with pytest.raises(UsageError, match="state"):
        market.cases(state="open")


@pytest.mark.parametrize("name", ["", "A" * 64, "0" * 63, "0" * 64, "../etc/passwd"])
def test_unknown_cases_are_refused(market: Marketplace, name: str) -> None:
    for act in (market.case, market.issued, market.proof, market.withdraw):
        with pytest.raises(UsageError):
            act(name)


def test_a_challenge_that_another_desk_issued_is_refused(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge
) -> None:
    foreign = replace(asked, nonce=bytes(32))
    with pytest.raises(UsageError, match="no such challenge"):
        market.settle(suspect, foreign, owner.answer(foreign, [0]))


def test_a_seed_of_labels_is_derived_once_for_all_desks(
    market: Marketplace, location: str, judge: TestJudge, owner: Claimant, suspect: TableSuspect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """And one that somebody put into the database is derived anew: labels follow from it."""
    derived: list[bytes] = []

    def derive(password: bytes, *_: object, **__: object) -> bytes:
        derived.append(password)
        return hashlib.sha256(password).digest()

    monkeypatch.setattr(labels, "password_key", derive)
    monkeypatch.setattr(labels, "label_seed", labels_of_a_new_process())
    other = Claimant(owner.images, salt_seed=7)
    stolen = marked(other.images, other.labels)
    challenge = market.challenge(market.register(other.commitment), stolen)
    derived.clear()
    monkeypatch.setattr(labels, "label_seed", labels_of_a_new_process())
    assert market.settle(stolen, challenge, other.answer(challenge, [0])).proven
    assert len(derived) == 1
    for change, times in (("", 0), ("UPDATE label_seeds SET seed = tag", 1), ("", 0)):
        derived.clear()
        if change:
            with market._database.writing(bytes(32)) as connection:
                connection.execute(text(change))
        monkeypatch.setattr(labels, "label_seed", labels_of_a_new_process())
        with Marketplace(location, judge) as desk:
            assert desk.settle(stolen, challenge).proven
        assert len(derived) == times


def labels_of_a_new_process() -> Callable[[bytes, bytes | None], bytes]:
    """``label_seed`` as it is before anything was derived."""
    return lru_cache(maxsize=64)(REAL_SEED)


def test_a_strangers_answer_derives_no_seed(
    market: Marketplace, owner: Claimant, suspect: TableSuspect, asked: Challenge,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("zkwm_protocols.labels.label_seed", None)
    stranger = Claimant(owner.images, keys=(SigningKey.generate(),))
    with pytest.raises(InvalidSignature):
        market.settle(
            suspect, asked, stranger.answer(asked, [0], commitment=owner.commitment.digest)
        )
