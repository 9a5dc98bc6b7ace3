"""What a quantizer takes and gives, for callers who leave the work to a process of its own."""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.integer_network.model import IntegerNetwork

FILE_LIMIT = 1 << 29
"""Bytes of the largest ONNX file that is quantized."""
HINT = "open triggers instead: `Judge.challenge` asks the model itself, whatever it is"


@dataclass(frozen=True)
class QuantizedNetwork:
    """An integer network and the calibration that chose its scales.

    Attributes:
        network: the integer network.
        calibration_digest: the digest of the calibration images, 32 bytes.
        calibration_count: the number of calibration images.
        notes: the parts of the model that were left out because they change no label.
    """

    network: IntegerNetwork
    calibration_digest: bytes
    calibration_count: int
    notes: tuple[str, ...]
