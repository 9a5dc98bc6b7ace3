"""The process that runs a suspect's ONNX file: ``python -P -m zkwm.suspects.onnx_worker MEMORY``.

Frames in (``zkwm.suspects.onnx_frames``): JSON (the output that is asked, whether the file is only
merged, in which order its sums are added up, 0 for its own), the model, the files of weights that
``P`` and JSON asked for; then for each query its rank in one byte, 4-byte big-endian dimensions and
the input's bytes. Frames out: ``R`` and JSON (the declared input, what the order moved) or ``M``
and the merged model, then one for each query: ``S`` and the scores as little-endian float64, or
``L`` and a label as int64. ``E`` and the reason, a line feed and a hint come instead where
something is refused. It ends when its input ends, bounds itself to MEMORY bytes of address space,
and writes no files. It guards against endless loops, memory and crashes; it is no sandbox against a
flaw in ONNX Runtime that runs code.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from zkwm.suspects.limited_worker import open_frames
from zkwm.suspects.onnx_contents import (
    RefusedError,
    external_files,
    merge,
    require_deterministic,
)
from zkwm.suspects.onnx_frames import write_frame
from zkwm.suspects.onnx_reordered import Reordered, reorder
from zkwm.suspects.resource_limits import limit_resources

if TYPE_CHECKING:
    import onnx
    import onnxruntime

_MAXIMUM_OUTPUTS = 1_000_000
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
_SCORE_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4")
_ANOTHER_OUTPUT = "name an output with scores or labels"


class _Model:
    """A loaded model. Raises RefusedError where it cannot be queried."""

    def __init__(self, model: bytes, output: str) -> None:
        self._session = open_session(model)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise RefusedError(
                f"it has {len(inputs)} inputs, only models with one can be queried",
                "ask the service that runs it, by its URL",
            )
        if inputs[0].type not in _DTYPES:
            raise RefusedError(
                f"its input is {inputs[0].type}, not float16/32/64, int32, int64 or uint8",
                "ask the service that runs it, by its URL",
            )
        self._input = inputs[0].name
        self._output = choose_output([item.name for item in self._session.get_outputs()], output)
        self.dtype = _DTYPES[inputs[0].type]
        self.shape = [size if isinstance(size, int) and size > 0 else None
                      for size in inputs[0].shape or []]  # fmt: skip

    def answer(self, question: bytes) -> tuple[bytes, bytes]:
        """``S`` and the first row of scores as float64, or ``L`` and the label as int64.

        Raises RefusedError.
        """
        rank = question[0]
        sizes = (int.from_bytes(question[1 + 4 * i : 5 + 4 * i], "big") for i in range(rank))
        shape = tuple(sizes)
        image = np.frombuffer(question, self.dtype, offset=1 + 4 * rank).reshape(shape)
        output = self._session.run([self._output], {self._input: image})[0]
        kind = output.dtype.str[1:] if isinstance(output, np.ndarray) else ""
        if kind not in (*_SCORE_TYPES, "i8"):
            raise RefusedError("its output is not a tensor of numbers", _ANOTHER_OUTPUT)
        if output.shape in ((shape[0],), (shape[0], 1)) and kind[0] in "iu":
            return b"L", np.asarray(output.reshape(-1)[0], "<i8").tobytes()
        classes = [size for size in output.shape[1:] if size != 1]
        if output.ndim < 2 or output.shape[0] != shape[0] or len(classes) > 1 or kind == "i8":
            raise RefusedError(
                f"its output is {output.dtype} of the shape {output.shape}, neither scores "
                "(images, classes) nor whole labels (images,)",
                _ANOTHER_OUTPUT,
            )
        if output.size > shape[0] * _MAXIMUM_OUTPUTS:
            raise RefusedError(f"it has more than {_MAXIMUM_OUTPUTS:,} outputs")
        return b"S", np.asarray(output[0], "<f8").tobytes()


def read_model(data: bytes) -> onnx.ModelProto:
    """Parse an ONNX file. Raises RefusedError."""
    import onnx

    refusal = RefusedError("it is not an ONNX file", "get the file again from where it came")
    if data[4:8] == b"ORTM":
        raise refusal
    try:
        return onnx.load_model_from_string(data)
    except Exception:
        raise refusal from None


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Load a model into ONNX Runtime, with one thread and no custom code. Raises RefusedError."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    onnxruntime.set_seed(0)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # What the file says is asked: of a file with QuantizeLinear the optimizer would quantize float
    # weights by itself, and make one rounding of two.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    merging = ["DoubleQDQPairsRemover"]
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=merging
        )
    except Exception as error:
        raise RefusedError(
            f"ONNX Runtime refuses it: {error}", "check that ONNX Runtime runs the file on the CPU"
        ) from None


def choose_output(names: list[str], wanted: str) -> str:
    """The output ``wanted``, or the only one (SPEC.md 4.3). Raises RefusedError."""
    shown = ", ".join(repr(name) for name in names[:20])
    if wanted:
        if wanted not in names:
            raise RefusedError(f"it has no output {wanted!r}", f"its outputs are {shown}")
        return wanted
    if len(names) != 1:
        raise RefusedError(
            f"it has {len(names)} outputs: {shown}",
            "name the one that holds the scores (`output`)",
        )
    return names[0]


def _reply(stream: BinaryIO, kind: bytes, payload: bytes) -> None:
    """Send one frame: its kind, then the payload."""
    write_frame(stream, kind, payload)


def _reason(error: BaseException) -> bytes:
    """An error for the judge: its text in one line of at most 1,000 characters, then its hint."""
    hint = error.hint if isinstance(error, RefusedError) else ""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate" in text:
        text = "out of memory"
    return f"{text[:1000]}\n{hint[:1000]}".encode("utf-8", "replace")


def _load(questions: queue.SimpleQueue[bytes], replies: BinaryIO) -> bytes:
    """The file, merged with those that hold its weights. Raises RefusedError."""
    data = questions.get()
    model = read_model(data)
    require_deterministic(model)
    names = external_files(model)
    if not names:
        return data
    _reply(replies, b"P", json.dumps(names).encode())
    merge(model, {name: questions.get() for name in names})
    return bytes(model.SerializeToString(deterministic=True))


def _opened(merged: bytes, output: str, order: int) -> tuple[_Model, Reordered]:
    """The model that is asked, its sums in another order where one is wanted. Raises RefusedError.

    What ONNX Runtime does not take in another order is asked as it is.
    """
    if not order:
        return _Model(merged, output), Reordered()
    model, moved = reorder(read_model(merged), order)
    try:
        return _Model(bytes(model.SerializeToString(deterministic=True)), output), moved
    except (RefusedError, ValueError):
        return _Model(merged, output), Reordered(left=moved.moved + moved.left)


def _import_libraries() -> None:
    """Import what a model needs before it comes; what is missing is told in its turn."""
    with contextlib.suppress(ImportError):
        for library in ("onnx", "onnxruntime"):
            import_module(library)


def main() -> None:
    """Serve one model until standard input ends."""
    limit_resources(int(sys.argv[1]))
    questions, replies = open_frames()
    _import_libraries()
    wanted = json.loads(questions.get())
    try:
        merged = _load(questions, replies)
        if wanted["merge"]:
            _reply(replies, b"M", merged)
            return
        model, moved = _opened(merged, wanted["output"], wanted["order"])
        del merged
    except (Exception, MemoryError) as error:
        _reply(replies, b"E", _reason(error))
        return
    declared = {"dtype": model.dtype, "shape": model.shape} | asdict(moved)
    _reply(replies, b"R", json.dumps(declared).encode())
    while True:
        try:
            answer = model.answer(questions.get())
        except (Exception, MemoryError) as error:
            _reply(replies, b"E", _reason(error))
        else:
            _reply(replies, *answer)


if __name__ == "__main__":
    main()
