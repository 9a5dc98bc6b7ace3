"""Hugging Face's inference API for image classification: base64 of a picture, labels and scores.

The request is ``{"inputs": "<base64 of a PNG file>", "parameters": {"top_k": K}}``, the reply a
list of ``{"label": text, "score": number}``, the best first (huggingface.js: packages/tasks, the
JSON schemas of the task ``image-classification``; transformers: pipelines/image_classification.py).
All K classes are asked for, since the default is the best five; a service that gives fewer all the
same answers with a label (``http_named_scores``). Labels are the names of the model's config.json.
"""

from __future__ import annotations

import base64
import json

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.http_adapter import Adapter, AdapterSettings, Question, Reading
from zkwm.suspects.http_json import read_json
from zkwm.suspects.http_named_scores import OutputNames, read_entries
from zkwm.suspects.http_pictures import png, require_picture
from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing

_DEPTH = 3


class HuggingFaceAdapter(Adapter):
    """Asks an image classifier behind Hugging Face's inference API."""

    names_outputs = True

    def __init__(self, settings: AdapterSettings) -> None:
        super().__init__(settings)
        require_picture(settings.shape)
        if settings.names is None:
            raise UsageError(
                "endpoints of this protocol answer with names of classes, which are not known",
                hint="give the model's config.json, or its names (`suspect_classes`)",
            )
        self._outputs = OutputNames(settings.names)
        self._count = len(settings.names)

    def question(self, image: NDArray[np.uint8], preprocessing: Preprocessing) -> Question:
        """The picture in base64; the endpoint preprocesses it."""
        value = {
            "inputs": base64.b64encode(png(image)).decode("ascii"),
            "parameters": {"top_k": self._count},
        }
        return Question(json.dumps(value).encode("ascii"))

    def read(self, body: bytes, outputs: int | None) -> Reading:
        """Scores by label, or the first of them. Raises ReplyError."""
        value = read_json(body, _DEPTH)
        return self._outputs.read(read_entries(value, "label", "score"), outputs)
