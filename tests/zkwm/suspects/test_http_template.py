"""Endpoints that are asked by a JSON template."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.http_services import Service, pixels_of, serving
from tests.support.protocol_case import (
    CLASSES,
    COLOR,
    NAMES,
    RAW,
    images,
    opened,
    require_right,
    scores_of,
    template,
)
from zkwm.suspects import Answer, HttpSettings, open_suspect
from zkwm_protocols.errors import Malformed
from zkwm_protocols.suspect_identity import Preprocessing


def asked_by_template(service: Service, path: Path, **options: Any) -> Any:
    return opened(service.url, COLOR, adapter="template", http={"template": path}, **options)


TEMPLATES = {
    "TorchServe's JSON envelope, a picture": (
        {"instances": [{"b64": "{{png}}"}]}, {"scores": "/predictions/0"},
        lambda row: {"predictions": [row]}, Preprocessing()),
    "a data URI": (
        {"image_url": "data:image/png;base64,{{png}}"}, {"scores": "/a~1b/c~0d"},
        lambda row: {"a/b": {"c~d": row}}, Preprocessing()),
    "pixels": (
        {"b64": "{{pixels}}", "shape": [3, 4, 6]}, {"scores": ""}, lambda row: row,
        Preprocessing()),
    "a nested tensor": (
        {"instances": ["{{tensor}}"]}, {"scores": "/predictions/0"},
        lambda row: {"predictions": [row]}, Preprocessing(layout="nhwc", mean=("0.5",) * 3,
                                                          std=("0.25",) * 3)),
    "an Open Inference Protocol server that describes nothing": (
        {"inputs": [{"name": "predict", "shape": [1, 3, 4, 6], "datatype": "UINT8",
                     "data": "{{values}}"}]},
        {"scores": "/outputs/0/data"}, lambda row: {"outputs": [{"data": row}]}, RAW),
    "scores by name": (
        {"image": "{{png}}"}, {"scores": "/result"},
        lambda row: {"result": dict(zip(NAMES, row, strict=True)), "took": 3}, Preprocessing()),
    "a list of entries": (
        {"image": "{{png}}"}, {"entries": "", "name": "className", "score": "probability"},
        lambda row: [{"className": name, "probability": score}
                     for name, score in zip(NAMES, row, strict=True)], Preprocessing()),
}  # fmt: skip


def image_in(body: bytes, fed: Preprocessing) -> np.ndarray:
    """The pixels (c, h, w) in the request of any of TEMPLATES."""
    request = json.loads(body)
    if "b64" in request:
        return np.frombuffer(base64.b64decode(request["b64"]), np.uint8).reshape(COLOR)
    if "inputs" in request:
        values = request["inputs"][0]["data"]
        assert all(type(value) is int for value in values)
        return np.array(values, np.uint8).reshape(COLOR)
    if "instances" in request and isinstance(request["instances"][0], list):
        values = np.array(request["instances"][0]) * 0.25 + 0.5
        return np.rint(values * 255).astype(np.uint8).transpose(2, 0, 1)
    text = request.get("image_url") or request.get("image") or request["instances"][0]["b64"]
    return pixels_of(base64.b64decode(text.removeprefix("data:image/png;base64,")))


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(tmp_path: Path, name: str) -> None:
    request, reply, answered, fed = TEMPLATES[name]
    path = template(tmp_path, request, reply)
    named = "name" in name or "entries" in name
    with serving(lambda _, body: answered(scores_of(image_in(body, fed)))) as service:
        outputs = None if named else CLASSES
        with asked_by_template(
            service, path, output_names=NAMES if named else None, outputs=outputs
        ) as suspect:
            assert suspect.identity.template is not None
            require_right(suspect, images(COLOR), fed)


@pytest.mark.parametrize(("label", "answer"), [(4, 4), ("class 4", 4), ("Class 5 ", 5)])
def test_labels_by_template(tmp_path: Path, label: int | str, answer: int) -> None:
    path = template(tmp_path, {"image": "{{png}}"}, {"label": "/label"})
    with (
        serving(lambda *_: {"label": label}) as service,
        asked_by_template(service, path, output_names=NAMES) as suspect,
    ):
        assert suspect.answer(images(COLOR, 1), Preprocessing()) == (Answer(answer),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not JSON", "not a template"),
        ("[]", "not a template"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}"}', "not a template"),
        ('{"schema": "zkwm/template/v2", "request": "{{png}}", "reply": {"label": ""}}',
         "not a template"),
        ('{"schema": "zkwm/template/v1", "request": {}, "reply": {"label": ""}}', "0 places"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}{{png}}", "reply": {"label": ""}}',
         "2 places"),
        ('{"schema": "zkwm/template/v1", "request": "x{{values}}", "reply": {"label": ""}}',
         "within another"),
        ('{"schema": "zkwm/template/v1", "request": {"{{values}}": 1}, "reply": {"label": ""}}',
         "a key"),
        ('{"schema": "zkwm/template/v1", "request": ["{{png}}", 1e999], "reply": {"label": ""}}',
         "too large"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "reply": {}}', "where the answer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "reply": {"label": 1}}',
         "where the answer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", '
         '"reply": {"label": "", "scores": ""}}', "where the answer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "reply": {"label": "label"}}',
         "not a JSON pointer"),
        ('{"schema": "zkwm/template/v1", "request": "{{png}}", "request": "{{png}}", '
         '"reply": {"label": ""}}', "not a template"),
        ('{"schema": "zkwm/template/v1", "request": ' + "[" * 50 + "]" * 50
         + ', "reply": {"label": ""}}', "not a template"),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_used(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "template.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Malformed) as caught:
        open_suspect(
            "http://127.0.0.1:9/", shape=COLOR, adapter="template", outputs=3,
            http=HttpSettings(template=path),
        )  # fmt: skip
    assert told in caught.value.message
