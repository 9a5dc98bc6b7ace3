"""Several desks on one database: what is counted is counted over all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.dispute import Claimant, TableSuspect, TestJudge, marked, verdict_of
from zkwm.judge.judge import Judge
from zkwm.marketplace import Marketplace
from zkwm.suspects import Answer
from zkwm_protocols.challenge import Challenge

pytestmark = pytest.mark.usefixtures("quick_labels")
DESKS = 4


def at_once(act: Callable[[int], None]) -> None:
    """Call ``act`` with 0 to 3, in threads that begin together."""
    barrier, problems = threading.Barrier(DESKS), []

    def run(number: int) -> None:
        barrier.wait(30)
        try:
            act(number)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(DESKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


@pytest.fixture
def desks(location: str, judge: Judge) -> Iterator[list[Marketplace]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Marketplace(location, judge)) for _ in range(DESKS)]


def test_desks_that_open_at_once_make_one_database(location: str, judge: Judge) -> None:
    identities = []

    def open_one(_: int) -> None:
        with Marketplace(location, judge) as desk:
            identities.append(desk._database.identity)

    at_once(open_one)
    assert len(identities) == DESKS
    assert len(set(identities)) == 1


def test_two_desks_never_give_one_number_to_two_functions(
    desks: list[Marketplace], owner: Claimant
) -> None:
    """Forty functions, counted by four desks at once: 1 to 40, each once."""
    name = desks[0].register(owner.commitment)
    issued = [
        [desks[0].challenge(name, TableSuspect(name=f"{desk} {n}")) for n in range(10)]
        for desk in range(DESKS)
    ]
    numbers: list[int] = []

    def count(desk: int) -> None:
        ledger = desks[desk].judge.ledger
        numbers.extend(ledger.count_function(challenge) for challenge in issued[desk])

    at_once(count)
    assert sorted(numbers) == list(range(1, 41))


def test_one_function_has_one_number_at_every_desk(
    desks: list[Marketplace], owner: Claimant
) -> None:
    name = desks[0].register(owner.commitment)
    issued = [desks[0].challenge(name, TableSuspect(name=f"{n}")) for n in range(10)]
    numbers: list[list[int]] = [[] for _ in desks]

    def count(desk: int) -> None:
        ledger = desks[desk].judge.ledger
        turned = issued[desk:] + issued[:desk]
        counted = {one.digest: ledger.count_function(one) for one in turned}
        numbers[desk] = [counted[one.digest] for one in issued]

    at_once(count)
    assert numbers == [numbers[0]] * DESKS
    assert sorted(numbers[0]) == list(range(1, 11))


def test_claims_that_are_settled_at_once(desks: list[Marketplace], owner: Claimant) -> None:
    """Four models, one commitment, four desks: each its own j, all kept."""
    name = desks[0].register(owner.commitment)
    suspects = [marked(owner.images, owner.labels, name=f"{n}") for n in range(DESKS)]
    tried: list[int | None] = []

    def settle(desk: int) -> None:
        challenge = desks[desk].challenge(name, suspects[desk])
        proof = owner.answer(challenge, [min(set(range(4)) - set(challenge.excluded_blocks))])
        verdict = verdict_of(lambda: desks[desk].settle(suspects[desk], challenge, proof))
        tried.append(verdict.functions_tried)

    at_once(settle)
    assert sorted(number for number in tried if number) == [1, 2, 3, 4]
    assert len(desks[0].verdicts()) == DESKS


def test_the_first_answer_stands_at_every_desk(desks: list[Marketplace], owner: Claimant) -> None:
    """Four desks ask a suspect that answers each of them otherwise; orders of images differ."""
    name = desks[0].register(owner.commitment)
    challenge: Challenge = desks[0].challenge(name, TableSuspect())
    images = [bytes([n]) * 32 for n in range(20)]
    kept = []

    def ask(desk: int) -> None:
        ledger = desks[desk].judge.ledger
        turned = images if desk % 2 else images[::-1]
        ledger.keep_answers(challenge, {image: Answer(desk) for image in turned})
        kept.append(ledger.first_answers(challenge, images))

    at_once(ask)
    assert kept == [kept[0]] * DESKS
    assert len({answer.output for answer in kept[0].values()}) == 1


def test_askings_and_openings_are_counted_together(
    desks: list[Marketplace], owner: Claimant
) -> None:
    name = desks[0].register(owner.commitment)
    challenge = desks[0].challenge(name, TableSuspect())
    before = []

    def ask(desk: int) -> None:
        ledger = desks[desk].judge.ledger
        for block in range(5):
            before.append(ledger.count_asking(challenge))
            ledger.record_opening(challenge, [5 * desk + block, 100])
            ledger.record_verdict(challenge.digest, bytes(32), "proven")

    at_once(ask)
    ledger = desks[0].judge.ledger
    assert sorted(before) == list(range(20))
    assert ledger.opened_blocks(challenge.commitment) == (*range(20), 100)
    assert ledger.verdicts(challenge.digest) == ("proven",) * 20


def test_one_answer_given_at_every_desk_is_one(desks: list[Marketplace], owner: Claimant) -> None:
    name = desks[0].register(owner.commitment)
    challenge = desks[0].challenge(name, TableSuspect())
    same, others = owner.answer(challenge, [0]), [owner.answer(challenge, [n]) for n in range(4)]

    def answer(desk: int) -> None:
        desks[desk].answer(challenge, same)
        desks[desk].answer(challenge, others[desk])

    at_once(answer)
    for _ in range(11):
        desks[0].answer(challenge, owner.answer(challenge, [0]))
    assert desks[1].case(challenge).state == "answered"


def test_a_desk_that_asks_a_model_holds_up_no_other(
    desks: list[Marketplace], owner: Claimant
) -> None:
    """While one desk waits for a model's answers, the others register, challenge and settle."""
    name = desks[0].register(owner.commitment)

    class Nested(TableSuspect):
        def answer(self, *given: object, **options: object) -> tuple[Answer, ...]:
            other = marked(owner.images, owner.labels, name="the other one")
            challenge = desks[1].challenge(name, other)
            assert desks[1].settle(other, challenge, owner.answer(challenge, [1])).proven
            return super().answer(*given, **options)

    slow = Nested(marked(owner.images, owner.labels).table, name="slow")
    challenge = desks[0].challenge(name, slow)
    assert desks[0].settle(slow, challenge, owner.answer(challenge, [0])).proven


def test_a_judge_in_memory_keeps_no_second_ledger(
    location: str, judge: TestJudge, owner: Claimant
) -> None:
    with Marketplace(location, judge) as market:
        challenge = market.challenge(market.register(owner.commitment), TableSuspect())
        assert market.judge.ledger.count_function(challenge) == 1
        assert market.judge.ledger.path == market._database.path
        assert judge.ledger.next_number(challenge) == 1
