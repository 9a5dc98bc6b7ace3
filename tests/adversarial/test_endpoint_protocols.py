"""Endpoints that speak other protocols, and what a server or an accuser tries: SPEC.md 7.1, 8.2.

A server answers otherwise by another protocol, hides classes, mixes their order, floods the judge;
an accuser lists names of outputs until they fit. An honest case passes by every protocol.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.support.dispute import (
    CLASSES,
    SHAPE,
    Claimant,
    hashed_answers,
    random_images,
    refused,
)
from tests.support.http_services import (
    Route,
    huggingface,
    kserve,
    pixels_of,
    serving,
    torchserve,
)
from tests.support.onnx_case import unusable
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Outcome
from zkwm.report import render_report, render_text
from zkwm.suspects import HttpSettings, Suspect, open_suspect
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, NotProven, UsageError

NAMES = tuple(f"class {number}" for number in range(CLASSES))
ORDER = tuple(int(number) for number in np.random.default_rng(5).permutation(CLASSES))
SHUFFLED = tuple(NAMES[number] for number in ORDER)
"""The suspect's outputs are the classes in another order, and it says so."""

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a service; returns its URL, in which all protocols that have rules find theirs."""
    path = "/predictions/v2/models/m"
    with ExitStack() as stack:
        yield lambda route: stack.enter_context(serving(route, path)).url


@pytest.fixture(scope="session")
def named_owner() -> Claimant:
    """100 images, ten classes with names."""
    return Claimant(random_images(100), class_names=NAMES)


def table_of(owner: Claimant) -> dict[bytes, int]:
    pairs = zip(owner.images, owner.labels, strict=True)
    return {image.tobytes(): int(label) for image, label in pairs}


def stolen(owner: Claimant, order: tuple[int, ...] = ORDER) -> Callable[[np.ndarray], list[float]]:
    """Scores of a model that carries the mark: 1 for its class, smaller ones for the others."""
    table, rule = table_of(owner), hashed_answers("a thief's model")

    def scores(image: np.ndarray) -> list[float]:
        label = table.get(image.tobytes(), rule(image))
        small = np.random.default_rng(list(image.tobytes()[:8])).random(CLASSES) / 2
        return [1.0 if one == label else float(small[one]) for one in order]

    return scores


def asked(url: str, adapter: str, **options: Any) -> Suspect:
    http = HttpSettings(attempts=1, template=options.pop("template", None))
    return open_suspect(url, shape=SHAPE, adapter=adapter, http=http, **options)


def template(tmp_path: Path, name: str = "template.json", pointer: str = "/answer") -> Path:
    path = tmp_path / name
    text = {
        "schema": "zkwm/template/v1",
        "request": {"picture": "{{png}}"},
        "reply": {"scores": pointer},
    }
    path.write_text(json.dumps(text), encoding="utf-8")
    return path


def kserve_route(scores: Any) -> Route:
    return kserve(scores, shape=(-1, *SHAPE), decode=lambda values: np.rint(values[0] * 255))


def template_route(scores: Any) -> Route:
    def route(_: Any, body: bytes) -> Any:
        image = pixels_of(base64.b64decode(json.loads(body)["picture"]))
        other = hashed_answers("an innocent's model")(image)
        return {"answer": scores(image), "other": [float(one == other) for one in range(CLASSES)]}

    return route


# honest cases


@pytest.mark.parametrize(
    ("adapter", "make", "statistic"),
    [
        ("kserve", kserve_route, "matches"),
        ("kserve", kserve_route, "ranks"),
        ("torchserve", lambda scores: torchserve(scores, names=SHUFFLED, best=None), "ranks"),
        ("torchserve", lambda scores: torchserve(scores, names=SHUFFLED, best=5), "matches"),
        ("huggingface", lambda scores: huggingface(scores, names=SHUFFLED), "ranks"),
        ("template", template_route, "matches"),
    ],
)
def test_a_marked_model_behind_an_endpoint_is_proven(
    judge: Judge,
    named_owner: Claimant,
    serve: Serve,
    tmp_path: Path,
    adapter: str,
    make: Any,
    statistic: str,
) -> None:
    """Challenge and verdict name the protocol; verification takes it from the challenge."""
    url = serve(make(stolen(named_owner)))
    file = template(tmp_path) if adapter == "template" else None
    # a template's list of scores has no names in it, and kserve's outputs have numbers
    suspect = asked(url, adapter, template=file, output_names=SHUFFLED)
    challenge = judge.challenge(
        named_owner.commitment, suspect, reveal=50, statistic=statistic, suspect_classes=SHUFFLED
    )
    assert challenge.map_bits(named_owner.commitment) == 0
    proof = named_owner.answer(challenge, [0])
    http = HttpSettings(attempts=1, template=file)
    verdict = judge.verify(named_owner.commitment, url, challenge, proof, http=http)
    assert verdict.outcome == Outcome.PROVEN
    told = verdict.to_json()["suspect"]
    assert told["adapter"] == adapter
    assert (told["template"] is not None) == (adapter == "template")


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


# what the challenge fixes


def test_a_server_that_has_the_mark_by_one_protocol_alone(
    judge: Judge, owner: Claimant, serve: Serve
) -> None:
    table, rule = table_of(owner), hashed_answers("an innocent's model")

    def marked(image: np.ndarray) -> list[float]:
        label = table.get(image.tobytes(), rule(image))
        return [float(one == label) for one in range(CLASSES)]

    by_tensor = kserve_route(marked)

    def route(handler: Any, body: bytes) -> Any:
        if handler.command == "GET" or handler.path.endswith("/infer"):
            return by_tensor(handler, body)
        return rule(np.frombuffer(body, np.uint8))  # a picture: TorchServe's protocol

    url = serve(route)
    innocent = asked(url, "torchserve", outputs=CLASSES)
    challenge = judge.challenge(owner.commitment, innocent, reveal=50)
    proof = owner.answer(challenge, [0])
    with refused(InvalidOpening, "challenge.suspect") as caught:
        judge.verify(owner.commitment, asked(url, "kserve"), challenge, proof)
    assert "kserve" in caught.value.message
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, url, challenge, proof)
    # honest: the same two steps by the protocol that the service documents
    challenge = judge.challenge(owner.commitment, asked(url, "kserve"), reveal=50)
    assert judge.verify(owner.commitment, url, challenge, owner.answer(challenge, [0])).proven


def test_another_template_than_the_challenges(
    judge: Judge, owner: Claimant, serve: Serve, tmp_path: Path
) -> None:
    url = serve(template_route(stolen(owner, tuple(range(CLASSES)))))
    right, other = template(tmp_path), template(tmp_path, "other.json", "/other")
    innocent = asked(url, "template", template=other)
    challenge = judge.challenge(owner.commitment, innocent, reveal=50)
    proof = owner.answer(challenge, [0])
    for settings, told in (
        (HttpSettings(attempts=1, template=right), "another template"),
        (HttpSettings(attempts=1), "needs a template"),
    ):
        with pytest.raises(CouldNotCheck if "another" in told else UsageError) as caught:
            judge.verify(owner.commitment, url, challenge, proof, http=settings)
        assert caught.value.check == "challenge.suspect"
        assert told in caught.value.message
        assert "--template" in caught.value.hint
    with pytest.raises(NotProven):
        judge.verify(
            owner.commitment, url, challenge, proof, http=HttpSettings(attempts=1, template=other)
        )


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


# what an accuser may not choose


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


# what a server hides


@pytest.mark.parametrize("hidden", ["all but the best", "the label's own"])
def test_classes_left_out_on_odd_images_alone(
    judge: Judge, named_owner: Claimant, serve: Serve, hidden: str
) -> None:
    """No score is made up: ranks lack an answer, matches see the label that is told."""
    triggers, honest = table_of(named_owner), huggingface(stolen(named_owner), names=SHUFFLED)
    odd = set(triggers.values())

    def route(handler: Any, body: bytes) -> Any:
        entries = honest(handler, body)
        best = entries[0]
        if best["score"] < 1 or best["label"] not in {NAMES[label] for label in odd}:
            return entries
        if not is_trigger(body):
            return entries
        return entries[:3] if hidden == "all but the best" else entries[1:]

    def is_trigger(body: bytes) -> bool:
        image = pixels_of(base64.b64decode(json.loads(body)["inputs"]))
        return image.tobytes() in triggers

    url = serve(route)
    for statistic in ("ranks", "matches"):
        suspect = asked(url, "huggingface", output_names=SHUFFLED)
        challenge = judge.challenge(named_owner.commitment, suspect, reveal=50, statistic=statistic)
        proof = named_owner.answer(challenge, [0 if statistic == "ranks" else 1])
        if statistic == "ranks":
            with refused(CouldNotCheck, "suspect.answers") as caught:
                judge.verify(named_owner.commitment, url, challenge, proof)
            assert caught.value.verdict.to_json()["asked"]["evasive"]
        elif hidden == "all but the best":
            assert judge.verify(named_owner.commitment, url, challenge, proof).proven
        else:
            with pytest.raises(NotProven):
                judge.verify(named_owner.commitment, url, challenge, proof)


@pytest.mark.parametrize("adapter", ["torchserve", "huggingface"])
@pytest.mark.parametrize("best", [5, None])
def test_no_ranks_where_classes_are_left_out(
    judge: Judge, named_owner: Claimant, serve: Serve, adapter: str, best: int | None
) -> None:
    """The best five have no ranks: matches alone are asked for. Where all are told, ranks prove."""
    make = {
        "torchserve": torchserve(stolen(named_owner), names=SHUFFLED, best=best),
        "huggingface": huggingface(stolen(named_owner), names=SHUFFLED, most=best),
    }
    url = serve(make[adapter])
    suspect = asked(url, adapter, output_names=SHUFFLED)
    commitment, statistic = named_owner.commitment, "ranks"
    if best is not None:
        with unusable("labels without scores to 16 of 16"):
            judge.challenge(commitment, suspect, reveal=50, statistic=statistic)
        statistic = "matches"
    challenge = judge.challenge(commitment, suspect, reveal=50, statistic=statistic)
    proof = named_owner.answer(challenge, [0])
    assert judge.verify(commitment, url, challenge, proof).proven


@pytest.mark.parametrize("silent", [1, 16])
def test_ranks_of_an_endpoint_that_fails_now_and_then(
    judge: Judge, named_owner: Claimant, serve: Serve, silent: int
) -> None:
    """An answer that is late once is no reason to refuse ranks; without any answer there is one."""
    honest, seen = torchserve(stolen(named_owner), names=SHUFFLED, best=None), []

    def route(*request: Any) -> Any:
        seen.append(request)  # the first image is the gray one
        return (503, {}) if 17 - silent < len(seen) <= 17 else honest(*request)

    suspect = asked(serve(route), "torchserve", output_names=SHUFFLED)
    if silent == 1:
        assert judge.challenge(named_owner.commitment, suspect, reveal=50, statistic="ranks")
    else:
        with unusable("no answer to any of 1 images"):
            judge.challenge(named_owner.commitment, suspect, reveal=50, statistic="ranks")


@pytest.mark.parametrize("adapter", ["kserve", "torchserve", "template"])
def test_scores_in_the_order_of_their_size(
    judge: Judge, owner: Claimant, serve: Serve, tmp_path: Path, adapter: str
) -> None:
    """A list without names that is sorted says nothing of classes; no challenge goes out."""
    marked = stolen(owner, tuple(range(CLASSES)))

    def ranked(image: np.ndarray) -> list[float]:
        return sorted(marked(image), reverse=True)

    def route(_: Any, body: bytes) -> Any:
        return ranked(pixels_of(body))

    make = {"kserve": kserve_route(ranked), "template": template_route(ranked)}
    url = serve(make.get(adapter, route))
    file = template(tmp_path) if adapter == "template" else None
    with unusable("sorts its scores"):
        judge.challenge(owner.commitment, asked(url, adapter, template=file), reveal=50)


# replies of a hostile server


def entries(count: int) -> list[dict[str, Any]]:
    return [{"label": NAMES[number], "score": number} for number in range(count)]


HOSTILE = {
    "oversized": b'[{"label": "class 0", "score": 0.' + b"1" * (1 << 20) + b"}]",
    "deep": b"[" * 100_000,
    "a name twice": json.dumps([*entries(9), {"label": "CLASS 0 ", "score": 5}]).encode(),
    "a key twice": b'[{"label": "class 0", "label": "class 1", "score": 1}]',
    "NaN": b'[{"label": "class 0", "score": NaN}]',
    "infinite": b'[{"label": "class 0", "score": 1e999}]',
    "true": b'[{"label": "class 0", "score": true}]',
    "text": b'[{"label": "class 0", "score": "1"}]',
    "an unknown name": b'[{"label": "class 10", "score": 1}]',
    "a number for a name": b'[{"label": 0, "score": 1}]',
    "a further key": b'[{"label": "class 0", "score": 1, "more": 2}]',
    "nothing": b"[]",
    "an error": b'{"error": "Model too busy"}',
    "no list": b'{"class 0": 1}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_replies_that_are_none(
    judge: Judge, named_owner: Claimant, serve: Serve, name: str
) -> None:
    """Refused before a challenge goes out; and later no answer, never one that was made up."""
    honest, hostile = huggingface(stolen(named_owner), names=SHUFFLED), [True]
    url = serve(lambda *request: HOSTILE[name] if hostile[0] else honest(*request))
    suspect = asked(url, "huggingface", output_names=SHUFFLED)
    with unusable("no usable answer"):
        judge.challenge(named_owner.commitment, suspect, reveal=50)
    if name not in ("oversized", "NaN", "an unknown name"):
        return
    hostile[0] = False
    challenge = judge.challenge(named_owner.commitment, suspect, reveal=50)
    hostile[0] = True
    proof = named_owner.answer(challenge, [0])
    with refused(CouldNotCheck, "suspect.answers"):
        judge.verify(named_owner.commitment, url, challenge, proof)


@pytest.mark.parametrize(
    "output",
    [
        {"data": [[0.0] * CLASSES] * 2, "shape": [2, CLASSES]},
        {"data": [0.0] * CLASSES, "shape": [CLASSES, 1]},
        {"data": [0.0] * CLASSES, "shape": [1, CLASSES + 1]},
        {"data": [0.0] * (CLASSES + 1), "shape": [1, CLASSES + 1]},
        {"data": [[0.0] * CLASSES, []], "shape": [1, CLASSES]},
        {"data": [0.0] * CLASSES, "shape": [1, -CLASSES]},
        {"data": [0.0] * CLASSES, "shape": [10**30, CLASSES]},
        {"data": ["0"] * CLASSES, "shape": [1, CLASSES]},
        {"data": [True] * CLASSES, "shape": [1, CLASSES], "datatype": "BOOL"},
        {"data": ["0.5:0:cat"], "shape": [1, 1], "datatype": "BYTES"},
        {"data": [99], "shape": [1], "datatype": "INT64"},
        {"data": [], "shape": [1, 0]},
        {"shape": [1, CLASSES], "parameters": {"binary_data_size": 4 * CLASSES}},
        {"data": [0.0] * CLASSES, "shape": [1, CLASSES], "name": "features"},
        {"data": [0.0] * CLASSES, "shape": [1, CLASSES], "more": 1},
        None,
    ],
)
def test_tensors_that_are_none(
    judge: Judge, owner: Claimant, serve: Serve, output: dict[str, Any] | None
) -> None:
    broken = {"name": "scores", "datatype": "FP32", **(output or {})}
    replies = {"model_name": "m", "outputs": [broken] if output else []}
    url = serve(
        kserve(
            lambda _: [0.0] * CLASSES,
            shape=(-1, *SHAPE),
            decode=lambda values: values[0],
            reply=lambda _: replies,
        )
    )
    suspect = asked(url, "kserve", outputs=CLASSES)
    with unusable("no usable answer|11 outputs, not 10"):
        judge.challenge(owner.commitment, suspect, reveal=50)
