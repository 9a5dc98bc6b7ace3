"""Check that an integer network classifies, before an owner answers about it (SPEC.md 18.5).

The judge chooses the network. One that answers by chance, or always alike, could be made so that an
answer about it reveals triggers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibration import PUBLIC_COUNT, RANDOM_COUNT, public_sets
from zkwm.quantizer.limited_scores import labels_limited, require_drawable
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm_protocols.integer_network.model import IntegerNetwork

LARGEST_SHARE = 0.95
_BUNDLED_SHAPE = (1, 28, 28)
_BUNDLED_CLASSES = 10
_TEST_COUNT = 1000


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

    The network is evaluated in a limited process, and priced before; raises Unsupported (check
    ``network.unsupported``) where that is too much work, as ``limited_scores.labels_limited`` does.
    """
    images, labels = _test_set(network, class_map, data)
    if labels is not None:
        _require_right(network, class_map, images, labels)
        return
    answers = [int(answer) for answer in labels_limited(network, images)]
    output, most = Counter(answers).most_common(1)[0]
    if most > LARGEST_SHARE * len(answers):
        raise UsageError(
            f"the integer network gives output {output} to {most} of {len(answers)} public and "
            "random images: an answer about it could reveal your triggers",
            hint="if it does classify, give test data of its task (`test_data`)",
        )


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
    require_drawable(network.shape, PUBLIC_COUNT + RANDOM_COUNT)
    return np.concatenate(public_sets(network.shape)), None


def _require_right(
    network: IntegerNetwork,
    class_map: tuple[int, ...],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> None:
    """Raise UsageError unless the network is right often enough on labeled images."""
    right = int((labels_limited(network, images) == np.array(class_map)[labels]).sum())
    chance = 1 / len(class_map)
    if right < (chance + (1 - chance) / 4) * len(images):
        raise UsageError(
            f"the integer network is right on {right} of {len(images)} test images, which is near "
            "chance: an answer about it could reveal your triggers",
            hint="if the suspect is made for another task, give its test data (`test_data`)",
        )
