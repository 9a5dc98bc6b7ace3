"""Labels that are younger than the date of their commitment, and trust that is chosen too late."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Namespace

import pytest

from tests.support.certificate_authority import certify, new_key
from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    Claimant,
    TestJudge,
    marked,
    new_judge,
    random_images,
    verdict_of,
)
from tests.support.timestamp_tokens import DIGEST, TIME, TokenMaker, generalized
from zkwm.case_archive.replay_dates import repeat_dates
from zkwm.case_archive.steps import ReplayState
from zkwm.judge.dating import Dating, order_of, read_dates
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.owner.commit import commit
from zkwm.owner.vault import Vault
from zkwm.report.dates import in_short
from zkwm.written_dates import read_date
from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Interval, Order, Published
from zkwm_protocols.errors import Malformed
from zkwm_protocols.policy import Policy
from zkwm_protocols.timestamps.chain import key_digest
from zkwm_protocols.trust import Trust

MAKER, OTHER = TokenMaker.new(), TokenMaker.new()
ROOT = key_digest(MAKER.root.certificate)
EARLY, OUT, LATE = (TIME - datetime.timedelta(days=days) for days in (300, 250, 200))
PUBLISHED = Published(read_date(f"{OUT:%Y-%m-%d}"), "a web page")
TRUST = Trust((OTHER.trusted(name="other"), MAKER.trusted(name="public")))
OLDER = Policy(older=True)


def microseconds(time: datetime.datetime) -> int:
    """Since 1970."""
    return int(time.timestamp()) * 10**6


class Accuser:
    """A commitment whose labels come from an authority's token, and a suspect that has them."""

    def __init__(self, folder: Path) -> None:
        vault = Vault.create(folder / "vault", PASSPHRASE, cost=CHEAP)
        self.images = random_images(200)
        self.bare = commit(
            vault, images=self.images, class_count=10, block_size=50, timestamp_authority=ROOT
        )
        self.judge: TestJudge = new_judge()

    def file(self, *tokens: tuple[TokenMaker, datetime.datetime]) -> Commitment:
        """The commitment with tokens of these times."""
        made = tuple(
            maker.but(digest=self.bare.digest, time=generalized(time)).evidence()
            for maker, time in tokens
        )
        return replace(self.bare, timestamps=made, authorities=TRUST.authorities)

    def challenge(self, file: Commitment) -> OpeningChallenge:
        """By a judge who demands nothing of dates."""
        suspect = marked(self.images, file.labels())
        return self.judge.challenge(file, suspect, reveal=50, published=PUBLISHED, trust=TRUST)


@pytest.fixture
def accuser(tmp_path: Path, quick_labels: None) -> Accuser:
    return Accuser(tmp_path)


@pytest.mark.parametrize("early", [MAKER, OTHER])
def test_labels_that_are_younger_than_the_suspect(accuser: Accuser, early: TokenMaker) -> None:
    """D is dated early; labels are ground, by tokens, against a suspect that is out by then."""
    honest = accuser.file((MAKER, EARLY), (early, LATE))
    dating, refused = read_dates(honest, TRUST)
    assert not refused
    assert order_of(dating, accuser.challenge(honest)) == Order.OLDER
    ground = accuser.file((MAKER, LATE), (early, EARLY))
    dating, refused = read_dates(ground, TRUST)
    assert not refused
    assert dating.dated[-1].interval.latest <= microseconds(LATE) + 10**6
    assert min(one.interval.latest for one in dating.dated) < microseconds(OUT)
    assert dating.existed == dating.beacon
    challenge = accuser.challenge(ground)
    assert challenge.policy.trusted_beacon
    assert order_of(dating, challenge) == Order.NOT_OLDER
    again = Dating.from_map(dating.to_map())
    assert again == dating


def test_labels_by_a_token_that_nobody_trusts_have_no_date(accuser: Accuser) -> None:
    """Others date D; the first token is of an authority that the header does not name."""
    file = accuser.file((OTHER, EARLY), (MAKER, EARLY))
    dating, refused = read_dates(file, TRUST)
    assert [one.authority for one in dating.dated] == ["public"]
    assert (dating.beacon, dating.existed) == (None, None)
    assert refused[0].startswith("token 1 dates nothing")
    alone = Trust((OTHER.trusted(name="other"),))
    dating, _ = read_dates(accuser.file((MAKER, EARLY), (OTHER, EARLY)), alone)
    assert len(dating.dated) == 1
    assert dating.existed is None


def test_a_reader_who_does_not_trust_the_beacon_does_not_grant_its_discount(
    accuser: Accuser,
) -> None:
    """With or without a verdict in the archive."""
    file = accuser.file((MAKER, EARLY), (OTHER, EARLY))
    challenge = accuser.challenge(file)
    assert challenge.policy.trusted_beacon
    mine = Trust((OTHER.trusted(name="mine"),))
    verdict = Namespace(dating=read_dates(file, TRUST)[0], checked=0)
    for found in (None, verdict):
        case = Namespace(
            commitment=file, challenge=challenge, verdict=found, trust=TRUST, statements=()
        )
        step = repeat_dates(case, mine)
        assert step is not None
        assert step.state == ReplayState.NOT_REPEATED
        assert "none of its authorities signed the beacon" in step.words
        blind = replace(challenge, trust=mine.digest)  # a judge who granted it without a token
        own = Namespace(commitment=file, challenge=blind, verdict=None, trust=mine, statements=())
        lie = repeat_dates(own, None)
        assert lie is not None
        assert lie.state == ReplayState.DIFFERS
        same = repeat_dates(case, None)
        assert same is not None
        assert same.state == ReplayState.REPEATED


def test_a_verdict_that_came_no_further_does_not_say_that_no_date_is_known(
    accuser: Accuser,
) -> None:
    """Without whom to trust the commitment is not verified, and the challenge not read."""
    file = accuser.file((MAKER, EARLY))
    challenge, suspect = accuser.challenge(file), marked(accuser.images, file.labels())
    bare = replace(file, authorities=())
    verdict = verdict_of(lambda: accuser.judge.verify(bare, suspect, challenge, b""))
    assert verdict.outcome == Outcome.TRUST_MATERIAL_MISSING
    assert "says the challenge, which was not read yet" in in_short(verdict)


def test_a_reader_who_knows_none_of_the_authorities_contradicts_nobody(accuser: Accuser) -> None:
    """Not to know is not repeated; another order by whom they know differs."""
    file = replace(accuser.bare, timestamps=accuser.file((MAKER, EARLY)).timestamps)
    header = replace(file.header, timestamp_authority=None)
    tokens = (MAKER, OTHER.but(time=generalized(LATE)))
    free = replace(file, header=header)
    dated = replace(free, timestamps=tuple(
        maker.but(digest=free.digest, time=generalized(time)).evidence()
        for maker, time in zip(tokens, (EARLY, LATE), strict=True)
    ))  # fmt: skip
    only = Trust((MAKER.trusted(name="public"),))
    challenge = replace(accuser.challenge(accuser.file((MAKER, EARLY))), trust=only.digest)
    challenge = replace(challenge, policy=Policy())
    verdict = Namespace(dating=read_dates(dated, only)[0], checked=0)
    states = {}
    for name, maker in (("nobody", TokenMaker.new()), ("a later one", OTHER)):
        case = Namespace(
            commitment=dated, challenge=challenge, verdict=verdict, trust=only, statements=()
        )
        step = repeat_dates(case, Trust((maker.trusted(name="mine"),)))
        assert step is not None
        states[name] = step.state
    assert states == {"nobody": ReplayState.NOT_REPEATED, "a later one": ReplayState.DIFFERS}


@pytest.mark.parametrize("year", [1970, 9999])
def test_a_token_at_the_end_of_time_dates_or_does_no_harm(year: int) -> None:
    """genTime less its accuracy is before 1970: no check ends by that."""
    end = datetime.datetime(9999, 12, 31, 23, 59, 58, tzinfo=datetime.UTC)
    start = datetime.datetime(1950, 1, 1, tzinfo=datetime.UTC)
    root = certify("Long", new_key("p256"), ca=True, start=start, end=end)
    signer = certify("Signer", new_key("p256"), root, start=start, end=end)
    time = (
        datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        if year == 1970
        else (end - datetime.timedelta(seconds=1))
    )
    long = TokenMaker(root, root, signer, time=generalized(time))
    file = Namespace(
        digest=DIGEST, timestamps=(MAKER.evidence(), long.evidence()), log_proofs=(),
        key_proofs=(),
        header=Namespace(timestamp_authority=None, owner_keys=()),
    )  # fmt: skip
    trust = Trust((MAKER.trusted(name="a"), long.trusted(name="b")))
    dating, _ = read_dates(file, trust)
    assert dating.dated[0].authority == "a"
    assert dating.existed is not None
    assert year != 1970 or dating.dated[1].interval.earliest == 0


class Dispute:
    """A claim that matches, dated by tokens made by hand; no authority is named."""

    def __init__(self) -> None:
        self.owner = Claimant(random_images(200))
        self.suspect = marked(self.owner.images, self.owner.labels)
        self.judge: TestJudge = new_judge()
        token = MAKER.but(digest=self.owner.commitment.digest, time=generalized(EARLY)).evidence()
        self.file = replace(self.owner.commitment, timestamps=(token,))

    def verdict(self, trust: Trust | None, at_the_end: Trust, policy: Policy | None) -> Verdict:
        challenge = self.judge.challenge(
            self.file, self.suspect, reveal=50, trust=trust, published=PUBLISHED, policy=policy
        )
        answer = self.owner.answer(challenge, [0])
        return verdict_of(
            lambda: self.judge.verify(self.file, self.suspect, challenge, answer, trust=at_the_end)
        )


@pytest.mark.usefixtures("quick_labels")
def test_whoever_chooses_trust_once_the_answer_is_known_has_no_order() -> None:
    dispute = Dispute()
    verdict = dispute.verdict(None, TRUST, None)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.UNKNOWN)
    assert "the challenge names no trust folder" in in_short(verdict)
    signed = Verdict.from_bytes(dispute.judge.sign_verdict(verdict), dispute.judge.public)
    assert signed.to_json()["dates"]["order"] == "unknown"
    assert dispute.verdict(TRUST, TRUST, None).order == Order.OLDER


@pytest.mark.usefixtures("quick_labels")
def test_a_verdict_whose_dates_do_not_follow_is_refused() -> None:
    """Read by anybody, with the judge's signature or without."""
    dispute = Dispute()
    verdict = dispute.verdict(TRUST, TRUST, OLDER)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.OLDER)
    dating = verdict.dating
    assert dating is not None
    beacon = Interval(microseconds(EARLY), microseconds(EARLY) + 10**6)
    for lie in (
        replace(dating, named=True, beacon=beacon),
        replace(dating, beacon=beacon),
        replace(dating, named=True),
    ):
        with pytest.raises(Malformed):
            Verdict.from_unverified(
                replace(verdict, dating=lie).signed_by(
                    dispute.judge.key.signing, dispute.judge.public
                )
            )
