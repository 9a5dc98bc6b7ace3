"""Names of an endpoint's outputs, which an accuser lists until they fit: SPEC.md 7.1, 8.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.support.dispute import CLASSES, Claimant, random_images, refused
from tests.support.endpoint_dispute import NAMES, SHUFFLED, Serve, asked, kserve_route, stolen
from tests.support.http_services import huggingface, torchserve
from zkwm.judge.judge import Judge
from zkwm.report import render_report, render_text
from zkwm_protocols.errors import InvalidOpening, NotProven


@pytest.mark.parametrize("fixed", [True, False])
def test_names_that_are_digits_are_read_as_the_challenge_says(
    judge: Judge, serve: Serve, fixed: bool
) -> None:
    """Digits are numbers of outputs or names of them, never what suits at verification."""
    digits = tuple(str(number) for number in reversed(range(CLASSES)))
    owner = Claimant(random_images(50))
    url = serve(torchserve(stolen(owner, tuple(range(CLASSES))), best=None))
    names = digits if fixed else None
    challenge = judge.challenge(
        owner.commitment,
        asked(url, "torchserve", output_names=names),
        reveal=50,
        class_map=tuple(reversed(range(CLASSES))) if fixed else None,
    )
    assert (challenge.map_bits(owner.commitment) == 0) != fixed
    other = asked(url, "torchserve", output_names=None if fixed else digits)
    proof = owner.answer(challenge, [0])
    with refused(InvalidOpening, "challenge.suspect"):
        judge.verify(owner.commitment, other, challenge, proof)
    assert judge.verify(owner.commitment, url, challenge, proof).proven


def test_other_names_at_verification_than_in_the_challenge(
    judge: Judge, named_owner: Claimant, serve: Serve
) -> None:
    url = serve(huggingface(stolen(named_owner), names=SHUFFLED))
    suspect = asked(url, "huggingface", output_names=SHUFFLED)
    with refused(InvalidOpening, "challenge.suspect"):
        judge.challenge(named_owner.commitment, suspect, reveal=50, suspect_classes=NAMES)
    challenge = judge.challenge(named_owner.commitment, suspect, reveal=50)
    with refused(InvalidOpening, "challenge.suspect"):
        judge.verify(
            named_owner.commitment,
            asked(url, "huggingface", output_names=NAMES),
            challenge,
            named_owner.answer(challenge, [0]),
        )


@pytest.mark.parametrize("adapter", ["huggingface", "torchserve"])
def test_names_listed_in_the_order_that_fits_the_labels(
    judge: Judge, serve: Serve, adapter: str
) -> None:
    """The assignment attack, by a list of names instead of a class map, on an innocent model."""
    count, images = 100, random_images(200)
    owner = Claimant(images, block_size=200, class_count=count)
    shown = {image.tobytes(): number % count for number, image in enumerate(images)}
    names = [f"thing {number}" for number in range(count)]

    def innocent(image: np.ndarray) -> list[float]:
        right = shown.get(image.tobytes(), int(image.sum()) % count)
        return [float(one == right) for one in range(count)]

    votes = np.zeros((count, count))
    for number, label in enumerate(owner.labels):
        votes[label, number % count] += 1
    lucky = tuple(names[output] for output in linear_sum_assignment(-votes)[1])
    make = huggingface if adapter == "huggingface" else torchserve
    options = {} if adapter == "huggingface" else {"best": None}
    url = serve(make(innocent, names=names, **options))
    suspect = asked(url, adapter, output_names=lucky)
    challenge = judge.challenge(owner.commitment, suspect, reveal=200)
    assert challenge.class_map == tuple(range(count))
    with pytest.raises(NotProven) as caught:
        judge.verify(owner.commitment, url, challenge, owner.answer(challenge, [0]))
    terms = {term.name: term.bits for term in caught.value.verdict.evidence.terms}
    assert terms["matches by chance"] > 200
    assert terms["choice of the class map"] == -525


def test_outputs_with_numbers_keep_the_free_identity(
    judge: Judge, owner: Claimant, serve: Serve
) -> None:
    """TorchServe without a file of names gives numbers; nobody chose their order."""
    url = serve(torchserve(stolen(owner, tuple(range(CLASSES))), best=None))
    challenge = judge.challenge(owner.commitment, asked(url, "torchserve"), reveal=50)
    assert challenge.map_bits(owner.commitment) == 0
    assert judge.verify(owner.commitment, url, challenge, owner.answer(challenge, [0])).proven


def test_names_that_the_commitment_does_not_have(
    judge: Judge, named_owner: Claimant, serve: Serve
) -> None:
    others = tuple(f"LABEL_{number}" for number in range(CLASSES))
    url = serve(huggingface(stolen(named_owner), names=others))
    with refused(InvalidOpening, "challenge.class_map"):
        judge.challenge(
            named_owner.commitment, asked(url, "huggingface", output_names=others), reveal=50
        )


@pytest.mark.parametrize("adapter", ["kserve", "huggingface"])
def test_an_order_of_names_that_no_reply_confirms_is_the_judges_finding(
    judge: Judge, named_owner: Claimant, serve: Serve, adapter: str
) -> None:
    """By position the list of names is the map, at 0 bits: the report says whose finding it is."""
    marked, by_name = stolen(named_owner), adapter == "huggingface"
    url = serve(huggingface(marked, names=SHUFFLED) if by_name else kserve_route(marked))
    suspect = asked(url, adapter, **({"output_names": SHUFFLED} if by_name else {}))
    commitment = named_owner.commitment
    challenge = judge.challenge(commitment, suspect, reveal=50, suspect_classes=SHUFFLED)
    assert challenge.map_bits(commitment) == 0
    verdict = judge.verify(commitment, url, challenge, named_owner.answer(challenge, [0]))
    assert verdict.proven
    told = "Order of the model" in render_report(verdict)
    in_short = "nothing checked the order of the names" in " ".join(render_text(verdict).split())
    assert told == in_short == (not by_name)


def test_labels_that_come_in_another_order_each_time(
    judge: Judge, named_owner: Claimant, serve: Serve
) -> None:
    """The order of a list says nothing where each entry has its name."""
    honest, random = huggingface(stolen(named_owner), names=SHUFFLED), np.random.default_rng(0)

    def route(handler: Any, body: bytes) -> Any:
        entries = honest(handler, body)
        return [entries[number] for number in random.permutation(len(entries))]

    url = serve(route)
    suspect = asked(url, "huggingface", output_names=SHUFFLED)
    challenge = judge.challenge(named_owner.commitment, suspect, reveal=50, statistic="ranks")
    assert challenge.suspect_classes == SHUFFLED
    proof = named_owner.answer(challenge, [0])
    assert judge.verify(named_owner.commitment, url, challenge, proof).proven
