"""The process that reads, quantizes and evaluates a foreign ONNX file: see ``limited_quantizer``.

``python -P -m zkwm.quantizer.quantizer_worker MEMORY``. Frames in: JSON (the task), the file, the
images, an integer network. Frames out: those of ``zkwm.suspects.limited_process``.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.limited_worker import serve
from zkwm.suspects.preprocessing import read_preprocessing
from zkwm.suspects.resource_limits import limit_resources
from zkwm_protocols.errors import Malformed, Unsupported, ZkwmError

_AT_ONCE = 32
"""Images whose pixels are held in double precision at once."""


def quantized(
    data: bytes, task: dict[str, Any], images: NDArray[np.uint8] | None
) -> tuple[dict[str, Any], bytes]:
    """Quantize the file; the facts of the calibration, and the network's bytes."""
    from zkwm.quantizer.quantizer import quantize
    from zkwm_protocols.integer_network import codec

    result = quantize(
        data,
        shape=tuple(task["shape"]),
        preprocessing=read_preprocessing(task["preprocessing"]),
        calibration=images,
        output=task["output"],
    )
    facts = {
        "calibration_digest": result.calibration_digest.hex(),
        "calibration_count": result.calibration_count,
        "notes": list(result.notes),
    }
    return facts, codec.to_bytes(result.network)


def scored(
    data: bytes, task: dict[str, Any], images: NDArray[np.uint8], network: bytes
) -> tuple[dict[str, Any], bytes]:
    """No facts, and the scores of ``limited_scores.ReadScores``: three arrays (n, K) in a row."""
    from zkwm.quantizer.calibration import require_affordable
    from zkwm.quantizer.layers import multiplications
    from zkwm.quantizer.quantizer import entries, read_layers
    from zkwm.quantizer.real_network import applied_last, real_logits
    from zkwm.suspects.preprocessing import preprocess
    from zkwm_protocols.integer_network import codec
    from zkwm_protocols.integer_network.evaluate import logits

    fed = read_preprocessing(task["preprocessing"])
    layers = read_layers(data, tuple(task["shape"]), fed, task["output"])
    work = multiplications(list(layers.layers), layers.output)
    require_affordable(work, entries(layers), len(images))
    # the layers themselves reorder the channels and know the layout
    plain = replace(fed, layout="nchw", channels="rgb")
    parts = [
        real_logits(layers, preprocess(images[at : at + _AT_ONCE], plain).astype(np.float64))
        for at in range(0, len(images), _AT_ONCE)
    ]
    real = np.concatenate(parts)
    arrays = (
        real.astype("<f8"),
        applied_last(layers, real).astype("<f8"),
        logits(codec.from_bytes(network), images).astype("<i8"),
    )
    return {}, b"".join(array.tobytes() for array in arrays)


def labeled(images: NDArray[np.uint8], network: bytes) -> tuple[dict[str, Any], bytes]:
    """No facts, and the integer network's labels as little-endian int64."""
    from zkwm_protocols.integer_network import codec
    from zkwm_protocols.integer_network.evaluate import labels

    return {}, labels(codec.from_bytes(network), images).astype("<i8").tobytes()


def declared(data: bytes, task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The declared shape of the file's input."""
    from zkwm.quantizer.quantizer import declared_shape

    return {"shape": declared_shape(data, task["preprocessing"]["layout"], task["output"])}, b""


def described(data: bytes) -> tuple[dict[str, Any], bytes]:
    """No facts, and the file's description as JSON."""
    from zkwm.quantizer.onnx_description import describe

    return {}, json.dumps(describe(data).to_json()).encode()


def answered(question: list[bytes]) -> tuple[dict[str, Any], bytes]:
    """Do the task. Raises ZkwmError, for a fault of the parsers too."""
    task, data = json.loads(question[0]), question[1]
    images = None
    if task["images"] is not None:
        images = np.frombuffer(question[2], np.uint8).reshape(task["images"])
    try:
        if task["task"] == "shape":
            return declared(data, task)
        if task["task"] == "describe":
            return described(data)
        if task["task"] == "scores" and images is not None:
            return scored(data, task, images, question[3])
        if task["task"] == "labels" and images is not None:
            return labeled(images, question[3])
        return quantized(data, task, images)
    except ZkwmError:
        raise
    except MemoryError:
        raise Unsupported(
            "its integer network takes more memory than it may use", check="network.unsupported"
        ) from None
    except RecursionError:
        raise Unsupported(
            "its operations are nested too deeply", check="network.unsupported"
        ) from None
    except Exception as error:  # a foreign file: whatever a parser overlooked is the file's fault
        raise Malformed(f"this ONNX file cannot be read ({type(error).__name__})") from None


def _import_libraries() -> None:
    """Import what most tasks need before one comes; what is missing is told in its turn."""
    with suppress(ImportError):
        for library in ("onnx", "zkwm.quantizer.quantizer", "zkwm.quantizer.real_network"):
            import_module(library)


def main() -> None:
    """Answer questions about one file."""
    limit_resources(int(sys.argv[1]))
    serve(4, answered, prepare=_import_libraries)


if __name__ == "__main__":
    main()
