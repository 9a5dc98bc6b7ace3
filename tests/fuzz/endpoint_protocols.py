"""Replies by the protocols of endpoints, what a model says of itself, templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.byte_changes import chosen, mixed
from tests.fuzz.harness import Kind
from tests.fuzz.text_changes import change_json
from zkwm.suspects.http_adapter import AdapterSettings, answer_from_reply, make_adapter
from zkwm_protocols.errors import Malformed, SuspectUnusable

_NAMES = ("cat", "Hund", "été", "3")
_SHAPE = (3, 2, 2)
_URL = "https://suspect.example/v2/models/m"
_TENSOR = {"name": "y", "shape": [1, 4], "datatype": "FP32", "data": [0.1, 2, -3e2, 4]}
_DESCRIPTION = {
    "name": "m", "versions": ["1"], "platform": "onnxruntime_onnx",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3, 2, 2]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}],
}  # fmt: skip
_TEMPLATE = {
    "schema": "zkwm/template/v1",
    "request": {"instances": [{"b64": "{{png}}"}], "more": [1.5, None, True]},
    "reply": {"entries": "/a~1b/0", "name": "label", "score": "score"},
}
_REPLIES: dict[str, list[Any]] = {
    "kserve": [
        {"model_name": "m", "model_version": "1", "id": "42", "outputs": [_TENSOR]},
        {"outputs": [{**_TENSOR, "data": [[0.1, 2, -3e2, 4]], "parameters": {"a": 1}}]},
        {"outputs": [{**_TENSOR, "shape": [1], "datatype": "INT64", "data": [3]}]},
    ],
    "torchserve": [
        {"cat": 0.5, "Hund": 0.25, "été": 0.2, "3": 0.05},
        {"cat": 0.5, "Hund": 0.25},
        [{"class": "cat", "probability": 0.4}, {"class": "Hund", "probability": 0.3}],
        [0.1, 2, -3e2, 4],
        3,
    ],
    "huggingface": [
        [{"label": name, "score": 0.1 * place} for place, name in enumerate(_NAMES)],
        [{"score": 0.9, "label": "HUND"}],
    ],
    "template": [
        {"a/b": [[{"label": name, "score": 0.1} for name in _NAMES]], "more": {"x": [1]}},
    ],
}


class NoAnswerError(Exception):
    """The answer is a problem, in words."""


def _settings(template: bytes | None, described: bytes) -> AdapterSettings:
    return AdapterSettings(_URL, _SHAPE, "", _NAMES, template, lambda: described)


def _document(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _reader(adapter: str) -> Callable[[bytes], object]:
    template = _document(_TEMPLATE) if adapter == "template" else None
    asked = make_adapter(adapter, _settings(template, _document(_DESCRIPTION)))

    def read(data: bytes) -> object:
        answer = answer_from_reply(asked, data, len(_NAMES))
        if answer.output is None:
            raise NoAnswerError(answer.problem)
        assert 0 <= answer.output < len(_NAMES)
        return answer

    return read


def _changed(values: list[Any]) -> Callable[[Random], bytes]:
    return mixed(chosen([_document(value) for value in values]), change_json)


def kinds() -> list[Kind]:
    """All kinds of this file."""
    replies = [
        Kind(f"reply by {adapter}", _changed(values), _reader(adapter), (NoAnswerError,))
        for adapter, values in _REPLIES.items()
    ]
    return [
        *replies,
        Kind(
            "model's description",
            _changed([_DESCRIPTION]),
            lambda data: make_adapter("kserve", _settings(None, data)),
            (SuspectUnusable,),
        ),
        Kind(
            "template",
            _changed([_TEMPLATE]),
            lambda data: make_adapter("template", _settings(data, b"")),
            (Malformed,),
        ),
    ]
