"""A marketplace that says whom it trusts: challenges, verdicts and many claims with dates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.case_files import save_lookup
from tests.support.certificate_authority import certify, new_key, now
from tests.support.dispute import Claimant, TestJudge, failed, marked, random_images, verdict_of
from tests.support.past_authority import AGE, PUBLISHED, days_ago
from tests.support.timestamp_tokens import TokenMaker, generalized
from tests.support.trust_folders import write_trust
from zkwm.judge.verdict import Outcome
from zkwm.marketplace import Claim, Marketplace
from zkwm.marketplace.label_seeds import known_seed
from zkwm.suspects import open_suspect
from zkwm.trust_folder import read_trust
from zkwm.written_dates import read_date
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.dates import Order, Published
from zkwm_protocols.errors import Malformed, NotProven, TrustMaterialMissing, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.trust import Trust

SHAPE = (1, 8, 8)
OLDER = Policy(threshold_bits=40, older=True)
BEFORE, AFTER = (
    Published(read_date(date), "a web page") for date in (days_ago(300), PUBLISHED)
)  # fmt: skip


class Dated:
    """An owner whose commitment was dated a month ago, and whom a judge trusts, as a folder."""

    def __init__(self, folder: Path) -> None:
        root = certify("root", new_key(), ca=True)
        signer = certify("signer", new_key(), root)
        maker = TokenMaker(root, root, signer, time=generalized(now() - AGE))
        self.owner = Claimant(random_images(200))
        token = maker.but(digest=self.owner.commitment.digest).evidence()
        self.commitment = replace(self.owner.commitment, timestamps=(token,))
        self.folder = write_trust(folder / "trust", {"known": (root.pem,)}, demand_revocation=False)
        self.trust = read_trust(self.folder)
        self.suspect = marked(self.owner.images, self.owner.labels)


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Dated:
    return Dated(tmp_path_factory.mktemp("dated"))


@pytest.fixture
def desk(tmp_path: Path, judge: TestJudge, dated: Dated) -> Iterator[Marketplace]:
    """It demands that commitments be older."""
    with Marketplace(tmp_path / "market", judge, OLDER, trust=dated.folder) as made:
        yield made


def test_an_older_commitment_wins_and_the_kept_verdict_says_since_when(
    desk: Marketplace, dated: Dated
) -> None:
    name = desk.register(dated.commitment)
    challenge = desk.challenge(name, dated.suspect, published=AFTER)
    assert (challenge.trust, challenge.published) == (dated.trust.digest, AFTER)
    assert challenge.policy.older
    desk.answer(challenge, dated.owner.answer(challenge, [0]))
    verdict = desk.settle(dated.suspect, challenge)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.OLDER)
    assert desk.verdict(challenge).to_json()["dates"] == verdict.to_json()["dates"]
    assert desk.verdicts()[challenge.digest.hex()]["dates"]["order"] == "older"
    assert "OLDER" in desk.report(challenge).upper()


def test_a_younger_commitment_is_not_proven_however_many_triggers_match(
    desk: Marketplace, dated: Dated
) -> None:
    name = desk.register(dated.commitment)
    challenge = desk.challenge(name, dated.suspect, published=BEFORE)
    with pytest.raises(NotProven) as caught:
        desk.settle(dated.suspect, challenge, dated.owner.answer(challenge, [0]))
    assert caught.value.check == "commitment.timestamp"
    assert desk.case(challenge).outcome == "not proven"


def test_a_demand_without_a_date_or_a_date_still_to_come_is_refused(
    desk: Marketplace, dated: Dated
) -> None:
    name = desk.register(dated.commitment)
    with pytest.raises(UsageError, match="the date of the suspect"):
        desk.challenge(name, dated.suspect)
    later = Published(read_date("2062-01-01"), "a web page")
    with pytest.raises(UsageError, match="still to come"):
        desk.challenge(name, dated.suspect, published=later)
    assert desk.cases() == ()
    relaxed = Policy(threshold_bits=40)
    assert desk.challenge(name, dated.suspect, policy=relaxed).trust == dated.trust.digest


def test_whom_a_challenge_trusts_stays_whoever_is_trusted_later(
    desk: Marketplace, dated: Dated, tmp_path: Path, judge: TestJudge
) -> None:
    """The same database a year later, by a desk with another folder: the first one settles."""
    name = desk.register(dated.commitment)
    challenge = desk.challenge(name, dated.suspect, published=AFTER)
    desk.answer(challenge, dated.owner.answer(challenge, [0]))
    other = Trust((TokenMaker.new().trusted(name="other"),))
    desk.close()
    with Marketplace(tmp_path / "market", judge, trust=other) as later:
        verdict = verdict_of(lambda: later.settle(dated.suspect, challenge))
        assert (verdict.outcome, failed(verdict)) == (
            Outcome.TRUST_MATERIAL_MISSING, ["commitment.timestamp"],
        )  # fmt: skip
        assert later.settle(dated.suspect, challenge, trust=dated.folder).order == Order.OLDER
        own = later.challenge(
            name, dated.suspect, listing="", trust=dated.trust, published=AFTER, policy=OLDER
        )
        assert own.trust == dated.trust.digest
        bad = write_trust(tmp_path / "bad", {})
        (bad / "notes").write_text("")
        with pytest.raises(Malformed, match="belongs to nothing"):
            later.challenge(name, dated.suspect, trust=bad)


def test_labels_by_a_beacon_are_settled_by_whom_the_marketplace_trusts(
    tmp_path: Path, judge: TestJudge
) -> None:
    """Without a folder nobody can register such a commitment; with one its labels are known."""
    from tests.adversarial.test_false_beacons import EARLY, MAKER, OTHER, PUBLISHED, TRUST, Accuser

    accuser = Accuser(tmp_path)
    file = accuser.file((MAKER, EARLY), (OTHER, EARLY))
    with Marketplace(tmp_path / "other", TestJudge(judge.key)) as without:
        with pytest.raises(TrustMaterialMissing):
            without.register(replace(file, authorities=()))
        assert without.commitments() == ()
    with Marketplace(tmp_path / "market", judge, trust=TRUST) as desk:
        name = desk.register(replace(file, authorities=()))
        suspect = marked(accuser.images, file.labels())
        challenge = desk.challenge(name, suspect, published=PUBLISHED)
        assert challenge.policy.trusted_beacon
        assert challenge.beacon == file.beacon()


def test_many_claims_take_whom_to_trust_along(
    desk: Marketplace, dated: Dated, tmp_path: Path, judge: TestJudge
) -> None:
    """By other processes: the marketplace's own trust, and that of an earlier challenge."""
    name, file = desk.register(dated.commitment), tmp_path / "model.onnx"
    save_lookup(file, dated.owner.images, dated.owner.labels, shape=SHAPE)
    with known_seed(desk._database, judge.key, dated.commitment):
        pass
    suspect = open_suspect(file, shape=SHAPE)
    earlier = Trust((*dated.trust.authorities, TokenMaker.new().trusted(name="old")))
    one = desk.challenge(name, suspect, published=AFTER)
    two = desk.challenge(name, suspect, published=AFTER, trust=earlier)
    suspect.close()
    for number, challenge in enumerate((one, two)):
        desk.answer(challenge, dated.owner.answer(challenge, [number]))
    claims = [Claim(one, file), Claim(two, file, trust=earlier)]
    with desk.verify_many(claims, processes=1) as run:
        assert [(each.outcome, each.error) for each in run] == [("proven", None)] * 2
    orders = {desk.verdict(challenge).order for challenge in (one, two)}
    assert orders == {Order.OLDER}


def test_an_argument_is_asked_for_by_the_same_terms(desk: Marketplace, dated: Dated) -> None:
    from tests.support.argued import save_linear

    name = desk.register(dated.commitment)
    file = dated.folder.parent / "linear.onnx"
    save_linear(file, dated.owner.images, dated.owner.labels)
    suspect = open_suspect(file, shape=SHAPE)
    challenge = desk.challenge(name, suspect, zero_knowledge=True, reveal=150, published=AFTER)
    suspect.close()
    assert isinstance(challenge, ArgumentChallenge)
    assert (challenge.trust, challenge.published) == (dated.trust.digest, AFTER)
