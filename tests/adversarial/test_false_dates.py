"""Dates that are false: backdated commitments, late ones, dates chosen once the answer is known."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from tests.support.dispute import (
    Claimant,
    TestJudge,
    failed,
    marked,
    new_judge,
    random_images,
    verdict_of,
)
from tests.support.past_authority import PUBLISHED, PastAuthority
from tests.support.timestamp_authority import POLICY, LocalAuthority, needs_openssl
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report.wording import meaning
from zkwm.written_dates import read_date
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Interval, Order, Published
from zkwm_protocols.encoding import decode, encode, pack
from zkwm_protocols.errors import Malformed, NotProven, TrustMaterialMissing, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.trust import Trust

pytestmark = [needs_openssl, pytest.mark.usefixtures("quick_labels")]
OLDER = Policy(older=True)
LONG_AGO = "2001-01-01"


def published(date: str) -> Published:
    return Published(read_date(date), "a web page")


def trusting(*authorities: LocalAuthority, needed: int = 1) -> Trust:
    """A judge's trust in these."""
    known = (TimestampAuthority(one.name, (one.root.der,), (POLICY,)) for one in authorities)
    return Trust(tuple(sorted(known, key=lambda one: one.name)), needed)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    """An authority that judges trust."""
    folder = tmp_path_factory.mktemp("honest")
    return PastAuthority(folder / "tsa", name="honest", intermediate=False)


@pytest.fixture(scope="module")
def false(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    """An authority of the thief's own, which nobody else trusts."""
    folder = tmp_path_factory.mktemp("false")
    return PastAuthority(folder / "tsa", name="false", intermediate=False)


class Dispute:
    """A claim that matches, with or without timestamps."""

    def __init__(self) -> None:
        self.owner = Claimant(random_images(200))
        self.suspect = marked(self.owner.images, self.owner.labels)
        self.judge: TestJudge = new_judge()

    def dated(self, *authorities: LocalAuthority) -> Commitment:
        """The commitment's file with their tokens."""
        digest = self.owner.commitment.digest
        tokens = tuple(one.evidence(digest) for one in authorities)
        return replace(self.owner.commitment, timestamps=tokens)

    def verdict(
        self,
        commitment: Commitment,
        trust: Trust | None,
        date: str | None,
        policy: Policy | None = None,
        at_the_end: Trust | None = None,
    ) -> Verdict:
        """What comes of it where the suspect was published at that date."""
        challenge = self.judge.challenge(
            commitment, self.suspect, reveal=50, policy=policy, trust=trust,
            published=None if date is None else published(date),
        )  # fmt: skip
        answer = self.owner.answer(challenge, [0])
        verdict = verdict_of(
            lambda: self.judge.verify(
                commitment, self.suspect, challenge, answer, trust=at_the_end or trust
            )
        )
        signed = self.judge.sign_verdict(verdict)
        again = Verdict.from_bytes(signed, self.judge.public)
        assert again.order == verdict.order
        assert again.to_json()["dates"] == verdict.to_json()["dates"]
        return verdict


def status(verdict: Verdict) -> str:
    return next(c.status for c in verdict.checks if c.id == "commitment.timestamp")


def test_an_honest_owner_with_an_older_commitment_wins(honest: LocalAuthority) -> None:
    dispute = Dispute()
    verdict = dispute.verdict(dispute.dated(honest), trusting(honest), PUBLISHED, OLDER)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.OLDER)
    assert status(verdict) == "passed"


def test_a_thief_backdates_by_an_authority_of_their_own(
    honest: LocalAuthority, false: LocalAuthority
) -> None:
    """Their token dates nothing for a judge who does not trust it."""
    dispute = Dispute()
    verdict = dispute.verdict(dispute.dated(false), trusting(honest), PUBLISHED)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.UNKNOWN)
    assert status(verdict) == "skipped"
    demanded = dispute.verdict(dispute.dated(false), trusting(honest), PUBLISHED, OLDER)
    assert demanded.outcome == Outcome.TRUST_MATERIAL_MISSING
    assert status(demanded) == "failed"


def test_one_false_authority_is_not_enough_where_two_are_needed(
    honest: LocalAuthority, false: LocalAuthority
) -> None:
    dispute = Dispute()
    both = trusting(honest, false, needed=2)
    assert dispute.verdict(dispute.dated(false), both, PUBLISHED).order == Order.UNKNOWN
    assert dispute.verdict(dispute.dated(false, honest), both, PUBLISHED).order == Order.OLDER


def test_a_token_of_another_commitment_dates_nothing(honest: LocalAuthority) -> None:
    dispute = Dispute()
    stolen = replace(dispute.owner.commitment, timestamps=(honest.evidence(bytes(32)),))
    verdict = dispute.verdict(stolen, trusting(honest), PUBLISHED)
    assert verdict.order == Order.UNKNOWN
    assert "something else than this commitment" in next(
        c.detail for c in verdict.checks if c.id == "commitment.timestamp"
    )


def test_a_commitment_newer_than_the_suspect_supports_nothing(honest: LocalAuthority) -> None:
    dispute = Dispute()
    verdict = dispute.verdict(dispute.dated(honest), trusting(honest), LONG_AGO)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.NOT_OLDER)
    demanded = dispute.verdict(dispute.dated(honest), trusting(honest), LONG_AGO, OLDER)
    assert (demanded.outcome, status(demanded)) == (Outcome.NOT_PROVEN, "failed")
    assert demanded.evidence is not None
    assert demanded.evidence.reached
    assert "the commitment is not older than the model, as the judge demands" in meaning(demanded)


def test_dates_that_overlap_are_undecided_and_do_not_meet_a_demand(honest: LocalAuthority) -> None:
    dispute = Dispute()
    overlap = f"2020-01-01/{PUBLISHED}"
    verdict = dispute.verdict(dispute.dated(honest), trusting(honest), overlap)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.UNDECIDED)
    demanded = dispute.verdict(dispute.dated(honest), trusting(honest), overlap, OLDER)
    assert demanded.outcome == Outcome.NOT_PROVEN
    assert "the commitment may not be older than the model" in meaning(demanded)


def test_a_suspect_without_a_date_is_unknown_and_cannot_be_demanded(honest: LocalAuthority) -> None:
    dispute = Dispute()
    verdict = dispute.verdict(dispute.dated(honest), trusting(honest), None)
    assert verdict.order == Order.UNKNOWN
    assert verdict.dating is not None
    assert verdict.dating.existed is not None
    with pytest.raises(UsageError):
        dispute.verdict(dispute.dated(honest), trusting(honest), None, OLDER)


def test_a_date_still_to_come_makes_no_commitment_older(honest: LocalAuthority) -> None:
    """2062 for 2026: every commitment would be older. Neither judge nor reader takes it."""
    dispute = Dispute()
    commitment = dispute.dated(honest)
    for date in ("2062-01-01", "2062-01-01/2063-01-01"):
        with pytest.raises(UsageError, match="still to come") as caught:
            dispute.verdict(commitment, trusting(honest), date)
        assert "check the year" in caught.value.hint
    challenge = dispute.judge.challenge(
        commitment, dispute.suspect, reveal=50, trust=trusting(honest),
        published=published(f"{PUBLISHED}/2062-01-01"),
    )  # fmt: skip
    second = challenge.issued * 10**6
    replace(challenge, published=Published(Interval(second, second + 999_999), "now"))
    after = Published(Interval(second + 10**6, second + 10**6), "a second later")
    with pytest.raises(Malformed, match="after the challenge"):
        replace(challenge, published=after)
    late = replace(challenge, issued=after.interval.earliest // 10**6, published=after)
    body = late.body()
    changed = encode(decode(body, limit=1 << 20) | {"issued": challenge.issued})
    signature = dispute.judge.key.signing.sign("challenge", hashlib.sha256(changed).digest())
    file = pack("challenge", {"body": changed, "signature": signature})
    verdict = verdict_of(
        lambda: dispute.judge.verify(commitment, dispute.suspect, file, b"", trust=trusting(honest))
    )
    assert (verdict.outcome, failed(verdict)) == (Outcome.COULD_NOT_CHECK, ["challenge.format"])


def test_whom_a_judge_trusts_is_fixed_before_the_answer(
    honest: LocalAuthority, false: LocalAuthority
) -> None:
    dispute = Dispute()
    commitment = dispute.dated(false)
    verdict = dispute.verdict(
        commitment, trusting(honest), PUBLISHED, at_the_end=trusting(honest, false)
    )
    assert verdict.outcome == Outcome.TRUST_MATERIAL_MISSING


def test_a_signed_verdict_cannot_be_redated(honest: LocalAuthority) -> None:
    """Whoever reads it compares again: a judge's signature does not stand under another order."""
    dispute = Dispute()
    verdict = dispute.verdict(dispute.dated(honest), trusting(honest), LONG_AGO, OLDER)
    lie = replace(verdict, outcome=Outcome.PROVEN)
    with pytest.raises(UsageError):
        dispute.judge.sign_verdict(lie)
    undated = replace(verdict, dating=None)
    with pytest.raises(Malformed):
        Verdict.from_unverified(undated.signed_by(dispute.judge.key.signing, dispute.judge.public))


def test_errors_say_which_of_both_it_is(honest: LocalAuthority) -> None:
    """Not older was checked, and is not proven; without a date nothing was checked."""
    dispute = Dispute()
    trust = trusting(honest)
    for commitment, error in (
        (dispute.dated(honest), NotProven), (dispute.owner.commitment, TrustMaterialMissing),
    ):  # fmt: skip
        challenge = dispute.judge.challenge(
            commitment, dispute.suspect, reveal=50, policy=OLDER, trust=trust,
            published=published(LONG_AGO),
        )  # fmt: skip
        with pytest.raises(error) as caught:
            dispute.judge.verify(
                commitment, dispute.suspect, challenge, dispute.owner.answer(challenge, [0]),
                trust=trust,
            )  # fmt: skip
        assert caught.value.check == "commitment.timestamp"
