"""Challenges for an argument, arguments and refusals as files: one encoding, strict, signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dispute import Claimant, new_judge, random_images
from zkwm_protocols.argument.parameters import MAXIMUM_PROOF_BYTES
from zkwm_protocols.argument_response import (
    ArgumentResponse,
    Refusal,
    make_statement,
    read_response,
)
from zkwm_protocols.challenge import ArgumentChallenge, Challenge, OpeningChallenge
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidOpening, InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.feasibility import fewest_matches
from zkwm_protocols.opening import Opening
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

JUDGE = new_judge()
OWNER = Claimant(random_images(100), block_size=25)
DECLARED = Claimant(
    random_images(100, 1), block_size=25, declared_labels=np.arange(100, dtype=np.int64) % 10
)


def challenge_for(owner: Claimant, **changes: Any) -> ArgumentChallenge:
    """A challenge for an argument about all blocks."""
    return ArgumentChallenge(
        **terms_for(owner) | {"network": b"\x07" * 32, "least_matches": 60} | changes
    ).signed_by(JUDGE.key.signing)


def opening_for(owner: Claimant) -> OpeningChallenge:
    """A challenge to open all blocks."""
    return OpeningChallenge(**terms_for(owner)).signed_by(JUDGE.key.signing)


def terms_for(owner: Claimant) -> dict[str, Any]:
    """The fields of either challenge."""
    return {
        "commitment": owner.commitment.digest,
        "suspect": SuspectIdentity("onnx", bytes(32), "model.onnx", 10, (1, 8, 8)),
        "preprocessing": Preprocessing(),
        "class_map": tuple(range(10)),
        "judge": JUDGE.public,
        "nonce": bytes(range(32)),
        "block_count": 4,
        "excluded_blocks": (),
        "purpose": "a dispute",
        "issued": 1_750_000_000,
        "policy": Policy(),
    }


CHALLENGE = challenge_for(OWNER)
ANSWER = ArgumentResponse(
    CHALLENGE.digest, OWNER.commitment.digest, (0, 1, 2, 3), None, b"an argument"
).signed_by(OWNER.keys)
REFUSAL = Refusal(CHALLENGE.digest, OWNER.commitment.digest, 2).signed_by(OWNER.keys)


def changed(data: bytes, kind: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A file with its body changed."""
    outer = unpack(kind, data, limit=2**24)
    body = decode(outer["body"], limit=2**24)
    change(body)
    return pack(kind, {**outer, "body": encode(body)})


# The challenge.


def test_a_challenge_comes_back_as_it_was() -> None:
    again = Challenge.from_bytes(CHALLENGE.to_bytes())
    assert again == CHALLENGE
    assert again.mode == "argument"
    again.verify_signature()
    again.verify_against(OWNER.commitment)


def test_the_mode_and_both_numbers_are_signed() -> None:
    body = decode(CHALLENGE.body(), limit=2**20)
    assert (body["mode"], body["network"], body["least_matches"]) == ("argument", b"\x07" * 32, 60)
    for other in (replace(CHALLENGE, network=bytes(32)), replace(CHALLENGE, least_matches=61)):
        with pytest.raises(InvalidSignature):
            other.verify_signature()


def test_an_opening_has_neither_field() -> None:
    opening = opening_for(OWNER)
    assert opening.mode == "opening"
    assert not {"network", "least_matches"} & set(decode(opening.body(), limit=2**20))


@pytest.mark.parametrize(
    "change",
    [
        {"network": None},
        {"least_matches": None},
        {"network": bytes(31)},
        {"least_matches": 0},
        {"least_matches": 10_001},
    ],
)
def test_challenges_built_wrong_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        replace(CHALLENGE, **change)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(mode="opening"),
        lambda body: body.update(mode="other"),
        lambda body: body.update(mode=["argument"]),
        lambda body: body.pop("network"),
        lambda body: body.update(least_matches=None),
        lambda body: body.update(least_matches=True),
        lambda body: body.update(network=bytes(33)),
        lambda body: body.update(more=1),
    ],
)
def test_challenge_files_outside_the_format_are_refused(
    change: Callable[[dict[str, Any]], object],
) -> None:
    with pytest.raises(Malformed):
        Challenge.from_bytes(changed(CHALLENGE.to_bytes(), "challenge", change))


def test_fewer_matches_than_the_threshold_needs_are_not_asked_for() -> None:
    assert fewest_matches(OWNER.commitment, 4, Policy()) == 60
    for least in (59, 101):
        with pytest.raises(InvalidOpening) as caught:
            challenge_for(OWNER, least_matches=least).verify_against(OWNER.commitment)
        assert caught.value.check == "challenge.reachable"
        assert "60" in caught.value.hint
    challenge_for(OWNER, least_matches=100).verify_against(OWNER.commitment)


def test_an_argument_is_about_a_file() -> None:
    suspect = replace(CHALLENGE.suspect, kind="safetensors")
    with pytest.raises(InvalidOpening) as caught:
        challenge_for(OWNER, suspect=suspect).verify_against(OWNER.commitment)
    assert caught.value.check == "challenge.suspect"


# The responses.


@pytest.mark.parametrize("response", [ANSWER, REFUSAL])
def test_a_response_comes_back_as_it_was(response: ArgumentResponse | Refusal) -> None:
    again = read_response(response.to_bytes())
    assert again == response
    assert type(again) is type(response)
    again.verify_signatures(OWNER.commitment.header)


def test_an_answer_fits_its_challenge() -> None:
    ANSWER.verify_against(OWNER.commitment, CHALLENGE)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"challenge": bytes(32)}, "response.challenge"),
        ({"commitment": bytes(32)}, "response.challenge"),
        ({"blocks": (0, 1, 2)}, "response.blocks"),
        ({"blocks": (0, 1, 3, 2)}, "response.blocks"),
        ({"blocks": (0, 1, 1, 2)}, "response.blocks"),
        ({"blocks": (0, 1, 2, 4)}, "response.blocks"),
        ({"labels": (1,) * 100}, "response.blocks"),
    ],
)
def test_answers_that_do_not_fit_are_refused(change: dict[str, Any], check: str) -> None:
    with pytest.raises(InvalidOpening) as caught:
        replace(ANSWER, **change).verify_against(OWNER.commitment, CHALLENGE)
    assert caught.value.check == check


def test_an_excluded_block_is_not_argued_about() -> None:
    asked = challenge_for(OWNER, block_count=3, excluded_blocks=(1,), least_matches=60)
    answer = replace(ANSWER, challenge=asked.digest, blocks=(0, 1, 2))
    with pytest.raises(InvalidOpening) as caught:
        answer.verify_against(OWNER.commitment, asked)
    assert caught.value.check == "response.blocks"


def test_each_way_answers_its_own_challenge_only() -> None:
    opening = opening_for(OWNER)
    argued = replace(ANSWER, challenge=opening.digest)
    opened = Opening(CHALLENGE.digest, OWNER.commitment.digest, (0, 1, 2, 3), b"sealed")
    refused = replace(REFUSAL, challenge=opening.digest)
    for response, asked in ((argued, opening), (opened, CHALLENGE), (refused, opening)):
        with pytest.raises(InvalidOpening) as caught:
            response.verify_against(OWNER.commitment, asked)
        assert caught.value.check == "response.challenge"


def test_a_refusal_proves_nothing_and_says_what_to_do() -> None:
    with pytest.raises(InvalidOpening) as caught:
        REFUSAL.verify_against(OWNER.commitment, CHALLENGE)
    assert caught.value.check == "response.blocks"
    assert caught.value.hint == "issue a new challenge for 2 blocks"
    with pytest.raises(InvalidOpening) as caught:
        replace(REFUSAL, unopened_blocks=0).verify_against(OWNER.commitment, CHALLENGE)
    assert "no argument is possible" in caught.value.hint


def test_every_purpose_has_a_signature_of_its_own() -> None:
    for response, purposes in ((ANSWER, ("opening", "refusal")), (REFUSAL, ("argument",))):
        for purpose in purposes:
            signature = OWNER.keys[0].sign(purpose, response.digest)
            with pytest.raises(InvalidSignature):
                replace(response, signatures=(signature,)).verify_signatures(
                    OWNER.commitment.header
                )
        with pytest.raises(InvalidSignature):
            replace(response, signatures=()).verify_signatures(OWNER.commitment.header)


def test_declared_labels_are_one_for_each_trigger() -> None:
    asked = challenge_for(DECLARED)
    good = ArgumentResponse(
        asked.digest, DECLARED.commitment.digest, (0, 1, 2, 3), tuple(range(10)) * 10, b"argument"
    )
    good.verify_against(DECLARED.commitment, asked)
    for labels in (None, (1,) * 99, (10,) * 100):
        with pytest.raises(InvalidOpening) as caught:
            replace(good, labels=labels).verify_against(DECLARED.commitment, asked)
        assert caught.value.check == "response.blocks"


@pytest.mark.parametrize("size", [0, MAXIMUM_PROOF_BYTES + 1])
def test_arguments_have_a_size(size: int) -> None:
    with pytest.raises(Malformed):
        replace(ANSWER, argument=bytes(size))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(version=2),
        lambda body: body.update(type="zkwm-proof"),
        lambda body: body.update(blocks=[]),
        lambda body: body.update(labels=[]),
        lambda body: body.update(labels=[65_535]),
        lambda body: body.update(labels=[1] * 10_001),
        lambda body: body.update(argument="text"),
        lambda body: body.update(more=1),
        lambda body: body.pop("labels"),
    ],
)
def test_answer_files_outside_the_format_are_refused(
    change: Callable[[dict[str, Any]], object],
) -> None:
    with pytest.raises(Malformed):
        read_response(changed(ANSWER.to_bytes(), "proof", change))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(unopened_blocks=-1),
        lambda body: body.update(unopened_blocks=100_001),
        lambda body: body.update(version=True),
        lambda body: body.update(blocks=[1]),
    ],
)
def test_refusal_files_outside_the_format_are_refused(
    change: Callable[[dict[str, Any]], object],
) -> None:
    with pytest.raises(Malformed):
        read_response(changed(REFUSAL.to_bytes(), "proof", change))


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([ANSWER.to_bytes(), REFUSAL.to_bytes(), CHALLENGE.to_bytes()]),
    st.integers(0, 2**16),
    st.integers(1, 255),
)
def test_no_altered_file_passes(data: bytes, position: int, flip: int) -> None:
    position %= len(data)
    altered = data[:position] + bytes([data[position] ^ flip]) + data[position + 1 :]
    with pytest.raises(ZkwmError):
        _read_and_verify(altered, challenge=data.startswith(b"zkwm-challenge"))


def _read_and_verify(data: bytes, *, challenge: bool) -> None:
    if challenge:
        Challenge.from_bytes(data).verify_signature()
    else:
        read_response(data).verify_signatures(OWNER.commitment.header)


# What is proven.


class OutputsOnly:
    """As much of a network as a statement looks at."""

    outputs = 10


def test_a_statement_binds_challenge_header_and_blocks(quick_labels: None) -> None:
    network: Any = OutputsOnly()
    asked = challenge_for(OWNER, class_map=(3, 2, 1, 0, 4, 5, 6, 7, 8, 9), least_matches=41)
    made = make_statement(OWNER.commitment, asked, network, (1, 3), None)
    indices = [*range(25, 50), *range(75, 100)]
    labels = OWNER.labels[indices]
    assert made.leaves == tuple(OWNER.commitment.leaves[i] for i in indices)
    assert made.label_fields == (0xFFFF,) * 50
    assert made.outputs == tuple(asked.class_map[int(label)] for label in labels)
    assert made.least_matches == 41
    context = decode(made.context, limit=2**20)
    assert context == {
        "challenge": asked.body(),
        "header": OWNER.commitment.header.to_bytes(),
        "blocks": [1, 3],
    }


def test_declared_labels_are_the_leaves_label_fields() -> None:
    network: Any = OutputsOnly()
    asked = challenge_for(DECLARED)
    made = make_statement(DECLARED.commitment, asked, network, (0, 1, 2, 3), tuple(range(10)) * 10)
    assert made.label_fields == tuple(range(10)) * 10
    assert made.outputs == made.label_fields
