"""Networks as users bring them, from three tools: quantized, proven about, verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.known_architectures import (
    QUARTER,
    SHAPE,
    mobilenet_v2,
    narrow_airbench,
    resnet18,
    resnet18_by_nodes,
    resnet20,
    resnet50,
    vgg11,
)
from tests.support.small_models import RAW, float_labels
from zkwm.quantizer import quantize, random_images
from zkwm.quantizer.calibration import default_images
from zkwm_protocols.argument import prover, verifier
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.leaves import leaf


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporters, about themselves
@pytest.mark.parametrize(
    ("made", "alike", "count"),
    # random weights of MobileNetV2 magnify the rounding of 17 narrow layers
    [
        (resnet20, 0.9, 40),
        (resnet18, 0.7, 12),
        (resnet18_by_nodes, 0.7, 12),
        (mobilenet_v2, 0.0, 40),
        (vgg11, 0.9, 40),
        (narrow_airbench, 0.9, 40),
        (resnet50, 0.8, 40),
    ],
)
def test_from_a_file_to_a_verified_proof(
    made: Callable[[Path], bytes], alike: float, count: int, tmp_path: Path
) -> None:
    """``count`` images are asked of both networks, and a few more calibrate."""
    data = made(tmp_path)
    shape = QUARTER if made is resnet50 else SHAPE
    few = default_images(shape, count + 8)
    network = quantize(data, shape=shape, preprocessing=RAW, calibration=few).network
    images = random_images(shape, count, b"triggers of known architectures")
    found = labels(network, images)
    assert (found == float_labels(data, images)).mean() >= alike
    salts = [bytes([index]) * 32 for index in range(2)]
    statement = Statement(
        context=b"a known architecture",
        network=network,
        leaves=tuple(leaf(image, salt, None) for image, salt in zip(images, salts, strict=False)),
        label_fields=(0xFFFF,) * 2,
        outputs=(int(found[0]), int(found[1])),
        least_matches=2,
    )
    proof = prover.prove(statement, images[:2], salts, secret=b"vault secret" * 3, release="test")
    assert verifier.verify(statement, proof).soundness_bits >= 120
    assert np.count_nonzero(np.bincount(found)) > 1
