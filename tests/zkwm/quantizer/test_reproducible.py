"""The same file gives the same network: twice, on other machines, with rescaled channels."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.support.small_models import RAW, SHAPE, Sketch, digest_of
from zkwm.quantizer import public_images, quantize, random_images
from zkwm.quantizer.calibration import COUNT, calibration_digest, default_images, image_count
from zkwm_protocols.integer_network.codec import digest

GOLDEN = "76448307d34f76c7891f90aa81577d4569dda0ccef7adda38b270cd91e51db9d"
GOLDEN_CALIBRATION = "2563ca10f176975c15036115257998dd367a3c3e30fbf0e2ed60e9d6e634a7a2"


def tiny() -> bytes:
    """Every kind of node and table, with weights that need no random generator."""
    sketch = Sketch((1, 12, 12))
    steps = (np.arange(4 * 9) * 37 % 64 - 31.0).reshape(4, 1, 3, 3) / 64
    sketch.add("Sub", "images", sketch.constant(0.25))
    sketch.add("Conv", sketch.last, sketch.constant(steps), pads=[1, 1, 1, 1])
    x = sketch.add("Relu")
    sketch.add("Conv", x, sketch.constant(np.resize(steps * 1.5, (4, 4, 1, 1))))
    sketch.add("Add", sketch.last, x)
    y = sketch.add("Gelu")
    sketch.last = x
    sketch.add("LeakyRelu", sketch.add("Mul", x, sketch.constant(-0.5)), alpha=0.1)
    sketch.add("Concat", y, sketch.last, axis=1)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    sketch.add("Flatten")
    last = (np.arange(5 * 288) * 91 % 128 - 63.0).reshape(5, 288) / 512
    sketch.add("Gemm", sketch.last, sketch.constant(last), transB=1)
    return sketch.file()


def test_golden_digest() -> None:
    made = quantize(tiny(), shape=(1, 12, 12), preprocessing=RAW)
    assert made.calibration_count == COUNT
    assert made.calibration_digest.hex() == GOLDEN_CALIBRATION
    assert digest(made.network).hex() == GOLDEN


def test_twice_the_same() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Sigmoid")
    data = sketch.flat(144)
    assert digest_of(data) == digest_of(data)


def test_other_calibration_images_are_another_digest() -> None:
    images = random_images(SHAPE, 8, b"a")
    assert calibration_digest(images) != calibration_digest(random_images(SHAPE, 8, b"b"))
    assert calibration_digest(images) != calibration_digest(images.reshape(8, 1, 24, 8))
    sizes = b"".join(size.to_bytes(4, "big") for size in (8, *SHAPE))
    expected = hashlib.sha256(b"zkwm-calibration-1" + sizes + images.tobytes()).digest()
    assert calibration_digest(images) == expected


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 40), (1, 9, 9)])
def test_default_images(shape: tuple[int, int, int]) -> None:
    images = default_images(shape, 128)
    assert (images.shape, images.dtype) == ((128, *shape), np.uint8)
    assert np.array_equal(images[:32], public_images(shape, 32))
    assert np.array_equal(images[32:48], random_images(shape, 16, b"calibration"))
    assert len({image.tobytes() for image in images[:48]}) == 48
    assert set(np.unique(images[48:])) == {0, 255}
    extremes = random_images(shape, 32, b"calibration-extremes") >= 128
    assert np.array_equal(images[48:80] == 255, extremes)
    assert not np.array_equal(public_images(shape, 32, test=True), images[:32])


@pytest.mark.parametrize(
    ("shape", "coarse"),
    [((1, 28, 28), 2), ((3, 32, 40), 3), ((1, 9, 9), 1), ((3, 224, 224), 16), ((1, 20, 40), 2)],
)
def test_calibration_images_as_fine_as_triggers(shape: tuple[int, int, int], coarse: int) -> None:
    """Three in eight are black and white blocks, by SPEC.md 16.5; no two are alike."""
    images = default_images(shape, 32)[20:]
    assert len({image.tobytes() for image in images}) == 12
    fine = (coarse + 1) // 2
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    for index, image in enumerate(images):
        down, across = (fine, coarse)[index // 2 % 2], (fine, coarse)[index % 2]
        rows, columns = -(-shape[1] // down), -(-shape[2] // across)
        label = b"zkwm-calibration-1" + sizes + b"calibration-triggers" + index.to_bytes(4, "big")
        drawn = hashlib.shake_256(label).digest(shape[0] * rows * columns)
        blocks = np.frombuffer(drawn, np.uint8).reshape(shape[0], rows, columns)
        y, x = np.arange(shape[1]) // down, np.arange(shape[2]) // across
        assert np.array_equal(image == 255, blocks[:, y[:, None], x] >= 128)
        assert set(np.unique(image)) == {0, 255}


@pytest.mark.parametrize(
    ("work", "count"), [(1000, COUNT), (1 << 27, 256), (555_000_000, 56), (1 << 35, 32)]
)
def test_large_networks_are_calibrated_on_fewer_images(work: int, count: int) -> None:
    assert image_count(work, 1000) == count


def rescaled(data: bytes, powers: dict[str, np.ndarray]) -> bytes:
    """The file with named constants multiplied, each by its array of powers of two."""
    model = onnx.load_model_from_string(data)
    for tensor in model.graph.initializer:
        if tensor.name in powers:
            values = numpy_helper.to_array(tensor) * powers[tensor.name].astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model.SerializeToString(deterministic=True)


@pytest.mark.parametrize("pooled", [True, False])
def test_invariant_under_rescaled_channels(pooled: bool) -> None:
    """conv - norm - relu (- max pool) - conv - relu - dense, channels times powers of two."""
    sketch = Sketch()
    sketch.convolution(3, 4, pads=[1, 1, 1, 1])  # c0, c1
    sketch.norm(4)  # c2: factor, c3: offset, c4, c5
    if pooled:
        sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    sketch.add("Relu")
    sketch.convolution(4, 6)  # c6, c7
    sketch.add("LeakyRelu", alpha=0.125)
    sketch.flat(24 if pooled else 216)
    sketch.add("Relu")
    sketch.dense(5)  # c10, c11
    data = sketch.file()
    first = 2.0 ** np.array([12, -3, 0, 5])
    second = 2.0 ** np.array([1, -7, 4, 0, 2, -12])
    entries = np.repeat(second, 4 if pooled else 36)
    third = 2.0 ** np.array([3, -2, 0, 1, 9])
    other = rescaled(
        data,
        {
            "c2": first,
            "c3": first,
            "c6": second.reshape(6, 1, 1, 1) / first.reshape(1, 4, 1, 1),
            "c7": second,
            "c8": third,
            "c9": third.reshape(5, 1) / entries,
            "c10": np.ones(1),
            "c11": 1 / third,
        },
    )
    assert other != data
    assert digest_of(other) == digest_of(data)


def test_not_invariant_under_what_changes_the_function() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    data = sketch.flat(144)
    assert digest_of(rescaled(data, {"c0": np.full(1, 2.0)})) != digest_of(data)


def test_invariant_along_a_residual_stream() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4, pads=[1, 1, 1, 1])  # c0, c1
    x = sketch.add("Relu")
    sketch.convolution(4, 4, pads=[1, 1, 1, 1])  # c2, c3
    sketch.add("Add", sketch.last, x)
    sketch.add("Relu")
    data = sketch.flat(256)  # c4 bias, c5
    powers = 2.0 ** np.array([4, -1, 0, 9])
    other = rescaled(
        data,
        {
            "c0": powers.reshape(4, 1, 1, 1),
            "c1": powers,
            "c2": powers.reshape(4, 1, 1, 1) / powers.reshape(1, 4, 1, 1),
            "c3": powers,
            "c5": 1 / np.repeat(powers, 64),
        },
    )
    assert digest_of(other) == digest_of(data)
