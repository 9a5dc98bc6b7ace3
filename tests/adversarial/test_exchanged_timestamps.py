"""Another timestamp in a commitment's file, and with it other labels: SPEC.md 6.1 and 22.7."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    TestJudge,
    failed,
    marked,
    new_judge,
    random_images,
    refused,
    spent,
    verdict_of,
)
from tests.support.timestamp_authority import POLICY, LocalAuthority, needs_openssl
from zkwm.judge.verdict import Outcome
from zkwm.owner import register as registering
from zkwm.owner.commit import commit
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.timestamp_client import Obtained
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.chain import key_digest, load_certificate
from zkwm_protocols.trust import Trust

pytestmark = [needs_openssl, pytest.mark.usefixtures("quick_labels")]


class Dated:
    """An owner's commitment, whose labels come from an authority's token."""

    def __init__(self, folder: Path) -> None:
        self.authority = LocalAuthority(folder / "tsa", name="public", intermediate=False)
        known = TimestampAuthority("public", (self.authority.root.der,), (POLICY,))
        self.trust = Trust((known,), 1)
        self.vault = Vault.create(folder / "vault", PASSPHRASE, cost=CHEAP)
        self.images = random_images(200)
        root = key_digest(load_certificate(self.authority.root.der))
        self.bare = commit(
            self.vault, images=self.images, class_count=10, block_size=50, timestamp_authority=root
        )
        self.own = self.with_token()
        self.suspect = marked(self.images, self.own.labels())
        self.judge: TestJudge = new_judge()

    def with_token(self) -> Commitment:
        """The commitment with a token of the authority, which everybody may ask for."""
        token = self.authority.evidence(self.bare.digest)
        return replace(self.bare, timestamps=(token,), authorities=self.trust.authorities)


@pytest.fixture
def dated(tmp_path: Path) -> Dated:
    return Dated(tmp_path)


def test_an_owner_opens_nothing_to_a_judge_with_another_timestamp(dated: Dated) -> None:
    """A thief hands the judge the owner's file, with a token of their own in the first place."""
    exchanged = dated.with_token()
    exchanged.verify()
    assert exchanged.digest == dated.own.digest
    assert (exchanged.labels() != dated.own.labels()).any()
    both = replace(exchanged, timestamps=(*exchanged.timestamps, *dated.own.timestamps))
    for file in (exchanged, both):
        challenge = dated.judge.challenge(file, dated.suspect, reveal=50, trust=dated.trust)
        with refused(InvalidOpening, "challenge.commitment"):
            prove(
                dated.vault, dated.own, challenge,
                judge_fingerprint=dated.judge.public.fingerprint(),
            )  # fmt: skip
    assert spent(dated.vault, dated.own) == set()
    moved = replace(dated.own, timestamps=(*dated.own.timestamps, *exchanged.timestamps))
    challenge = dated.judge.challenge(moved, dated.suspect, reveal=50, trust=dated.trust)
    proof = prove(
        dated.vault, dated.own, challenge, judge_fingerprint=dated.judge.public.fingerprint()
    )
    verdict = dated.judge.verify(moved, dated.suspect, challenge, proof, trust=dated.trust)
    assert verdict.proven  # a further timestamp does no harm


def test_two_registrations_at_once_keep_the_labels_of_one(
    dated: Dated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one would put its own timestamp first, and the mark of the first were lost."""
    other, first, obtain = Vault.open(dated.vault.path, PASSPHRASE), [], registering.obtain
    with dated.authority.serving() as url:

        def meanwhile(*arguments: Any, **options: Any) -> Obtained:
            monkeypatch.setattr(registering, "obtain", obtain)
            first.append(registering.register(other, dated.bare, [url], trust=dated.trust))
            return obtain(*arguments, **options)

        monkeypatch.setattr(registering, "obtain", meanwhile)
        with pytest.raises(UsageError, match="by another command meanwhile"):
            registering.register(dated.vault, dated.bare, [url], trust=dated.trust)
    state = Vault.open(dated.vault.path, PASSPHRASE).state
    kept = Commitment.from_bytes(state.commitments[dated.bare.digest].commitment_file)
    assert kept == first[0].commitment


def test_a_timestamp_that_is_exchanged_after_the_challenge(dated: Dated) -> None:
    """Nobody is told "not proven" by labels that the owner never had."""
    challenge = dated.judge.challenge(dated.own, dated.suspect, reveal=50, trust=dated.trust)
    proof = prove(
        dated.vault, dated.own, challenge, judge_fingerprint=dated.judge.public.fingerprint()
    )
    verdict = verdict_of(
        lambda: dated.judge.verify(
            dated.with_token(), dated.suspect, challenge, proof, trust=dated.trust
        )
    )
    assert (verdict.outcome, failed(verdict)) == (
        Outcome.COULD_NOT_CHECK, ["challenge.commitment"]
    )  # fmt: skip
    assert dated.judge.verify(dated.own, dated.suspect, challenge, proof, trust=dated.trust).proven
