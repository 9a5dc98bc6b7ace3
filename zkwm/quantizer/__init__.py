"""From an ONNX classifier to an integer network (SPEC.md 16.5), and how well the two agree."""

from zkwm.quantizer.calibration import public_images, random_images
from zkwm.quantizer.network_agreement import Agreement, agreement
from zkwm.quantizer.quantizer import QuantizedNetwork, declared_shape, quantize
from zkwm.quantizer.summary import facts, lookups

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
