"""Inputs that are pixels in a row, or an image without its one channel (SPEC.md 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.small_models import Sketch, digest_of
from zkwm.quantizer import measure_agreement, random_images
from zkwm.quantizer.agreement_bounds import require_agreement, require_translation
from zkwm.quantizer.derive import network_of
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_scores
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm.suspects import open_suspect
from zkwm.suspects.input_layouts import fitting_layouts
from zkwm_protocols.errors import SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

Layout = Literal["nchw", "nhwc"]
COLORED, GRAY = (3, 16, 15), (1, 16, 15)
COUNT = 720


def dense(sketch: Sketch, layout: Layout) -> bytes:
    """What scikit-learn exports: a matrix of the row of pixels, and Softmax before an Identity."""
    sketch.add("Cast", to=1)
    sketch.add("MatMul", sketch.last, sketch.weights(COUNT, 20))
    sketch.add("Relu")
    sketch.dense(20)
    sketch.add("Softmax")
    sketch.add("Identity")
    return sketch.file()


def convolution(sketch: Sketch, layout: Layout) -> bytes:
    """A row of pixels that becomes an image again."""
    channels, height, width = COLORED
    sides = COLORED if layout == "nchw" else (height, width, channels)
    sketch.add("Reshape", sketch.last, sketch.constant([-1, *sides], np.int64))
    if layout == "nhwc":
        sketch.add("Transpose", perm=[0, 3, 1, 2])
    sketch.convolution(3, 6, pads=[1, 1, 1, 1], strides=[2, 2])
    sketch.add("Relu")
    return sketch.flat(6 * 8 * 8)


def shifted(sketch: Sketch, layout: Layout) -> bytes:
    """Functions and numbers of the row, half of which goes on."""
    sketch.add("Mul", sketch.last, sketch.constant(2.0))
    sketch.add("Tanh")
    sketch.add("Slice", sketch.last, *(sketch.constant([n], np.int64) for n in (100, 500, 1)))
    sketch.dense(400)
    return sketch.file()


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("build", [dense, convolution, shifted])
def test_a_row_of_pixels_is_read_in_the_suspect_s_order(
    tmp_path: Path, build: Callable[[Sketch, Layout], bytes], layout: Layout, order: str
) -> None:
    """The scores of the open suspect, which feeds the file itself, are those of the layers."""
    sketch = Sketch(COLORED)
    sketch.dims = (COUNT,)
    path = tmp_path / "model.onnx"
    path.write_bytes(build(sketch, layout))
    images = random_images(COLORED, 20, b"tests, flat")
    layers = simplify(translate(read_onnx(path.read_bytes()), COLORED, layout, order))
    with closing(open_suspect(path, shape=COLORED)) as suspect:
        answers = suspect.answer(images, Preprocessing(layout=layout, channels=order))
    wanted = np.array([answer.scores for answer in answers])
    found = real_scores(layers, images.astype(np.float64) / 255)
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_an_image_of_one_row_without_its_channel_is_fed_as_it_lies(
    tmp_path: Path, layout: Layout
) -> None:
    """Its height is 1 as well, and is not what is left out: the mean over rows would tell."""
    shape = (1, 1, 12)
    sketch = Sketch(shape)
    sketch.dims = (None, None)
    sketch.add("ReduceMean", sketch.last, sketch.constant([1], np.int64), keepdims=0)
    path = tmp_path / "model.onnx"
    path.write_bytes(sketch.flat(12))
    images = random_images(shape, 5, b"tests, one row")
    layers = simplify(translate(read_onnx(path.read_bytes()), shape, layout))
    with closing(open_suspect(path, shape=shape)) as suspect:
        answers = suspect.answer(images, Preprocessing(layout=layout))
    wanted = np.array([answer.scores for answer in answers])
    found = real_scores(layers, images.astype(np.float64) / 255)
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_a_flat_suspect_passes_the_gate(tmp_path: Path) -> None:
    sketch = Sketch(COLORED)
    sketch.dims = (COUNT,)
    path = tmp_path / "model.onnx"
    path.write_bytes(dense(sketch, "nchw"))
    with closing(open_suspect(path, shape=COLORED)) as suspect:
        network = network_of(suspect, Preprocessing())
        agreements = measure_agreement(network, suspect, Preprocessing(), nonce=bytes(32))
    require_translation(agreements)
    require_agreement(agreements)


def test_every_form_of_one_model_has_the_same_network() -> None:
    """Images with their channel, without it, and in a row."""
    digests = set()
    for dims in ((1, 16, 15), (16, 15), (240,), (None,)):
        sketch = Sketch(GRAY)
        sketch.dims = dims
        digests.add(digest_of(sketch.flat(240), GRAY))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("shape", "dims"),
    [
        (COLORED, (719,)),  # another number of pixels
        (COLORED, (240,)),  # one channel's
        (COLORED, (16, 15)),  # no place for three channels
        (COLORED, (3, 240)),  # pixels in a row, channels apart
        (COLORED, (1, 720)),
        (GRAY, (15, 16)),  # on its side
        (GRAY, (1, 240)),
        (GRAY, ()),
        (GRAY, (1, 1, 16, 15)),
    ],
)
def test_sizes_that_leave_a_doubt_are_refused_by_suspect_and_quantizer(
    tmp_path: Path, shape: tuple[int, int, int], dims: tuple[int, ...]
) -> None:
    assert fitting_layouts(dims, shape) == []
    sketch = Sketch(shape)
    sketch.dims = dims
    path = tmp_path / "model.onnx"
    path.write_bytes(sketch.flat(int(np.prod(dims))))
    with pytest.raises(SuspectUnusable, match="does not take images"):
        open_suspect(path, shape=shape)
    for layout in ("nchw", "nhwc"):
        with pytest.raises(UsageError, match="does not take images"):
            translate(read_onnx(path.read_bytes()), shape, layout)


def test_operations_of_images_do_not_take_a_row() -> None:
    sketch = Sketch(COLORED)
    sketch.dims = (COUNT,)
    sketch.convolution(3, 6)
    with pytest.raises(Unsupported, match="Conv"):
        translate(read_onnx(sketch.flat(6)), COLORED, "nchw")


def test_what_only_another_output_reads_does_not_count() -> None:
    """Exporters add labels beside the scores: strings and operators of other domains."""
    sketch = Sketch(GRAY)
    sketch.dims = (240,)
    model = onnx.load_model_from_string(sketch.flat(240))
    scores, graph = sketch.last, model.graph
    names = helper.make_tensor("names", TensorProto.STRING, [5], [b"a", b"b", b"c", b"d", b"e"])
    graph.initializer.append(names)
    graph.node.append(helper.make_node("ArgMax", [scores], ["best"], axis=1))
    graph.node.append(
        helper.make_node("ArrayFeatureExtractor", ["names", "best"], ["label"], domain="ai.onnx.ml")
    )
    graph.output.append(helper.make_tensor_value_info("label", TensorProto.STRING, None))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    graph_read = read_onnx(model.SerializeToString(), scores)
    assert {node.operator for node in graph_read.nodes} == {"Flatten", "Gemm"}
    assert "names" not in graph_read.constants
    assert translate(graph_read, GRAY, "nchw").layers
