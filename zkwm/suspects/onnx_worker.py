"""The process that runs a suspect's ONNX file: ``python -P -m zkwm.suspects.onnx_worker MEMORY``.

Frames in (``zkwm.suspects.onnx_frames``): the model, then for each query four 4-byte big-endian
dimensions and the input's bytes. Frames out, one for each frame in: ``R`` and JSON (the declared
input), ``S`` and the scores as little-endian float64, or ``E`` and the reason. It ends when its
input ends, bounds itself to MEMORY bytes of address space, and writes no files. It guards against
endless loops, memory and crashes; it is no sandbox against a flaw in ONNX Runtime that runs code.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from zkwm.suspects.onnx_frames import FrameError, read_frame, write_frame

if TYPE_CHECKING:
    import onnx
    import onnxruntime

_FRAME_LIMIT = 1 << 32
_MAXIMUM_OUTPUTS = 1_000_000
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
_SCORE_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4")


class RefusedError(Exception):
    """The model, or its answer, cannot be used; the text says why."""


class _Model:
    """A loaded model. Raises RefusedError where it cannot be queried."""

    def __init__(self, data: bytes) -> None:
        self._session = open_session(data)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise RefusedError(f"it has {len(inputs)} inputs, only models with one can be queried")
        if inputs[0].type not in _DTYPES:
            raise RefusedError(f"its input is {inputs[0].type}, not float16/32/64 or uint8")
        self._input = inputs[0].name
        self._output = _choose_output(self._session.get_outputs())
        self.dtype = _DTYPES[inputs[0].type]
        self.shape = [size if isinstance(size, int) and size > 0 else None
                      for size in inputs[0].shape or []]  # fmt: skip

    def scores(self, question: bytes) -> bytes:
        """The first row of scores for one query, as bytes of float64. Raises RefusedError."""
        shape = tuple(int.from_bytes(question[4 * i : 4 * i + 4], "big") for i in range(4))
        image = np.frombuffer(question, self.dtype, offset=16).reshape(shape)
        output = self._session.run([self._output], {self._input: image})[0]
        if not isinstance(output, np.ndarray) or output.dtype.str[1:] not in _SCORE_TYPES:
            raise RefusedError("its output is not a tensor of numbers")
        if output.ndim != 2 or output.shape[0] != shape[0]:
            raise RefusedError(f"its output has the shape {output.shape}, not (images, classes)")
        if output.shape[1] > _MAXIMUM_OUTPUTS:
            raise RefusedError(f"it has more than {_MAXIMUM_OUTPUTS:,} outputs")
        return np.asarray(output[0], "<f8").tobytes()


def open_session(data: bytes) -> onnxruntime.InferenceSession:
    """Load a model into ONNX Runtime, with one thread and no custom code. Raises RefusedError."""
    import onnx
    import onnxruntime

    try:
        proto = onnx.load_model_from_string(data)
    except Exception:
        raise RefusedError("it is not an ONNX file") from None
    if data[4:8] == b"ORTM":
        raise RefusedError("it is not an ONNX file")
    if any(map(_is_external, _tensors(proto))):
        raise RefusedError(
            "its weights lie in other files, which its digest does not cover; "
            "save it as one file without external data"
        )
    del proto
    onnxruntime.set_default_logger_severity(4)
    onnxruntime.set_seed(0)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RefusedError(f"ONNX Runtime refuses it: {error}") from None


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of the file, in graphs, functions and attributes, however nested."""
    yield from _graph_tensors(model.graph)
    for training in model.training_info:
        yield from _graph_tensors(training.initialization)
        yield from _graph_tensors(training.algorithm)
    for function in model.functions:
        yield from _attribute_tensors(function.attribute_proto)
        for node in function.node:
            yield from _attribute_tensors(node.attribute)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the tensors of a graph."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _attribute_tensors(node.attribute)


def _attribute_tensors(attributes: Iterable[onnx.AttributeProto]) -> Iterator[onnx.TensorProto]:
    """Yield the tensors of attributes, and of graphs inside them."""
    for attribute in attributes:
        yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _graph_tensors(graph)


def _is_external(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor's data lie outside the file."""
    return bool(tensor.data_location == tensor.EXTERNAL or tensor.external_data)


def _choose_output(outputs: list[Any]) -> str:
    """The only output, or the only one declared as a matrix of floats."""
    if len(outputs) > 1:
        outputs = [
            output
            for output in outputs
            if output.type in ("tensor(float)", "tensor(float16)", "tensor(double)")
            and len(output.shape or ()) == 2
        ]
    if len(outputs) != 1:
        raise RefusedError(
            f"it has several outputs, {len(outputs)} of them (images, classes); "
            "export it with the scores as its only output"
        )
    return str(outputs[0].name)


def _limit_resources(memory: int) -> None:
    """Bound address space, core files and written files, as far as the system can."""
    try:
        import resource
    except ImportError:
        return
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):
            continue


def _read_questions(stream: BinaryIO, questions: queue.SimpleQueue[bytes]) -> None:
    """Queue frames; end the process at once when the judge is gone, even inside a model's loop."""
    try:
        while True:
            questions.put(read_frame(stream, _FRAME_LIMIT))
    except FrameError:
        os._exit(0)


def _reply(stream: BinaryIO, kind: bytes, payload: bytes) -> None:
    """Send one frame: its kind, then the payload."""
    write_frame(stream, kind, payload)


def _reason(error: BaseException) -> bytes:
    """The text of an error for the judge, at most 1,000 characters."""
    text = str(error)
    if isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate" in text:
        text = "out of memory"
    return text[:1000].encode("utf-8", "replace")


def main() -> None:
    """Serve one model until standard input ends."""
    _limit_resources(int(sys.argv[1]))
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    questions: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    stdin = os.fdopen(0, "rb", buffering=0, closefd=False)
    threading.Thread(target=_read_questions, args=(stdin, questions), daemon=True).start()
    try:
        model = _Model(questions.get())
    except (Exception, MemoryError) as error:
        _reply(replies, b"E", _reason(error))
        return
    declared = {"dtype": model.dtype, "shape": model.shape}
    _reply(replies, b"R", json.dumps(declared).encode())
    while True:
        try:
            scores = model.scores(questions.get())
        except (Exception, MemoryError) as error:
            _reply(replies, b"E", _reason(error))
        else:
            _reply(replies, b"S", scores)


if __name__ == "__main__":
    main()
