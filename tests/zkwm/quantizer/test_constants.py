"""Constants that a file computes are the same on every processor (SPEC.md 16.5)."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.support.small_models import SHAPE, Sketch, digest_of
from zkwm.quantizer.constant_folding import fold
from zkwm.quantizer.expressions import power
from zkwm.quantizer.onnx_file import OnnxNode, read_onnx
from zkwm.quantizer.translate import translate
from zkwm_protocols.errors import Unsupported

FASTER = ("X86_V4", "AVX512_SKX", "AVX512_ICL", "AVX512_SPR", "X86_V3", "AVX2", "FMA3")
AMPLIFIED = 2.0**22


def node_of(operator: str, opset: int = 20, inputs: int = 1, **attributes: Any) -> OnnxNode:
    """A node of a file, read as files are."""
    sketch = Sketch(opset=opset)
    names = [sketch.constant([1.0]) for _ in range(inputs)]
    made = sketch.add(operator, *names, name="culprit", **attributes)
    sketch.add("Flatten", "images")
    sketch.add("Gemm", sketch.last, sketch.weights(2, 192), made, transB=1)
    return next(n for n in read_onnx(sketch.file()).nodes if n.operator == operator)


def computed(operator: str, *inputs: Any, opset: int = 20, **attributes: Any) -> np.ndarray:
    node = node_of(operator, opset, len(inputs), **attributes)
    return fold(node, [np.asarray(value) for value in inputs], opset)


def amplified() -> bytes:
    """Weights that are the last bits of exponentials, powers and sums on some processor."""
    sketch = Sketch()
    a = sketch.random.normal(size=(5, 192)).astype(np.float32)
    near = np.exp(a.astype(np.float64)).astype(np.float32)
    parts = []
    for made in (
        sketch.add("Exp", sketch.constant(a)),
        sketch.add("Pow", sketch.constant([2.718281828]), sketch.constant(a)),
    ):
        sketch.add("Sub", made, sketch.constant(near))
        parts.append(sketch.add("Mul", sketch.last, sketch.constant(AMPLIFIED)))
    wide = sketch.constant(sketch.random.normal(size=(5, 192, 33)))
    means = sketch.add("ReduceMean", wide, sketch.constant([2], np.int64), keepdims=0)
    weights = sketch.add("Sum", *parts, means, sketch.constant(a))
    sketch.add("Flatten", "images")
    sketch.add("Gemm", sketch.last, weights, transB=1)
    return sketch.file()


def processor_features() -> list[str]:
    """The features of this processor that NumPy has faster code for and can leave out."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return [name for name in FASTER if name in __cpu_dispatch__ and __cpu_features__.get(name)]


def test_the_digest_does_not_depend_on_the_processor() -> None:
    features = processor_features()
    if not features:
        pytest.skip("NumPy has no code for this processor that it can leave out")
    program = (
        "from tests.zkwm.quantizer.test_constants import amplified, SHAPE, digest_of, np;"
        "x = np.linspace(-9, 9, 1 << 15, dtype=np.float32);"
        "print(digest_of(amplified()), hash((np.exp(x) * np.exp2(x)).tobytes().hex()))"
    )
    printed = []
    for without in ("", " ".join(features)):
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": without, "PYTHONHASHSEED": "0"}
        made = subprocess.run(
            [sys.executable, "-c", program],
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.append(made.stdout.split())
    (own, own_exp), (other, other_exp) = printed
    assert own == other == digest_of(amplified())
    if own_exp == other_exp:
        pytest.skip("NumPy computes exponentials alike with and without " + " ".join(features))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_powers_are_those_of_real_numbers(kind: Any) -> None:
    random = np.random.default_rng(4)
    base, exponent = random.uniform(0.1, 4, 300).astype(kind), random.normal(size=300).astype(kind)
    wide = base.astype(np.float64), exponent.astype(np.float64)
    found = computed("Pow", base, exponent)
    assert found.dtype == kind
    np.testing.assert_allclose(found, np.power(*wide), rtol=2 * np.finfo(kind).eps)
    found = computed("Exp", exponent)
    assert found.dtype == kind
    np.testing.assert_allclose(found, np.exp(wide[1]), rtol=2 * np.finfo(kind).eps)


@pytest.mark.parametrize("exponent", [-1.0, 0.5, 1.0, 2.0, 3.0, -2.0, 0.0])
def test_powers_with_one_exponent(exponent: float) -> None:
    base = np.array([0.5, 1.0, 2.0, 9.0, 1e-3], np.float32)
    expected = np.power(base.astype(np.float64), exponent)
    for kind in (np.float32, np.int64) if exponent.is_integer() else (np.float32,):
        found = computed("Pow", base, np.asarray(exponent, kind))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=2e-7)


def test_signs_and_limits_of_powers() -> None:
    x = np.array([-2.0, -2.0, 0.0, -0.0, 0.0, 1e300, 1e-300, -1.0])
    y = np.array([3.0, 2.0, 0.0, 2.0, 0.5, 1e300, 1e300, 1e300])
    assert power(x, y).tolist() == [-8.0, 4.0, 1.0, 0.0, 0.0, np.inf, 0.0, 1.0]
    bad = [(-2.0, 0.5), (0.0, -1.0), (np.inf, 1.0), (2.0, -np.inf), (np.nan, 1.0)]
    assert np.isnan(power(*np.array(bad).T)).all()
    assert computed("Pow", np.array([2, 3]), np.array(5, np.int32)).tolist() == [32, 243]


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        ("Pow", ([-2.0], [0.3])),
        ("Pow", (np.array([2]), np.array([-1]))),
        ("Pow", (np.array([2]), np.array([0.5]))),
        ("Exp", (np.array([1]),)),
        ("Reciprocal", (np.array([0]),)),
        ("Sqrt", (np.array([4]),)),
        ("ReduceMean", (np.array([4]),)),
        ("ReduceSum", (np.ones((2, 2)), np.array([2]))),
        ("ReduceSum", (np.ones((2, 2)), np.array([1, -1]))),
        ("QuantizeLinear", (np.float32([1e20]), np.float32(1e-3), np.int8(0))),
        ("QuantizeLinear", (np.float16([60000]), np.float16(0.5), np.int8(0))),
        ("QuantizeLinear", (np.float32([1]), np.float32(0), np.int8(0))),
    ],
)
def test_what_machines_compute_in_two_ways_is_refused(operator: str, inputs: tuple[Any]) -> None:
    with pytest.raises(Unsupported):
        computed(operator, *inputs)


@pytest.mark.parametrize(("value", "kind"), [(2.0**63, 7), (2.0**64, 13), (-1.0, 2), (np.inf, 6)])
def test_casts_beyond_the_integers_are_refused(value: float, kind: int) -> None:
    """Some processors wrap around, others give the nearest integer."""
    with pytest.raises(Unsupported):
        computed("Cast", np.array([value]), to=kind)
    assert computed("Cast", np.array([-0.5, 255.9]), to=2).tolist() == [0, 255]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("axes", "keepdims"), [([1], 1), ([0, 2], 0), ([-1], 0), (None, 0), ([2, 0, 1], 1)]
)
def test_sums_have_one_order(order: Any, axes: list[int] | None, keepdims: int) -> None:
    random = np.random.default_rng(5)
    data = random.normal(size=(3, 40, 5)).astype(np.float32).copy(order=order)
    where = tuple(axes) if axes else None
    given = [] if axes is None else [np.array(axes)]
    for operator, obvious in (("ReduceSum", np.sum), ("ReduceMean", np.mean)):
        found = computed(operator, data, *given, keepdims=keepdims)
        assert found.dtype == np.float32
        expected = obvious(data.astype(np.float64), axis=where, keepdims=bool(keepdims))
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        if given:
            old = computed(operator, data, opset=12, axes=axes, keepdims=keepdims)
            assert np.array_equal(old, found)
    total = 0.0
    for value in data.ravel().tolist():
        total += value
    assert computed("ReduceSum", data, keepdims=0) == np.float32(total)
    assert np.array_equal(computed("ReduceSum", data, noop_with_empty_axes=1), data)


def test_products() -> None:
    data = np.random.default_rng(6).uniform(0.5, 2, (4, 9)).astype(np.float32)
    product = computed("ReduceProd", data, np.array([1]), keepdims=0)
    exact = [float(np.prod([Fraction(float(v)) for v in row])) for row in data]
    np.testing.assert_allclose(product, exact, rtol=1e-7)


@pytest.mark.parametrize("operator", ["Max", "Min"])
def test_zeros_have_no_sign(operator: str) -> None:
    for pair in ([-0.0], [0.0]), ([0.0], [-0.0]):
        assert not np.signbit(computed(operator, *np.float32(pair)))


def test_decimals_are_priced_before_they_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def file(sizes: tuple[int, ...]) -> bytes:
        sketch = Sketch()
        factor = sketch.constant(1.0)
        for size in sizes:
            made = sketch.add("Exp", sketch.constant(np.zeros(size)))
            factor = sketch.add("Mul", factor, sketch.add("ReduceMean", made, keepdims=0))
        sketch.add("Mul", "images", factor)
        return sketch.flat(192)

    asked: list[str] = []

    def counted(node: OnnxNode, *rest: Any) -> np.ndarray:
        asked.append(node.operator)
        return fold(node, *rest)

    monkeypatch.setattr("zkwm.quantizer.translate.fold", counted)
    translate(read_onnx(file((500, 600))), SHAPE, "nchw")
    monkeypatch.setattr("zkwm.quantizer.translation.MAXIMUM_DECIMALS", 1000)
    asked.clear()
    with pytest.raises(Unsupported, match="powers of more than 1,000"):
        translate(read_onnx(file((500, 600))), SHAPE, "nchw")
    assert asked == ["Exp", "ReduceMean", "Mul"]  # the second Exp is not computed
