"""Quantization of an ONNX classifier to an integer network (SPEC.md 16.5), and their agreement.

Read in this order: ``quantizer`` (the whole way), ``onnx_file`` (the file as plain data),
``translate`` (operations to layers, by ``linear``, ``pooling``, ``elementwise``, ``arithmetic``,
``shaping``, ``slicing`` and ``views``), ``simplify`` (fewer layers), ``build`` (layers to nodes,
with ``scales``, ``calibrate`` and ``integers``).
``derive`` gives owner and judge the same network; ``classifier`` checks it for the owner. No torch,
and nothing whose result depends on the machine.
"""

from zkwm.quantizer.calibration import public_images, random_images
from zkwm.quantizer.network_agreement import Agreement, measure_agreement
from zkwm.quantizer.quantizer import QuantizedNetwork, declared_shape, quantize
from zkwm.quantizer.summary import facts, lookups

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
