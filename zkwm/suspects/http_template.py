"""A protocol that the judge describes: a JSON body to fill in, and where the answer stands.

For services that speak none of the known protocols. The file (SPEC.md 7.1) is::

    {"schema": "zkwm/template/v1",
     "request": {"instances": [{"b64": "{{png}}"}]},
     "reply": {"scores": "/predictions/0"}}

``request`` is any JSON with one placeholder: ``{{png}}`` and ``{{pixels}}`` are base64 within a
text; ``{{tensor}}`` (nested) and ``{{values}}`` (flat) stand alone, and are numbers made from
pixels as the challenge's preprocessing says. A challenge fixes the file by its digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.http_adapter import Adapter, AdapterSettings, Question, Reading
from zkwm.suspects.http_json import ReplyError, read_json, read_label, read_scores
from zkwm.suspects.http_named_scores import OutputNames, read_entries
from zkwm.suspects.http_pictures import png, require_picture
from zkwm.suspects.json_pointer import follow_pointer, parse_pointer
from zkwm.suspects.preprocessing import check_input, preprocess
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

SCHEMA = "zkwm/template/v1"
_DEPTH = 16
_TEXTS = ("{{png}}", "{{pixels}}")
_NUMBERS = ("{{tensor}}", "{{values}}")
_FORMS = ({"scores"}, {"label"}, {"entries", "name", "score"})


class TemplateAdapter(Adapter):
    """Asks by a template. Raises Malformed for one that cannot be used."""

    names_outputs = True

    def __init__(self, settings: AdapterSettings) -> None:
        if settings.output:
            raise UsageError("the template says which output is read", hint="leave its name out")
        if settings.template is None:
            raise UsageError(
                "the protocol template needs a template",
                hint="give the file that the challenge was made with, or is to be (`template`)",
            )
        self.template_digest = hashlib.sha256(b"zkwm-template-1" + settings.template).digest()
        self._outputs = OutputNames(settings.names)
        request, self._reply = _read_template(settings.template)
        self._pointer = parse_pointer(
            next(self._reply[key] for key in ("scores", "label", "entries") if key in self._reply)
        )
        self._placeholder, self._before, self._after = _split(request)
        self._channels = settings.shape[0]
        if self._placeholder == "{{png}}":
            require_picture(settings.shape)

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable for one that pixels sent unchanged cannot have; Malformed."""
        if self._placeholder in _NUMBERS:
            check_input(preprocessing, self._channels, "float32")
        else:
            super().check_preprocessing(preprocessing)

    def question(self, image: NDArray[np.uint8], preprocessing: Preprocessing) -> Question:
        """The template's request, filled in."""
        if self._placeholder in _NUMBERS:
            filled = json.dumps(_numbers(image, preprocessing, self._placeholder))
        else:
            data = png(image) if self._placeholder == "{{png}}" else image.tobytes()
            filled = base64.b64encode(data).decode("ascii")
        return Question((self._before + filled + self._after).encode("ascii"))

    def read(self, body: bytes, outputs: int | None) -> Reading:
        """What stands where the template points to. Raises ReplyError."""
        try:
            value = follow_pointer(read_json(body, _DEPTH), self._pointer)
        except LookupError:
            raise ReplyError("its reply has nothing where the template points to") from None
        if "entries" in self._reply:
            pairs = read_entries(value, self._reply["name"], self._reply["score"])
            return self._outputs.read(pairs, outputs)
        if "label" in self._reply:
            return self._outputs.number(value) if isinstance(value, str) else read_label(value)
        if isinstance(value, dict):
            return self._outputs.read(value.items(), outputs)
        return read_scores(value)


def _read_template(template: bytes) -> tuple[object, dict[str, str]]:
    """The request, and where replies have the answer. Raises Malformed."""
    try:
        value = read_json(template, _DEPTH)
    except ReplyError:
        value = None
    if (
        not isinstance(value, dict)
        or value.keys() != {"schema", "request", "reply"}
        or value["schema"] != SCHEMA
    ):
        raise Malformed(
            "this is not a template",
            hint=f"write a JSON object with schema ({SCHEMA}), request and reply; "
            "docs/new-endpoint-adapter.md has examples",
        )
    reply = value["reply"]
    if (
        not isinstance(reply, dict)
        or set(reply) not in _FORMS
        or not all(isinstance(text, str) for text in reply.values())
    ):
        raise Malformed(
            "the template does not say where the answer is",
            hint='write reply as {"scores": pointer}, {"label": pointer} or '
            '{"entries": pointer, "name": key, "score": key}',
        )
    return value["request"], reply


def _split(request: object) -> tuple[str, str, str]:
    """The placeholder in a request, and the JSON before and after it. Raises Malformed."""
    try:
        text = json.dumps(request, allow_nan=False)
    except ValueError:
        raise Malformed("the template's request has a number that is too large") from None
    found = [name for name in (*_TEXTS, *_NUMBERS) for _ in range(text.count(name))]
    if len(found) != 1:
        raise Malformed(
            f"the template's request has {len(found)} places for the image, not one",
            hint=f"write one of {', '.join((*_TEXTS, *_NUMBERS))} where the image goes",
        )
    mark = f'"{found[0]}"' if found[0] in _NUMBERS else found[0]
    before, _, after = text.partition(mark)
    try:
        json.loads(before + ("[0]" if found[0] in _NUMBERS else "0") + after)
    except ValueError:
        raise Malformed(
            f"the place for the image is a text within another, or a key: {found[0]}",
            hint="numbers stand alone, as the whole of a text that is a value",
        ) from None
    return found[0], before, after


def _numbers(image: NDArray[np.uint8], preprocessing: Preprocessing, placeholder: str) -> Any:  # noqa: ANN401
    """The values of one image, nested or flat; whole numbers where pixels stay as they are."""
    whole = preprocessing.scale == "raw" and not preprocessing.mean
    values = preprocess(image[None], preprocessing, dtype="uint8" if whole else "float32")[0]
    return (values.reshape(-1) if placeholder == "{{values}}" else values).tolist()
