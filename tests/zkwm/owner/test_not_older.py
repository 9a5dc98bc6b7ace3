"""A block is not opened in vain: the judge demands an older commitment, and no date makes it so."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    TableSuspect,
    TestJudge,
    new_judge,
    random_images,
)
from tests.support.dispute import spent as spent_of
from tests.support.logged_commitment import log_proof, stated
from tests.support.timestamp_tokens import TIME, TokenMaker, generalized
from tests.support.witnessed_log import WITNESSES
from zkwm.owner.commit import commit
from zkwm.owner.consent import Consent
from zkwm.owner.disclosure import own_file
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import Vault
from zkwm.written_dates import read_date
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Order, Published
from zkwm_protocols.errors import UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.stated_dates import stated_existence, stated_order
from zkwm_protocols.timestamps.chain import key_digest
from zkwm_protocols.trust import Trust

pytestmark = pytest.mark.usefixtures("quick_labels")
MAKER = TokenMaker.new()
TRUST = Trust((MAKER.trusted(name="public"),))
ROOT = key_digest(MAKER.root.certificate)
BEFORE = Published(read_date(f"{TIME - datetime.timedelta(days=30):%Y-%m-%d}"), "a page")
AFTER = Published(read_date(f"{TIME + datetime.timedelta(days=30):%Y-%m-%d}"), "a page")
SAME_DAY = Published(read_date(f"{TIME:%Y-%m-%d}"), "a page")


class Owner:
    """A vault with a commitment of four blocks, and a judge who asks for one of them."""

    def __init__(self, folder: Path, *, named: bool = False) -> None:
        self.vault = Vault.create(folder / "vault", PASSPHRASE, cost=CHEAP)
        self.bare = commit(
            self.vault, random_images(200), class_count=10,
            timestamp_authority=ROOT if named else None,
        )  # fmt: skip
        self.judge: TestJudge = new_judge()

    def file(self, *days: int, seen: int | None = None) -> Commitment:
        """With tokens, and perhaps an entry that witnesses saw, so many days after ``TIME``."""
        tokens = tuple(
            MAKER.but(digest=self.bare.digest, time=generalized(_moment(day))).evidence()
            for day in days
        )
        statement = stated(self.bare.digest, self.vault.state.signing_key)
        proofs = ()
        if seen is not None:
            seconds = int(_moment(seen).timestamp())
            proofs = (log_proof(statement, dict.fromkeys(WITNESSES, seconds)),)
        return replace(
            self.bare, timestamps=tokens, log_proofs=proofs, authorities=TRUST.authorities
        )

    def asked(self, file: Commitment, published: Published, *, older: bool = True) -> Challenge:
        return self.judge.challenge(
            file, TableSuspect(), reveal=50, trust=TRUST, published=published,
            policy=Policy(older=older),
        )  # fmt: skip

    def prove(self, file: Commitment, challenge: Challenge, **consent: bool) -> None:
        fingerprint = self.judge.public.fingerprint()
        prove(
            self.vault, file, challenge, judge_fingerprint=fingerprint, consent=Consent(**consent)
        )

    @property
    def spent(self) -> int:
        return len(spent_of(self.vault, self.bare))


def _moment(days: int) -> datetime.datetime:
    return TIME + datetime.timedelta(days=days)


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    return Owner(tmp_path)


@pytest.mark.parametrize(
    ("days", "seen", "published", "words"),
    [
        ((0,), None, BEFORE, "is not"), ((0, 5), 3, BEFORE, "is not"), ((), 0, BEFORE, "is not"),
        ((0,), None, SAME_DAY, "may not be"), ((), None, AFTER, "has no date"),
    ],
)  # fmt: skip
def test_a_block_is_opened_in_vain_only_by_a_word_of_its_own(
    owner: Owner, days: tuple[int, ...], seen: int | None, published: Published, words: str
) -> None:
    file = owner.file(*days, seen=seen)
    challenge = owner.asked(file, published)
    assert words in disclosure(owner.vault, file, challenge).not_older
    for consent in ({}, {"again": True, "last": True, "exceed_limit": True}):
        with pytest.raises(UsageError, match="demands a commitment older"):
            owner.prove(file, challenge, **consent)
    assert owner.spent == 0
    owner.prove(file, challenge, not_older=True)
    assert owner.spent == 1
    owner.prove(file, challenge)  # the same answer again opens nothing
    assert disclosure(owner.vault, file, challenge).not_older == ""


@pytest.mark.parametrize(("days", "seen"), [((0,), None), ((60, 0), None), ((60,), 0), ((), 0)])
def test_an_older_commitment_opens_without_a_further_word(
    owner: Owner, days: tuple[int, ...], seen: int | None
) -> None:
    file = owner.file(*days, seen=seen)
    owner.prove(file, owner.asked(file, AFTER))
    assert owner.spent == 1


def test_a_judge_who_demands_no_date_is_answered(owner: Owner) -> None:
    file = owner.file(0)
    owner.prove(file, owner.asked(file, BEFORE, older=False))
    assert owner.spent == 1


def test_labels_are_as_young_as_the_first_token(tmp_path: Path) -> None:
    """However early D was logged."""
    owner = Owner(tmp_path, named=True)
    late = owner.file(60, 0, seen=0)
    assert stated_order(late, AFTER) == Order.NOT_OLDER
    assert stated_existence(owner.file(seen=0)) is None
    with pytest.raises(UsageError, match="demands a commitment older"):
        owner.prove(late, owner.asked(late, AFTER))
    early = owner.file(0, 60, seen=0)
    owner.prove(early, owner.asked(early, AFTER))
    assert owner.spent == 1


def test_a_file_from_before_registering_is_dated_by_the_vaults_log_proof(owner: Owner) -> None:
    """As it is by the vault's tokens; what the file has of its own stays."""
    registered = owner.file(seen=0)
    challenge = owner.asked(registered, AFTER)
    assert "has no date" in disclosure(owner.vault, owner.bare, challenge).not_older
    with owner.vault.transaction() as state:
        secrets = state.commitments[owner.bare.digest]
        state.commitments[owner.bare.digest] = replace(
            secrets, commitment_file=registered.to_bytes()
        )
    for file in (owner.bare, registered, owner.file(0)):
        assert disclosure(owner.vault, file, challenge).not_older == ""
    late = owner.file(seen=40)
    assert "is not" in disclosure(owner.vault, late, owner.asked(registered, BEFORE)).not_older
    assert own_file(secrets, owner.file(0)).log_proofs == ()
    kept = replace(secrets, commitment_file=registered.to_bytes())
    assert own_file(kept, owner.file(0)).log_proofs == registered.log_proofs
    assert own_file(kept, late).log_proofs == late.log_proofs
    owner.prove(owner.bare, challenge)
    assert owner.spent == 1
