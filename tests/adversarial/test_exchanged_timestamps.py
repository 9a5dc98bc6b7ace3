"""Another timestamp in a commitment's file, and with it other labels: SPEC.md 6.1 and 22.7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.certificate_authority import certify, new_key
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
from tests.support.timestamp_tokens import TIME, TokenMaker, generalized
from zkwm.judge.verdict import Outcome
from zkwm.owner import register as registering
from zkwm.owner.check import check
from zkwm.owner.commit import commit, trigger_set
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.timestamp_client import Obtained
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import (
    InvalidOpening,
    TrustMaterialMissing,
    UsageError,
    VaultUnusable,
)
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.chain import key_digest, load_certificate
from zkwm_protocols.timestamps.evidence import TimestampEvidence
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


def keep(vault: Vault, file: Commitment) -> None:
    """The vault keeps this file."""
    with vault.transaction() as state:
        own = state.commitments[file.digest]
        state.commitments[file.digest] = replace(own, commitment_file=file.to_bytes())


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


def test_an_owner_who_is_handed_another_file_opens_embeds_checks_and_exports_nothing(
    dated: Dated,
) -> None:
    """Thief and judge use the exchanged file, and the owner is sent it too."""
    keep(dated.vault, dated.own)
    file = dated.with_token()
    for use in (trigger_set, lambda vault, file: check(vault, file, dated.suspect)):
        with pytest.raises(InvalidOpening, match="another timestamp") as caught:
            use(dated.vault, file)
        assert "register" in caught.value.hint
    challenge = dated.judge.challenge(file, dated.suspect, reveal=50, trust=dated.trust)
    with refused(InvalidOpening, "challenge.commitment"):
        prove(dated.vault, file, challenge, judge_fingerprint=dated.judge.public.fingerprint())
    assert spent(dated.vault, dated.own) == set()
    with dated.authority.serving() as url:  # as the hint says
        made = registering.register(dated.vault, file, [url], trust=dated.trust).commitment
    assert made.timestamps[0] == dated.own.timestamps[0]
    assert (trigger_set(dated.vault, made).labels == dated.own.labels()).all()


def test_a_file_from_before_registering_does_with_the_timestamps_of_the_vault(
    dated: Dated,
) -> None:
    """Embedding, looking and answering; nobody but the judge needs the registered file."""
    older = replace(dated.own, timestamps=())
    with pytest.raises(TrustMaterialMissing, match="its token is missing"):
        trigger_set(dated.vault, older)  # nothing was registered so far
    keep(dated.vault, dated.own)
    assert (trigger_set(dated.vault, older).labels == dated.own.labels()).all()
    found = check(dated.vault, older, dated.suspect)
    assert sum(block.matches for block in found.blocks) == 200
    challenge = dated.judge.challenge(dated.own, dated.suspect, reveal=50, trust=dated.trust)
    fingerprint = dated.judge.public.fingerprint()
    proof = prove(dated.vault, older, challenge, judge_fingerprint=fingerprint)
    assert dated.judge.verify(dated.own, dated.suspect, challenge, proof, trust=dated.trust).proven
    foreign = dated.judge.challenge(dated.with_token(), dated.suspect, reveal=50, trust=dated.trust)
    with refused(InvalidOpening, "challenge.commitment"):
        prove(dated.vault, older, foreign, judge_fingerprint=fingerprint)


class Registering:
    """An owner who registers with an authority, without a network."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.maker = TokenMaker.new()
        self.named = key_digest(load_certificate(self.maker.root.der))
        self.trust = Trust((self.maker.trusted(name="public"),))
        self.vault = Vault.create(folder / "vault", PASSPHRASE, cost=CHEAP)
        self.bare = commit(
            self.vault, images=random_images(200), class_count=10, block_size=50,
            timestamp_authority=self.named,
        )  # fmt: skip
        self.asked = 0
        patch.setattr(registering, "obtain", self._obtain)

    def _obtain(self, *_: object, **__: object) -> Any:
        """Another token at every call, whose chain is said to end elsewhere."""
        self.asked += 1
        dated = SimpleNamespace(root=bytes(32))
        return SimpleNamespace(evidence=self.token(days=self.asked), dated=dated)

    def token(self, maker: TokenMaker | None = None, *, days: int = 0) -> TimestampEvidence:
        """A token over D."""
        time = generalized(TIME.replace(day=1 + days))
        return (maker or self.maker).but(digest=self.bare.digest, time=time).evidence()

    def register(self, *given: TimestampEvidence, trust: bool = True) -> Commitment:
        """The file with these timestamps, registered once more."""
        return registering.register(
            self.vault, replace(self.bare, timestamps=given), ["http://tsa.example/"],
            trust=self.trust if trust else None,
        ).commitment  # fmt: skip


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registering:
    return Registering(tmp_path, monkeypatch)


def _junk(owner: Registering, **changes: Any) -> TimestampEvidence:
    """A token of somebody else's that carries the root of the authority."""
    maker = TokenMaker.new().but(**{"digest": owner.bare.digest, **changes})
    return maker.evidence(certificates=(owner.maker.root.der,))


JUNK: dict[str, Callable[[Registering], TimestampEvidence]] = {
    "over something else": lambda owner: _junk(owner, digest=bytes(32)),
    "with a changed signature": lambda owner: _junk(
        owner, change_signature=lambda data: data[:-1] + bytes([data[-1] ^ 1])
    ),
    "for another request": lambda owner: _junk(owner, nonce=b"\7" * 16),
    "of another authority": _junk,
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_a_token_that_only_carries_the_named_root_never_becomes_the_first(
    owner: Registering, junk: Callable[[Registering], TimestampEvidence]
) -> None:
    made = owner.register(junk(owner))
    assert made.timestamps[0] == owner.token(days=1)
    assert replace(made, authorities=owner.trust.authorities).labels().shape == (200,)


def test_tokens_that_nobody_signed_leave_places_for_those_of_the_owner(owner: Registering) -> None:
    slipped = [_junk(owner, digest=bytes([number]) * 32) for number in range(8)]
    assert owner.register(*slipped).timestamps == (owner.token(days=1),)


def test_eight_good_tokens_of_others_leave_all_places_for_those_of_the_owner(
    owner: Registering,
) -> None:
    """Anybody can have them made by any authority, also by one that everybody trusts."""
    strangers = [TokenMaker.new(intermediate=False) for _ in range(4)]
    foreign = tuple(owner.token(maker) for maker in strangers) + tuple(
        owner.token(days=20 + day) for day in range(4)
    )
    made = owner.register(*foreign)  # the first is of nobody whom the header names
    assert made.timestamps == (owner.token(days=1), *foreign[:7])
    own = [owner.token(days=1)]
    for day in range(2, 9):
        made = owner.register(*made.timestamps[:7], foreign[7])
        own.append(owner.token(days=day))
        assert made.timestamps[:day] == tuple(own)
    assert made.timestamps == tuple(own)
    with pytest.raises(UsageError, match="the vault has 8"):
        owner.register()


@pytest.mark.parametrize("trust", [True, False])
def test_the_first_token_stays_whatever_is_registered_later(
    owner: Registering, trust: bool
) -> None:
    """A valid token in the file stays first; then the vault's does, also before a valid one."""
    made = owner.register(owner.maker.but(certificates=(
        owner.maker.signer.der, owner.maker.issuer.der, owner.maker.root.der,
    )).but(digest=owner.bare.digest).evidence(), trust=trust)  # fmt: skip
    assert len(made.timestamps) == 2
    again = owner.register(owner.token(days=20), trust=trust)
    assert again.timestamps[0] == made.timestamps[0]
    assert len(again.timestamps) == 4


def test_a_second_chain_of_the_authority_does_not_replace_its_token(owner: Registering) -> None:
    """Its issuer is certified by an older root too, which the token carries."""
    old = certify("Old root", new_key("p256"), ca=True)
    cross = certify("Issuing", owner.maker.issuer.key, old, ca=True)
    chain = (owner.maker.signer.der, owner.maker.issuer.der, cross.der, old.der)
    owner.maker = owner.maker.but(certificates=chain)
    made = owner.register()
    assert owner.register().timestamps[0] == made.timestamps[0] == owner.token(days=1)


def test_a_vault_keeps_the_order_of_its_first_timestamp(owner: Registering) -> None:
    made = owner.register()
    later = replace(made, timestamps=(owner.token(days=9), *made.timestamps))
    with pytest.raises(VaultUnusable, match="altered"):
        keep(owner.vault, later)
