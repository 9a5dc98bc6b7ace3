"""`extraction.json`: it is reproducible, and package and reference agree on it."""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.reference import extraction as reference
from tests.support.stored_vectors import vectors
from tests.support.tiny_networks import tensor, tiny_network
from tests.vectors.extraction import generate
from zkwm.extraction.alignment import align
from zkwm.extraction.dynamarks_regression import features, read_back
from zkwm.extraction.folding import folded
from zkwm.extraction.keys import ExtractionKey, judged_parameters, read_keys, scheme_tag
from zkwm.extraction.probes import drawn_probes
from zkwm.extraction.reader import JudgeView, MarkReader
from zkwm.extraction.unit_form import unit_form
from zkwm.nn.architectures import Classifier, ModelConfig
from zkwm.nn.widths import with_widths
from zkwm.suspects.extraction_suspect import extraction_digest
from zkwm.suspects.safetensors_suspect import architecture_digest
from zkwm.watermarks import make_watermark
from zkwm.watermarks.active.dynamarks import DynaMarks
from zkwm.watermarks.parameter_encoding.deepsigns import DeepSigns
from zkwm.watermarks.parameter_encoding.neuralmark import NeuralMark
from zkwm.watermarks.parameter_encoding.tartaglione import Tartaglione
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm.watermarks.watermark import Watermark
from zkwm_protocols.errors import UsageError
from zkwm_protocols.leaves import leaf

STORED = vectors("extraction")
TOLERANCE = STORED["tolerance"]
NETWORKS = {network["name"]: network for network in STORED["networks"]}


def scheme_of(vector: dict[str, Any]) -> Watermark:
    """The scheme of a vector; one that does not exist is made up."""
    parameters = vector["parameters"]
    if vector["scheme"] != "example":
        return make_watermark(vector["scheme"], **parameters)
    made = make_dataclass(
        "Example",
        [(name, type(value), value) for name, value in parameters.items()],
        bases=(Uchida,),
        frozen=True,
        namespace={"name": "example", "judged": tuple(parameters)},
    )
    found: Watermark = made()
    return found


def read_leaves(keys: list[str]) -> np.ndarray:
    return np.stack([np.frombuffer(bytes.fromhex(k), np.uint8).reshape(1, 1, 32) for k in keys])


def convolution(weights: list[Any]) -> nn.Module:
    values = tensor(weights)
    layer = nn.Conv2d(values.shape[1], values.shape[0], values.shape[2:], bias=False)
    layer.weight = nn.Parameter(values)
    return nn.Sequential(layer)


def test_generated_again_they_are_the_same() -> None:
    made = generate()
    assert set(made) == set(STORED)
    for name, value in made.items():
        assert value == STORED[name], name


@pytest.mark.parametrize("vector", STORED["schemes"], ids=lambda vector: vector["scheme"])
def test_scheme_digests(vector: dict[str, Any]) -> None:
    scheme = scheme_of(vector)
    assert judged_parameters(scheme) == vector["described"]
    assert scheme_tag(scheme).hex() == vector["digest"]


def test_keys_as_leaves() -> None:
    for vector in STORED["keys"]:
        key = ExtractionKey(
            vector["layer"], bytes.fromhex(vector["scheme"]), bytes.fromhex(vector["secret"])
        )
        image = key.to_leaf()
        assert image.tobytes().hex() == vector["key"]
        assert key.seed.hex() == vector["seed"]
        assert leaf(image, bytes.fromhex(vector["salt"]), None).hex() == vector["leaf"]
        assert ExtractionKey.from_leaf(image) == key


def test_streams() -> None:
    stored = STORED["streams"]

    def key(seed: str) -> ExtractionKey:
        data = bytes.fromhex(seed)
        return ExtractionKey(9, data[:16], data[16:])

    own = key(stored["seed"])
    for vector in stored["streams"]:
        length = len(vector["bytes"]) // 2
        assert own.stream(vector["purpose"], length).hex() == vector["bytes"]
    for name, read in (("signs", own.signs), ("normals", own.normals)):
        vector = stored[name]
        found = read(vector["purpose"], len(vector["values"]))
        assert found.tolist() == vector["values"]
    for vector in stored["choices"]:
        found = key(vector["seed"]).choices(vector["purpose"], vector["count"], vector["below"])
        assert found.tolist() == vector["values"]


def test_a_word_past_the_last_multiple_is_skipped_in_one_vector() -> None:
    vector = STORED["streams"]["choices"][-1]
    data = reference.stream(bytes.fromhex(vector["seed"]), vector["purpose"], 8 * 47)
    words = [int.from_bytes(data[i : i + 8], "big") for i in range(0, len(data), 8)]
    below = vector["below"]
    assert words[45] >= 2**64 // below * below
    assert [word % below for word in (*words[:45], words[46])] == vector["values"]


def test_digests_of_networks() -> None:
    for vector in STORED["models"]:
        network = NETWORKS[vector["network"]]
        (tensors,) = [
            each["tensors"] for each in network["suspects"] if each["name"] == vector["suspect"]
        ] or [network["reference"]]
        model = tiny_network(vector["network"], tensors)
        assert model.config.architecture == vector["architecture"]
        assert architecture_digest(model).hex() == vector["digest"]


@pytest.mark.parametrize("vector", STORED["suspects"], ids=lambda vector: vector["scheme"])
def test_digests_of_suspects(vector: dict[str, Any]) -> None:
    named = vector["reference"]
    found = extraction_digest(
        scheme_of(vector),
        bytes.fromhex(vector["model"]),
        None if named is None else bytes.fromhex(named),
        None if vector["probes"] is None else tensor(vector["probes"]).numpy(),
    )
    assert found.hex() == vector["digest"]


@pytest.mark.parametrize("vector", STORED["probes"], ids=lambda vector: str(vector["images"]))
def test_probes_that_a_nonce_draws(vector: dict[str, Any]) -> None:
    numbered = np.arange(vector["images"], dtype=np.uint16).view(np.uint8).reshape(-1, 1, 1, 2)
    found = drawn_probes(numbered, bytes.fromhex(vector["nonce"]))
    assert found.reshape(-1).view(np.uint16).tolist() == vector["numbers"]


def assert_bits(
    reader: MarkReader, model: nn.Module, vector: dict[str, Any], view: JudgeView
) -> None:
    """The bits of the vector; where it has none, there is no answer."""
    leaves = read_leaves(vector["keys"])
    if vector["bits"] is None:
        with pytest.raises(UsageError, match="finite"):
            reader.extract(model, leaves, view)
    else:
        assert reader.extract(model, leaves, view).tolist() == vector["bits"]


@pytest.mark.parametrize("vector", STORED["uchida"], ids=lambda vector: vector["name"])
def test_bits_of_uchida(vector: dict[str, Any]) -> None:
    model = convolution(vector["weights"])
    assert_bits(Uchida().reader(), model, vector, JudgeView())


@pytest.mark.parametrize("vector", STORED["tartaglione"], ids=lambda vector: vector["name"])
def test_bits_of_tartaglione(vector: dict[str, Any]) -> None:
    chain = tiny_network("chain", NETWORKS["chain"]["reference"])
    model: nn.Module = chain
    if vector["weights"] is not None:
        values = tensor(vector["weights"])
        model = nn.Linear(values.shape[1], values.shape[0])
        model.weight = nn.Parameter(values)
    assert_bits(Tartaglione().reader(), model, vector, JudgeView())


@pytest.mark.parametrize("vector", STORED["neuralmark"], ids=lambda vector: vector["name"])
def test_bits_of_neuralmark(vector: dict[str, Any]) -> None:
    model: nn.Module = tiny_network("chain", NETWORKS["chain"]["reference"])
    if vector["weights"] is not None:
        values = tensor(vector["weights"])
        model = nn.Linear(values.shape[1], values.shape[0])
        model.weight = nn.Parameter(values)
    assert_bits(NeuralMark().reader(), model, vector, JudgeView())


class _LastLayer(nn.Module):
    """A network that is its last layer alone."""

    def __init__(self, vector: dict[str, Any]) -> None:
        super().__init__()
        weight, bias = tensor(vector["weight"]), tensor(vector["bias"])
        self.head = nn.Linear(weight.shape[1], weight.shape[0])
        self.head.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(images.flatten(1))
        return logits


def test_bits_of_deepsigns() -> None:
    vector = STORED["deepsigns"]
    probes = tensor(vector["probes"])
    model = _LastLayer(vector)
    activations = tensor(vector["activations"])
    assert torch.equal(probes.flatten(1).float() / 255, activations)
    assert model(activations).argmax(dim=1).tolist() == vector["answers"]
    view = JudgeView(probes=probes.numpy())
    found = DeepSigns().reader().extract(model, read_leaves(vector["keys"]), view)
    assert found.tolist() == vector["bits"]


@pytest.mark.parametrize("vector", STORED["dynamarks"], ids=lambda vector: vector["name"])
def test_bits_of_dynamarks(vector: dict[str, Any]) -> None:
    view = JudgeView(_LastLayer(vector["reference"]), tensor(vector["probes"]).numpy())
    scheme = DynaMarks(floor=vector["floor"])
    leaves = read_leaves(vector["keys"])
    assert_bits(scheme.reader(), _LastLayer(vector["suspect"]), vector, view)
    if vector["values"]:
        images = tensor(vector["probes"]).float() / 255
        with torch.no_grad():
            answers = [
                _LastLayer(vector[name])(images).double().log_softmax(dim=1)
                for name in ("suspect", "reference")
            ]
        values = read_back(read_keys(leaves), *answers, features(images), vector["floor"])
        assert values == pytest.approx(vector["values"], abs=1e-4 * np.abs(values).max())


def assert_near(state: dict[str, Tensor], expected: dict[str, list[Any]]) -> None:
    """Every tensor within the tolerance, times the largest number of the expected one."""
    assert {name for name, one in expected.items() if one[0] == "float32"} <= set(state)
    for name, stored in expected.items():
        if stored[0] == "float32":
            values = tensor(stored).double()
            difference = (state[name].double() - values).abs().max()
            assert difference <= TOLERANCE * values.abs().max(), name


@pytest.mark.parametrize("name", NETWORKS)
def test_unit_form(name: str) -> None:
    network = NETWORKS[name]
    found, _ = unit_form(tiny_network(name, network["reference"]))
    assert_near(found, network["unit_form"])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_alignment(name: str, number: int) -> None:
    network = NETWORKS[name]
    suspect = network["suspects"][number]
    found = align(tiny_network(name, suspect["tensors"]), tiny_network(name, network["reference"]))
    assert_near(found.state_dict(), suspect["aligned"])


@pytest.mark.parametrize("name", NETWORKS)
def test_both_suspects_are_one_function_and_are_aligned_alike(name: str) -> None:
    plain, disguised, _ = NETWORKS[name]["suspects"]
    images = torch.rand(6, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    answers = []
    for suspect in (plain, disguised):
        with torch.no_grad():
            logits = tiny_network(name, suspect["tensors"])(images)
        logits -= logits.mean(dim=1, keepdim=True)
        answers.append(logits / logits.norm())
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-4)
    for key, one in plain["aligned"].items():
        ours, theirs = (tensor(each) for each in (one, disguised["aligned"][key]))
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        if key.endswith("features.0.weight"):
            moved = tensor(plain["tensors"][key]) - tensor(disguised["tensors"][key])
            assert float(moved.abs().max()) > 0.1


@pytest.mark.parametrize("vector", STORED["folding"], ids=lambda vector: vector["name"])
def test_folded_networks(vector: dict[str, Any]) -> None:
    """Neurons that were added or split, by the package and the second reader."""
    model, expected = (linear_layers(vector[name]) for name in ("layers", "folded"))
    found = folded(model, expected)
    assert [len(layer["bias"]) for layer in vector["folded"][:-1]] == vector["sizes"]
    for name, values in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], values.float(), rtol=1e-5, atol=1e-6)


def linear_layers(layers: list[dict[str, Any]]) -> Classifier:
    """A ``dense`` with these layers."""
    shape = (1, 1, len(layers[0]["weight"][0]))
    config = ModelConfig("dense", shape, len(layers[-1]["bias"]), (0.0,), (1.0,))
    state = {
        f"features.{place}.{name}": torch.tensor(layer[name], dtype=torch.float64)
        for place, layer in zip((1, 3, 5), layers, strict=True)
        for name in ("weight", "bias")
    }
    return with_widths(Classifier(config), state)
