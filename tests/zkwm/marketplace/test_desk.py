"""``zkwm.marketplace``: registering, listing, challenging, settling. Attacks: adversarial/."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import update

from tests.support.dispute import Claimant, TableSuspect, marked, random_images
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm.marketplace import Marketplace
from zkwm.registry_database.tables import VERDICTS
from zkwm_protocols.errors import CouldNotCheck, NotProven, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing

pytestmark = pytest.mark.usefixtures("quick_labels")


def test_from_registration_to_a_verdict(market: Marketplace, owner: Claimant) -> None:
    name = market.register(owner.commitment)
    assert name == owner.commitment.digest.hex()
    assert market.commitment(name) == owner.commitment
    stolen_model = marked(owner.images, owner.labels)
    challenge = market.challenge(name, stolen_model, purpose="listing 17")
    assert challenge.block_count == 1
    assert challenge.purpose == "listing 17"
    verdict = market.settle(stolen_model, challenge, owner.answer(challenge, [0]).to_bytes())
    assert verdict.proven
    assert market.verdicts() == {challenge.digest.hex(): verdict.to_json()}


def test_a_verdict_that_is_not_proven_is_kept_too(market: Marketplace, owner: Claimant) -> None:
    name = market.register(owner.commitment)
    suspect = TableSuspect(name="innocent")
    challenge = market.challenge(name, suspect)
    with pytest.raises(NotProven):
        market.settle(suspect, challenge, owner.answer(challenge, [0]))
    assert market.verdicts()[challenge.digest.hex()]["outcome"] == "not proven"


def test_the_first_answers_stay_though_the_suspect_answers_otherwise_later(
    market: Marketplace, owner: Claimant
) -> None:
    name = market.register(owner.commitment)
    stolen_model = marked(owner.images, owner.labels)
    challenge = market.challenge(name, stolen_model)
    response = owner.answer(challenge, [0])
    proven = market.settle(stolen_model, challenge, response)
    changed = TableSuspect(name="innocent")
    changed.identity = stolen_model.identity
    assert market.settle(changed, challenge, response).evidence == proven.evidence
    assert changed.asked == []
    assert market.verdicts()[challenge.digest.hex()]["outcome"] == "proven"


def test_registering_twice_is_once(market: Marketplace, owner: Claimant) -> None:
    assert market.register(owner.commitment) == market.register(owner.commitment)
    (kept,) = market.commitments()
    fingerprints = tuple(key.fingerprint() for key in owner.commitment.header.owner_keys)
    assert (kept.id, kept.owner_keys) == (owner.commitment.digest.hex(), fingerprints)
    assert market.commitments(owner=fingerprints[0]) == (kept,)
    assert market.commitments(owner="aaaa") == ()


def test_a_database_is_opened_again(
    market: Marketplace, owner: Claimant, judge: Judge, location: str
) -> None:
    name = market.register(owner.commitment)
    stolen_model = marked(owner.images, owner.labels)
    challenge = market.challenge(name, stolen_model)
    market.settle(stolen_model, challenge, owner.answer(challenge, [1]))
    with Marketplace(location, judge) as again:
        later = again.challenge(name, TableSuspect(name="another"))
        assert again.verdicts() == market.verdicts()
    assert later.excluded_blocks == (1,)
    assert later.policy.functions_tried == 2


def test_the_policy_of_the_marketplace_is_in_its_challenges(
    location: str, judge: Judge, owner: Claimant
) -> None:
    policy = Policy(threshold_bits=30, functions_tried=5)
    market = Marketplace(location, judge, policy)
    name = market.register(owner.commitment)
    first = market.challenge(name, TableSuspect(name="one"), reveal=100)
    assert first.block_count == 2
    assert first.policy == policy
    with pytest.raises(NotProven):
        market.settle(TableSuspect(name="one"), first, owner.answer(first, [0, 1]))
    assert market.challenge(name, TableSuspect(name="two")).policy.functions_tried == 6


def test_commitments_do_not_share_their_counts(market: Marketplace, owner: Claimant) -> None:
    other = Claimant(random_images(200, 1))
    names = [market.register(who.commitment) for who in (owner, other)]
    suspect = TableSuspect(name="a model")
    market.challenge(names[0], suspect)
    assert market.challenge(names[1], TableSuspect(name="b")).policy.functions_tried == 1


def test_unknown_commitments_are_refused(market: Marketplace) -> None:
    with pytest.raises(UsageError):
        market.commitment("0" * 64)


def test_two_at_once_count_each_other(market: Marketplace, owner: Claimant) -> None:
    name = market.register(owner.commitment)
    counts: list[int | None] = []

    def settle(number: int) -> None:
        suspect = TableSuspect(name=f"model {number}")
        challenge = market.challenge(name, suspect)
        with pytest.raises(NotProven) as caught:
            market.settle(suspect, challenge, owner.answer(challenge, [number]))
        counts.append(caught.value.verdict.functions_tried)

    challenges = [market.challenge(name, TableSuspect(name=f"m {n}")) for n in range(6)]
    assert {challenge.policy.functions_tried for challenge in challenges} == {1}
    threads = [threading.Thread(target=settle, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [1, 2, 3, 4]


class SlowSuspect(TableSuspect):
    """A suspect whose file takes as long to read as a test wants."""

    reached, go_on = threading.Event(), threading.Event()

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        self.reached.set()
        assert self.go_on.wait(60)


def test_a_slow_suspect_holds_up_nobody(market: Marketplace, owner: Claimant) -> None:
    """A listing that takes minutes to read: others are settled meanwhile."""
    name = market.register(owner.commitment)
    slow = SlowSuspect(name="slow")
    thread = threading.Thread(target=lambda: market.challenge(name, slow), daemon=True)
    thread.start()
    assert slow.reached.wait(60)
    stolen_model = marked(owner.images, owner.labels)
    challenge = market.challenge(name, stolen_model, preprocessing=Preprocessing(scale="raw"))
    assert challenge.preprocessing.scale == "raw"
    assert market.settle(stolen_model, challenge, owner.answer(challenge, [0])).proven
    slow.go_on.set()
    thread.join()


def test_terms_of_a_case(market: Marketplace, owner: Claimant) -> None:
    """Preprocessing, class map, statistic, blocks known from elsewhere, a policy of its own."""
    name = market.register(owner.commitment)
    turned = tuple(reversed(range(10)))
    challenge = market.challenge(
        name,
        TableSuspect(),
        preprocessing=Preprocessing(layout="nhwc"),
        class_map=turned,
        statistic="ranks",
        excluded_blocks=(2, 0),
        policy=Policy(threshold_bits=50),
        purpose="claim on listing 17",
    )
    assert challenge.preprocessing.layout == "nhwc"
    assert (challenge.class_map, challenge.statistic) == (turned, "ranks")
    assert (challenge.excluded_blocks, challenge.policy.threshold_bits) == ((0, 2), 50)
    assert market.issued(challenge.digest.hex()) == challenge


def test_listing_and_first_sights_stand_in_the_verdict(
    market: Marketplace, owner: Claimant, clock: list[float]
) -> None:
    name = market.register(owner.commitment)
    clock[0] += 1000
    suspect = marked(owner.images, owner.labels)
    listed = market.add_listing("17", suspect, url="https://shop.example/17")
    clock[0] += 1000
    market.register(owner.commitment)
    assert market.add_listing("17", suspect) == listed  # the first sight stands
    challenge = market.challenge(name, suspect, listing="17")
    verdict = market.settle(suspect, challenge, owner.answer(challenge, [0]))
    assert verdict.particulars.listing == "17"
    assert verdict.first_seen is not None
    assert verdict.first_seen.suspect - verdict.first_seen.commitment == 1000
    assert listed.first_seen == verdict.first_seen.suspect
    assert [case.listing for case in market.cases(listing="17")] == ["17"]
    assert "17" in market.report(challenge)


def test_a_listing_that_changed_its_file_is_added_again(
    market: Marketplace, owner: Claimant
) -> None:
    name = market.register(owner.commitment)
    first, second = TableSuspect(name="one"), TableSuspect(name="two")
    market.add_listing("17", first)
    with pytest.raises(UsageError, match="not added under the listing '17'"):
        market.challenge(name, second, listing="17")
    market.add_listing("17", second)
    market.challenge(name, second, listing="17")
    assert len(market.listings("17")) == len(market.listings()) == 2


@pytest.mark.parametrize("listing", ["", "a\nb", "x" * 201])
def test_a_listing_has_a_printable_id(market: Marketplace, listing: str) -> None:
    with pytest.raises(UsageError, match="a listing's id"):
        market.add_listing(listing, TableSuspect())


def test_proof_and_report_are_kept(market: Marketplace, owner: Claimant) -> None:
    suspect = marked(owner.images, owner.labels)
    challenge = market.challenge(market.register(owner.commitment), suspect)
    proof = owner.answer(challenge, [0]).to_bytes()
    for missing in (market.proof, market.report, market.verdict_file):
        with pytest.raises(UsageError):
            missing(challenge)
    market.settle(suspect, challenge, proof)
    assert market.proof(challenge) == proof
    kept = market.verdict(challenge)
    assert (kept.outcome, kept.judge) == ("proven", market.judge.public)
    assert Verdict.from_bytes(market.verdict_file(challenge), market.judge.public) == kept
    full, public = market.report(challenge), market.report(challenge, public=True)
    assert "data:image/png" in full
    assert "data:image/png" not in public


def test_a_verdict_that_somebody_changed_is_not_the_judges(
    market: Marketplace, owner: Claimant
) -> None:
    suspect = marked(owner.images, owner.labels)
    challenge = market.challenge(market.register(owner.commitment), suspect)
    market.settle(suspect, challenge, owner.answer(challenge, [0]))
    file = market.verdict_file(challenge)
    changed = file.replace(b"proven", b"Proven", 1)
    with market._database.writing(bytes(32)) as connection:
        connection.execute(update(VERDICTS).values(file=changed))
    with pytest.raises(CouldNotCheck):
        market.verdict(challenge)
