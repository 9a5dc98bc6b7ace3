"""The challenge: every limit of its fields, what the judge signs, what does not fit."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.cbor import RejectedError, read
from tests.reference.commitment import file_value
from tests.reference.exchange import read_challenge
from tests.support.stored_vectors import cases
from tests.vectors.build import JUDGE, OTHER_JUDGE, challenge_map, file
from tests.vectors.exchange import put
from zkwm_protocols.challenge import ArgumentChallenge, Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import (
    CouldNotCheck,
    InvalidOpening,
    InvalidSignature,
    Malformed,
    Unsupported,
    UsageError,
)
from zkwm_protocols.feasibility import require_reachable
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity, SuspectKind

GOOD = cases()[0]
BODY: dict[str, Any] = read(file_value("challenge", GOOD.challenge, 2**22)["body"], 2**22)
COMMITMENT = Commitment.from_bytes(GOOD.commitment)
CHALLENGE = Challenge.from_bytes(GOOD.challenge)


def written(*path: str | int, to: Any) -> bytes:
    """A signed challenge file with one entry of its body replaced."""
    body = copy.deepcopy(BODY)
    put(*path, to=to)(body)
    return file("challenge", challenge_map(body))


def read_by_both(data: bytes) -> Challenge:
    """What the package reads; the reference must accept it too, or both refuse."""
    try:
        challenge = Challenge.from_bytes(data)
    except (Malformed, Unsupported):
        with pytest.raises(RejectedError):
            read_challenge(data)
        raise
    assert read_challenge(data)["digest"] == challenge.digest
    assert challenge.to_bytes() == data
    return challenge


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("suspect", "kind"), "safetensors"),
        (("suspect", "description"), ""), (("suspect", "description"), "\u6c34" * 500),
        (("suspect", "description"), "a\u00a0b\u200d\u3000"),
        (("suspect", "outputs"), 2), (("suspect", "outputs"), 1_000_000),
        (("suspect", "shape"), [1, 65_535, 65_535]), (("suspect", "shape"), [1, 1, 1]),
        (("preprocessing",), {"layout": "nhwc", "scale": "raw", "mean": [], "std": [],
                               "channels": "rgb"}),
        (("preprocessing", "mean"), ["-0"]), (("preprocessing", "mean"), ["-999999.999999999999"]),
        (("preprocessing", "std"), ["0.000000000001"]),
        (("class_map",), [0, 1]), (("class_map",), [0, 0]), (("class_map",), [1_000_000] * 3),
        (("class_map",), list(range(65_535))),
        (("block_count",), 1), (("block_count",), 100_000),
        (("excluded_blocks",), []), (("excluded_blocks",), [0, 100_000]),
        (("purpose",), ""), (("purpose",), "x" * 500), (("purpose",), "<b>'\"\\"),
        (("issued",), 1_794_873_600), (("issued",), 2**40),
        (("policy", "threshold_bits"), 1), (("policy", "threshold_bits"), 10_000),
        (("policy", "functions_tried"), 10**9), (("policy", "owner_choice_bits"), 10**7),
        (("policy", "accept_declared_labels"), True),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_challenges_that_are_read(path: tuple[str, ...], value: Any) -> None:
    read_by_both(written(*path, to=value)).verify_signature()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("type",), "zkwm-opening"), (("version",), 1), (("version",), True), (("mode",), ""),
        (("mode",), b"opening"), (("commitment",), bytes(31)), (("commitment",), None),
        (("suspect",), None), (("suspect", "kind"), "torch"), (("suspect", "kind"), None),
        (("suspect", "digest"), bytes(33)), (("suspect", "description"), "x" * 501),
        (("suspect", "description"), None), (("suspect", "description"), b"text"),
        (("suspect", "outputs"), 1), (("suspect", "outputs"), 1_000_001),
        (("suspect", "outputs"), True), (("suspect", "shape"), [1, 2]),
        (("suspect", "shape"), [0, 2, 2]), (("suspect", "shape"), [1, 65_536, 1]),
        (("suspect", "shape"), [3, 2, 2]), (("suspect", "shape"), [1, 2, True]),
        (("preprocessing",), {}), (("preprocessing", "layout"), "chw"),
        (("preprocessing", "scale"), "UNIT"), (("preprocessing", "mean"), []),
        (("preprocessing", "mean"), ["0.5", "0.5"]), (("preprocessing", "mean"), [0]),
        (("preprocessing", "mean"), ["1e3"]), (("preprocessing", "mean"), ["+1"]),
        (("preprocessing", "mean"), ["01"]), (("preprocessing", "mean"), ["1."]),
        (("preprocessing", "mean"), [".5"]), (("preprocessing", "mean"), ["nan"]),
        (("preprocessing", "mean"), ["inf"]), (("preprocessing", "mean"), [" 1"]),
        (("preprocessing", "mean"), ["1\n"]), (("preprocessing", "mean"), ["\u0661"]),
        (("preprocessing", "mean"), ["1000000"]), (("preprocessing", "mean"), ["0." + "0" * 13]),
        (("preprocessing", "std"), ["0"]), (("preprocessing", "std"), ["0.000"]),
        (("preprocessing", "std"), ["-0"]), (("preprocessing", "std"), ["-1"]),
        (("class_map",), []), (("class_map",), [0]), (("class_map",), [-1, 0]),
        (("class_map",), [0, 1_000_001]), (("class_map",), [False, True]),
        (("class_map",), ["0", "1"]), (("class_map",), [0] * 65_536), (("class_map",), {}),
        (("judge",), None), (("judge", "box"), bytes(32)), (("judge", "box"), b"\x01" + bytes(31)),
        (("judge", "box"), b"\xed" + b"\xff" * 30 + b"\x7f"), (("judge", "box"), b"\xff" * 32),
        (("judge", "box"), bytes(31)), (("judge", "signing", "algorithm"), "rsa"),
        (("judge", "signing", "public"), bytes(32)),
        (("nonce",), bytes(31)), (("nonce",), ""), (("block_count",), 0),
        (("block_count",), 100_001), (("block_count",), True), (("block_count",), -1),
        (("excluded_blocks",), [1, 1]), (("excluded_blocks",), [2, 1]),
        (("excluded_blocks",), [-1]), (("excluded_blocks",), [100_001]),
        (("excluded_blocks",), [False, True]), (("excluded_blocks",), None),
        (("purpose",), "x" * 501), (("purpose",), "a\nb"), (("purpose",), "a\x00"),
        (("purpose",), "\x1b[31m"), (("purpose",), "\u202e"), (("purpose",), "\u2028"),
        (("purpose",), "\ufeff"), (("purpose",), "\u200b"), (("purpose",), "\x85"),
        (("purpose",), "\U000e0041"), (("purpose",), None), (("issued",), -1),
        (("issued",), 0), (("issued",), 1_794_873_599),
        (("issued",), 2**40 + 1), (("policy",), None), (("policy", "threshold_bits"), 0),
        (("policy", "threshold_bits"), 10_001), (("policy", "threshold_bits"), True),
        (("policy", "functions_tried"), 0), (("policy", "functions_tried"), 10**9 + 1),
        (("policy", "owner_choice_bits"), -1), (("policy", "owner_choice_bits"), 10**7 + 1),
        (("policy", "accept_declared_labels"), 1), (("policy", "accept_declared_labels"), None),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_challenges_that_are_refused(path: tuple[str, ...], value: Any) -> None:
    with pytest.raises((Malformed, Unsupported)):
        read_by_both(written(*path, to=value))


@pytest.mark.parametrize("inside", [(), ("suspect",), ("preprocessing",), ("judge",), ("policy",)])
def test_exactly_these_fields(inside: tuple[str, ...]) -> None:
    fields = BODY[inside[0]] if inside else BODY
    with pytest.raises(Malformed):
        read_by_both(written(*inside, "comment", to="x"))
    for name in fields:
        body = copy.deepcopy(BODY)
        del (body[inside[0]] if inside else body)[name]
        with pytest.raises(Malformed):
            read_by_both(file("challenge", challenge_map(body)))


@pytest.mark.parametrize(
    "outer",
    [
        {},
        {"body": b""},
        {"body": None, "signature": bytes(64)},
        {"body": b"\xa0", "signature": b""},
    ],
)
def test_other_files_are_refused(outer: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_by_both(file("challenge", outer))


def test_the_judge_signs_the_body() -> None:
    CHALLENGE.verify_signature()
    unsigned = replace(CHALLENGE, signature=b"")
    assert unsigned.digest == CHALLENGE.digest == hashlib.sha256(CHALLENGE.body()).digest()
    assert unsigned.signed_by(JUDGE) == CHALLENGE
    with pytest.raises(UsageError):
        unsigned.signed_by(OTHER_JUDGE)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),
        OTHER_JUDGE.sign("challenge", CHALLENGE.digest),
        JUDGE.sign("opening", CHALLENGE.digest),
        JUDGE.sign("challenge", bytes(32)),
    ],
)
def test_another_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(InvalidSignature) as caught:
        replace(CHALLENGE, signature=signature).verify_signature()
    assert caught.value.check == "challenge.signature"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"commitment": bytes(32)}, "challenge.commitment"),
        ({"class_map": tuple(range(15))}, "challenge.class_map"),
        ({"class_map": tuple(range(17))}, "challenge.class_map"),
        ({"class_map": (0, *range(15))}, "challenge.class_map"),
        ({"class_map": (*range(15), 17)}, "challenge.class_map"),
        ({"suspect": replace(CHALLENGE.suspect, shape=(1, 1, 4))}, "challenge.suspect"),
        ({"block_count": 4}, "challenge.reachable"),
        ({"block_count": 100_000}, "challenge.reachable"),
        ({"excluded_blocks": (0, 1, 2)}, "challenge.reachable"),
        ({"excluded_blocks": (0, 1, 2, 3)}, "challenge.reachable"),
    ],
)
def test_what_does_not_fit_the_commitment(changes: dict[str, Any], check: str) -> None:
    with pytest.raises(InvalidOpening) as caught:
        replace(CHALLENGE, **changes).verify_against(COMMITMENT)
    assert caught.value.check == check


def test_ranks_and_arguments_are_not_for_every_suspect() -> None:
    ranked = replace(CHALLENGE, statistic=Statistic.RANKS)
    many = replace(CHALLENGE.suspect, outputs=1_001)
    weights = replace(CHALLENGE.suspect, kind=SuspectKind.SAFETENSORS)
    fields = {field.name: getattr(CHALLENGE, field.name) for field in dataclasses.fields(Challenge)}
    argued = ArgumentChallenge(**fields | {"suspect": weights}, network=bytes(32), least_matches=1)
    for challenge in (replace(ranked, suspect=many, suspect_classes=None), argued):
        with pytest.raises(InvalidOpening) as caught:
            challenge.verify_against(COMMITMENT)
        assert caught.value.check == "challenge.suspect"
        assert caught.value.hint.startswith("ask for ")
    declared = replace(COMMITMENT, header=replace(COMMITMENT.header, label_mode="declared"))
    with pytest.raises(InvalidOpening, match="ranks are for derived labels"):
        replace(ranked, commitment=declared.digest).verify_against(declared)


def test_a_challenge_of_another_mode_is_not_taken_for_ones_own() -> None:
    data = CHALLENGE.to_bytes()
    assert OpeningChallenge.from_bytes(data) == Challenge.from_bytes(data)
    with pytest.raises(Malformed, match="a challenge of another mode, got one for an opening"):
        ArgumentChallenge.from_bytes(data)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(threshold_bits=87),
        Policy(functions_tried=10**9),
        Policy(owner_choice_bits=47),
    ],
)
def test_what_cannot_be_reached_is_not_asked(policy: Policy) -> None:
    with pytest.raises(InvalidOpening) as caught:
        replace(CHALLENGE, policy=policy).verify_against(COMMITMENT)
    assert caught.value.check == "challenge.reachable"
    assert caught.value.hint == "reveal at least 60 triggers"


def test_what_can_just_be_reached_is_asked() -> None:
    for policy in (Policy(threshold_bits=86), Policy(owner_choice_bits=46)):
        replace(CHALLENGE, policy=policy).verify_against(COMMITMENT)


def test_when_nothing_reaches_the_threshold_the_hint_says_so() -> None:
    with pytest.raises(UsageError) as caught:
        require_reachable(COMMITMENT, 2, Policy(threshold_bits=1000))
    assert caught.value.hint.startswith("no number of triggers")


def test_more_triggers_than_an_assessment_takes_are_named_as_such() -> None:
    header = replace(COMMITMENT.header, leaf_count=60_000, block_size=6000)
    commitment = replace(COMMITMENT, header=header)
    challenge = replace(CHALLENGE, commitment=commitment.digest)
    with pytest.raises(InvalidOpening) as caught:
        challenge.verify_against(commitment)
    assert caught.value.check == "challenge.reachable"


def test_excluded_blocks_that_do_not_exist_mean_nothing() -> None:
    replace(CHALLENGE, excluded_blocks=(0, 1, 4, 5, 100_000)).verify_against(COMMITMENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"commitment": b""}, {"nonce": b""}, {"block_count": 0}, {"excluded_blocks": (1, 0)},
        {"purpose": "x" * 501}, {"purpose": "\x07"},
        {"preprocessing": Preprocessing(mean=("0",) * 3, std=("1",) * 3)}, {"statistic": "sum"},
    ],
)  # fmt: skip
def test_a_challenge_cannot_be_built_wrong(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        replace(CHALLENGE, **changes)


def test_every_field_is_signed() -> None:
    changes: list[dict[str, Any]] = [
        {"commitment": bytes(32)}, {"class_map": (0, 1)}, {"nonce": bytes(32)},
        {"suspect": replace(CHALLENGE.suspect, digest=bytes(32))},
        {"suspect": replace(CHALLENGE.suspect, description="")},
        {"preprocessing": Preprocessing()}, {"block_count": 1}, {"excluded_blocks": ()},
        {"purpose": ""}, {"issued": 2**40}, {"policy": Policy(accept_declared_labels=True)},
        {"judge": replace(CHALLENGE.judge, signing=OTHER_JUDGE.public)},
    ]  # fmt: skip
    digests = {replace(CHALLENGE, **change).digest for change in changes}
    assert len(digests | {CHALLENGE.digest}) == len(changes) + 1


@given(
    outputs=st.integers(2, 40),
    shape=st.tuples(st.sampled_from([1, 3]), st.integers(1, 65_535), st.integers(1, 65_535)),
    purpose=st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=500),
    excluded=st.sets(st.integers(0, 100_000), max_size=10),
    data=st.data(),
)
@settings(deadline=None, max_examples=50)
def test_round_trip(
    outputs: int,
    shape: tuple[int, int, int],
    purpose: str,
    excluded: set[int],
    data: st.DataObject,
) -> None:
    decimal = st.from_regex(r"(0|[1-9][0-9]{0,5})\.[0-9]{0,11}[1-9]", fullmatch=True)
    numbers = data.draw(st.lists(decimal, min_size=shape[0], max_size=shape[0]) | st.just([]))
    challenge = replace(
        CHALLENGE,
        suspect=SuspectIdentity("http", bytes(32), purpose, outputs, shape, adapter="zkwm"),
        suspect_classes=None,
        preprocessing=Preprocessing(mean=tuple(numbers), std=tuple(numbers)),
        class_map=tuple(data.draw(st.permutations(range(outputs)))),
        purpose=purpose,
        excluded_blocks=tuple(sorted(excluded)),
    ).signed_by(JUDGE)
    again = read_by_both(challenge.to_bytes())
    assert again == challenge
    again.verify_signature()


def test_a_challenge_of_the_largest_size_is_checked_in_a_moment() -> None:
    """65,535 classes and 100,000 excluded blocks: about a megabyte that costs no more than that."""
    body = copy.deepcopy(BODY)
    body["suspect"]["outputs"] = 1_000_000
    body["class_map"] = list(range(900_000, 965_535))
    body["excluded_blocks"] = list(range(1, 100_001))
    challenge = read_by_both(file("challenge", challenge_map(body)))
    with pytest.raises(CouldNotCheck):
        challenge.verify_against(COMMITMENT)
