"""Drawing triggers: determined by the key, block by block; refusals."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from zkwm.triggers import FAMILIES, Generated, check_images, generate
from zkwm_protocols.errors import UsageError

KEY = b"\x09" * 32
SHAPE = (1, 16, 16)
DATA = np.random.default_rng(1).integers(0, 256, (40, *SHAPE), dtype=np.uint8)


def make(family: str, count: int, key: bytes = KEY) -> Generated:
    return generate(family, count, SHAPE, key=key, block_size=20, data=DATA)


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_types_and_distinct_images(family: str) -> None:
    made = make(family, 60)
    for images in (made.images, made.decoys):
        assert images.shape == (60, *SHAPE)
        assert images.dtype == np.uint8
    check_images(np.concatenate([made.images, made.decoys]))


@pytest.mark.parametrize("family", FAMILIES)
def test_same_key_same_images_and_more_blocks_leave_the_first(family: str) -> None:
    few, many = make(family, 20), make(family, 60)
    assert np.array_equal(few.images, many.images[:20])
    assert np.array_equal(few.decoys, many.decoys[:20])
    assert np.array_equal(make(family, 60).images, many.images)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_key_gives_other_images(family: str) -> None:
    mine, yours = make(family, 20).images, make(family, 20, bytes(32)).images
    assert not {i.tobytes() for i in mine} & {i.tobytes() for i in yours}


def test_same_images_in_another_process_without_torch() -> None:
    program = (
        "import hashlib, sys\n"
        "from zkwm.triggers import generate\n"
        f"made = generate('secret', 40, {SHAPE}, key={KEY!r}, block_size=20)\n"
        "assert not {'torch', 'PIL', 'onnx'} & set(sys.modules)\n"
        "print(hashlib.sha256(made.images.tobytes() + made.decoys.tobytes()).hexdigest())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    made = make("secret", 40)
    expected = hashlib.sha256(made.images.tobytes() + made.decoys.tobytes()).hexdigest()
    assert run.stdout.strip() == expected


@pytest.mark.parametrize(
    ("count", "block_size"), [(0, 50), (-50, 50), (49, 50), (51, 50), (10, 0), (10, -5)]
)
def test_count_that_does_not_fill_blocks_is_refused(count: int, block_size: int) -> None:
    with pytest.raises(UsageError, match="do not fill blocks"):
        generate("secret", count, SHAPE, key=KEY, block_size=block_size)


def test_unknown_family_is_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match="no family 'noise'") as caught:
        generate("noise", 50, SHAPE, key=KEY)
    assert all(family in caught.value.hint for family in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(1, 14, 14), (3, 8, 8)])
def test_shapes_under_200_values_are_refused(family: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="fewer than 200 values"):
        generate(family, 50, shape, key=KEY, data=DATA)


@pytest.mark.parametrize("shape", [(2, 28, 28), (1, 0, 28), (3, 65536, 32), (28, 28), (1, 9.5, 30)])
def test_what_is_no_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="not the shape of an image"):
        generate("secret", 50, shape, key=KEY)


def test_images_that_would_fill_the_memory_are_refused_before_they_are_drawn() -> None:
    with pytest.raises(UsageError, match="more than 2 GiB"):
        generate("secret", 50, (3, 60000, 60000), key=KEY)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(64)])
def test_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(UsageError, match="32 bytes"):
        generate("blocks", 50, SHAPE, key=key)
