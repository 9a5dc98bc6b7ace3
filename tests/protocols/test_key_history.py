"""A thief has the key and states what they like: what they can end, and what they cannot take."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.statements import D, contents
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import POLICY, POLICY_TEXT, TIME, proof_of
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    RevocationReason,
    agree_to_succeed,
)
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import Content, sign_statement
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed
from zkwm_protocols.key_history import (
    CONTEST_SECONDS,
    MOST_STATEMENTS,
    DatedStatement,
    KeyHistory,
    LogEntry,
    dated,
    standing,
)
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.transparency.policy import LogPolicy

OWNER, NEXT, THIEF = (SigningKey.from_bytes(ED25519, bytes([i]) * 32) for i in (1, 2, 3))
K, K2, T = (key.public.fingerprint() for key in (OWNER, NEXT, THIEF))
LOG, DAY = "log.example/1", 86_400
COMPROMISED, LOST, SUPERSEDED = RevocationReason
FOREVER = 10_000 * DAY


def at(day: int, content: Content, key: SigningKey = OWNER) -> DatedStatement:
    """A statement that was logged on a day, as the entry of that number."""
    return DatedStatement(sign_statement(content, key), LogEntry(LOG, day, day * DAY))


def revoked(day: int, reason: RevocationReason, since: int | None = None) -> DatedStatement:
    return at(day, KeyRevocation(K, DAY * (day if since is None else since), reason))


def rotated(day: int, successor: SigningKey = NEXT, key: SigningKey = OWNER) -> DatedStatement:
    return at(day, agree_to_succeed(key.public.fingerprint(), successor), key)


def bound(day: int, person: str) -> DatedStatement:
    return at(day, KeyBinding(K, person, (), D))


def counts(day: int, *statements: DatedStatement) -> bool:
    return standing(K, statements, day * DAY).counts


def test_a_key_of_which_nothing_is_known_counts_and_is_nobodys() -> None:
    alone = standing(K, [], FOREVER)
    assert alone.counts
    found = (alone.bindings, alone.predecessors, alone.successor, alone.revocation)
    assert found == ((), (), None, None)
    others = [at(1, KeyRevocation(T, 0, LOST), THIEF), at(2, CommitmentStatement(D))]
    assert standing(K, others, FOREVER) == alone


def test_a_revocation_holds_from_its_entry_or_later_time_on() -> None:
    assert [counts(day, revoked(10, LOST)) for day in (9, 10, 11)] == [True, False, False]
    planned = revoked(10, SUPERSEDED, since=20)
    assert [counts(day, planned) for day in (11, 19, 20)] == [True, True, False]


def test_a_thief_who_revokes_since_long_ago_undoes_nothing_that_was_dated_before() -> None:
    backdated = revoked(10, COMPROMISED, since=0)
    between = standing(K, [backdated], 9 * DAY)
    assert between.counts
    assert between.suspected == backdated  # and it has to be said
    assert standing(K, [revoked(10, LOST, since=0)], 9 * DAY).suspected is None
    assert not counts(10, backdated)


def test_a_thief_cannot_take_a_revocation_back_by_a_later_one() -> None:
    first = revoked(10, COMPROMISED)
    for later in (revoked(11, SUPERSEDED, since=90), revoked(12, LOST)):
        assert standing(K, [later, first], 50 * DAY).revocation == first


def test_a_revocation_signed_when_the_key_was_made_takes_effect_when_it_is_logged() -> None:
    kept = revoked(400, LOST, since=1)
    theft = rotated(390, THIEF)
    assert counts(399, kept)
    assert not counts(400, kept)
    lost = standing(K, [theft, kept], 500 * DAY)
    assert (lost.successor, lost.revocation) == (None, kept)


def test_a_signature_of_one_second_with_the_revocation_counts_by_its_place() -> None:
    revocation = DatedStatement(revoked(10, LOST).statement, LogEntry(LOG, 6, 10 * DAY))
    for index, good in ((5, True), (7, False)):
        assert standing(K, [revocation], LogEntry(LOG, index, 10 * DAY)).counts is good
    assert not standing(K, [revocation], LogEntry("another.example", 5, 10 * DAY)).counts
    assert not standing(K, [revocation], 10 * DAY).counts


def test_a_proof_fetched_late_makes_no_entry_younger_than_those_behind_it() -> None:
    commitment = LogEntry(LOG, 5, 900 * DAY)  # logged on day 5, proven on day 900
    assert standing(K, [revoked(10, LOST)], commitment).counts
    late = DatedStatement(rotated(1).statement, LogEntry(LOG, 1, 900 * DAY))
    contest = revoked(910, COMPROMISED)
    settled = standing(K, [late, contest, bound(3, "A")], 950 * DAY)
    assert settled.successor is not None
    assert settled.settles == 3 * DAY + CONTEST_SECONDS


def test_an_honest_rotation_ends_the_old_key_and_settles() -> None:
    rotation, left = rotated(10), revoked(11, SUPERSEDED)
    history = KeyHistory([left, rotation])
    old, new = history.standing(K, 50 * DAY), history.standing(K2, 50 * DAY)
    assert (old.successor, old.counts) == (rotation, False)
    assert (new.predecessors, new.counts) == ((rotation,), True)
    assert history.standing(K, 9 * DAY).counts
    assert history.standing(K2, 9 * DAY).predecessors == ()
    assert history.successors(K, 40 * DAY - 1) == (K,)
    assert history.successors(K, 40 * DAY) == (K, K2)


@pytest.mark.parametrize(
    "answer", [revoked(15, COMPROMISED), revoked(15, LOST, since=0), rotated(15, NEXT)]
)
def test_a_thiefs_rotation_is_void_once_the_owner_contests_it(answer: DatedStatement) -> None:
    history = KeyHistory([rotated(10, THIEF), answer])
    for day in (14, 15, 60):
        assert history.standing(K, day * DAY).successor is None
        assert history.standing(T, day * DAY).predecessors == ()
    assert not history.standing(K, 15 * DAY).counts
    assert history.standing(K, 15 * DAY).contest == answer
    assert history.successors(K, FOREVER) == (K,)


def test_a_thief_who_revokes_at_once_does_not_silence_the_owner() -> None:
    theft = [rotated(10, THIEF), revoked(11, SUPERSEDED)]
    assert KeyHistory(theft).successors(K, FOREVER) == (K, T)
    assert KeyHistory([*theft, rotated(12)]).successors(K, FOREVER) == (K,)


def test_a_rotation_beside_a_compromise_is_nobodys() -> None:
    """A thief would do the same."""
    history = KeyHistory([rotated(10), revoked(11, COMPROMISED), rotated(90, THIEF)])
    assert history.successors(K, FOREVER) == (K,)


def test_a_key_that_was_left_long_ago_names_no_other_successor() -> None:
    history = KeyHistory([rotated(10), rotated(41, THIEF), revoked(42, COMPROMISED, since=0)])
    assert history.successors(K, FOREVER) == (K, K2)
    last = KeyHistory([rotated(10), rotated(39, THIEF)])
    assert last.successors(K, FOREVER) == (K,)  # within 30 days neither is
    again = KeyHistory([rotated(10), rotated(20)])
    assert again.successors(K, FOREVER) == (K, K2)  # the same successor contests nothing


def test_a_revoked_key_names_no_successor() -> None:
    assert KeyHistory([revoked(9, LOST), rotated(10)]).successors(K, FOREVER) == (K,)


def test_keys_in_a_circle_end() -> None:
    history = KeyHistory([rotated(10), rotated(60, OWNER, NEXT)])
    assert history.successors(K, FOREVER) == (K, K2)


def test_a_thief_binds_nothing_after_the_end_and_comes_second_before() -> None:
    own, theirs = bound(1, "Ada"), bound(20, "Mallory")
    assert standing(K, [theirs, own], FOREVER).bindings == (own, theirs)
    ends: list[Sequence[DatedStatement]] = [
        [revoked(10, LOST)], [rotated(10)], [rotated(9), rotated(10, THIEF)],
    ]  # fmt: skip
    for end in ends:
        assert standing(K, [theirs, own, *end], FOREVER).bindings == (own,)


def test_too_many_statements_are_refused() -> None:
    with pytest.raises(Malformed):
        KeyHistory([bound(1, "Ada")] * (MOST_STATEMENTS + 1))


def test_a_statement_is_dated_by_a_quorum_of_witnesses() -> None:
    statement = sign_statement(contents(OWNER)[-1], OWNER)
    log = TiledLog([b"0", b"1", statement.to_bytes()])
    logged = LoggedStatement(statement, proof_of(log, 2))
    # Witnesses sign at TIME, TIME + 1 and TIME + 2, and two are needed.
    assert dated(logged, POLICY) == DatedStatement(statement, LogEntry(LOG, 2, TIME + 1))
    nobody = POLICY_TEXT.replace("quorum both", "quorum none")
    with pytest.raises(InvalidLogProof):
        dated(logged, LogPolicy.from_bytes(nobody.encode()))
    with pytest.raises(InvalidLogProof):
        dated(LoggedStatement(sign_statement(contents(OWNER)[0], OWNER), logged.proof), POLICY)


def test_a_rotation_without_the_successors_word_is_no_statement() -> None:
    rotation = agree_to_succeed(T, NEXT)  # consent to follow another key
    stolen = type(rotation)(K, rotation.successor, rotation.consent)
    with pytest.raises(InvalidSignature):
        sign_statement(stolen, OWNER)
