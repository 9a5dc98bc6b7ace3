"""A network of ``cifar10_arms``, quantized and proven in zero knowledge to know its triggers.

    python benchmarks/cifar10_proof.py --data cifar10.npz \
        --authors-triggers trigger-set-adi-32.npz --folder /work/cifar-runs plain-derived --seed 0

Prints one JSON line: what rounding to integers changes (accuracy on 1,000 test images, matches),
and one proof about all triggers that the integer network matches, with its verification.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cifar10_arms
import measure
import numpy as np
from numpy.typing import NDArray

from zkwm.data import load_data
from zkwm.nn.model_file import ONNX
from zkwm.quantizer import quantize
from zkwm_protocols.argument import prover, verifier
from zkwm_protocols.argument.cost_estimate import estimate
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.integer_network.model import IntegerNetwork
from zkwm_protocols.leaves import DERIVED_LABEL_FIELD, leaf
from zkwm_protocols.suspect_identity import Preprocessing


def proven(network: IntegerNetwork, images: NDArray[np.uint8]) -> dict[str, Any]:
    """Prove and verify that the network gives these images (uint8, (n, c, h, w)) its labels.

    Context, salts and secret are fixed: for measuring only.
    """
    salts = [index.to_bytes(32, "big") for index in range(len(images))]
    statement = Statement(
        context=b"benchmark",
        network=network,
        leaves=tuple(leaf(image, salt, None) for image, salt in zip(images, salts, strict=True)),
        label_fields=(DERIVED_LABEL_FIELD,) * len(images),
        outputs=tuple(int(label) for label in labels(network, images)),
        least_matches=len(images),
    )
    began, cpu = time.monotonic(), time.process_time()
    proof = prover.prove(statement, images, salts, secret=bytes(32), release="benchmark")
    made, made_cpu = time.monotonic(), time.process_time()
    soundness = verifier.verify(statement, proof).soundness_bits
    return {
        "proven": len(images),
        "prove_seconds": round(made - began, 2),
        "prove_cpu_seconds": round(made_cpu - cpu, 2),
        "verify_seconds": round(time.monotonic() - made, 2),
        "proof_bytes": len(proof),
        "soundness_bits": round(soundness, 2),
    }


def main() -> None:
    """Quantize, compare, prove, verify."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arm", choices=[arm for arm in cifar10_arms.ARMS if arm != "unmarked"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", required=True)
    parser.add_argument("--authors-triggers", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--most", type=int, default=cifar10_arms.TRIGGERS, help="triggers proven")
    parser.add_argument("--test-images", type=int, default=1000)
    arguments = parser.parse_args()
    data = load_data(arguments.data)
    run = cifar10_arms.Run(arguments.arm, arguments.seed, data, arguments)
    triggers = run.triggers()
    assert triggers is not None
    made = quantize(
        run.model_folder / ONNX,
        shape=data.shape,
        preprocessing=Preprocessing(),
    )
    network = made.network
    chosen = np.linspace(0, len(data.test_labels) - 1, arguments.test_images).astype(np.int64)
    right = labels(network, data.test_images[chosen]) == data.test_labels[chosen]
    matched = labels(network, triggers.images) == triggers.labels
    shown = triggers.images[matched][: arguments.most]
    cost = estimate(network, len(shown))
    measure.report(
        "cifar10_proof",
        arm=arguments.arm,
        seed=arguments.seed,
        integer_accuracy=float(right.mean()),
        test_images=len(right),
        integer_matches=int(matched.sum()),
        lookups=cost.lookups,
        estimated_seconds=round(cost.prove_seconds, 2),
        estimated_peak_bytes=cost.peak_bytes,
        **proven(network, shown),
    )


if __name__ == "__main__":
    main()
