"""Derive a suspect's integer network, the same for owner and judge (SPEC.md 16.4).

The owner also checks that the network classifies (SPEC.md 18.5): an answer about a network that a
judge made up could reveal triggers.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.suspects.suspect import Suspect, no_network_file
from zkwm_protocols.errors import InvalidOpening, Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm_protocols.integer_network.model import IntegerNetwork


LARGEST_SHARE = 0.95
_FILE_LIMIT = 2 << 30
PUBLIC_COUNT = 500
RANDOM_COUNT = 200
_BUNDLED_SHAPE = (1, 28, 28)
_BUNDLED_CLASSES = 10
_TEST_COUNT = 1000


def derive_network(
    model: str | Path, suspect: SuspectIdentity, preprocessing: Preprocessing
) -> IntegerNetwork:
    """Quantize the file ``model``, which must be the suspect of a challenge (SPEC.md 16.4).

    Raises Unsupported (check ``challenge.network``) for a suspect that is no ONNX file or has nodes
    that cannot be proven, InvalidOpening (check ``challenge.suspect``) for another file,
    CouldNotCheck where it cannot be read.
    """
    if suspect.kind != "onnx":
        raise no_network_file(suspect.kind)
    data = read_limited(model, _FILE_LIMIT)
    if hashlib.sha256(data).digest() != suspect.digest:
        raise InvalidOpening(
            f"{model} is not the file that the challenge names",
            hint="give exactly the file that the challenge was made for",
            check="challenge.suspect",
        )
    try:
        network = _quantized(data, suspect.shape, preprocessing)
    except Unsupported as error:
        error.hint = error.hint or "ask for an opening instead (--reveal)"
        raise
    if (network.shape, network.outputs) != (suspect.shape, suspect.outputs):
        raise InvalidOpening(
            "the integer network takes other images or has other outputs than the suspect",
            check="challenge.network",
        )
    return network


def network_of(suspect: Suspect, preprocessing: Preprocessing) -> IntegerNetwork:
    """The integer network of an open suspect; raises as ``derive_network`` does."""
    return derive_network(suspect.network_file(), suspect.identity, preprocessing)


def network_digest(network: IntegerNetwork) -> bytes:
    """The digest of an integer network, 32 bytes (SPEC.md 16.1)."""
    from zkwm_protocols.integer_network.codec import digest

    return digest(network)


def require_network(network: IntegerNetwork, digest: bytes | None) -> None:
    """Raise InvalidOpening (check ``challenge.network``) unless it is the challenge's."""
    derived = network_digest(network)
    if derived != digest:
        raise InvalidOpening(
            f"the suspect's file gives the integer network {derived.hex()[:16]}, and the challenge "
            f"names {'none' if digest is None else digest.hex()[:16]}",
            hint="use the zkwm release that the challenge was made with, or ask for a new one",
            check="challenge.network",
        )


def require_classifier(
    network: IntegerNetwork, class_map: tuple[int, ...], data: ImageData | None = None
) -> None:
    """Raise UsageError unless the network classifies, so that an answer about it is one bit only.

    A judge chooses the network; one that answers by chance, or always alike, could be made to read
    triggers (SPEC.md 18.5). On labeled test images the network must be right on a quarter of what
    chance leaves, 1/C + (1 - 1/C) / 4. Where there are none, no output may be the answer to more
    than 95 % of public and random images.

    Args:
        network: the integer network.
        class_map: the output for each class.
        data: the test images of the suspect's task; by default the bundled part of Fashion-MNIST
            where shape and number of classes fit.
    """
    images, labels = _test_set(network, class_map, data)
    if labels is not None:
        _require_right(network, class_map, images, labels)
        return
    answers = [int(answer) for answer in _labels(network, images)]
    output, most = Counter(answers).most_common(1)[0]
    if most > LARGEST_SHARE * len(answers):
        raise UsageError(
            f"the integer network gives output {output} to {most} of {len(answers)} public and "
            "random images: an answer about it could reveal your triggers",
            hint="if it does classify, give test data of its task with --test-data",
        )


def public_sets(
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """500 public and 200 random images, uint8 (n, c, h, w), the same on every machine."""
    from zkwm.quantizer import public_images, random_images

    return (
        public_images(shape, PUBLIC_COUNT, test=True),
        random_images(shape, RANDOM_COUNT, b"agreement"),
    )


def _quantized(
    data: bytes, shape: tuple[int, int, int], preprocessing: Preprocessing
) -> IntegerNetwork:
    """Quantize the content of an ONNX file."""
    from zkwm.quantizer import quantize

    return quantize(data, shape=shape, preprocessing=preprocessing).network


def _labels(network: IntegerNetwork, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The network's labels int64 (n,) for images uint8 (n, c, h, w)."""
    from zkwm_protocols.integer_network.evaluate import labels

    return labels(network, images)


def _test_set(
    network: IntegerNetwork, class_map: tuple[int, ...], data: ImageData | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Test images uint8 (n, c, h, w), with labels int64 (n,) where a labeled set fits."""
    from zkwm.data import BUNDLED, load_data

    if data is not None:
        if data.test_images.shape[1:] != network.shape or data.class_count != len(class_map):
            raise UsageError("the test data have other images or classes than the commitment")
        step = max(1, len(data.test_images) // _TEST_COUNT)
        return data.test_images[::step], data.test_labels[::step]
    if network.shape == _BUNDLED_SHAPE and len(class_map) == _BUNDLED_CLASSES:
        return _test_set(network, class_map, load_data(BUNDLED))
    return np.concatenate(public_sets(network.shape)), None


def _require_right(
    network: IntegerNetwork,
    class_map: tuple[int, ...],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> None:
    """Raise UsageError unless the network is right often enough on labeled images."""
    right = int((_labels(network, images) == np.array(class_map)[labels]).sum())
    chance = 1 / len(class_map)
    if right < (chance + (1 - chance) / 4) * len(images):
        raise UsageError(
            f"the integer network is right on {right} of {len(images)} test images, which is near "
            "chance: an answer about it could reveal your triggers",
            hint="if the suspect is made for another task, give its test data with --test-data",
        )
