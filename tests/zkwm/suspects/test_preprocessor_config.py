"""Preprocessing as Hugging Face's and timm's files state it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.suspects import preprocess, read_preprocessor_config
from zkwm.suspects.preprocessor_config import FILE_LIMIT
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError, ZkwmError
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (3, 224, 224)
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
IMAGENET = Preprocessing(mean=("0.485", "0.456", "0.406"), std=("0.229", "0.224", "0.225"))
VIT = {  # google/vit-base-patch16-224
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "ViTImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224},
}
RESNET = {  # microsoft/resnet-50
    "crop_pct": 0.875,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "ConvNextFeatureExtractor",
    "image_mean": MEAN,
    "image_std": STD,
    "resample": 3,
    "size": 224,
}
CLIP = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "size": {"shortest_edge": 256},
}
MOBILEVIT = {  # apple/mobilevit-small
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_flip_channel_order": True,
    "do_rescale": True,
    "do_resize": True,
    "image_processor_type": "MobileViTImageProcessor",
    "do_normalize": False,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 288},
}
TIMM = {  # timm/resnet18.a1_in1k
    "architecture": "resnet18",
    "num_classes": 1000,
    "pretrained_cfg": {
        "tag": "a1_in1k",
        "input_size": [3, 224, 224],
        "fixed_input_size": False,
        "interpolation": "bicubic",
        "crop_pct": 0.95,
        "crop_mode": "center",
        "mean": MEAN,
        "std": STD,
        "first_conv": "conv1",
    },
}


def written(folder: Path, value: object) -> Path:
    path = folder / "config.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (VIT, Preprocessing(mean=("0.5",) * 3, std=("0.5",) * 3)),
        (RESNET, IMAGENET),
        (TIMM, IMAGENET),
        (MOBILEVIT, Preprocessing(channels="bgr")),
        (
            CLIP,
            Preprocessing(
                mean=("0.48145466", "0.4578275", "0.40821073"),
                std=("0.26862954", "0.26130258", "0.27577711"),
            ),
        ),
        ({**VIT, "do_normalize": False}, Preprocessing()),
        ({**VIT, "do_normalize": False, "do_rescale": False}, Preprocessing(scale="raw")),
        (
            {**VIT, "do_rescale": False, "image_mean": [123.68], "image_std": 1},
            Preprocessing(scale="raw", mean=("123.68",) * 3, std=("1",) * 3),
        ),
        ({**VIT, "size": None, "image_mean": 0, "image_std": 1.0}, Preprocessing()),
    ],
    ids=["vit", "resnet", "timm", "mobilevit", "clip", "plain", "raw", "means of bytes", "of 0, 1"],
)
def test_what_a_file_states(
    config: dict[str, Any], expected: Preprocessing, tmp_path: Path
) -> None:
    assert read_preprocessor_config(written(tmp_path, config), SHAPE) == expected


def test_the_layout_is_the_judges(tmp_path: Path) -> None:
    made = read_preprocessor_config(written(tmp_path, TIMM), SHAPE, "nhwc")
    assert made.layout == "nhwc"


@pytest.mark.parametrize(
    "change",
    [
        {"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
        {"rescale_factor": 0.01},
        {"rescale_factor": 0.5, "image_mean": MEAN, "image_std": STD},
    ],
    ids=["-1 to 1", "another factor", "another factor, three means"],
)
def test_another_scale_gives_the_same_values(change: dict[str, Any], tmp_path: Path) -> None:
    config = {**VIT, **change}
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4), dtype=np.uint8)
    values = images * config["rescale_factor"] - bool(config.get("rescale_offset"))
    if config["do_normalize"]:
        mean, std = (np.reshape(config[key], (1, 3, 1, 1)) for key in ("image_mean", "image_std"))
        values = (values - mean) / std
    fed = read_preprocessor_config(written(tmp_path, config), SHAPE)
    np.testing.assert_allclose(preprocess(images, fed, dtype="float64"), values, atol=1e-9)


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("[]", Malformed),
        ("{", Malformed),
        ("{}", Malformed),
        ('{"image_mean": NaN, "image_std": 1}', Malformed),
        ('{"image_mean": 1, "image_mean": 2, "image_std": 1}', Malformed),
        ('{"image_mean": 1e999999999, "image_std": 1}', Malformed),
        ("[" * 100_000, Malformed),
        ({"do_normalize": True, "sampling_rate": 16000}, Malformed),
        ({**VIT, "image_std": [0.5, 0, 0.5]}, Malformed),
        ({**VIT, "image_std": None}, Malformed),
        ({**VIT, "image_mean": "0.5"}, Malformed),
        ({**VIT, "do_rescale": "yes"}, Malformed),
        ({**VIT, "rescale_factor": -1}, Malformed),
        ({**VIT, "image_mean": [0.5, 0.5]}, UsageError),
        ({**VIT, "size": {"height": 32, "width": 32}}, UsageError),
        ({**VIT, "size": {"shortest_edge": 96}}, UsageError),
        (
            {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], "input_size": [3, 9, 9]}},
            UsageError,
        ),
        ({**TIMM, "pretrained_cfg": {"mean": MEAN, "std": STD}}, Malformed),
        ({**VIT, "do_pad": True}, Unsupported),
        ({**VIT, "include_top": True}, Unsupported),
        ({**RESNET, "do_flip_channel_order": True}, Unsupported),
        ({**VIT, "auto_map": {"AutoImageProcessor": "own.Processor"}}, Unsupported),
        ({**TIMM, "auto_map": {"AutoImageProcessor": "own.Processor"}}, Unsupported),
    ],
)
def test_what_is_refused(config: object, error: type[ZkwmError], tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        read_preprocessor_config(written(tmp_path, config), SHAPE)
    assert caught.value.hint


def test_gray_images_have_no_order_of_channels(tmp_path: Path) -> None:
    gray = {**MOBILEVIT, "auto_map": None}
    with pytest.raises(UsageError, match="do_flip_channel_order") as caught:
        read_preprocessor_config(written(tmp_path, gray), (1, 224, 224))
    assert "`channels`" in caught.value.hint
    gray["do_flip_channel_order"] = False
    assert read_preprocessor_config(written(tmp_path, gray), (1, 224, 224)).channels == "rgb"


def test_a_large_file_and_none(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        read_preprocessor_config(written(tmp_path, " " * (FILE_LIMIT + 1)), SHAPE)
    with pytest.raises(CouldNotCheck):
        read_preprocessor_config(tmp_path / "none.json", SHAPE)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats() | st.integers() | st.text(max_size=2), max_size=4),
    st.dictionaries(st.sampled_from(["height", "width", "shortest_edge"]), st.integers(-1, 300)),
)
KEYS = (*VIT, *MOBILEVIT, "rescale_offset", "include_top", "do_pad", "offset")


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([VIT, RESNET, CLIP, MOBILEVIT]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(["input_size", "mean", "std"]), VALUES),
    st.booleans(),
)
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    config: dict[str, Any],
    changes: dict[str, Any],
    timm: dict[str, Any],
    of_timm: bool,
) -> None:
    value = (
        {**TIMM, "pretrained_cfg": TIMM["pretrained_cfg"] | timm} if of_timm else config | changes
    )
    path = written(tmp_path_factory.getbasetemp(), value)
    try:
        read = read_preprocessor_config(path, SHAPE)
    except (Malformed, Unsupported, UsageError):
        return
    assert Preprocessing.from_map(read.to_map()) == read


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(data)
    with pytest.raises(Malformed):
        read_preprocessor_config(path, SHAPE)


def test_a_foreign_key_is_shown_in_short_and_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({"do_rescale": True, "do_x\n" + "y" * 9_000: True}))
    with pytest.raises(Unsupported) as caught:
        read_preprocessor_config(path, (3, 8, 8))
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300 + len(str(path))
