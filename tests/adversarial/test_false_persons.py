"""Who stands behind an owner's key in a verdict: forged, borrowed, expired and late bindings.

SPEC.md 26.7. Whatever is shown of a person, the outcome is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.support.certificate_authority import (
    DAY,
    Certified,
    Revoked,
    certify,
    new_key,
    now,
    revocation_list,
)
from tests.support.dispute import Claimant, TestJudge, marked, new_judge, random_images, verdict_of
from tests.support.dispute_folder import SmallLog, moment
from tests.support.html_page import Page
from tests.support.statements import SIGNS, bound_by
from tests.support.witnessed_log import POLICY_TEXT
from zkwm.judge.owner_keys import OwnerKey
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report import render_report, render_text
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    RevocationReason,
    agree_to_succeed,
)
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.trust import Trust

ACME = "ACME Ltd"
OWNER = Claimant(random_images(200))
KEY = OWNER.keys[0]
OWN = KEY.public.fingerprint()
THIEF = SigningKey.from_bytes(ED25519, b"t" * 32)
ROOT = certify("Persons", new_key(), ca=True, start=now() - 900 * DAY, end=now() + 900 * DAY)
STRANGER = certify("Anybody", new_key(), ca=True, start=now() - 900 * DAY, end=now() + 900 * DAY)
STATE = PersonAuthority("state", (ROOT.der,))
TRUST = Trust((), log_policy=POLICY_TEXT.encode(), people=(STATE,))


def card(
    name: str = ACME, issuer: Certified = ROOT, start: int = 300, end: int = -300
) -> Certified:
    """A person's certificate from ``start`` to ``end`` days ago."""
    times = {"start": moment(start), "end": moment(end)}
    return certify(name, new_key(), issuer, usages=SIGNS, **times)


def bound(made: Certified, days: float = 30, person: str = ACME) -> LoggedStatement:
    """The owner's key bound by a card, logged so many days ago."""
    return SmallLog().add(bound_by(OWN, made, person), KEY, days)


def carrying(*statements: LoggedStatement) -> Commitment:
    """The owner's commitment as its file is read, with statements about keys."""
    made = replace(OWNER.commitment, key_proofs=statements)
    return Commitment.from_bytes(made.to_bytes())


def decided(commitment: Commitment, trust: Trust = TRUST, asked: Trust | None = None) -> Verdict:
    """The verdict on a suspect with the mark, read again from its signed file."""
    judge: TestJudge = new_judge()
    suspect = marked(OWNER.images, OWNER.labels)
    challenge = judge.challenge(commitment, suspect, reveal=50, trust=asked or trust)
    answer = OWNER.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(commitment, suspect, challenge, answer, trust=trust))
    again = Verdict.from_bytes(judge.sign_verdict(verdict), judge.public)
    assert again.dating == verdict.dating
    return again


def row(verdict: Verdict) -> OwnerKey:
    """What is shown of the owner's key; the claim is proven, whatever it is."""
    assert verdict.outcome == Outcome.PROVEN
    assert verdict.dating is not None
    (found,) = verdict.dating.owner_keys
    assert found.key == OWN
    return found


def told(verdict: Verdict) -> str:
    """Text and page, which say the same of persons."""
    text = " ".join(render_text(verdict, width=4_000).split())
    page = " ".join(Page(render_report(verdict)).text.split())
    for part in ("nobody is shown", "which does not hold", "is revoked", "by a certificate of"):
        assert (part in text) == (part in page)
    return text


def test_the_person_behind_a_key_is_shown_with_what_it_rests_on() -> None:
    """From the commitment's file, or as the judge has it of a log."""
    one = bound(card())
    for verdict in (
        decided(carrying(one)),
        decided(OWNER.commitment, replace(TRUST, statements=(one,)), TRUST),
    ):
        found = row(verdict)
        assert found.person is not None
        assert (found.person.person, found.person.authority) == (ACME, "state")
        assert (found.person.log, found.person.index) == ("log.example/1", 0)
        said = told(verdict)
        assert f'Person behind the key "{ACME}", by a certificate of state; logged by' in said
        assert "whether it was revoked is not known" in said
        values = verdict.to_json()["dates"]
        assert values["owner_keys"][0]["person"] == ACME
        assert values["knowing_persons"] == ["state"]


def test_nobody_is_shown_where_nothing_is_known() -> None:
    for trust in (TRUST, replace(TRUST, people=())):
        verdict = decided(OWNER.commitment, trust)
        assert row(verdict) == OwnerKey(OWN)
        assert "Person behind the key nobody is shown" in told(verdict)


def _expired() -> Sequence[LoggedStatement]:
    return [bound(card(end=40))]


def _unlogged() -> Sequence[LoggedStatement]:
    """The signatures of its tree are those of another tree."""
    one, other = bound(card()), bound(card(), 20)
    return [replace(one, proof=replace(one.proof, checkpoint=other.proof.checkpoint))]


def _after_revocation() -> Sequence[LoggedStatement]:
    log, since = SmallLog(), int(moment(60).timestamp())
    lost = KeyRevocation(OWN, since, RevocationReason.COMPROMISED)
    return [log.add(lost, KEY, 50), log.add(bound_by(OWN, card("Mallory"), "Mallory"), KEY, 30)]


def _after_rotation() -> Sequence[LoggedStatement]:
    log = SmallLog()
    return [
        log.add(agree_to_succeed(OWN, THIEF), KEY, 50),
        log.add(bound_by(OWN, card("Mallory"), "Mallory"), KEY, 10),
    ]


NOT_HOLDING: dict[str, tuple[Callable[[], Sequence[LoggedStatement]], str]] = {
    "a root of the owner's own": (lambda: [bound(card(issuer=STRANGER))], "no chain"),
    "expired when it was logged": (_expired, "no chain"),
    "not valid yet when it was logged": (lambda: [bound(card(start=20))], "no chain"),
    "a log whose signatures are another tree's": (_unlogged, "does not"),
    "bound after the key was revoked": (_after_revocation, "after the key was revoked"),
    "bound after the key was left": (_after_rotation, "after the key was revoked, left"),
}


@pytest.mark.parametrize(("made", "why"), NOT_HOLDING.values(), ids=NOT_HOLDING)
def test_a_binding_that_does_not_hold_is_shown_as_such(
    made: Callable[[], Sequence[LoggedStatement]], why: str
) -> None:
    verdict = decided(carrying(*made()))
    found = row(verdict)
    assert found.person is None
    (one,) = found.persons
    assert (one.authority, why in one.problem) == ("", True), one.problem
    said = told(verdict)
    assert "nobody is shown: nobody whom the judge trusts says whose the key is" in said
    assert "which does not hold" in said


def test_a_revoked_certificate_and_a_revoked_key_are_told() -> None:
    made = card()
    listed = revocation_list(
        ROOT, Revoked(made.certificate, moment(40)), start=moment(40), end=moment(-40)
    )
    knowing = replace(TRUST, people=(replace(STATE, crls=(listed,)),))
    verdict = decided(carrying(bound(made)), knowing)
    assert row(verdict).person is None
    assert "was revoked when the binding was logged" in told(verdict)
    log, since = SmallLog(), int(moment(5).timestamp())
    later = [
        log.add(bound_by(OWN, made, ACME), KEY, 30),
        log.add(KeyRevocation(OWN, since, RevocationReason.LOST), KEY, 4),
    ]
    verdict = decided(carrying(*later))
    found = row(verdict)
    assert found.person is not None
    assert (found.revoked, found.revoked_since) == ("lost", since)
    assert "the key is revoked (lost) since" in told(verdict)


def test_of_two_persons_the_first_in_the_log_has_the_key() -> None:
    """A thief of the key binds it to themselves, by a card that is as good."""
    log = SmallLog()
    first, second = (
        log.add(bound_by(OWN, card(name), name), KEY, days)
        for name, days in ((ACME, 30), ("Mallory", 20))
    )
    verdict = decided(carrying(second, first))
    found = row(verdict)
    assert found.person is not None
    assert [one.person for one in found.persons] == [ACME, "Mallory"]
    assert found.person.person == ACME
    assert "several persons: the first of them had the key first" in told(verdict)


def test_a_stranger_cannot_put_a_person_behind_somebodys_key() -> None:
    """Anybody can add statements to a file: those by other keys are about other keys."""
    made = card("Mallory")
    own = SmallLog().add(bound_by(THIEF.public.fingerprint(), made, "Mallory"), THIEF, 30)
    assert row(decided(carrying(own))) == OwnerKey(OWN)
    with pytest.raises(Malformed):
        SmallLog().add(bound_by(OWN, made, "Mallory"), THIEF, 30)  # about a key that did not sign
    stolen = KeyBinding(OWN, ACME, (made.der,))
    with pytest.raises(InvalidSignature):
        SmallLog().add(stolen, KEY, 30)  # a certificate is public, and its key has not signed


def test_an_altered_statement_or_one_before_the_entry_is_no_file() -> None:
    one = bound(card())
    signature = one.statement.signature
    forged = replace(one.statement, signature=signature[:-1] + bytes([signature[-1] ^ 1]))
    for statements in ((replace(one, statement=forged),), (one, replace(one, statement=forged))):
        with pytest.raises(Malformed, match="log proof"):
            carrying(*statements)
    entry = SmallLog().add(CommitmentStatement(OWNER.commitment.digest), KEY, 30)
    good = replace(OWNER.commitment, log_proofs=(entry,), key_proofs=(one,))
    assert Commitment.from_bytes(good.to_bytes()) == good
    mixed = replace(OWNER.commitment, log_proofs=(one, entry))
    with pytest.raises(Malformed, match="behind the other log proofs"):
        Commitment.from_bytes(mixed.to_bytes())


def test_statements_about_keys_date_nothing() -> None:
    """They say when the key was bound, and not when the commitment existed."""
    dating = decided(carrying(bound(card())), replace(TRUST, log_dates=True)).dating
    assert dating is not None
    assert (dating.logged, dating.existed) == ((), None)


def test_who_knows_persons_is_fixed_with_the_challenge() -> None:
    """A judge who takes in another authority once they know the answer gets no verdict."""
    commitment = carrying(bound(card()))
    for other in (
        replace(TRUST, people=()),
        replace(TRUST, people=(replace(STATE, name="other"),)),
        replace(TRUST, people=(replace(STATE, roots=(STRANGER.der,)),)),
        replace(TRUST, people=(STATE, PersonAuthority("zoo", (STRANGER.der,)))),
        replace(TRUST, people=(replace(STATE, crls=(revocation_list(ROOT),)),)),
    ):
        assert other.digest != TRUST.digest
        verdict = decided(commitment, other, TRUST)
        assert verdict.outcome == Outcome.TRUST_MATERIAL_MISSING
    later = replace(TRUST, statements=(bound(card()),))
    assert later.digest == TRUST.digest


def test_a_verdict_cannot_be_given_another_person() -> None:
    """Whoever reads it demands the keys of the header; the rest is the judge's signature."""
    judge: TestJudge = new_judge()
    verdict = decided(carrying(bound(card())))
    dating, found = verdict.dating, row(verdict)
    assert dating is not None
    (person,) = found.persons
    for keys in (
        (), (found, found), (replace(found, key=THIEF.public.fingerprint()),),
        (replace(found, persons=(replace(person, problem="revoked"),)),),
        (replace(found, persons=(replace(person, log=""),)),),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            judge.sign_verdict(replace(verdict, dating=replace(dating, owner_keys=keys)))
