"""Data sets, images, labels, names of classes, grids: what users and judges give as files."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz import array_changes as arrays
from tests.fuzz.byte_changes import chosen, mixed
from tests.fuzz.disk import folder, from_disk
from tests.fuzz.harness import Errors, Kind
from tests.fuzz.protobuf_changes import change_protobuf
from tests.fuzz.text_changes import change_json, change_lines, change_yaml
from tests.support.onnx_graphs import graph
from zkwm.data.array_data import load_array_data
from zkwm.data.class_names import names_beside, read_class_names
from zkwm.data.folder_data import load_folder_data
from zkwm.data.images import load_images, load_labels
from zkwm.data.labeled_images import load_test_data
from zkwm.data.onnx_metadata import metadata
from zkwm.evaluation.plan.grid_file import read_grid
from zkwm.suspects.preprocessor_config import read_preprocessor_config
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError

DATA_ERRORS: Errors = (UsageError, Malformed, CouldNotCheck)

_GRID = {
    "title": "a grid",
    "data": "fashion-mnist-small",
    "owner_images": 100,
    "attacker_images": 20,
    "training": {"epochs": 1, "learning_rate": 0.1, "batch_size": 32},
    "seeds": [0, 1],
    "watermarks": ["robust", {"name": "uchida", "label": "U", "epochs": 2}],
    "attacks": ["none", {"name": "pruning", "share": 0.5, "attacker_images": 30}],
    "claims": [{"name": "key_grinding", "triggers": 50}],
    "null_models": 2,
}
_NAMES: list[Any] = [
    ["cat", "dog", "bird"],
    {"0": "cat", "1": "dog"},
    {"cat": 0, "dog": 1},
    {"id2label": {"0": "cat", "1": "dog"}, "architectures": ["X"]},
]


_CONFIGS: list[Any] = [
    {"do_resize": True, "size": {"height": 4, "width": 4}, "do_rescale": True,
     "rescale_factor": 0.00392156862745098, "do_normalize": True, "image_mean": [0.5, 0.5, 0.5],
     "image_std": [0.25, 0.25, 0.25], "image_processor_type": "ViTImageProcessor"},
    {"do_resize": True, "size": 4, "do_center_crop": True, "crop_size": 4, "do_normalize": False,
     "do_flip_channel_order": True},
    {"architecture": "resnet18", "pretrained_cfg": {
        "input_size": [3, 4, 4], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2],
        "interpolation": "bicubic", "crop_pct": 0.95}},
]  # fmt: skip


def array_kinds() -> list[Kind]:
    """Arrays and archives of arrays."""

    def images(path: Path) -> object:
        return load_images(path, shape=(1, 4, 4), fit="crop")

    def labels(path: Path) -> object:
        return load_labels(path, 4)

    npy, npz = mixed(arrays.npy, arrays.change_npy), mixed(arrays.npz, arrays.change_zip)
    one = mixed(arrays.npz_of_images, arrays.change_zip)
    return [
        Kind("npy images", npy, from_disk("images.npy", load_images), DATA_ERRORS),
        Kind("npy labels", npy, from_disk("labels.npy", labels), DATA_ERRORS),
        Kind("npz images", one, from_disk("images.npz", images), DATA_ERRORS),
        Kind("npz data set", npz, from_disk("data.npz", load_array_data), DATA_ERRORS),
        Kind("npz test data", npz, from_disk("test.npz", load_test_data), DATA_ERRORS),
    ]


def picture_kinds() -> list[Kind]:
    """Pictures, one or folders of them."""

    def data_set(path: Path) -> object:
        """Folders train and test with one good picture each, and one that is not."""
        for part in ("train/a", "test/a", "train/b", "test/b"):
            where = folder() / "set" / part
            if not where.exists():
                where.mkdir(parents=True)
                (where / "1.png").write_bytes(arrays.plain_picture())
        path.replace(folder() / "set" / "train" / "a" / "2.png")
        return load_folder_data(folder() / "set")

    made = mixed(arrays.picture, arrays.change_picture)
    return [
        Kind("picture", made, from_disk("picture.png", load_images), DATA_ERRORS),
        Kind("folder of pictures", made, from_disk("next.png", data_set), DATA_ERRORS),
    ]


def text_kinds() -> list[Kind]:
    """Labels, names and grids."""
    names = [json.dumps(value).encode() for value in _NAMES]
    configs = [json.dumps(value).encode() for value in _CONFIGS]

    def config(path: Path) -> object:
        model = path.parent / "model.safetensors"
        model.touch()
        return _told(names_beside(model))

    return [
        Kind("labels", mixed(chosen([b"1\n2\n3\n4\n", b"1.000e+00\n2.0\n3\n0"]), change_lines),
             from_disk("labels.txt", lambda path: load_labels(path, 4)), DATA_ERRORS),
        Kind("class names, lines", mixed(chosen([b"cat\ndog\nbird\n"]), change_lines),
             from_disk("names.txt", read_class_names), DATA_ERRORS),
        Kind("class names, JSON", mixed(chosen(names), change_json),
             from_disk("names.json", read_class_names), DATA_ERRORS),
        Kind("config.json of Hugging Face", mixed(chosen(names), change_json),
             from_disk("hf/config.json", config), DATA_ERRORS),
        Kind("preprocessor config", mixed(chosen(configs), change_json),
             from_disk("preprocessor_config.json",
                       lambda path: read_preprocessor_config(path, (3, 4, 4))),
             (*DATA_ERRORS, Unsupported)),
        Kind("grid", mixed(chosen([json.dumps(_GRID).encode()]), change_yaml),
             from_disk("grid.yaml", read_grid), DATA_ERRORS),
    ]  # fmt: skip


def metadata_kind() -> Kind:
    """The names in an ONNX file's metadata."""
    numbered = functools.cache(lambda seed: graph(seed)[0])
    texts = [b"{0: 'cat', 1: 'dog'}", b'["cat", "dog"]', b"cat, dog", b"{0: 'a\\'b'}"]

    def made(random: Random) -> bytes:
        key, value = random.choice([b"names", b"classes", b"x"]), random.choice(texts)
        if random.random() < 0.5:
            value = change_lines(value, random)
        entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + _varint(len(value)) + value
        return numbered(random.randrange(20)) + b"\x72" + _varint(len(entry)) + entry

    def read(path: Path) -> object:
        metadata(path)
        return _told(names_beside(path))

    return Kind("ONNX metadata", mixed(made, change_protobuf), from_disk("named.onnx", read),
                DATA_ERRORS)  # fmt: skip


def _told(names: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names; a file that tells none counts as refused."""
    if names is None:
        raise Malformed("it tells no names")
    return names


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [*array_kinds(), *picture_kinds(), *text_kinds(), metadata_kind()]
