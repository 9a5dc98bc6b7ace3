"""``zkwm.marketplace``: registering, challenging, settling. Attacks: adversarial/."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispute import Claimant, TableSuspect, marked, random_images
from zkwm.judge.judge import Judge
from zkwm.marketplace import Marketplace
from zkwm_protocols.errors import CouldNotCheck, Malformed, NotProven, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture(scope="module")
def owner() -> Claimant:
    return Claimant(random_images(200))


@pytest.fixture
def market(tmp_path: Path, judge: Judge) -> Marketplace:
    return Marketplace(tmp_path / "market", judge)


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


def test_registering_twice_is_once(market: Marketplace, owner: Claimant, tmp_path: Path) -> None:
    assert market.register(owner.commitment) == market.register(owner.commitment)
    assert len(list((tmp_path / "market" / "commitments").iterdir())) == 1


def test_a_folder_is_opened_again(
    market: Marketplace, owner: Claimant, judge: Judge, tmp_path: Path
) -> None:
    name = market.register(owner.commitment)
    stolen_model = marked(owner.images, owner.labels)
    challenge = market.challenge(name, stolen_model)
    market.settle(stolen_model, challenge, owner.answer(challenge, [1]))
    again = Marketplace(tmp_path / "market", judge)
    later = again.challenge(name, TableSuspect(name="another"))
    assert later.excluded_blocks == (1,)
    assert later.policy.functions_tried == 2


def test_the_policy_of_the_marketplace_is_in_its_challenges(
    tmp_path: Path, judge: Judge, owner: Claimant
) -> None:
    policy = Policy(threshold_bits=30, functions_tried=5)
    market = Marketplace(tmp_path / "market", judge, policy)
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


@pytest.mark.parametrize("folder", ["file", "file/below", "nul\0"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, judge: Judge, folder: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError):
        Marketplace(f"{tmp_path}/{folder}", judge)


@pytest.mark.parametrize(
    "damage", [b"[" * 100_000, b"{}", b'{"checks": 1}', b'"x"', b"\xff", b"outcome", b"checks"]
)
def test_a_damaged_verdict_is_named(
    market: Marketplace, owner: Claimant, tmp_path: Path, damage: bytes
) -> None:
    name = market.register(owner.commitment)
    suspect = TableSuspect(name="innocent")
    challenge = market.challenge(name, suspect)
    proof = owner.answer(challenge, [0])
    with pytest.raises(NotProven):
        market.settle(suspect, challenge, proof)
    (path,) = tmp_path.glob("market/verdicts/*.json")
    if damage in (b"outcome", b"checks"):
        damage = json.dumps(json.loads(path.read_bytes()) | {damage.decode(): [1]}).encode()
    path.write_bytes(damage)
    with pytest.raises(Malformed, match="is not a verdict"):
        market.verdicts()
    with pytest.raises(Malformed, match="is not a verdict"):
        market.settle(suspect, challenge, proof)


def test_no_verdict_is_kept_under_a_lock_that_was_removed(
    market: Marketplace, owner: Claimant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspect = marked(owner.images, owner.labels)
    challenge = market.challenge(market.register(owner.commitment), suspect)
    proof = owner.answer(challenge, [0])
    market.settle(suspect, challenge, proof)
    (path,) = tmp_path.glob("market/verdicts/*.json")
    before = path.read_bytes()

    def removed(file: Path) -> dict[str, Any]:
        (tmp_path / "market" / ".lock").unlink()  # what a cleaner does
        value: dict[str, Any] = json.loads(file.read_bytes())
        return value

    with monkeypatch.context() as patched:
        patched.setattr("zkwm.marketplace._read_json", removed)
        with pytest.raises(CouldNotCheck, match="its lock file was removed") as caught:
            market.settle(suspect, challenge, proof)
    assert "settle again" in caught.value.hint
    assert path.read_bytes() == before
    assert market.settle(suspect, challenge, proof).proven
