"""Dates from logs that are false, or show less than they seem to: SPEC.md 8.5, 23.15, 23.16."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.dispute import Claimant, TestJudge, marked, new_judge, random_images, verdict_of
from tests.support.logged_commitment import ED25519_WITNESSES, INDEX, log_proof, stated
from tests.support.statements import P256_KEY
from tests.support.tiled_log import TiledLog
from tests.support.timestamp_tokens import TIME as TOKEN_TIME
from tests.support.timestamp_tokens import TokenMaker, generalized
from tests.support.witnessed_log import (
    LOG_KEY,
    ORIGIN,
    POLICY_TEXT,
    SECOND_KEY,
    TIME,
    WITNESSES,
    untimed,
)
from zkwm.judge.dating import read_dates
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.written_dates import read_date
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import CommitmentStatement, VerdictStatement
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import sign_receipt
from zkwm_protocols.cose.statement import TransparentStatement, sign_statement
from zkwm_protocols.dates import Interval, Order, Published
from zkwm_protocols.errors import InvalidLogProof, Malformed, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint, sign_checkpoint
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tree import prove_inclusion
from zkwm_protocols.trust import Trust

OWNER = Claimant(random_images(200))
D, KEY = OWNER.commitment.digest, OWNER.keys[0]
STATEMENT = stated(D, KEY)
POLICY = POLICY_TEXT.encode()
SEEN = Interval((TIME + 2 - 300) * 10**6, (TIME + 2 + 300) * 10**6)
LATER = Published(read_date("2024-01-01"), "a web page")
EARLIER = Published(read_date("2023-01-01"), "a web page")
OLDER = Policy(older=True)


def trusting(policy: bytes = POLICY, *, log_dates: bool = True) -> Trust:
    return Trust((), log_policy=policy, log_dates=log_dates)


def filed(*proofs: LoggedStatement) -> Commitment:
    return replace(OWNER.commitment, log_proofs=proofs)


def decided(
    commitment: Commitment, trust: Trust, published: Published, policy: Policy | None = None
) -> Verdict:
    """The verdict on a suspect that has the mark, read again from its signed file."""
    judge: TestJudge = new_judge()
    suspect = marked(OWNER.images, OWNER.labels)
    challenge = judge.challenge(
        commitment, suspect, reveal=50, policy=policy, trust=trust, published=published
    )
    answer = OWNER.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(commitment, suspect, challenge, answer, trust=trust))
    again = Verdict.from_bytes(judge.sign_verdict(verdict), judge.public)
    assert again.dating == verdict.dating
    return again


def refusals(commitment: Commitment, trust: Trust | None = None, clock: int = TIME + 9) -> str:
    """Why no log proof of a commitment counts."""
    dating, refused = read_dates(commitment, trust or trusting(), clock=clock)
    assert (dating.logged, dating.by_log, dating.existed) == ((), None, None)
    return "; ".join(refused)


def test_an_honest_entry_dates_where_the_judge_lets_it() -> None:
    verdict = decided(filed(log_proof(STATEMENT)), trusting(), LATER, OLDER)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.OLDER)
    assert verdict.dating is not None
    (entry,) = verdict.dating.logged
    assert (entry.log, entry.index, entry.size, entry.interval) == (ORIGIN, INDEX, 7, SEEN)
    assert entry.key == KEY.public.fingerprint()
    assert entry.witnesses == ("one.example", "three.example")
    late = decided(filed(log_proof(STATEMENT)), trusting(), EARLIER, OLDER)
    assert (late.outcome, late.order) == (Outcome.NOT_PROVEN, Order.NOT_OLDER)


def test_a_log_shows_an_entry_and_dates_nothing_where_no_judge_lets_it() -> None:
    trust = trusting(log_dates=False)
    verdict = decided(filed(log_proof(STATEMENT)), trust, LATER)
    assert (verdict.outcome, verdict.order) == (Outcome.PROVEN, Order.UNKNOWN)
    assert verdict.dating is not None
    assert verdict.dating.by_log == SEEN
    demanded = decided(filed(log_proof(STATEMENT)), trust, LATER, OLDER)
    assert demanded.outcome == Outcome.TRUST_MATERIAL_MISSING


def test_a_log_lowers_no_price() -> None:
    verdict = decided(filed(log_proof(STATEMENT)), trusting(), LATER)
    assert verdict.evidence is not None
    terms = {term.name: term.hundredths for term in verdict.evidence.terms}
    assert terms["grinding of the commitment"] == -4800


OTHER_OPERATOR = NoteSigningKey("four.example", SignatureType.ED25519_COSIGNATURE, b"4" * 32)
SECOND_OF_ONE = NoteSigningKey("one.example", SignatureType.ED25519_COSIGNATURE, b"5" * 32)
FALSE_LOG = NoteSigningKey("false.example/1", SignatureType.ED25519, b"6" * 32)


def receipt_alone() -> bytes:
    """A transparent statement: the log's receipt, and nobody who saw its tree."""
    log = TiledLog([STATEMENT.to_bytes(), b"later"])
    path = tuple(prove_inclusion(0, 2, log.hashes()))
    receipt = sign_receipt(STATEMENT.content.subject, log.head(), 0, path, LOG_KEY)
    return TransparentStatement(STATEMENT, (receipt.to_bytes(),)).to_bytes()


def smaller_tree() -> LoggedStatement:
    """A checkpoint of the tree before the entry came."""
    proof = log_proof(STATEMENT)
    head = TiledLog([b"%d" % number for number in range(INDEX)]).head()
    checkpoint = replace(proof.proof.checkpoint.checkpoint, head=head)
    lines = [sign_checkpoint(checkpoint, LOG_KEY)]
    lines += [sign_checkpoint(checkpoint, key, TIME) for key in ED25519_WITNESSES]
    signed = SignedCheckpoint(checkpoint, tuple(lines))
    return replace(proof, proof=replace(proof.proof, checkpoint=signed))


FORGERIES: dict[str, tuple[Callable[[], LoggedStatement], str]] = {
    "somebody else's entry for my D": (
        lambda: log_proof(stated(D, P256_KEY)), "not signed by an owner",
    ),
    "an issuer that claims to be the owner": (
        lambda: log_proof(
            sign_statement(CommitmentStatement(D), P256_KEY, "https://owner.example")
        ),
        "not signed by an owner",
    ),
    "an entry of another D": (
        lambda: log_proof(stated(b"E" * 32, KEY)), "another commitment or statement",
    ),
    "a verdict's entry": (
        lambda: log_proof(sign_statement(VerdictStatement(D, D), KEY)),
        "another commitment or statement",
    ),
    "a checkpoint without quorum": (
        lambda: log_proof(STATEMENT, {WITNESSES[0]: TIME}), "too few witnesses",
    ),
    "one witness many times": (
        lambda: log_proof(STATEMENT, {WITNESSES[0]: TIME, _again(WITNESSES[0]): TIME + 1}),
        "too few witnesses",
    ),
    "witnesses whom nobody trusts": (
        lambda: log_proof(STATEMENT, {WITNESSES[0]: TIME, OTHER_OPERATOR: TIME}),
        "too few witnesses",
    ),
    "a log whom nobody trusts": (
        lambda: log_proof(STATEMENT, log_key=FALSE_LOG), "no log of the policy signed",
    ),
    "the log as its own witness": (
        lambda: log_proof(STATEMENT, {WITNESSES[0]: TIME, SECOND_KEY: TIME}), "too few witnesses",
    ),
    "a cosignature of the future": (
        lambda: log_proof(STATEMENT, {WITNESSES[0]: TIME, WITNESSES[2]: TIME + 310}),
        "of the future",
    ),
    "the proof of a smaller tree": (smaller_tree, "expected an integer"),
    "another statement than the entry": (
        lambda: log_proof(STATEMENT, entry=stated(D, P256_KEY).to_bytes()), "",
    ),
}  # fmt: skip


def _again(key: NoteSigningKey) -> NoteSigningKey:
    """The same key in another object."""
    return NoteSigningKey(key.verifier.name, key.verifier.signature_type, key.to_bytes())


@pytest.mark.parametrize(("forge", "words"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_entry_dates_nothing_and_does_no_harm(
    forge: Callable[[], LoggedStatement], words: str
) -> None:
    forged = forge()
    said = refusals(filed(forged))
    assert said.startswith("log proof 1 dates nothing")
    assert words in said
    dating, refused = read_dates(filed(forged, log_proof(STATEMENT)), trusting(), clock=TIME + 9)
    assert (dating.existed, len(refused)) == (SEEN, 1)


def test_a_stranger_does_not_win_a_verdict_by_somebody_elses_entry() -> None:
    """The thief registers D in their own name; for who demands a date nobody says it."""
    verdict = decided(filed(log_proof(stated(D, P256_KEY))), trusting(), LATER, OLDER)
    assert verdict.outcome == Outcome.TRUST_MATERIAL_MISSING
    assert "fewer trusted authorities than needed" in verdict.reason


def test_an_altered_statement_or_a_receipt_alone_is_no_file_of_a_commitment() -> None:
    good = filed(log_proof(STATEMENT)).to_bytes()
    altered = STATEMENT.signature[:-1] + bytes([STATEMENT.signature[-1] ^ 1])
    bad = filed(log_proof(replace(STATEMENT, signature=altered)))
    with pytest.raises(Malformed, match="log proof 1"):
        Commitment.from_bytes(bad.to_bytes())
    assert Commitment.from_bytes(good).log_proofs == (log_proof(STATEMENT),)
    with pytest.raises(Malformed):
        LoggedStatement.from_bytes(receipt_alone())


def test_two_keys_of_one_operator_are_not_two_witnesses() -> None:
    two = "\n".join(
        [
            f"log {LOG_KEY.verifier.to_text()}",
            f"witness a {WITNESSES[0].verifier.to_text()}",
            f"witness b {SECOND_OF_ONE.verifier.to_text()}",
            f"witness c {WITNESSES[2].verifier.to_text()}",
            "",
        ]
    )
    with pytest.raises(Malformed, match="would count as 2 witnesses"):
        trusting((two + "group g 2 a b c\nquorum g\n").encode())
    joined = (two + "group one any a b\ngroup g 2 one c\nquorum g\n").encode()
    both = {WITNESSES[0]: TIME, SECOND_OF_ONE: TIME + 1}
    assert "too few witnesses" in refusals(filed(log_proof(STATEMENT, both)), trusting(joined))
    enough = filed(log_proof(STATEMENT, both | {WITNESSES[2]: TIME + 2}))
    dating, _ = read_dates(enough, trusting(joined), clock=TIME + 9)
    assert dating.logged[0].witnesses == ("one.example", "three.example")


def test_one_witness_cannot_backdate() -> None:
    """The time is that up to which a whole quorum signed."""
    times = {WITNESSES[0]: 1, WITNESSES[1]: TIME, WITNESSES[2]: TIME + 2}
    dating, _ = read_dates(filed(log_proof(STATEMENT, times)), trusting(), clock=TIME + 9)
    assert dating.by_log == Interval((TIME - 300) * 10**6, (TIME + 300) * 10**6)
    alone = {WITNESSES[0]: 1, WITNESSES[2]: TIME + 2}
    dating, _ = read_dates(filed(log_proof(STATEMENT, alone)), trusting(), clock=TIME + 9)
    assert dating.by_log == SEEN


def test_a_witness_that_states_no_time_witnesses_and_dates_nothing() -> None:
    proof = log_proof(STATEMENT, {WITNESSES[0]: TIME})
    checkpoint = proof.proof.checkpoint
    both = checkpoint.with_signatures([untimed(WITNESSES[1], checkpoint.checkpoint)])
    commitment = filed(replace(proof, proof=replace(proof.proof, checkpoint=both)))
    dating, refused = read_dates(commitment, trusting(), clock=TIME + 9)
    assert not refused
    assert [one.witnesses for one in dating.logged] == [("one.example", "two.example")]
    assert (dating.by_log, dating.existed) == (None, None)


def test_a_log_without_witnesses_dates_nothing() -> None:
    lines = POLICY_TEXT.splitlines()[:3]
    policy = "\n".join([*lines, "quorum none", ""]).encode()
    with pytest.raises(Malformed, match="only by its witnesses"):
        trusting(policy)
    shown = trusting(policy, log_dates=False)
    dating, _ = read_dates(filed(log_proof(STATEMENT, {})), shown, clock=TIME)
    assert [one.interval for one in dating.logged] == [None]
    assert dating.by_log is None


def test_who_looks_today_needs_no_clock_of_their_own() -> None:
    dating, _ = read_dates(filed(log_proof(STATEMENT)), trusting())
    assert dating.existed == SEEN
    future = int(time.time()) + 4_000
    said = read_dates(filed(log_proof(STATEMENT, {WITNESSES[0]: 1, WITNESSES[2]: future})),
                      trusting())[1]  # fmt: skip
    assert "of the future" in said[0]


MAKER = TokenMaker.new()


def seen_after(days: int) -> Commitment:
    """The commitment with a token, and an entry that witnesses saw so many days after it."""
    made = MAKER.but(digest=D, time=generalized(TOKEN_TIME)).evidence()
    seconds = int((TOKEN_TIME + datetime.timedelta(days=days)).timestamp())
    proof = log_proof(STATEMENT, dict.fromkeys(ED25519_WITNESSES, seconds))
    return replace(filed(proof), timestamps=(made,))


def test_tokens_come_first_and_a_late_one_takes_no_early_date_away() -> None:
    """Anybody can add a token to a file; that the entry was seen before stays true."""
    authority = MAKER.trusted(name="public")
    both = Trust((authority,), log_policy=POLICY, log_dates=True)
    clock = int(TOKEN_TIME.timestamp()) + 10**8
    early = read_dates(seen_after(100), both, clock=clock)[0]
    assert early.existed == early.by_authorities
    assert (early.carried_by_log, early.by_log is None) == (False, False)
    late = read_dates(seen_after(-100), both, clock=clock)[0]
    assert late.existed == late.by_log
    assert late.carried_by_log
    only = read_dates(seen_after(-100), replace(both, log_dates=False), clock=clock)[0]
    assert only.existed == only.by_authorities


def test_whose_word_dates_is_in_the_digest_of_the_trust() -> None:
    assert trusting().digest != trusting(log_dates=False).digest
    assert Trust.from_bytes(trusting().to_bytes()) == trusting()
    for bad in (b"", b"log x\n", POLICY + b"quorum both\n"):
        with pytest.raises(Malformed):
            trusting(bad, log_dates=False)


def test_a_signed_verdict_cannot_be_given_another_entry() -> None:
    """Whoever reads it compares the key with the header, and time with witnesses."""
    judge: TestJudge = new_judge()
    verdict = decided(filed(log_proof(STATEMENT)), trusting(), LATER, OLDER)
    dating = verdict.dating
    assert dating is not None
    entry = dating.logged[0]
    for logged in (
        (replace(entry, key=P256_KEY.public.fingerprint()),),
        (replace(entry, witnesses=()),), (replace(entry, index=7),), (entry, entry),
        (replace(entry, interval=Interval(0, 1)), replace(entry, index=1)), (),
    ):  # fmt: skip
        lie = replace(verdict, dating=replace(dating, logged=logged))
        with pytest.raises(UsageError):
            judge.sign_verdict(lie)


def test_the_policy_says_by_when_a_quorum_had_seen_a_tree() -> None:
    policy = LogPolicy.from_bytes(POLICY)
    signed = log_proof(STATEMENT).proof.checkpoint
    assert policy.reached_at(policy.require(signed)) == TIME + 2
    with pytest.raises(InvalidLogProof):
        policy.require(signed, latest=TIME + 1)
