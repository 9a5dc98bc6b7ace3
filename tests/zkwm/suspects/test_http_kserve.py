"""The Open Inference Protocol against a service written from its specification."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.support.http_services import kserve, serving
from tests.support.onnx_case import unusable
from tests.support.protocol_case import (
    CLASSES,
    COLOR,
    GRAY,
    RAW,
    images,
    opened,
    require_right,
    scores_of,
    whole_pixels,
)
from zkwm.suspects import Answer, open_suspect
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing

FORMS = [
    ((-1, 3, 4, 6), "FP32", COLOR, Preprocessing(), whole_pixels),
    ((-1, 4, 6, 3), "FP32", COLOR, Preprocessing(layout="nhwc"),
     lambda v: np.rint(v[0] * 255).transpose(2, 0, 1)),
    ((1, 3, -1, -1), "UINT8", COLOR, RAW, lambda v: v[0]),
    ((3, 4, 6), "INT64", COLOR, RAW, lambda v: v),
    ((-1, 72), "FP64", COLOR, Preprocessing(), lambda v: np.rint(v.reshape(COLOR) * 255)),
    ((-1, 4, 6), "INT32", GRAY, RAW, lambda v: v.reshape(GRAY)),
    ((-1, -1, -1, -1), "FP16", GRAY, Preprocessing(), whole_pixels),
    ((-1, 3, 4, 6), "FP32", COLOR,
     Preprocessing(mean=("0.5", "0.4", "0.3"), std=("0.2", "0.3", "0.4"), channels="bgr"),
     lambda v: np.rint(
         (v[0, ::-1] * np.array([0.2, 0.3, 0.4]).reshape(3, 1, 1)
          + np.array([0.5, 0.4, 0.3]).reshape(3, 1, 1)) * 255)),
]  # fmt: skip


def tensor(row: list[float], **changes: Any) -> dict[str, Any]:
    return {"name": "scores", "shape": [1, len(row)], "datatype": "FP32", "data": row, **changes}


@pytest.mark.parametrize(
    ("declared", "datatype", "shape", "fed", "decode"), FORMS, ids=[str(form[0]) for form in FORMS]
)
def test_kserve_gets_the_tensor_that_it_declares(
    declared: tuple[int, ...],
    datatype: str,
    shape: tuple[int, int, int],
    fed: Preprocessing,
    decode: Any,
) -> None:
    route = kserve(scores_of, shape=declared, datatype=datatype, decode=decode)
    with (
        serving(route, "/v2/models/mymodel") as service,
        opened(service.url, shape, adapter="kserve") as suspect,
    ):
        assert suspect.identity.outputs == CLASSES
        assert suspect.identity.adapter == "kserve"
        require_right(suspect, images(shape), fed)
    assert {(method, path) for method, path, _ in service.requests} == {
        ("GET", "/v2/models/mymodel"),
        ("POST", "/v2/models/mymodel/infer"),
    }


@pytest.mark.parametrize(
    "reply",
    [
        lambda row: {"outputs": [tensor(row)]},  # as the specification's own example
        lambda row: {"model_name": "m", "id": "42", "parameters": {}, "outputs": [tensor(row)]},
        lambda row: {"outputs": [tensor(row, data=[row])]},  # nested
        lambda row: {"outputs": [tensor(row, shape=[CLASSES])]},
        lambda row: {"outputs": [tensor(row, shape=[1, CLASSES, 1, 1])]},
        lambda row: {"outputs": [tensor(row, datatype="FP64", parameters={"a": 1})]},
    ],
)
def test_kserve_replies(reply: Any) -> None:
    route = kserve(scores_of, shape=(-1, 3, 4, 6), decode=whole_pixels, reply=reply)
    with (
        serving(route, "/v2/models/mymodel/versions/1") as service,
        opened(service.url, COLOR, adapter="kserve") as suspect,
    ):
        require_right(suspect, images(COLOR), Preprocessing())


def test_kserve_labels_have_no_scores() -> None:
    """The reply that TorchServe's KServe v2 envelope documents."""

    def reply(row: list[float]) -> dict[str, Any]:
        label = {"name": "predict", "shape": [1], "datatype": "INT64", "data": [2]}
        return {"id": "f0222600", "model_name": "bert", "model_version": "1", "outputs": [label]}

    route = kserve(
        scores_of, shape=(-1, 3, 4, 6), decode=whole_pixels, reply=reply, outputs=("predict",)
    )
    with serving(route, "/v2/models/bert") as service:
        with unusable("labels"):
            open_suspect(service.url, shape=COLOR, adapter="kserve")
        with opened(service.url, COLOR, adapter="kserve", outputs=CLASSES) as suspect:
            (answer,) = suspect.answer(images(COLOR, 1), Preprocessing())
            assert answer == Answer(2)
            assert answer.scores is None


def test_kserve_with_several_outputs_asks_the_one_that_is_named() -> None:
    route = kserve(
        scores_of, shape=(-1, 3, 4, 6), decode=whole_pixels, outputs=("features", "logits")
    )
    with serving(route, "/v2/models/m") as service:
        with unusable("2 outputs: features, logits"):
            open_suspect(service.url, shape=COLOR, adapter="kserve")
        with pytest.raises(UsageError, match="no output 'scores'"):
            open_suspect(service.url, shape=COLOR, adapter="kserve", output="scores")
        with opened(service.url, COLOR, adapter="kserve", output="logits") as suspect:
            assert suspect.identity.output == "logits"
            require_right(suspect, images(COLOR), Preprocessing())
    bodies = [json.loads(body) for method, _, body in service.requests if method == "POST"]
    assert all(body["outputs"] == [{"name": "logits"}] for body in bodies)


def test_kserve_takes_no_preprocessing_that_its_input_cannot_have() -> None:
    route = kserve(scores_of, shape=(-1, 4, 6, 3), datatype="UINT8", decode=lambda v: v[0])
    with (
        serving(route, "/v2/models/m") as service,
        opened(service.url, COLOR, adapter="kserve", outputs=CLASSES) as suspect,
    ):
        with unusable("uint8"):
            suspect.try_out(Preprocessing(layout="nhwc"))
        with unusable("layout nhwc"):
            suspect.try_out(RAW)


@pytest.mark.parametrize("end", ["/v2/models/m/infer", "/v1/models/m:predict", "/", "/v2/models/"])
def test_kserve_needs_the_url_of_a_model(end: str) -> None:
    with pytest.raises(UsageError, match="/v2/models/NAME"):
        open_suspect(f"http://127.0.0.1:9{end}", shape=COLOR, adapter="kserve")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"inputs": []}, "0 inputs"),
        ({"inputs": None}, "no list of inputs"),
        ({"outputs": {}}, "no list of outputs"),
        ({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1]}]}, "type BYTES"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 5]}]}, "takes no image"),
        ({"inputs": [{"name": 7, "datatype": "FP32", "shape": [1, 5]}]}, "no name"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [True]}]}, "no shape"),
        ({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}] * 2}, "one name"),
    ],
)
def test_kserve_models_that_describe_themselves_badly(change: dict[str, Any], told: str) -> None:
    described = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3, 4, 6]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 7]}],
    }
    with serving(lambda *_: {**described, **change}, "/v2/models/m") as service, unusable(told):
        open_suspect(service.url, shape=COLOR, adapter="kserve", outputs=CLASSES)


def test_kserve_without_a_description() -> None:
    with (
        serving(lambda *_: (404, {"error": "x"}), "/v2/models/m") as service,
        unusable("HTTP 404"),
    ):
        open_suspect(service.url, shape=COLOR, adapter="kserve", outputs=CLASSES)
