"""The stored vectors: building them again gives the same; both implementations agree on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference import commitment as reference
from tests.reference.cbor import write
from tests.reference.judge import CHECKS, Examination, examine
from tests.reference.signatures import fingerprint
from tests.support.stored_vectors import Case, cases, judge_key, judged, vectors
from tests.vectors.exchange import label_seed as cached_seed
from tests.vectors.generate import generate
from zkwm.judge.checks import TITLES
from zkwm_protocols import evidence, merkle
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment, Header
from zkwm_protocols.errors import (
    CouldNotCheck,
    NotProven,
    TrustMaterialMissing,
    UsageError,
    ZkwmError,
)
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.labels import derive_labels, label_seed
from zkwm_protocols.leaves import leaf
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.opening import Opening, check_leaves, open_sealed
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import ranks, weights
from zkwm_protocols.score_points import points
from zkwm_protocols.score_tails import ScoreLaw, score_sum
from zkwm_protocols.sealing import unseal

COMMITMENT = vectors("commitment")
EVIDENCE = vectors("evidence")
EXCHANGE = vectors("exchange")
CASES = {case.name: case for case in cases()}
OUTCOMES: dict[str, tuple[type[ZkwmError], ...]] = {
    "commitment.timestamp": (TrustMaterialMissing,),
    "challenge.reachable": (UsageError, CouldNotCheck),
    "opening.labels": (NotProven,),
    "evidence.threshold": (NotProven,),
}


def examined(case: Case) -> Examination:
    return examine(
        case.commitment,
        case.challenge,
        case.proof,
        judge=judge_key().public.to_map(),
        box_secret=judge_key().box.to_bytes(),
        suspect=case.suspect,
        answers=lambda images: [case.answers[image] for image in images],
        seed=cached_seed,
    )


@pytest.mark.parametrize(
    "name", ["commitment", "evidence", "exchange", "ranks", "scores", "relearning"]
)
def test_generated_again_they_are_the_same(name: str, generated: dict[str, Any]) -> None:
    assert generated[name] == vectors(name)


@pytest.fixture(scope="module")
def generated() -> dict[str, Any]:
    made = generate()
    assert isinstance(made, dict)
    return made


def test_ranks() -> None:
    stored = vectors("ranks")
    for case in stored["weights"]:
        assert list(weights(case["class_count"])) == case["weights"]
    for case in stored["examples"]:
        assert list(ranks(np.array(case["scores"]), case["labels"])) == case["ranks"]
    for case in stored["sums"]:
        found = evidence.assess(
            0, rank_sum=case["sum"], policy=Policy(), blocks_used=1, block_count=1,
            block_size=case["trials"], class_count=case["class_count"],
        )  # fmt: skip
        assert found.terms[0].hundredths == case["term"]


def test_points() -> None:
    for case in vectors("scores")["examples"]:
        table = points(np.array(case["scores"], np.float64))
        assert table.tolist() == case["points"], case["name"]
        rows = [row.tobytes() for row in table] + [None] * case["unanswered"]
        law = ScoreLaw.of(rows, table.shape[1])
        assert score_sum(rows, case["labels"] + [0] * case["unanswered"]) == case["sum"]
        found = evidence.assess(
            0, score_sum=(case["sum"], law), policy=Policy(), blocks_used=1, block_count=1,
            block_size=len(rows), class_count=table.shape[1],
        )  # fmt: skip
        assert found.terms[0].hundredths == case["term"], case["name"]


def test_both_know_the_same_checks_in_the_same_order() -> None:
    assert tuple(TITLES) == CHECKS


def test_every_check_has_a_case_that_fails_it() -> None:
    failed = {name for case in cases() for name, r in case.checks.items() if r == "failed"}
    # Under evidence.threshold nothing can fail that did not fail before: its cases pass the rest.
    assert failed == set(CHECKS)


@pytest.mark.parametrize("name", CASES)
def test_the_reference_agrees(name: str) -> None:
    case = CASES[name]
    found = examined(case)
    assert found.first_failed == case.check
    assert found.results == case.checks
    assert [trigger.label for trigger in found.opened] == case.labels
    assert (found.matches, found.evidence) == (case.matches, case.evidence)


@pytest.mark.parametrize("name", CASES)
def test_the_package_agrees(name: str) -> None:
    case = CASES[name]
    verdict, error = judged(name)
    assert (None if error is None else error.check) == case.check
    if case.check is not None:
        assert isinstance(error, OUTCOMES.get(case.check, (CouldNotCheck,)))
    failed = [check.id for check in verdict.checks if check.status == "failed"]
    assert failed == [check for check, result in case.checks.items() if result == "failed"]
    if case.evidence is not None:
        assert verdict.evidence is not None
        assert verdict.evidence.matches == case.matches
        assert verdict.evidence.total_hundredths == case.evidence


@pytest.mark.parametrize("name", CASES)
def test_a_check_that_fails_has_all_before_it_passed(name: str) -> None:
    case = CASES[name]
    verdict, _ = judged(name)
    if case.check is None:
        unsure = {"opening.leaves", "commitment.timestamp"}
        assert {c.status for c in verdict.checks if c.id not in unsure} == {"passed"}
        return
    # The suspect is opened after everything that needs no suspect (SPEC.md 9.2).
    before = CHECKS[: CHECKS.index(case.check)]
    statuses = {check.id: check.status for check in verdict.checks}
    unknown = {"opening.leaves", "challenge.suspect", "commitment.timestamp"}
    assert {statuses[name] for name in before if name not in unknown} <= {"passed"}


def test_values_of_the_good_exchange() -> None:
    case, key = cases()[0], judge_key()
    commitment = Commitment.from_bytes(case.commitment)
    challenge = Challenge.from_bytes(case.challenge)
    opening = Opening.from_bytes(case.proof)
    assert commitment.header.to_bytes().hex() == EXCHANGE["header"]
    assert commitment.digest.hex() == EXCHANGE["digest"]
    assert label_seed(commitment.digest, None).hex() == EXCHANGE["label_seed"]
    assert challenge.body().hex() == EXCHANGE["challenge_body"]
    assert challenge.digest.hex() == EXCHANGE["challenge_digest"]
    assert unseal(opening.sealed, key.box).hex() == EXCHANGE["plaintext"]
    assert opening.body().hex() == EXCHANGE["response_body"]
    assert opening.digest.hex() == EXCHANGE["response_digest"]
    triggers = check_leaves(commitment, open_sealed(commitment, challenge, opening, key.box))
    assert [trigger.label for trigger in triggers] == case.labels
    for name in ("judge", "other_judge"):
        judge_map = {
            "signing": {
                "algorithm": "ed25519",
                "public": bytes.fromhex(EXCHANGE[name]["signing"]["public"]),
            },
            "box": bytes.fromhex(EXCHANGE[name]["box"]["public"]),
        }
        assert write(judge_map).hex() == EXCHANGE[name]["encoding"]
        assert fingerprint("zkwm-judge-1", judge_map) == EXCHANGE[name]["fingerprint"]
    assert key.public.fingerprint() == EXCHANGE["judge"]["fingerprint"]


@pytest.mark.parametrize("vector", COMMITMENT["leaves"], ids=lambda vector: vector["name"])
def test_leaves(vector: dict[str, Any]) -> None:
    pixels, salt = bytes.fromhex(vector["pixels"]), bytes.fromhex(vector["salt"])
    image = np.frombuffer(pixels, dtype=np.uint8).reshape(vector["shape"])
    assert leaf(image, salt, vector["label"]).hex() == vector["leaf"]
    assert reference.leaf(vector["shape"], vector["label"], salt, pixels).hex() == vector["leaf"]


@pytest.mark.parametrize("vector", COMMITMENT["roots"], ids=lambda v: str(len(v["entries"])))
def test_roots(vector: dict[str, Any]) -> None:
    entries = [bytes.fromhex(entry) for entry in vector["entries"]]
    assert merkle.root(entries).hex() == vector["root"]


@pytest.mark.parametrize("vector", COMMITMENT["commitments"], ids=lambda vector: vector["name"])
def test_commitments(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["file"])
    commitment = Commitment.from_bytes(data)
    assert commitment.to_bytes() == data
    assert commitment.header.to_bytes().hex() == vector["header"]
    assert commitment.digest.hex() == vector["digest"]
    assert commitment.header.root.hex() == vector["root"]
    assert [signature.hex() for signature in commitment.signatures] == vector["signatures"]
    commitment.verify_root()
    commitment.verify_signatures()
    keys = [owner["fingerprint"] for owner in vector["owners"]]
    assert [key.fingerprint() for key in commitment.header.owner_keys] == keys


def test_commitments_are_made_like_the_vectors() -> None:
    for vector in COMMITMENT["commitments"][:3]:
        header = Header.from_bytes(bytes.fromhex(vector["header"]))
        flat = [np.frombuffer(bytes.fromhex(image), np.uint8) for image in vector["images"]]
        declared, names = vector["declared_labels"], vector["class_names"]
        made = make_commitment(
            np.stack(flat).reshape(-1, *header.shape),
            [bytes.fromhex(salt) for salt in vector["salts"]],
            class_count=header.class_count,
            signers=tuple(
                SigningKey.from_bytes(owner["algorithm"], bytes.fromhex(owner["secret"]))
                for owner in vector["owners"]
            ),
            block_size=header.block_size,
            declared_labels=None if declared is None else np.array(declared, dtype=np.int64),
            owner_model=header.owner_model,
            class_names=None if names is None else tuple(names),
            probe_data=header.probe_data,
        )
        assert made.to_bytes().hex() == vector["file"]


def test_labels() -> None:
    for vector in COMMITMENT["labels"]:
        digest = bytes.fromhex(vector["digest"])
        beacon = None if vector["beacon"] is None else bytes.fromhex(vector["beacon"])
        assert label_seed(digest, beacon).hex() == vector["seed"]
        labels = derive_labels(digest, beacon, 20, vector["class_count"])
        assert labels.tolist() == vector["labels"]


@pytest.mark.parametrize("vector", EVIDENCE["sums"], ids=lambda v: f"{v['matches']}")
def test_sums(vector: dict[str, Any]) -> None:
    policy = Policy(
        threshold_bits=vector["threshold_bits"],
        functions_tried=vector["functions_tried"],
        owner_choice_bits=vector["owner_choice_bits"],
    )
    numbers = ("blocks_used", "block_count", "block_size", "class_count", "map_bits")
    found = evidence.assess(
        vector["matches"], policy=policy, **{name: vector[name] for name in numbers}
    )
    assert [term.hundredths for term in found.terms] == vector["terms"]
    assert found.total_hundredths == vector["total"]
    assert found.needed_matches == vector["needed_matches"]


@pytest.mark.parametrize("vector", EVIDENCE["class_maps"], ids=lambda v: f"{v['outputs']}")
def test_class_maps(vector: dict[str, Any]) -> None:
    bits = evidence.class_map_bits(vector["outputs"], vector["class_count"])
    assert bits == vector["bits"]
