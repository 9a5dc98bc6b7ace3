"""TorchServe's inference API: a picture to ``/predictions/NAME``, and what its handlers reply.

The body is a PNG file, which the default vision handlers decode and preprocess. Replies, one image
a request (pytorch/serve: docs/inference_api.md, ts/torch_handler/base_handler.py and
image_classifier.py, ts/utils/util.py):

- an object of scores by name, or by number where the model has no ``index_to_name.json``; the
  default classifier gives the best five;
- a list of objects ``{"class": ..., "probability": ...}``;
- a list of numbers, the row of all outputs;
- an integer, the label.

JSON bodies differ by handler: a template says them (``http_template``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.http_adapter import Adapter, AdapterSettings, Question, Reading
from zkwm.suspects.http_json import is_number, read_json, read_label, read_scores
from zkwm.suspects.http_named_scores import OutputNames, read_entries
from zkwm.suspects.http_pictures import PNG, png, require_picture
from zkwm_protocols.suspect_identity import Preprocessing

_DEPTH = 4


class TorchServeAdapter(Adapter):
    """Asks a model that TorchServe serves."""

    names_outputs = True

    def __init__(self, settings: AdapterSettings) -> None:
        super().__init__(settings)
        require_picture(settings.shape)
        self._outputs = OutputNames(settings.names)

    def question(self, image: NDArray[np.uint8], preprocessing: Preprocessing) -> Question:
        """The picture; the handler preprocesses it."""
        return Question(png(image), PNG)

    def read(self, body: bytes, outputs: int | None) -> Reading:
        """Scores by name, a row of scores, or a label. Raises ReplyError."""
        value = read_json(body, _DEPTH)
        if isinstance(value, dict):
            return self._outputs.read(value.items(), outputs)
        if is_number(value):
            return read_label(value)
        if isinstance(value, list) and value and not is_number(value[0]):
            return self._outputs.read(read_entries(value, "class", "probability"), outputs)
        return read_scores(value)
