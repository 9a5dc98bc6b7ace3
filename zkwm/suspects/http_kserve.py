"""The Open Inference Protocol (KServe v2, NVIDIA Triton, MLServer) over HTTP, in JSON alone.

The URL is the model's, ``.../v2/models/NAME`` or ``.../v2/models/NAME/versions/VERSION``. A GET of
it tells the names, types and shapes of inputs and outputs; a POST to ``/infer`` beneath it asks
(kserve/open-inference-protocol: specification/protocol/inference_rest.md). The tensor is made from
pixels as the challenge's preprocessing says, in the type and form that the model declares. Binary
tensors, an extension, are neither sent nor read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.foreign_text import printable
from zkwm.suspects.http_adapter import Adapter, AdapterSettings, Question, Reading
from zkwm.suspects.http_json import ReplyError, read_json
from zkwm.suspects.http_tensor import InputForm, input_form, read_tensor
from zkwm.suspects.preprocessing import WHOLE_TYPES, check_input, preprocess
from zkwm.suspects.suspect import CHECK
from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

_DEPTH = 8
_MODEL_URL = re.compile(r".*/v2/models/[^/?#]+(/versions/[^/?#]+)?")
_REPLY_KEYS = frozenset(("model_name", "model_version", "id", "parameters", "outputs"))
_TYPES = {
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
}
_MOST_TENSORS = 1_000


@dataclass(frozen=True)
class _Model:
    """What a model says of itself: its one input, and the names of its outputs."""

    input_name: str
    datatype: str
    form: InputForm
    outputs: tuple[str, ...]


def _require_model_url(url: str) -> None:
    """Raise UsageError unless ``url`` is that of a model."""
    if not _MODEL_URL.fullmatch(url):
        raise UsageError(
            "the URL of a model of this protocol ends in /v2/models/NAME, or in "
            "/v2/models/NAME/versions/VERSION",
            hint="leave /infer and anything behind it out",
        )


class KserveAdapter(Adapter):
    """Asks a model by the Open Inference Protocol."""

    def __init__(self, settings: AdapterSettings) -> None:
        self._require_no_template(settings)
        _require_model_url(settings.url)
        self._shape = settings.shape
        try:
            self._model = _read_model(settings.describe(), settings.shape)
        except ReplyError as reason:
            raise SuspectUnusable(
                f"the model's description cannot be used: {reason}",
                hint="open the URL in a browser: it must describe one input of the image's shape; "
                "a model that does not is asked by a template (`adapter='template'`)",
                check=CHECK,
            ) from None
        self._output = _chosen(settings.output, self._model.outputs)

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable unless the declared input takes such a tensor; Malformed."""
        check_input(preprocessing, self._shape[0], _TYPES[self._model.datatype])
        if preprocessing.layout not in self._model.form.layouts:
            raise SuspectUnusable(
                f"the model's input takes the layout {' or '.join(self._model.form.layouts)}, not "
                f"{preprocessing.layout}",
                hint=f"challenge it with `layout='{self._model.form.layouts[0]}'`",
                check=CHECK,
            )

    def counting_preprocessing(self) -> Preprocessing:
        """The declared layout, and pixels unchanged where the input takes whole numbers."""
        whole = _TYPES[self._model.datatype] in WHOLE_TYPES
        return Preprocessing(layout=self._model.form.layouts[0], scale="raw" if whole else "unit")

    def question(self, image: NDArray[np.uint8], preprocessing: Preprocessing) -> Question:
        """A tensor of one image, for the one output that is asked."""
        dtype = _TYPES[self._model.datatype]
        values = preprocess(image[None], preprocessing, dtype=dtype)
        tensor = {
            "name": self._model.input_name,
            "shape": list(self._model.form.shape(preprocessing.layout)),
            "datatype": self._model.datatype,
            "data": values.reshape(-1).tolist(),
        }
        value: dict[str, Any] = {"inputs": [tensor]}
        if self._output:
            value["outputs"] = [{"name": self._output}]
        return Question(json.dumps(value).encode("ascii"), path="/infer")

    def read(self, body: bytes, outputs: int | None) -> Reading:
        """The one tensor of the reply: scores, or a label. Raises ReplyError."""
        value = read_json(body, _DEPTH)
        if not isinstance(value, dict) or not value.keys() <= _REPLY_KEYS:
            raise ReplyError("its reply is not that of the Open Inference Protocol")
        tensors = value.get("outputs")
        if not isinstance(tensors, list) or len(tensors) != 1:
            raise ReplyError("its reply does not have one output")
        return read_tensor(tensors[0], self._output)


def _chosen(wanted: str, outputs: tuple[str, ...]) -> str:
    """The output that is asked: the one named, else the only one, empty where none has a name.

    Raises UsageError for a name that the model does not have, SuspectUnusable for several outputs
    of which none is named.
    """
    if wanted and wanted not in outputs:
        raise UsageError(
            f"the model has no output {wanted!r}",
            hint=f"it has {', '.join(printable(name, 60) for name in outputs[:10]) or 'none'}",
        )
    if not wanted and len(outputs) > 1:
        raise SuspectUnusable(
            f"the model has {len(outputs)} outputs: "
            f"{', '.join(printable(name, 60) for name in outputs[:10])}",
            hint="name the one that is asked (`output`)",
            check=CHECK,
        )
    return wanted or (outputs[0] if outputs else "")


def _read_model(body: bytes, shape: tuple[int, int, int]) -> _Model:
    """What the model says of itself, for images of ``shape``. Raises ReplyError."""
    value = read_json(body, _DEPTH)
    if not isinstance(value, dict):
        raise ReplyError("it is not an object")
    inputs = _tensors(value.get("inputs"), "inputs")
    outputs = _tensors(value.get("outputs"), "outputs")
    if len(inputs) != 1:
        raise ReplyError(f"it has {len(inputs)} inputs")
    name, datatype, declared = inputs[0]
    if datatype not in _TYPES:
        raise ReplyError(f"its input has the type {printable(datatype, 20)}")
    form = input_form(declared, shape)
    if form is None:
        raise ReplyError(f"its input of shape {list(declared)} takes no image of shape {shape}")
    names = tuple(output[0] for output in outputs)
    if len(set(names)) != len(names):
        raise ReplyError("two of its outputs have one name")
    return _Model(name, datatype, form, names)


def _is_size(size: object) -> bool:
    """Whether this is the length of an axis, or -1 for one that is open."""
    return type(size) is int and -1 <= size < 2**31


def _tensors(value: object, what: str) -> list[tuple[str, str, tuple[int, ...]]]:
    """Name, type and shape (-1 where open) of the tensors in a description. Raises ReplyError."""
    if not isinstance(value, list) or len(value) > _MOST_TENSORS:
        raise ReplyError(f"it has no list of {what}")
    read = []
    for tensor in value:
        fields = tensor if isinstance(tensor, dict) else {}
        name, datatype, shape = (fields.get(key) for key in ("name", "datatype", "shape"))
        if not isinstance(name, str) or not isinstance(datatype, str) or not 1 <= len(name) <= 500:
            raise ReplyError(f"one of its {what} has no name or no type")
        if not isinstance(shape, list) or not all(_is_size(size) for size in shape[:9]):
            raise ReplyError(f"one of its {what} has no shape")
        read.append((name, datatype, tuple(shape[:9])))
    return read
