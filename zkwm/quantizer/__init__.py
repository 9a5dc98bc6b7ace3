"""Quantization of an ONNX classifier to an integer network (SPEC.md 16.5), and their agreement.

Read in this order: ``quantizer`` (the whole way), ``onnx_file`` (the file as plain data),
``translate`` (operations to layers, by ``linear``, ``pooling``, ``elementwise``, ``arithmetic``,
``shaping``, ``slicing`` and ``views``), ``simplify`` (fewer layers), ``build`` (layers to nodes,
with ``scales``, ``calibrate`` and ``integers``).
``derive`` gives owner and judge the same network; ``classifier`` checks it for the owner. No torch,
and nothing whose result depends on the machine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkwm.quantizer.calibration import public_images, random_images
    from zkwm.quantizer.network_agreement import Agreement, measure_agreement
    from zkwm.quantizer.quantized import QuantizedNetwork
    from zkwm.quantizer.quantizer import declared_shape, quantize
    from zkwm.quantizer.summary import facts, lookups

_HOMES = {
    "Agreement": "network_agreement",
    "QuantizedNetwork": "quantized",
    "declared_shape": "quantizer",
    "facts": "summary",
    "lookups": "summary",
    "measure_agreement": "network_agreement",
    "public_images": "calibration",
    "quantize": "quantizer",
    "random_images": "calibration",
}

__all__ = [
    "Agreement",
    "QuantizedNetwork",
    "declared_shape",
    "facts",
    "lookups",
    "measure_agreement",
    "public_images",
    "quantize",
    "random_images",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name on first use: most of the quantizer runs in a process of its own."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
