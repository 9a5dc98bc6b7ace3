"""Parts of ONNX files and images for tests of suspects: loops, and what only black images meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from zkwm.suspects import open_suspect
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 2, 2)


RAW = Preprocessing(scale="raw")


GRAY = np.full((1, *SHAPE), 128, np.uint8)


BLACK = np.zeros((1, *SHAPE), np.uint8)


WEIGHTS = np.eye(4)


def black_times_factor(name: str) -> list[onnx.NodeProto]:
    """``name`` is 0 for a gray image and the tensor ``factor`` for a black one."""
    return [
        helper.make_node("ReduceMax", ["x"], ["peak"], keepdims=0),
        helper.make_node("Less", ["peak", "one"], ["black"]),
        helper.make_node("Cast", ["black"], ["black_number"], to=TensorProto.INT64),
        helper.make_node("Mul", ["black_number", "factor"], [name]),
    ]


@contextmanager
def unusable(reason: str) -> Iterator[pytest.ExceptionInfo[SuspectUnusable]]:
    """SuspectUnusable of the check ``suspect.answers``, whose message has the word ``reason``."""
    with pytest.raises(SuspectUnusable, match=reason) as caught:
        yield caught
    assert caught.value.check == "suspect.answers"


def refused(path: Path, reason: str, **options: Any) -> None:
    with unusable(reason) as caught:
        open_suspect(path, shape=SHAPE, **options)
    assert caught.value.message.isprintable()
