"""Describe a foreign ONNX file in a process of its own, within limits of memory and time.

The process's reply is read as a stranger's: types and sizes are checked.
"""

from __future__ import annotations

import json
from typing import Any

from zkwm.quantizer.limited_quantizer import no_result
from zkwm.quantizer.onnx_description import (
    MOST_OPERATORS,
    MOST_REFUSALS,
    MOST_VALUES,
    ArgumentOutlook,
    OnnxDescription,
    OnnxValue,
)
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limited_process import NoResultError, run_limited
from zkwm_protocols.errors import Unsupported

_MODULE = "zkwm.quantizer.quantizer_worker"
_BASE_MEMORY = 8 << 30
_RESULT_LIMIT = 16 << 20
_SECONDS = 300.0
_LONGEST_REFUSAL = 500


def describe_limited(data: bytes, *, seconds: float = _SECONDS) -> OnnxDescription:
    """``onnx_description.describe`` of a file's content, its weights in it, in a limited process.

    Raises Malformed for what is no ONNX file, Unsupported where it takes more than ``seconds``,
    CouldNotCheck where the process ends without a result.
    """
    question = [json.dumps({"task": "describe", "images": None}).encode(), data, b"", b""]
    memory = _BASE_MEMORY + 8 * len(data)
    try:
        _, result = run_limited(
            _MODULE, question, memory=memory, seconds=seconds, result_limit=_RESULT_LIMIT
        )
        return _description(json.loads(result))
    except NoResultError as error:
        if not error.late:
            raise no_result() from None
        raise Unsupported(
            f"describing the file takes more than {seconds:g} seconds",
            hint="get a smaller export of the model",
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise no_result() from None


def _description(value: dict[str, Any]) -> OnnxDescription:
    """The reply as a description. Raises ValueError, TypeError, KeyError or AttributeError."""
    operators = {_text(name): _count(number) for name, number in value["operators"].items()}
    if len(operators) > MOST_OPERATORS:
        raise ValueError("too many operators")
    return OnnxDescription(
        inputs=_values(value["inputs"]),
        outputs=_values(value["outputs"]),
        opset=_count(value["opset"]),
        operators=operators,
        parameters=_count(value["parameters"]),
        arguments=tuple(_outlook(entry) for entry in value["arguments"][:MOST_VALUES]),
    )


def _values(entries: list[dict[str, Any]]) -> tuple[OnnxValue, ...]:
    """Inputs or outputs."""
    return tuple(
        OnnxValue(
            _text(entry["name"]),
            _text(entry["type"]),
            tuple(
                _text(size) if isinstance(size, str) else _count(size)
                for size in entry["shape"][:MOST_VALUES]
            ),
        )
        for entry in entries[:MOST_VALUES]
    )


def _outlook(entry: dict[str, Any]) -> ArgumentOutlook:
    """Whether there can be an argument about one output."""
    possible = entry["possible"]
    if possible is not None and type(possible) is not bool:
        raise TypeError("possible")
    refusals = tuple(_text(text) for text in entry["refusals"][:MOST_REFUSALS])
    return ArgumentOutlook(_text(entry["output"]), possible, refusals)


def _text(value: object) -> str:
    """A text, printable. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return printable(value, _LONGEST_REFUSAL)


def _count(value: object) -> int:
    """A number that is not negative. Raises TypeError or ValueError."""
    if type(value) is not int:
        raise TypeError("no number")
    if not 0 <= value < 1 << 63:
        raise ValueError("no count")
    return value
