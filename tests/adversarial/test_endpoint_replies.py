"""Replies of a server that hides classes, mixes their order or floods the judge: SPEC.md 7.1."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import CLASSES, SHAPE, Claimant, refused
from tests.support.endpoint_dispute import (
    NAMES,
    SHUFFLED,
    Serve,
    asked,
    kserve_route,
    stolen,
    table_of,
    template,
    template_route,
)
from tests.support.http_services import huggingface, kserve, pixels_of, torchserve
from tests.support.onnx_case import unusable
from zkwm.judge.judge import Judge
from zkwm_protocols.errors import CouldNotCheck, NotProven


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
