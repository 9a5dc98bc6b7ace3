"""TorchServe's protocol against a service written from its documents, and their examples."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.http_services import serving, torchserve
from tests.support.onnx_case import unusable
from tests.support.protocol_case import (
    CLASSES,
    COLOR,
    GRAY,
    NAMES,
    images,
    opened,
    require_right,
    scores_of,
)
from zkwm.suspects import Answer, open_suspect
from zkwm_protocols.suspect_identity import Preprocessing


@pytest.mark.parametrize("shape", [COLOR, GRAY])
@pytest.mark.parametrize("names", [None, NAMES])
def test_torchserve_gives_all_classes(
    shape: tuple[int, int, int], names: tuple[str, ...] | None
) -> None:
    route = torchserve(scores_of, names=names, best=None)
    with (
        serving(route, "/predictions/m") as service,
        opened(service.url, shape, adapter="torchserve", output_names=names) as suspect,
    ):
        assert suspect.identity.outputs == CLASSES
        require_right(suspect, images(shape), Preprocessing())


@pytest.mark.parametrize("names", [None, NAMES])
def test_torchserve_gives_the_best_five(names: tuple[str, ...] | None) -> None:
    with serving(torchserve(scores_of, names=names), "/predictions/m/2.0") as service:
        if names is None:
            with unusable("how many outputs") as caught:
                open_suspect(service.url, shape=COLOR, adapter="torchserve")
            assert "`outputs`" in caught.value.hint
        outputs = CLASSES if names is None else None
        with opened(
            service.url, COLOR, adapter="torchserve", output_names=names, outputs=outputs
        ) as suspect:
            suspect.try_out(Preprocessing())
            for image, answer in zip(
                images(COLOR), suspect.answer(images(COLOR), Preprocessing()), strict=True
            ):
                assert answer == Answer(int(np.argmax(scores_of(image))))
                assert answer.scores is None


def test_torchserve_replies_numbers_where_names_were_given() -> None:
    with (
        serving(torchserve(scores_of), "/predictions/m") as service,
        opened(service.url, COLOR, adapter="torchserve", output_names=NAMES) as suspect,
    ):
        with unusable("names a class that the suspect does not have") as caught:
            suspect.try_out(Preprocessing())
        assert "leave names out" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "names", "answer"),
    [
        # docs/batch_inference_with_ts.md and docs/inference_api.md of pytorch/serve
        (b'{"tiger_cat": 0.5848360657691956, "tabby": 0.3782736361026764, "lynx": 0.03441936}',
         ("lynx", "tabby", "tiger_cat"), Answer(2)),
        (b'[{"class": "n02123045 tabby, tabby cat", "probability": 0.42514491081237793}]',
         ("n1", "n02123045 tabby, tabby cat"), Answer(1)),
        (b"[-1.5, 2, 0.25]", None, Answer(1)),
        (b"2", None, Answer(2)),
    ],
)  # fmt: skip
def test_torchserve_messages(body: bytes, names: tuple[str, ...] | None, answer: Answer) -> None:
    outputs = 3 if names is None else None
    with (
        serving(lambda *_: body, "/predictions/m") as service,
        opened(
            service.url, COLOR, adapter="torchserve", output_names=names, outputs=outputs
        ) as suspect,
    ):
        assert suspect.answer(images(COLOR, 1), Preprocessing()) == (answer,)
