"""Quantize a foreign ONNX file in a process of its own, within limits of memory and time.

The file may come from an adversary: it is parsed, translated and calibrated only there. What comes
back are the network's bytes, and the strict reader of networks checks them.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.quantized import FILE_LIMIT, HINT, QuantizedNetwork
from zkwm.quantizer.quantizer_process import QuantizerProcess, quantizer_memory
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.limited_process import NoResultError
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported
from zkwm_protocols.integer_network import codec
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.quantizer.layers import Shape

_NETWORK_LIMIT = 1 << 30


@dataclass(frozen=True)
class QuantizerLimits:
    """What reading and quantizing one file may use.

    Attributes:
        total_seconds: after which the process is killed.
        memory_bytes: its address space (where the system has such a limit); None is 8 GiB plus
            eight times the file.
    """

    total_seconds: float = 1800.0
    memory_bytes: int | None = None


def quantize_limited(
    data: bytes,
    *,
    shape: Shape,
    preprocessing: Preprocessing,
    calibration: NDArray[np.uint8] | None = None,
    output: str = "",
    limits: QuantizerLimits | None = None,
    process: QuantizerProcess | None = None,
) -> QuantizedNetwork:
    """``quantize`` the content of a file in a limited process.

    Args:
        data: the file's content.
        shape: (channels, height, width) of the images.
        preprocessing: how pixels become the model's input.
        calibration (uint8, (n, c, h, w)): as for ``quantize``.
        output: the name of the output that is asked; empty for the only one.
        limits: time and memory.
        process: does it; None for another one.

    Raises what ``quantize`` raises, and Unsupported (check ``network.unsupported``) for a file that
    takes more time or memory than ``limits``.
    """
    facts, network = run_task(
        "quantize", data, shape, preprocessing, calibration, output, limits, process=process
    )
    try:
        digest, count = bytes.fromhex(facts["calibration_digest"]), facts["calibration_count"]
        notes = tuple(printable(note, 200) for note in facts["notes"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise no_result() from None
    if len(digest) != 32 or type(count) is not int:
        raise no_result()
    return QuantizedNetwork(codec.from_bytes(network), digest, count, notes)


def declared_shape_limited(
    data: bytes,
    preprocessing: Preprocessing,
    *,
    output: str = "",
    limits: QuantizerLimits | None = None,
) -> Shape | None:
    """``declared_shape`` of a file's content, read in a limited process; raises likewise."""
    facts, _ = run_task("shape", data, (1, 1, 1), preprocessing, None, output, limits)
    sizes = facts.get("shape")
    if sizes is None:
        return None
    if (
        not isinstance(sizes, list)
        or len(sizes) != 3
        or any(type(size) is not int or size < 1 for size in sizes)
    ):
        raise no_result()
    return sizes[0], sizes[1], sizes[2]


def run_task(
    task: str,
    data: bytes,
    shape: Shape,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8] | None,
    output: str,
    limits: QuantizerLimits | None,
    *,
    network: bytes = b"",
    result_limit: int = _NETWORK_LIMIT,
    process: QuantizerProcess | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Run one task of ``quantizer_worker`` on a file; return its facts and its result.

    Args:
        task: ``quantize``, ``shape``, ``scores`` or ``labels``.
        data: the file's content; empty for ``labels``.
        shape: (channels, height, width) of the images.
        preprocessing: how pixels become the model's input.
        images (uint8, (n, c, h, w)): what the task is about, or None.
        output: the name of the output that is asked; empty for the only one.
        limits: time and memory.
        network: the bytes of an integer network, for ``scores`` and ``labels``.
        result_limit: bytes of the largest result.
        process: does it, where its memory is what the task may use; None for another one.

    Raises ZkwmError: what the task raises; Unsupported past the time, CouldNotCheck without a
    result.
    """
    limits = limits or QuantizerLimits()
    if len(data) > FILE_LIMIT:
        raise Malformed(f"an ONNX file of more than {FILE_LIMIT} bytes")
    described = {
        "task": task,
        "shape": list(shape),
        "preprocessing": asdict(preprocessing),
        "output": output,
        "images": None if images is None else list(images.shape),
    }
    pixels = b"" if images is None else np.ascontiguousarray(images).tobytes()
    question = [json.dumps(described).encode(), data, pixels, network]
    memory = limits.memory_bytes or quantizer_memory(len(data), len(pixels))
    try:
        if process is not None and process.memory == memory:
            return process.answer(question, limits.total_seconds, result_limit)
        with closing(QuantizerProcess(memory)) as another:
            return another.answer(question, limits.total_seconds, result_limit)
    except NoResultError as error:
        if not error.late:
            raise no_result() from None
        raise Unsupported(
            f"its integer network takes more than the {limits.total_seconds:g} seconds that it may "
            "use",
            hint=HINT,
            check="network.unsupported",
        ) from None


def no_result() -> CouldNotCheck:
    """The error for a process that died or answered in another form."""
    return CouldNotCheck(
        "the process that reads the model's file ended without a result",
        hint="it may have run out of memory; try again on a larger machine",
    )
