"""Data sets: the bundled part of Fashion-MNIST, .npz files, folders, refusals."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zkwm.data import BUNDLED, ImageData, bundled, load_data, load_test_data
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

RNG = np.random.default_rng(6)


def arrays(shape: tuple[int, ...] = (6, 5)) -> dict[str, np.ndarray]:
    return {
        "x_train": RNG.integers(0, 256, (8, *shape), dtype=np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2, 0, 1], np.uint8),
        "x_test": RNG.integers(0, 256, (3, *shape), dtype=np.uint8),
        "y_test": np.array([2, 1, 0], np.uint8),
    }


@pytest.fixture(scope="module")
def small() -> ImageData:
    return load_data(BUNDLED)


def test_bundled_data_is_what_was_drawn(small: ImageData) -> None:
    parts = (small.train_images, small.train_labels, small.test_images, small.test_labels)
    assert [part.shape for part in parts] == [
        (8000, 1, 28, 28),
        (8000,),
        (2000, 1, 28, 28),
        (2000,),
    ]
    digest = hashlib.sha256(b"".join(hashlib.sha256(part.tobytes()).digest() for part in parts))
    assert digest.hexdigest() == "657d20776a9dac1dc50ff6b1353f6adeb176565d5a7046f2fa78506fa314466f"


def test_bundled_data_is_balanced_and_has_no_image_twice(small: ImageData) -> None:
    assert small.class_count == 10
    assert small.name == "fashion-mnist-small"
    assert np.bincount(small.train_labels).tolist() == [800] * 10
    assert np.bincount(small.test_labels).tolist() == [200] * 10
    both = np.concatenate([small.train_images, small.test_images])
    assert len({image.tobytes() for image in both}) == 10_000


def test_bundled_files_are_small_and_their_license_lies_beside_them() -> None:
    folder = resources.files("zkwm.data")
    files = (bundled.TRAINING_FILE, bundled.TEST_FILE, bundled.SPREAD_FILE)
    assert sum(len(folder.joinpath(name).read_bytes()) for name in files) < 3_900_000
    license_text = folder.joinpath("fashion_mnist_small.LICENSE").read_text(encoding="utf-8")
    assert license_text.startswith("The MIT License (MIT) Copyright © 2017 Zalando SE")


@pytest.mark.parametrize("count", [1, 8, 184, bundled.SPREAD_COUNT, 500])
def test_spread_images_are_of_the_training_images(small: ImageData, count: int) -> None:
    """Those that have a file of their own are the same as by the rule."""
    places = [i * 8000 // count for i in range(count)]
    assert np.array_equal(bundled.load_spread_images(count), small.train_images[places])


def test_test_images_alone_are_the_same(small: ImageData) -> None:
    assert np.array_equal(bundled.load_test_images(), small.test_images)


@pytest.mark.parametrize("place", [0, 100, 50_000, -5])
@pytest.mark.parametrize("file", [bundled.TRAINING_FILE, bundled.TEST_FILE, bundled.SPREAD_FILE])
def test_damage_to_a_bundled_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, place: int
) -> None:
    for name in (bundled.TRAINING_FILE, bundled.TEST_FILE, bundled.SPREAD_FILE):
        packed = bytearray(resources.files("zkwm.data").joinpath(name).read_bytes())
        if name == file:
            packed[place] ^= 1
        (tmp_path / name).write_bytes(packed)
    monkeypatch.setattr(bundled.resources, "files", lambda _: tmp_path)
    readers = {
        bundled.TRAINING_FILE: bundled.load_bundled,
        bundled.TEST_FILE: bundled.load_test_images,
        bundled.SPREAD_FILE: lambda: bundled.load_spread_images(bundled.SPREAD_COUNT),
    }
    with pytest.raises(Malformed):
        readers[file]()


@pytest.mark.data
def test_bundled_images_are_of_the_whole_set(small: ImageData, data_folder: Path) -> None:
    whole = load_data(data_folder / "fashion-mnist.npz")
    for part in ("train", "test"):
        images, labels = getattr(whole, f"{part}_images"), getattr(whole, f"{part}_labels")
        known = {(i.tobytes(), int(y)) for i, y in zip(images, labels, strict=True)}
        drawn = zip(getattr(small, f"{part}_images"), getattr(small, f"{part}_labels"), strict=True)
        assert all((image.tobytes(), int(label)) in known for image, label in drawn)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (1, 6, 5), (3, 6, 5)])
@pytest.mark.parametrize("label_type", ["uint8", "int32", "int64"])
def test_npz_in_every_layout(tmp_path: Path, shape: tuple[int, ...], label_type: str) -> None:
    made = arrays(shape)
    made |= {key: made[key].astype(label_type) for key in ("y_train", "y_test")}
    np.savez_compressed(tmp_path / "set.npz", **made)
    data = load_data(tmp_path / "set.npz")
    assert data.shape == ((3 if 3 in shape else 1), 6, 5)
    assert data.name == "set"
    assert data.class_count == 3
    assert data.train_labels.tolist() == made["y_train"].tolist()
    assert data.test_labels.dtype == np.int64
    assert sorted(data.test_images.ravel()) == sorted(made["x_test"].ravel())
    assert "8 + 3 images" in repr(data)


def test_labels_in_a_column_are_taken(tmp_path: Path) -> None:
    made = arrays()
    made |= {key: made[key][:, None] for key in ("y_train", "y_test")}
    np.savez(tmp_path / "set.npz", **made)
    assert load_data(tmp_path / "set.npz").test_labels.tolist() == [2, 1, 0]


def difference_coded(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, 3) as planes R - G, G, B - G, differenced along height and width."""
    red, green, blue = np.moveaxis(images, -1, 0)
    planes = np.stack([red - green, green, blue - green])
    planes = np.diff(planes, axis=2, prepend=np.uint8(0))
    return np.diff(planes, axis=3, prepend=np.uint8(0))


def test_difference_coded_planes_are_decoded(tmp_path: Path) -> None:
    made = arrays((6, 5, 3))
    coded = {f"x_{part}_d2": difference_coded(made.pop(f"x_{part}")) for part in ("train", "test")}
    plain = arrays((6, 5, 3))
    np.savez(tmp_path / "coded.npz", **made, **coded)
    data = load_data(tmp_path / "coded.npz")
    assert data.shape == (3, 6, 5)
    again = {f"x_{part}_d2": difference_coded(plain[f"x_{part}"]) for part in ("train", "test")}
    np.savez(tmp_path / "coded.npz", **made, **again)
    data = load_data(tmp_path / "coded.npz")
    assert np.array_equal(data.train_images.transpose(0, 2, 3, 1), plain["x_train"])
    assert np.array_equal(data.test_images.transpose(0, 2, 3, 1), plain["x_test"])


@pytest.mark.data
@pytest.mark.slow
def test_whole_cifar_is_decoded_exactly(data_folder: Path) -> None:
    data = load_data(data_folder / "cifar10.npz")
    pixels = np.ascontiguousarray(data.train_images.transpose(0, 2, 3, 1))
    digest = hashlib.sha256(pixels).hexdigest()
    assert digest == "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a"
    pixels = np.ascontiguousarray(data.test_images.transpose(0, 2, 3, 1))
    digest = hashlib.sha256(pixels).hexdigest()
    assert digest == "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04"
    assert np.bincount(data.train_labels).tolist() == [5000] * 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": None}, "has the arrays x_train, y_train, x_test and y_test|holds x_test"),
        ({"x_train": np.zeros((8, 6, 5), np.float32)}, "holds float32; pixels are uint8"),
        ({"x_train": np.zeros((8, 6), np.uint8)}, "these are not images"),
        ({"x_test": np.zeros((3, 6, 6), np.uint8)}, "training images of shape"),
        ({"y_train": np.arange(7)}, "8 training images and labels"),
        ({"y_train": np.zeros(8)}, "holds float64 .* not a list of labels"),
        ({"y_train": np.full(8, -1)}, "outside of 0 to 65534"),
        ({"y_test": np.array([0, 1, 65535])}, "outside of 0 to 65534"),
        ({"y_train": np.zeros(8, int), "y_test": np.zeros(3, int)}, "nothing to learn"),
        ({"x_train_d2": np.zeros((2, 8, 6, 5), np.uint8)}, "not uint8 .3, N, H, W. of diff"),
    ],
)
def test_arrays_that_are_no_data_set(
    tmp_path: Path, change: dict[str, np.ndarray | None], message: str
) -> None:
    made = {key: value for key, value in (arrays() | change).items() if value is not None}
    np.savez(tmp_path / "set.npz", **made)
    with pytest.raises(UsageError, match=message):
        load_data(tmp_path / "set.npz")


def save_folders(root: Path, suffix: str = ".png") -> dict[str, np.ndarray]:
    made = {}
    for part in ("train", "test"):
        for number, name in enumerate(("apple", "pear")):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(2 + number):
                pixels = RNG.integers(0, 256, (6, 5), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}{suffix}")
                made[f"{part}/{name}/{index}"] = pixels
    return made


def test_folders_of_images(tmp_path: Path) -> None:
    made = save_folders(tmp_path / "fruit")
    data = load_data(tmp_path / "fruit")
    assert (data.name, data.class_count, data.shape) == ("fruit", 2, (1, 6, 5))
    assert data.train_labels.tolist() == [0, 0, 1, 1, 1]
    assert np.array_equal(data.train_images[1, 0], made["train/apple/1"])
    assert np.array_equal(data.test_images[4, 0], made["test/pear/2"])


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck, match="cannot read") as caught:
        load_data(tmp_path)
    assert "train/CLASS/IMAGES" in caught.value.hint
    save_folders(tmp_path)
    (tmp_path / "train" / "plum").mkdir()
    with pytest.raises(UsageError, match="class plum"):
        load_data(tmp_path)
    (tmp_path / "test" / "plum").mkdir()
    with pytest.raises(UsageError, match=r"no images in .*plum"):
        load_data(tmp_path)
    for part in ("train", "test"):
        (tmp_path / part / "plum").rmdir()
    Image.new("L", (9, 9)).save(tmp_path / "test" / "pear" / "odd.png")
    with pytest.raises(UsageError, match=r"odd.png is 9 by 9"):
        load_data(tmp_path)
    (tmp_path / "test" / "pear" / "odd.png").write_bytes(b"no image")
    with pytest.raises(Malformed, match=r"odd.png is not an intact image"):
        load_data(tmp_path)
    (tmp_path / "train" / "notes").write_text("hello")
    with pytest.raises(UsageError, match=r"notes is not a folder") as refused:
        load_data(tmp_path)
    assert "train/CLASS/IMAGES" in refused.value.hint


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_the_test_part_by_its_other_names(tmp_path: Path, name: str) -> None:
    """Text files, and what systems leave behind, are no classes and no images."""
    save_folders(tmp_path)
    expected = load_data(tmp_path)
    (tmp_path / "test").rename(tmp_path / name)
    for part in ("train", name):
        (tmp_path / part / "labels.csv").write_text("x")
        (tmp_path / part / "pear" / "Thumbs.db").write_text("x")
    found = load_data(tmp_path)
    assert (found.test_images == expected.test_images).all()
    assert (load_test_data(tmp_path).images == expected.test_images).all()


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck, match="there is no") as caught:
        load_data(tmp_path / "none.npz")
    assert "a data set is a .npz file, a folder" in caught.value.hint
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 hello")
    with pytest.raises(Malformed, match=r"not an intact \.npz"):
        load_data(tmp_path / "bad.npz")


def test_data_sets_load_without_torch_and_pillow() -> None:
    program = (
        "import sys\n"
        "from zkwm.data import load_data\n"
        "load_data('fashion-mnist-small')\n"
        "assert not {'torch', 'PIL', 'onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
