"""Owner, marketplace and judge, each with a key of their own, from registration to verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from tests.support.dispute import Claimant, TestJudge, marked, new_judge, random_images
from tests.support.registry_server import (
    Caller,
    Served,
    registration,
    statement,
    verdict,
)
from zkwm.judge.verdict import Verdict
from zkwm.registry_service.api_keys import Scope
from zkwm.registry_service.claims import tell_overdue
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.cose.contents import CommitmentStatement, DisputeEvent, DisputeStatement
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import TreeHead, verify_consistency, verify_inclusion

pytestmark = pytest.mark.usefixtures("quick_labels")
_numbers = count()


@pytest.fixture
def own(registry: Served) -> Iterator[Claimant]:
    """An owner whom no other test has."""
    del registry
    number = next(_numbers)
    return Claimant(random_images(50, seed=number), salt_seed=number)


def asked(
    registry: Served, judge: TestJudge, owner: Claimant, market: Caller, **query: object
) -> tuple[Challenge, str]:
    """A claim on a model that has the owner's mark, and its path."""
    assert market.post("/v1/commitments", registration(owner)).status in (200, 201)
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    words = "&".join(f"{name}={value}" for name, value in query.items())
    answer = market.post(f"/v1/claims?{words}", challenge.to_bytes())
    assert answer.status == 201, answer.body
    return challenge, f"/v1/claims/{challenge.digest.hex()}"


def decided(judge: TestJudge, owner: Claimant, challenge: Challenge, proof: bytes) -> Verdict:
    """The judge's verdict on an answer."""
    return judge.verify(owner.commitment, marked(owner.images, owner.labels), challenge, proof)


def signed(judge: TestJudge, owner: Claimant, found: Verdict) -> dict[str, str]:
    """A verdict as it is handed in."""
    file = judge.sign_verdict(found)
    return verdict(judge, owner, file, hashlib.sha256(file).digest())


def test_a_claim_from_registration_to_verdict(
    registry: Served, judge: TestJudge, own: Claimant
) -> None:
    market, anybody = registry.caller("market.example"), registry.caller()
    started = anybody.get("/v1/events?limit=1").json["after"]
    while anybody.get(f"/v1/events?after={started}").json["events"]:
        started = anybody.get(f"/v1/events?after={started}").json["after"]
    name = own.commitment.digest.hex()
    made = market.post("/v1/commitments", registration(own))
    assert made.status == 201, made.body
    assert made.json["digest"] == name
    assert made.json["owner_keys"] == [own.keys[0].public.fingerprint()]
    assert anybody.get(f"/v1/commitments/{name}").json == made.json
    assert anybody.get(f"/v1/commitments/{name}/file").body == own.commitment.to_bytes()
    proof = ProofFile.from_bytes(
        anybody.get(f"/v1/proof/{name}?key={own.keys[0].public.fingerprint()}").body
    )
    assert proof.index == made.json["entry"]

    suspect = marked(own.images, own.labels)
    challenge = judge.challenge(own.commitment, suspect, reveal=50)
    claim = market.post("/v1/claims?listing=offer-1", challenge.to_bytes())
    assert claim.status == 201
    assert (claim.json["state"], claim.json["holder"]) == ("asked", "market.example")
    path = f"/v1/claims/{challenge.digest.hex()}"
    assert anybody.get(f"{path}/challenge").body == challenge.to_bytes()

    answered = registry.caller("an owner", Scope.ANSWER)
    response = own.answer(challenge, [0]).to_bytes()
    assert answered.post(f"{path}/answer", response).json["state"] == "answered"
    kept = market.get(f"{path}/answer")
    assert kept.body == response
    assert "no-store" in kept.headers["cache-control"], "it is the holder's, and no cache's"
    found = decided(judge, own, challenge, response)
    assert found.proven
    body = signed(judge, own, found)
    decision = market.post(f"{path}/verdict", body)
    assert (decision.status, decision.json["state"]) == (201, "decided")
    assert decision.json["outcome"] == "proven"

    file = anybody.get(f"{path}/verdict").body
    assert Verdict.from_bytes(file, judge.public).proven
    digest = hashlib.sha256(file)
    assert anybody.get(f"/v1/verdicts/{digest.hexdigest()}").body == file
    kinds = [entry["kind"] for entry in anybody.get(f"/v1/entries?digest={name}").json["entries"]]
    assert kinds == ["application/vnd.zkwm.commitment", "application/vnd.zkwm.verdict"]
    events = anybody.get(f"/v1/events?after={started}").json["events"]
    assert [event["kind"] for event in events] == [
        "commitment.registered", "claim.asked", "claim.answered", "claim.decided",
    ]  # fmt: skip
    assert events[-1]["data"]["verdict"] == digest.hexdigest()
    assert (
        anybody.get(f"/v1/claims?commitment={name}&state=decided").json["claims"][0]["challenge"]
        == challenge.digest.hex()
    )


def test_everything_again_changes_nothing(
    registry: Served, judge: TestJudge, own: Claimant
) -> None:
    """A client that lost an answer sends the same body once more."""
    market = registry.caller("market.example")
    assert market.post("/v1/commitments", registration(own)).status == 201
    challenge = judge.challenge(own.commitment, marked(own.images, own.labels), reveal=50)
    path = f"/v1/claims/{challenge.digest.hex()}"
    response = own.answer(challenge, [0]).to_bytes()
    body = signed(judge, own, decided(judge, own, challenge, response))
    steps: list[tuple[str, object]] = [
        ("/v1/commitments", registration(own)),
        ("/v1/claims", challenge.to_bytes()),
        (f"{path}/answer", response),
        (f"{path}/verdict", body),
    ]
    firsts = [market.post(*step) for step in steps]
    assert [first.status for first in firsts] == [200, 201, 201, 201]
    size = market.get("/v1/log").json["size"]
    events = len(market.get(f"/v1/events?subject={challenge.digest.hex()}").json["events"])
    again = [market.post(*step) for step in steps]
    assert [one.status for one in again] == [200, 200, 200, 200]
    assert again[-1].json == firsts[-1].json
    assert market.get("/v1/log").json["size"] == size
    assert len(market.get(f"/v1/events?subject={challenge.digest.hex()}").json["events"]) == events


def test_what_only_the_holder_may_do(registry: Served, judge: TestJudge, own: Claimant) -> None:
    """Another marketplace's key, with every scope, ends and decides no claim of this one."""
    market, other = registry.caller("market.example"), registry.caller("other.example")
    challenge, path = asked(registry, judge, own, market)
    response = own.answer(challenge, [0]).to_bytes()
    assert other.post(f"{path}/answer", response).status == 201, "an answer is the owner's"
    body = signed(judge, own, decided(judge, own, challenge, response))
    assert other.post(f"{path}/withdrawal", {"reason": "no"}).status == 403
    assert other.post(f"{path}/deadline", {"answer_within": 5}).status == 403
    assert other.post(f"{path}/verdict", body).status == 403
    assert other.get(f"{path}/answer").status == 403
    assert other.post("/v1/claims", challenge.to_bytes()).status == 409
    assert registry.caller().get(path).json["state"] == "answered"
    assert registry.caller("market.example").post(f"{path}/verdict", body).status == 201


def withdrawal(challenge: Challenge, key: SigningKey, **changes: object) -> bytes:
    """An owner's word that they withdraw a claim."""
    values = {
        "commitment": challenge.commitment,
        "suspect": challenge.suspect.digest,
        "event": DisputeEvent.WITHDRAWN,
        "document": hashlib.sha256(challenge.to_bytes()).digest(),
        **changes,
    }
    return statement(DisputeStatement(**values), key)


def test_an_owner_withdraws_by_their_own_signature_alone(
    registry: Served, judge: TestJudge, own: Claimant
) -> None:
    market, brings = registry.caller("market.example"), registry.caller("anyone", Scope.ANSWER)
    challenge, path = asked(registry, judge, own, market)
    second, _ = asked(registry, judge, own, market)
    key, stranger = own.keys[0], SigningKey.generate()
    refused = {
        403: [withdrawal(challenge, stranger)],
        400: [
            withdrawal(second, key),
            withdrawal(challenge, key, event=DisputeEvent.ANSWERED),
            withdrawal(challenge, key, document=None),
            statement(CommitmentStatement(own.commitment.digest), key),
            withdrawal(challenge, key)[:-1] + b"\xff",  # an Ed25519 signature ends below 0x11
            b"nothing",
        ],
    }
    size = market.get("/v1/log").json["size"]
    for status, bodies in refused.items():
        for body in bodies:
            assert brings.post(f"{path}/owner-withdrawal", body).status == status
    assert brings.post(f"{path}/withdrawal", {}).status == 403
    assert (market.get(path).json["state"], market.get("/v1/log").json["size"]) == ("asked", size)
    assert brings.post(f"{path}/owner-withdrawal", withdrawal(challenge, key)).status == 200
    assert market.get(path).json["state"] == "withdrawn"
    assert market.get("/v1/log").json["size"] == size + 1
    late = own.answer(challenge, [0]).to_bytes()
    assert brings.post(f"{path}/answer", late).status == 409
    assert market.post(f"{path}/deadline", {"answer_within": 60}).status == 409


def test_a_registration_is_an_owners(registry: Served, own: Claimant) -> None:
    market = registry.caller("market.example")
    other = Claimant(random_images(50, seed=991), salt_seed=991)
    whole = registration(own)
    altered = bytearray(own.commitment.to_bytes())
    altered[-1] ^= 1
    for body in (
        registration(own, SigningKey.generate()),
        {**whole, "statement": registration(other)["statement"]},
        {**whole, "commitment": registration(other)["commitment"]},
        {**whole, "commitment": "AAAA"},
    ):
        assert market.post("/v1/commitments", body).status == 400
    assert market.post("/v1/commitments", {**whole, "statement": "not base64"}).status == 422
    assert market.post("/v1/commitments", {**whole, "more": ""}).status == 422
    assert market.post("/v1/commitments", b"{").status == 422
    assert market.get(f"/v1/commitments/{own.commitment.digest.hex()}").status == 404
    name = own.commitment.digest.hex()
    key = own.keys[0].public.fingerprint()
    assert market.get(f"/v1/proof/{name}?key={key}").status == 404


def test_a_claim_is_asked_and_decided_by_a_trusted_judge(
    registry: Served, judge: TestJudge, own: Claimant
) -> None:
    market = registry.caller("market.example")
    stranger, suspect = new_judge(), marked(own.images, own.labels)
    unregistered = judge.challenge(own.commitment, suspect, reveal=50)
    assert market.post("/v1/claims", unregistered.to_bytes()).status == 409
    challenge, path = asked(registry, judge, own, market)
    foreign = stranger.challenge(own.commitment, suspect, reveal=50)
    assert market.post("/v1/claims", foreign.to_bytes()).status == 400
    forged = bytearray(foreign.signed_by(stranger.key.signing).to_bytes())
    forged[-1] ^= 1
    assert market.post("/v1/claims", bytes(forged)).status == 400

    response = own.answer(challenge, [0]).to_bytes()
    found = decided(judge, own, challenge, response)
    body = signed(judge, own, found)
    assert market.post(f"{path}/verdict", body).status == 409, "nobody handed in the answer"
    assert market.post(f"{path}/answer", response).status == 201
    second, other_path = asked(registry, judge, own, market)
    market.post(f"{other_path}/answer", own.answer(second, [0]).to_bytes())
    assert market.post(f"{other_path}/verdict", body).status == 400, "of another claim"
    by_stranger = found.signed_by(stranger.key.signing, stranger.key.public)
    digest = hashlib.sha256(by_stranger).digest()
    for wrong in (
        verdict(stranger, own, by_stranger, digest),
        {**body, "statement": verdict(stranger, own, by_stranger, digest)["statement"]},
        verdict(judge, own, judge.sign_verdict(found), bytes(32)),
    ):
        assert market.post(f"{path}/verdict", wrong).status == 400
    assert market.get(path).json["state"] == "answered"
    assert market.get(f"{path}/verdict").status == 404
    assert market.post(f"{path}/verdict", body).status == 201


def test_an_answer_is_the_owners_and_in_time(
    registry: Served, judge: TestJudge, own: Claimant, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = registry.caller("market.example")
    challenge, path = asked(registry, judge, own, market, answer_within=100)
    stranger = Claimant(own.images, keys=(SigningKey.generate(),))
    assert market.post(f"{path}/answer", stranger.answer(challenge, [0]).to_bytes()).status == 400
    assert market.post(f"{path}/answer", b"nothing").status == 400
    clock = challenge.issued + 1000
    monkeypatch.setattr("zkwm.marketplace.cases.now", lambda: clock)
    assert market.get(path).json["state"] == "overdue"
    assert challenge.digest.hex() in market.get("/v1/claims?state=overdue").body.decode()
    assert tell_overdue(registry.database) >= 1
    assert tell_overdue(registry.database) == 0
    events = market.get(f"/v1/events?subject={challenge.digest.hex()}").json["events"]
    assert [event["kind"] for event in events] == ["claim.asked", "claim.overdue"]
    response = own.answer(challenge, [0]).to_bytes()
    late = market.post(f"{path}/answer", response)
    assert (late.status, "deadline" in late.json["hint"]) == (409, True)
    assert market.post(f"{path}/deadline", {"answer_within": 60}).json["state"] == "asked"
    assert market.post(f"{path}/answer", response).status == 201


def test_proofs_of_the_log_by_index_and_size(registry: Served, own: Claimant) -> None:
    market = registry.caller("market.example")
    entry = market.post("/v1/commitments", registration(own)).json["entry"]
    stated = statement(CommitmentStatement(own.commitment.digest), own.keys[0])
    market.post("/v1/entries", statement(CommitmentStatement(bytes(32)), own.keys[0]))
    log = registry.registry.log.log
    new = TreeHead(log.row.size, log.row.root)
    found = market.get(f"/v1/inclusion?index={entry}&size={new.size}").json["hashes"]
    verify_inclusion(leaf_hash(stated), entry, new, [bytes.fromhex(one) for one in found])
    assert SignedStatement.from_bytes(stated).content == CommitmentStatement(own.commitment.digest)
    market.post("/v1/entries", statement(CommitmentStatement(bytes([7]) * 32), own.keys[0]))
    newest = TreeHead(log.row.size, log.row.root)
    path = f"/v1/consistency?older={new.size}&newer={newest.size}"
    hashes = market.get(path).json["hashes"]
    verify_consistency(new, newest, [bytes.fromhex(one) for one in hashes])
    for path in (
        f"/v1/consistency?older={newest.size}&newer={newest.size + 1}",
        f"/v1/consistency?older={newest.size}&newer=1",
        f"/v1/inclusion?index={newest.size}&size={newest.size}",
    ):
        assert market.get(path).status == 404


def test_a_file_that_a_log_dated_needs_no_statement_beside_it(
    registry: Served, own: Claimant
) -> None:
    """As ``zkwm register --log`` writes it: the log's proof carries the owner's statement."""
    market, key = registry.caller("market.example"), own.keys[0]
    octets = {"content-type": "application/octet-stream"}
    bare = own.commitment.to_bytes()
    assert market.post("/v1/commitments", bare, **octets).status == 400
    stated = statement(CommitmentStatement(own.commitment.digest), key)
    entry = market.post("/v1/entries", stated).json
    logged = LoggedStatement(
        SignedStatement.from_bytes(stated), ProofFile.from_bytes(entry["proof"].encode())
    )
    by_another = sign_statement(CommitmentStatement(own.commitment.digest), SigningKey.generate())
    for proof, status in ((replace(logged, statement=by_another), 400), (logged, 201)):
        file = replace(own.commitment, log_proofs=(proof,)).to_bytes()
        answer = market.post("/v1/commitments", file, **octets)
        assert answer.status == status
    assert answer.json["entry"] == entry["index"]
    bare_again = registry.caller("other.example").post("/v1/commitments", registration(own))
    assert (bare_again.status, bare_again.json["holder"]) == (200, "market.example")
    name = own.commitment.digest.hex()
    assert market.get(f"/v1/commitments/{name}/file").body == file, "no date is lost by another"
