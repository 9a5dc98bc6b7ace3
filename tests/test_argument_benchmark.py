"""The argument's benchmarks: shapes are the product's, figures are those that are asked for."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.parametrize(
    ("name", "architecture", "shape"),
    [
        ("dense", "dense", (1, 28, 28)),
        ("lenet5", "lenet5", (1, 28, 28)),
        ("cifar", "cnn", (3, 32, 32)),
        ("resnet18", "resnet18", (3, 32, 32)),
    ],
)
def test_networks_have_the_shapes_of_the_products(benchmark, name, architecture, shape):
    from zkwm.nn.architectures import build_model

    channels = shape[0]
    model = build_model(
        architecture, shape=shape, class_count=10, mean=(0.5,) * channels, std=(0.5,) * channels
    )
    # a dense layer is a kernel of 1 by 1; identities and means have groups
    wanted = [
        tuple(size for size in parameter.shape if size > 1)
        for parameter in model.parameters()
        if len(parameter.shape) > 1
    ]
    network = benchmark("integer_networks").network(name)
    nodes = [node for node in network.nodes if getattr(node, "groups", 0) == 1]
    assert [tuple(size for size in node.weights.shape if size > 1) for node in nodes] == wanted
    assert network.shape == shape


def test_a_law_is_found_again(benchmark):
    laws = benchmark("laws_figure")
    first, second = laws.fit([1.0, 4.0, 16.0], [3.0, 7.0, 11.0], logarithm=True)
    assert (first, second) == pytest.approx((3.0, 2.0))
    first, second = laws.fit([1.0, 4.0, 9.0], [2.0, 8.0, 18.0], logarithm=False)
    assert (first, second) == pytest.approx((0.0, 2.0), abs=1e-9)


def test_a_law_names_its_slope_where_its_line_rises(benchmark):
    """A slope of 0.00002 raises 0.09 by a quarter over 1,000 triggers, and that can be seen."""
    laws = benchmark("laws_figure")
    triggers, verify, proof = laws.COLUMNS[0], laws.ROWS[3], laws.ROWS[2]
    counts = [50.0, 400.0, 1000.0]

    def told(slope: float, cost=verify) -> str:
        return laws.law(triggers, cost, counts, [0.09 + slope * count for count in counts])

    assert told(0.00002) == "0.090 + 0.000020 n"
    assert told(-0.00002) == "0.090 − 0.000020 n"
    assert told(0.0000005) == "0.090, whatever n"
    flat = [0.5 + 1e-4 * count for count in (1, 2, 3)]
    assert laws.law(triggers, proof, [50.0, 400.0, 1000.0], flat) == "0.50, whatever n"


def test_the_figure_has_a_dot_for_each_measurement(benchmark):
    lines = [
        {
            "series": series, "triggers": 100 * i, "activations": 1000 * i, "products": 10**6 * i,
            "prove_processor_seconds": 2.0 + i, "verify_processor_seconds": 0.1,
            "proof_bytes": 2**20 * i, "peak_bytes": 2**30 * i,
        }
        for series in ("triggers", "weights") for i in (1, 2, 5)
    ]  # fmt: skip
    root = ElementTree.fromstring(benchmark("laws_figure").figure(lines))
    assert len([one for one in root.iter() if one.tag.endswith("circle")]) == 2 * 4 * 3
    assert len([one for one in root.iter() if one.tag.endswith("polyline")]) == 2 * 4


@pytest.mark.slow
def test_all_figures_that_are_promised():
    command = [sys.executable, BENCHMARKS / "argument.py", "--network", "tiny"]
    done = subprocess.run(
        [*command, "--triggers", "30", "--runs", "1", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    for name in ("prove_seconds", "verify_seconds", "proof_bytes", "peak_bytes", "soundness_bits"):
        assert figures[name] > 0, name
    assert figures["soundness_bits"] >= 120
    assert figures["verifier_imports"] == []
    assert sum(figures["prove_steps"].values()) == pytest.approx(figures["prove_seconds"], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "triggers"), [("lenet5", 1), ("cifar", 30)])
def test_memory_is_about_what_was_said(benchmark, name, triggers, tmp_path):
    from zkwm_protocols.argument.cost_estimate import estimate

    command = [sys.executable, BENCHMARKS / "argument_process.py", "prove", name, str(triggers)]
    done = subprocess.run([*command, "1", tmp_path / "proof"], stdout=subprocess.PIPE, check=True)
    peak = json.loads(done.stdout)["peak_bytes"]
    network = benchmark("integer_networks").network(name)
    assert peak == pytest.approx(estimate(network, triggers).peak_bytes, rel=0.1)
