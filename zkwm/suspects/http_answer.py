"""zkwm's own protocol of endpoints, ``zkwm/query/v1`` (SPEC.md 7).

A request carries one image::

    {"schema": "zkwm/query/v1", "shape": [c, h, w], "image": "<base64 of c*h*w uint8 pixels>"}

The reply is ``{"scores": [k numbers]}`` (the largest wins, the first of equals) or
``{"label": integer from 0 to k - 1}``, with no other key.
"""

from __future__ import annotations

import base64
import json

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.http_adapter import Adapter, Question, Reading
from zkwm.suspects.http_json import UNREADABLE, ReplyError, read_json, read_label, read_scores
from zkwm_protocols.suspect_identity import Preprocessing

SCHEMA = "zkwm/query/v1"
_DEPTH = 4


class QueryAdapter(Adapter):
    """Asks by ``zkwm/query/v1``."""

    def question(self, image: NDArray[np.uint8], preprocessing: Preprocessing) -> Question:
        """Pixels in base64; the endpoint preprocesses them."""
        value = {
            "schema": SCHEMA,
            "shape": list(image.shape),
            "image": base64.b64encode(image.tobytes()).decode("ascii"),
        }
        return Question(json.dumps(value).encode("ascii"))

    def read(self, body: bytes, outputs: int | None) -> Reading:
        """The scores, or the label. Raises ReplyError."""
        value = read_json(body, _DEPTH)
        if not isinstance(value, dict) or len(value) != 1:
            raise ReplyError(UNREADABLE)
        if "label" in value:
            return read_label(value["label"])
        if "scores" in value:
            return read_scores(value["scores"])
        raise ReplyError(UNREADABLE)
