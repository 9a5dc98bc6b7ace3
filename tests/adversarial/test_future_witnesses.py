"""A witness that states a time of the future takes no date away, and gives none (SPEC 23.16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.support.dispute import Claimant, TestJudge, marked, new_judge, random_images, verdict_of
from tests.support.logged_commitment import ED25519_WITNESSES, log_proof, stated
from tests.support.witnessed_log import POLICY_TEXT, TIME, WITNESSES
from zkwm.judge.dating import Dating, read_dates
from zkwm.judge.verdict import Outcome
from zkwm.written_dates import read_date
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Interval, Order, Published
from zkwm_protocols.policy import Policy
from zkwm_protocols.transparency.note_keys import NoteSigningKey
from zkwm_protocols.trust import Trust

OWNER = Claimant(random_images(200))
TRUST = Trust((), log_policy=POLICY_TEXT.encode(), log_dates=True)
SEEN = Interval((TIME + 2 - 300) * 10**6, (TIME + 2 + 300) * 10**6)


def seen_at(times: Mapping[NoteSigningKey, int]) -> Commitment:
    """The commitment, whose entry these witnesses saw."""
    statement = stated(OWNER.commitment.digest, OWNER.keys[0])
    return replace(OWNER.commitment, log_proofs=(log_proof(statement, times),))


def dated(times: Mapping[NoteSigningKey, int]) -> tuple[Dating, tuple[str, ...]]:
    """What somebody finds soon after the honest witnesses looked."""
    return read_dates(seen_at(times), TRUST, clock=TIME + 9)


def test_one_takes_no_date_of_a_quorum_away() -> None:
    found, refused = dated(ED25519_WITNESSES | {WITNESSES[1]: TIME + 10**6})
    assert (found.existed, refused) == (SEEN, ())
    assert found.logged[0].witnesses == ("one.example", "three.example")


def test_an_owner_wins_in_spite_of_it() -> None:
    judge: TestJudge = new_judge()
    commitment = seen_at(ED25519_WITNESSES | {WITNESSES[1]: 2**40})
    suspect = marked(OWNER.images, OWNER.labels)
    published = Published(read_date("2024-01-01"), "a web page")
    challenge = judge.challenge(
        commitment, suspect, reveal=50, policy=Policy(older=True), trust=TRUST, published=published
    )
    answer = OWNER.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(commitment, suspect, challenge, answer, trust=TRUST))
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.OLDER)


def test_those_of_the_future_are_no_quorum_with_an_honest_one() -> None:
    found, (said,) = dated({WITNESSES[0]: TIME} | dict.fromkeys(WITNESSES[1:], TIME + 10**6))
    assert (found.existed, found.logged) == (None, ())
    assert "1 of the policy's 3 did" in said
    assert "of the future: two.example, three.example" in said
