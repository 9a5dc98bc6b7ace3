"""Hugging Face's protocol against a service written from its documents, and their example."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support.http_services import huggingface, serving
from tests.support.protocol_case import (
    CLASSES,
    COLOR,
    NAMES,
    images,
    opened,
    require_right,
    scores_of,
)
from zkwm.suspects import Answer, open_suspect
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def test_huggingface_gives_all_classes_when_asked() -> None:
    with (
        serving(huggingface(scores_of, names=NAMES), "/models/m") as service,
        opened(service.url, COLOR, adapter="huggingface", output_names=NAMES) as suspect,
    ):
        require_right(suspect, images(COLOR), Preprocessing())
    body = json.loads(service.requests[0][2])
    assert body["parameters"] == {"top_k": CLASSES}


def test_huggingface_gives_the_best_alone() -> None:
    with (
        serving(huggingface(scores_of, names=NAMES, most=2), "/models/m") as service,
        opened(service.url, COLOR, adapter="huggingface", output_names=NAMES) as suspect,
    ):
        (answer,) = suspect.answer(images(COLOR, 1), Preprocessing())
    assert answer == Answer(int(np.argmax(scores_of(images(COLOR, 1)[0]))))
    assert answer.scores is None


def test_huggingface_message() -> None:
    """The pipeline's documented example: names in any case, the best first."""
    body = (
        b'[{"score": 0.442, "label": "macaw"}, {"score": 0.088, "label": "popinjay"},'
        b' {"score": 0.075, "label": "parrot"}]'
    )
    names = ("parrot", "Macaw", "popinjay")
    with (
        serving(lambda *_: body) as service,
        opened(service.url, COLOR, adapter="huggingface", output_names=names) as suspect,
    ):
        (answer,) = suspect.answer(images(COLOR, 1), Preprocessing())
    assert answer == Answer(1)
    assert answer.scores is not None
    assert list(answer.scores) == [0.075, 0.442, 0.088]


def test_huggingface_needs_names() -> None:
    with pytest.raises(UsageError, match="names of classes") as caught:
        open_suspect("http://127.0.0.1:9/", shape=COLOR, adapter="huggingface", outputs=3)
    assert "`suspect_classes`" in caught.value.hint


def test_a_model_that_is_loading_is_asked_again() -> None:
    replies = [(503, {"error": "loading", "estimated_time": 20.0}), [{"label": "a", "score": 1}]]
    with (
        serving(lambda *_: replies.pop(0)) as service,
        opened(
            service.url, COLOR, adapter="huggingface", output_names=("a", "b"), http={"attempts": 2}
        ) as suspect,
    ):
        assert suspect.answer(images(COLOR, 1), Preprocessing()) == (Answer(0),)
