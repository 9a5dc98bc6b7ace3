"""Tensors of the Open Inference Protocol: the form of an input, the values of an output.

A tensor is ``{"name", "shape", "datatype", "data"}``, with data in row-major order, flat or nested.
Which forms of an image a model takes, and which of an answer it gives, is as for ONNX files
(SPEC.md 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from zkwm.suspects.http_adapter import Reading
from zkwm.suspects.http_json import ReplyError, read_label, read_scores

_FLOATS = ("FP16", "FP32", "FP64")
_WHOLE = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_KEYS = frozenset(("name", "shape", "datatype", "parameters", "data"))
_MOST_AXES = 8


@dataclass(frozen=True)
class InputForm:
    """The shapes of a tensor of one image, by layout (nchw, nhwc); equal where it is flat."""

    shapes: dict[str, tuple[int, ...]]

    @property
    def layouts(self) -> tuple[str, ...]:
        """The layouts that the model may take."""
        return tuple(self.shapes)

    def shape(self, layout: str) -> tuple[int, ...]:
        """The tensor's shape for a layout in ``layouts``."""
        return self.shapes[layout]


def input_form(declared: tuple[int, ...], shape: tuple[int, int, int]) -> InputForm | None:
    """How images of ``shape`` (c, h, w) fit a declared shape, -1 where it is open; None if not.

    An image with its axes, with or without that of images; rows of pixels; gray images without the
    axis of channels.
    """
    channels, height, width = shape
    axes = {"nchw": (channels, height, width), "nhwc": (height, width, channels)}
    for lead in ((1,), ()):
        shapes = {layout: (*lead, *sizes) for layout, sizes in axes.items()}
        fitting = {name: sizes for name, sizes in shapes.items() if _fits(declared, sizes)}
        if fitting:
            return InputForm(fitting)
    others = [(1, prod(shape))] + ([(1, height, width), (height, width)] if channels == 1 else [])
    for sizes in others:
        if _fits(declared, sizes):
            return InputForm({"nchw": sizes, "nhwc": sizes})
    return None


def read_tensor(tensor: object, name: str) -> Reading:
    """The scores, or the label, in the one output of a reply. Raises ReplyError.

    Args:
        tensor: what the reply has.
        name: the output that was asked; empty for any.
    """
    if not isinstance(tensor, dict) or not tensor.keys() <= _KEYS:
        raise ReplyError("the output of its reply is no tensor")
    if "data" not in tensor:
        raise ReplyError("the output of its reply has no data (binary tensors were not asked for)")
    if name and tensor.get("name") != name:
        raise ReplyError("its reply has another output than the one that was asked for")
    shape = _read_shape(tensor.get("shape"))
    data = _flat(tensor["data"], shape)
    datatype = tensor.get("datatype")
    if datatype in _WHOLE and prod(shape) == 1:
        return read_label(data[0])
    if datatype not in _FLOATS and datatype not in _WHOLE:
        raise ReplyError("the output of its reply has another type than that of scores")
    if sum(size != 1 for size in shape) > 1 or (len(shape) > 1 and shape[0] != 1):
        raise ReplyError(f"the output of its reply has the shape {list(shape)}")
    return read_scores(data)


def _fits(declared: tuple[int, ...], sizes: tuple[int, ...]) -> bool:
    """Whether a declared shape, -1 where it is open, admits these sizes."""
    return len(declared) == len(sizes) and all(
        one in (-1, size) for one, size in zip(declared, sizes, strict=True)
    )


def _read_shape(value: object) -> tuple[int, ...]:
    """The shape of a tensor that is not empty. Raises ReplyError."""
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_AXES:
        raise ReplyError("the output of its reply has no shape")
    if not all(type(size) is int and 1 <= size < 2**31 for size in value):
        raise ReplyError("the output of its reply has no shape")
    return tuple(value)


def _flat(data: object, shape: tuple[int, ...]) -> list[object]:
    """The entries of data that are flat, or nested as the shape says. Raises ReplyError."""
    if not isinstance(data, list):
        raise ReplyError("the data of its reply are no list")
    if data and isinstance(data[0], list):
        rows: list[object] = [data]
        for size in shape:
            if any(not isinstance(row, list) or len(row) != size for row in rows):
                raise ReplyError("the data of its reply do not have its shape")
            rows = [entry for row in rows if isinstance(row, list) for entry in row]
        return rows
    if len(data) != prod(shape):
        raise ReplyError(f"its reply has {len(data)} values for a shape of {prod(shape)}")
    return data
