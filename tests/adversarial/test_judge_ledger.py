"""What an accuser gains by trying again: the judge's ledger counts it (SPEC.md 7, 8.2, 8.3)."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import (
    CHEAP,
    CLASSES,
    PASSPHRASE,
    Claimant,
    TableSuspect,
    TestJudge,
    failed,
    marked,
    recast,
    settle,
    verdict_of,
)
from zkwm.judge.case import ArgumentCase
from zkwm.judge.check_argument import require_still_reached
from zkwm.judge.judge import Judge
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.verdict import Verdict
from zkwm.marketplace import Marketplace, adoption
from zkwm.suspects import Answer
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, NotProven
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.suspect_identity import Preprocessing


class RandomSuspect(TableSuspect):
    """Answers by chance, each time anew."""

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Any, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        self.asked.append([image.tobytes() for image in images])
        return tuple(
            Answer(int(label))
            for label in np.random.default_rng().integers(0, CLASSES, len(images))
        )


@pytest.mark.parametrize("kind", ["http", "onnx"])
def test_asking_again_gives_the_first_answers(judge: Judge, owner: Claimant, kind: str) -> None:
    """A hundred verifications of an endpoint, or a file, that answers by chance: one outcome."""
    suspect = RandomSuspect(kind=kind, remote=kind == "http", name="https://chance.example")
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    verdicts = [settle(judge, owner, suspect, challenge) for _ in range(100)]
    assert len({verdict.evidence for verdict in verdicts}) == 1
    assert len(suspect.asked) == 1
    assert [verdict.asked.kept for verdict in verdicts if verdict.asked] == [0] + [50] * 99
    assert {verdict.functions_tried for verdict in verdicts} == {1}


def test_verifying_at_the_same_time_gives_the_first_answers(judge: Judge, owner: Claimant) -> None:
    """Ten verifications that begin before any of them has an answer: one outcome."""
    verdicts: list[Verdict] = []

    class Crowd(RandomSuspect):
        def answer(
            self, images: NDArray[np.uint8], preprocessing: Any, *, progress: Any = None
        ) -> tuple[Answer, ...]:
            if len(self.asked) < 10:
                own = super().answer(images, preprocessing, progress=progress)
                verdicts.append(settle(judge, owner, self, challenge))  # the others are faster
                return own
            return super().answer(images, preprocessing, progress=progress)

    suspect = Crowd(kind="onnx", name="chance.onnx")
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    suspect.asked.clear()
    verdicts.append(settle(judge, owner, suspect, challenge))
    assert len(suspect.asked) == len(verdicts) == 11
    assert len({verdict.evidence for verdict in verdicts}) == 1


def test_only_missing_answers_are_asked_for_again(judge: Judge, owner: Claimant) -> None:
    """An endpoint that was down for ten triggers: those, among new decoys, and nothing else."""
    suspect = marked(owner.images, owner.labels, kind="http", remote=True)
    late = [image.tobytes() for image in owner.images[30:50]]
    labels = {image: suspect.table.pop(image) for image in late}
    suspect.rule = lambda _: "timed out"
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    first = settle(judge, owner, suspect, challenge)
    assert first.outcome == "could not be checked"
    suspect.table = {**labels}
    second = settle(judge, owner, suspect, challenge)
    assert second.proven
    asked_second = set(suspect.asked[1])
    triggers = {image.tobytes() for image in owner.images[:50]}
    assert asked_second & triggers == set(late)
    assert len(asked_second - triggers) >= 20
    assert second.asked is not None
    assert (second.asked.earlier, second.asked.kept) == (1, 30)
    assert second.functions_tried == first.functions_tried == 1


def test_ranks_that_are_weighed_again_cost_a_function(judge: Judge, owner: Claimant) -> None:
    """Answers that came later move the medians: another function each time (SPEC.md 8.4)."""
    suspect = TableSuspect(rule=lambda _: "timed out")
    challenge = judge.challenge(owner.commitment, suspect, reveal=50, statistic=Statistic.RANKS)
    tried = [settle(judge, owner, suspect, challenge).functions_tried for _ in range(3)]
    assert tried == [1, 2, 3]


def test_preprocessings_maps_and_statistics_are_functions(judge: Judge, owner: Claimant) -> None:
    """Four questions about one file, in turn: j goes up, for the judge's API too."""
    suspect = TableSuspect()
    terms: list[dict[str, Any]] = [
        {},
        {"preprocessing": Preprocessing(scale="raw")},
        {"class_map": tuple(reversed(range(CLASSES)))},
        {"statistic": Statistic.RANKS},
        {},
    ]
    tried = []
    for options in terms:
        challenge = judge.challenge(owner.commitment, suspect, reveal=50, **options)
        verdict = settle(judge, owner, suspect, challenge)
        assert verdict.functions_tried == challenge.policy.functions_tried
        tried.append(verdict.functions_tried)
    assert tried == [1, 2, 3, 4, 1]


def test_file_and_integer_network_are_two_functions(judge: TestJudge, owner: Claimant) -> None:
    suspect = TableSuspect()
    opening = judge.challenge(owner.commitment, suspect, reveal=50)
    networks = [
        recast(opening, ArgumentChallenge, network=bytes([n]) * 32, least_matches=43)
        for n in range(2)
    ]
    numbers = [judge.ledger.count_function(one) for one in (opening, *networks, opening)]
    assert numbers == [1, 2, 3, 1]


def test_of_two_challenges_at_once_the_second_pays_more(judge: Judge, owner: Claimant) -> None:
    """Both were issued at j = 1, before either was answered."""
    suspects = [TableSuspect(name=f"model {number}") for number in range(2)]
    issued = [judge.challenge(owner.commitment, one, reveal=50) for one in suspects]
    assert [one.policy.functions_tried for one in issued] == [1, 1]
    verdicts = [
        settle(judge, owner, suspect, one) for suspect, one in zip(suspects, issued, strict=True)
    ]
    assert [verdict.functions_tried for verdict in verdicts] == [1, 2]
    terms = [
        term.bits
        for verdict in verdicts
        if verdict.evidence
        for term in verdict.evidence.terms
        if term.name == "functions tried"
    ]
    assert terms == [-1.0, -2.59]


def test_an_argument_that_no_longer_suffices_says_so(judge: TestJudge, owner: Claimant) -> None:
    opening = judge.challenge(owner.commitment, TableSuspect(), reveal=50)
    challenge = recast(opening, ArgumentChallenge, network=bytes(32), least_matches=43)
    case = ArgumentCase(owner.commitment, challenge, None, False, functions_tried=1)
    require_still_reached(case)
    with pytest.raises(InvalidOpening) as caught:
        require_still_reached(replace(case, functions_tried=10))
    assert caught.value.check == "challenge.reachable"
    assert "new challenge" in caught.value.hint


def test_a_stranger_does_not_raise_the_price(judge: Judge, owner: Claimant, tmp_path: Path) -> None:
    """A thousand challenges that nobody answered, and a response that the owner did not sign."""
    market = Marketplace(tmp_path / "market", judge)
    name = market.register(owner.commitment)
    stranger = Claimant(owner.images, keys=None, salt_seed=5)
    for number in range(30):
        suspect = TableSuspect(name=f"https://{number}.example", kind="http", remote=True)
        challenge = market.challenge(name, suspect)
        forged = stranger.answer(challenge, [0], commitment=owner.commitment.digest)
        forged = replace(forged, signatures=(bytes(64),))
        verdict = verdict_of(lambda: market.settle(suspect, challenge, forged))  # noqa: B023
        assert failed(verdict) == ["response.signature"]
        assert verdict.functions_tried is None
    assert market.challenge(name, TableSuspect()).policy.functions_tried == 1


def test_what_the_judge_says_is_a_floor(judge: Judge, owner: Claimant) -> None:
    """Functions that were tried elsewhere: ``--functions-tried`` once, and the ledger goes on."""
    first = judge.challenge(
        owner.commitment, TableSuspect(), reveal=50, policy=Policy(functions_tried=7)
    )
    assert settle(judge, owner, TableSuspect(), first).functions_tried == 7
    other = TableSuspect(name="another")
    second = judge.challenge(owner.commitment, other, reveal=50)
    assert second.policy.functions_tried == 8


def test_a_judge_has_one_ledger_though_they_open_a_marketplace(
    owner: Claimant, tmp_path: Path
) -> None:
    """What was counted beside the key goes on in the marketplace, and nowhere else."""
    key = tmp_path / "judge.key"
    judge = Judge.create(key, PASSPHRASE, cost=CHEAP)
    ledger = tmp_path / "judge.key.ledger"
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
    before = judge.challenge(owner.commitment, TableSuspect(name="before"), reveal=50)
    with pytest.raises(NotProven):
        judge.verify(
            owner.commitment, TableSuspect(name="before"), before, owner.answer(before, [1])
        )
    market = Marketplace(tmp_path / "market", judge)
    name = market.register(owner.commitment)
    suspect = marked(owner.images, owner.labels)
    challenge = market.challenge(name, suspect)
    assert challenge.excluded_blocks == (1,)
    assert market.settle(suspect, challenge, owner.answer(challenge, [0])).functions_tried == 2
    again = Judge.open(key, PASSPHRASE)
    for act in (
        lambda: again.challenge(owner.commitment, TableSuspect(), reveal=50),
        lambda: judge.challenge(owner.commitment, TableSuspect(), reveal=50),
        lambda: Marketplace(tmp_path / "another", again),
    ):
        with pytest.raises(CouldNotCheck, match="handed over to a marketplace") as caught:
            act()
        assert "Marketplace(LOCATION, judge).judge" in caught.value.hint
    with Marketplace(tmp_path / "market", again) as reopened:
        later = reopened.judge.challenge(owner.commitment, TableSuspect(name="later"), reveal=50)
        assert reopened.judge.ledger.verdicts(challenge.digest) == ("proven",)
    assert later.policy.functions_tried == 3
    secret = owner.images[0].tobytes()
    assert secret not in ledger.read_bytes()


def test_a_handover_that_was_interrupted_is_done_again(
    owner: Claimant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy ended, and the file does not know it: nothing is counted twice, nothing is lost."""
    judge = Judge.create(tmp_path / "judge.key", PASSPHRASE, cost=CHEAP)
    for number in range(3):
        challenge = judge.challenge(owner.commitment, TableSuspect(name=f"{number}"), reveal=50)
        assert judge.ledger.count_function(challenge) == number + 1

    def interrupt(*_: object) -> None:
        copy(*_)
        raise KeyboardInterrupt

    copy = adoption._copy
    with monkeypatch.context() as patched:
        patched.setattr(adoption, "_copy", interrupt)
        with pytest.raises(KeyboardInterrupt):
            Marketplace(tmp_path / "market", judge)
    assert judge.ledger.next_number(challenge) == 3
    market = Marketplace(tmp_path / "market", judge)
    numbers = {market.judge.ledger.count_function(challenge) for _ in range(2)}
    other = market.judge.challenge(owner.commitment, TableSuspect(name="new"), reveal=50)
    assert (numbers, other.policy.functions_tried) == ({3}, 4)


@pytest.mark.parametrize("content", [b"no database, but long enough to be one" * 40, b"zkwm"])
def test_a_file_that_is_no_ledger_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "judge.key.ledger"
    path.write_bytes(content)
    with pytest.raises(CouldNotCheck) as caught:
        JudgeLedger(path)
    assert "judge.key.ledger" in caught.value.message
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE ledger_functions SET number = 'one'", "next_number"),
        ("UPDATE ledger_functions SET number = -5", "next_number"),
        ("UPDATE ledger_askings SET count = 1.5", "askings"),
        ("UPDATE ledger_answers SET output = 'a cat'", "first_answers"),
        ("UPDATE ledger_answers SET scores = 7", "first_answers"),
        ("UPDATE ledger_answers SET scores = x'00'", "first_answers"),
        ("UPDATE ledger_openings SET block = NULL", "opened_blocks"),
        ("UPDATE ledger_verdicts SET outcome = x'ff'", "verdicts"),
        ("UPDATE ledger_sights SET first = 'now'", "first_seen"),
        ("DROP TABLE ledger_sights", "first_seen"),
    ],
)
def test_a_ledger_with_damaged_values_is_refused_by_name(
    judge: Judge, owner: Claimant, tmp_path: Path, change: str, read: str
) -> None:
    challenge, image = judge.challenge(owner.commitment, TableSuspect(), reveal=50), bytes(32)
    reads: dict[str, Callable[[JudgeLedger], object]] = {
        "next_number": lambda ledger: ledger.next_number(challenge),
        "askings": lambda ledger: ledger.askings(challenge),
        "first_answers": lambda ledger: ledger.first_answers(challenge, [image]),
        "opened_blocks": lambda ledger: ledger.opened_blocks(challenge.commitment),
        "verdicts": lambda ledger: ledger.verdicts(challenge.digest),
        "first_seen": lambda ledger: ledger.first_seen(challenge),
    }
    ledger = JudgeLedger(tmp_path / "judge.key.ledger")
    ledger.count_function(challenge)
    ledger.count_asking(challenge)
    ledger.keep_answers(challenge, {image: Answer(1, scores=np.zeros(2))})
    ledger.record_opening(challenge, [0])
    ledger.record_verdict(challenge.digest, bytes(32), "proven")
    for each in reads.values():
        each(ledger)
    with closing(sqlite3.connect(tmp_path / "judge.key.ledger")) as database, database:
        database.execute(change)
    with pytest.raises(CouldNotCheck, match=r"judge.key.ledger cannot be used"):
        reads[read](ledger)


def test_first_sights_are_kept(judge: Judge, owner: Claimant) -> None:
    """A registration desk knows at least since when it knew commitment and suspect."""
    suspect = TableSuspect()
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    first = settle(judge, owner, suspect, challenge).first_seen
    assert first is not None
    assert first.commitment <= first.suspect
    assert settle(judge, owner, suspect, challenge).first_seen == first


def test_an_innocent_may_be_asked_by_many(judge: Judge, owner: Claimant) -> None:
    """Honest: an unmarked model stays not proven, a marked one proven at j = 5."""
    for number in range(4):
        suspect = TableSuspect(name=f"innocent {number}")
        challenge = judge.challenge(owner.commitment, suspect, reveal=50)
        with pytest.raises(NotProven):
            judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
    thief = marked(owner.images, owner.labels, name="the thief's")
    challenge = judge.challenge(owner.commitment, thief, reveal=50)
    assert challenge.policy.functions_tried == 5
    assert settle(judge, owner, thief, challenge).proven
