"""The integer network of a suspect's own file, and how well it stands for the suspect.

SPEC.md sections 16.4, 18.1, 18.3 and 18.5. The owner and the judge derive it alike, each from the
file that he has; agreement is measured for the judge, and the owner sees to it that the network is
one that classifies. How a network is made integer is in ``zkwm.quantize``. Does not import torch.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.models import Suspect
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.suspect import EXTRACTION, Preprocessing, SuspectIdentity

if TYPE_CHECKING:
    from zkwm.datasets import ImageData
    from zkwm_protocols.network.model import IntegerNetwork

LEAST_AGREEMENT = 0.9
LARGEST_SHARE = 0.95
PUBLIC = "public images"
GIVEN = "images given"
RANDOM = "random images"
_FILE_LIMIT = 2 << 30
PUBLIC_COUNT = 500
RANDOM_COUNT = 200
_EMBEDDED_SHAPE = (1, 28, 28)
_EMBEDDED_CLASSES = 10
_TEST_COUNT = 1000


@dataclass(frozen=True)
class Comparison:
    """On how many of ``asked`` images of a kind suspect and integer network give one output."""

    kind: str
    asked: int
    agreeing: int

    @property
    def rate(self) -> float:
        """From 0 to 1."""
        return self.agreeing / self.asked


def derive_network(
    model: str | Path, suspect: SuspectIdentity, preprocessing: Preprocessing
) -> IntegerNetwork:
    """The integer network of the file ``model``, which must be the suspect (SPEC.md 16.4).

    Raises Unsupported (check ``challenge.network``) for a suspect that is no ONNX file or has nodes
    that cannot be proven, InvalidOpening (``challenge.suspect``) for another file, CouldNotCheck
    where it cannot be read.
    """
    if suspect.kind == EXTRACTION:
        raise Unsupported(
            "zero knowledge is not possible about marks that are extracted from weights or "
            "activations",
            hint="ask for an opening (--reveal)",
            check="challenge.network",
        )
    if suspect.kind != "onnx":
        raise Unsupported(
            "zero knowledge is possible about a network in an ONNX file only",
            hint="export the model to ONNX, or ask for an opening",
            check="challenge.network",
        )
    data = read_limited(model, _FILE_LIMIT)
    if hashlib.sha256(data).digest() != suspect.digest:
        raise InvalidOpening(
            f"{model} is not the file that the challenge names",
            hint="give the very file that the challenge was made for",
            check="challenge.suspect",
        )
    try:
        network = _quantized(data, suspect.shape, preprocessing)
    except Unsupported as error:
        error.hint = error.hint or "ask for an opening instead (--reveal)"
        raise
    if (network.shape, network.outputs) != (suspect.shape, suspect.outputs):
        raise InvalidOpening(
            "the integer network has other images or outputs than the suspect",
            check="challenge.network",
        )
    return network


def network_of(suspect: Suspect, preprocessing: Preprocessing) -> IntegerNetwork:
    """The integer network of an open suspect; raises as ``derive_network`` does."""
    return derive_network(getattr(suspect, "path", ""), suspect.identity, preprocessing)


def network_digest(network: IntegerNetwork) -> bytes:
    """The digest of an integer network, 32 bytes (SPEC.md 16.1)."""
    from zkwm_protocols.network.codec import digest

    return digest(network)


def require_network(network: IntegerNetwork, digest: bytes | None) -> None:
    """Raise InvalidOpening (check ``challenge.network``) unless it is the challenge's."""
    found = network_digest(network)
    if found != digest:
        raise InvalidOpening(
            f"the suspect's file gives the integer network {found.hex()[:16]}, and the challenge "
            f"names {'none' if digest is None else digest.hex()[:16]}",
            hint="use the zkwm release that the challenge was made with, or ask for a new one",
            check="challenge.network",
        )


def measure_agreement(
    network: IntegerNetwork,
    suspect: Suspect,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8] | None = None,
) -> tuple[Comparison, ...]:
    """Compare suspect and integer network on ``images`` (uint8, (n, c, h, w)) and random ones.

    Without ``images`` on the public ones of SPEC.md 16.5 that no scale was chosen on. An image
    without an answer counts against agreement. The first entry decides (``require_agreement``).
    Raises UsageError for images of another shape, or none.
    """
    from zkwm.quantize import agreement

    public, random = public_sets(network.shape)
    sets = ((PUBLIC, public) if images is None else (GIVEN, images), (RANDOM, random))
    counts = [
        (kind, agreement(network, suspect, shown, preprocessing=preprocessing))
        for kind, shown in sets
    ]
    return tuple(Comparison(kind, found.count, found.agreeing) for kind, found in counts)


def require_agreement(agreements: tuple[Comparison, ...]) -> None:
    """Raise SuspectUnusable (check ``argument.agreement``) where the first is under 90 %."""
    first = agreements[0]
    if first.rate < LEAST_AGREEMENT:
        raise SuspectUnusable(
            f"suspect and integer network give one output for {first.agreeing} of {first.asked} "
            f"{first.kind} only: this suspect cannot be checked in this way",
            hint="give images that it is made for, or ask for an opening instead (--reveal)",
            check="argument.agreement",
        )


def require_classifier(
    network: IntegerNetwork, class_map: tuple[int, ...], data: ImageData | None = None
) -> None:
    """Raise UsageError unless the network classifies, so that one bit about it is only one bit.

    A judge chooses the network; one that answers by chance, or always alike, could be made to read
    triggers. ``data`` has the test images of the suspect's task, by default the part of
    Fashion-MNIST that comes with zkwm where shape and number of classes fit: the network must be
    right on a quarter of what chance leaves over, 1/C + (1 - 1/C) / 4. Where no labelled set fits,
    no output may be the answer to more than 95 % of public and random images (SPEC.md 18.5).
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
            "random images: to answer about it could show your triggers",
            hint="if it classifies all the same, give test data of its task with --test-data",
        )


def public_sets(
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """500 public and 200 random images, uint8 (n, *shape), the same for everybody."""
    from zkwm.quantize import public_images, random_images

    return (
        public_images(shape, PUBLIC_COUNT, test=True),
        random_images(shape, RANDOM_COUNT, b"agreement"),
    )


def _quantized(
    data: bytes, shape: tuple[int, int, int], preprocessing: Preprocessing
) -> IntegerNetwork:
    from zkwm.quantize import quantize

    return quantize(data, shape=shape, preprocessing=preprocessing).network


def _labels(network: IntegerNetwork, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    from zkwm_protocols.network.evaluate import labels

    return labels(network, images)


def _test_set(
    network: IntegerNetwork, class_map: tuple[int, ...], data: ImageData | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Images to test on, with labels where a labelled set fits."""
    from zkwm.datasets import EMBEDDED, load_data

    if data is not None:
        if data.test_images.shape[1:] != network.shape or data.class_count != len(class_map):
            raise UsageError("the test data have other images or classes than the commitment")
        step = max(1, len(data.test_images) // _TEST_COUNT)
        return data.test_images[::step], data.test_labels[::step]
    if network.shape == _EMBEDDED_SHAPE and len(class_map) == _EMBEDDED_CLASSES:
        return _test_set(network, class_map, load_data(EMBEDDED))
    return np.concatenate(public_sets(network.shape)), None


def _require_right(
    network: IntegerNetwork,
    class_map: tuple[int, ...],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> None:
    right = int((_labels(network, images) == np.array(class_map)[labels]).sum())
    chance = 1 / len(class_map)
    if right < (chance + (1 - chance) / 4) * len(images):
        raise UsageError(
            f"the integer network is right on {right} of {len(images)} test images, which is near "
            "chance: to answer about it could show your triggers",
            hint="if the suspect is made for another task, give its test data with --test-data",
        )
