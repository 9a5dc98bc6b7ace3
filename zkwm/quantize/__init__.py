"""From an ONNX classifier to an integer network (SPEC.md 16.5), and how well the two agree."""

from zkwm.quantize.agreement import Agreement, agreement
from zkwm.quantize.calibration import public_images, random_images
from zkwm.quantize.facts import facts, lookups
from zkwm.quantize.quantizer import QuantizedNetwork, declared_shape, quantize

__all__ = [
    "Agreement",
    "QuantizedNetwork",
    "agreement",
    "declared_shape",
    "facts",
    "lookups",
    "public_images",
    "quantize",
    "random_images",
]
