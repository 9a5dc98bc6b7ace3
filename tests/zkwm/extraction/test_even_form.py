"""Even form (SPEC.md 8.7): the scales of neurons, which change no answer, decide nothing."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.support.aligned import SHAPES, difference, network
from zkwm.extraction.even_form import in_even_form
from zkwm.extraction.neuron_groups import neuron_groups, scale_readers, scale_rows
from zkwm.extraction.unit_form import with_tensors
from zkwm.nn.architectures import Classifier
from zkwm_protocols.relearning import LOGITS

CLASS_MAP = (3, 0, 4)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (10, 12, 12))


def rescaled(model: Classifier) -> Classifier:
    """The same answers: neurons, rows and statistics before batch norms, pixels, logits."""
    state = {name: t.double() for name, t in model.state_dict().items() if t.is_floating_point()}
    generator = torch.Generator().manual_seed(3)
    for group in neuron_groups(model):
        if group.joined:
            state[f"{group.makers[0].norm}.bias"] += 8.0
            state[f"{group.makers[1].norm}.bias"] -= 8.0
        factors = 2.0 ** torch.randint(-9, 10, (group.size,), generator=generator).double()
        for maker in group.makers:
            for name in ("weight", "bias"):
                scale_rows(state, f"{maker.norm or maker.layer}.{name}", factors)
            if maker.norm is not None:
                rows = 2.0 ** torch.randint(-3, 4, (group.size,), generator=generator).double()
                for name, by in (
                    (f"{maker.layer}.weight", rows),
                    (f"{maker.norm}.running_mean", rows),
                    (f"{maker.norm}.weight", 1 / rows),
                ):
                    scale_rows(state, name, by)
        scale_readers(state, group, 1 / factors)
    layers = [name for name, t in state.items() if t.ndim > 1 and name.endswith(".weight")]
    state["normalize.std"] *= 64
    state[layers[0]] *= 64
    last = layers[-1].removesuffix(".weight")
    for name in ("weight", "bias"):
        values = state[f"{last}.{name}"]
        state[f"{last}.{name}"] = (values + values[0]) / 8
    return with_tensors(model, state)


@pytest.mark.parametrize("architecture", [*SHAPES])
def test_networks_that_differ_in_scales_have_one_even_form(architecture: str) -> None:
    model = network(architecture)
    before = copy.deepcopy(model.state_dict())
    images = torch.rand(40, *SHAPES[architecture], generator=torch.Generator().manual_seed(1))
    found = in_even_form(model, images, CLASS_MAP)
    again = in_even_form(rescaled(model), images, CLASS_MAP)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert difference(found, again) < 1e-4
    with torch.no_grad():
        logits = found(images.double())[:, CLASS_MAP]
        expected = model.double()(images.double())[:, CLASS_MAP]
    spread, known = (one - one.mean(dim=1, keepdim=True) for one in (logits, expected))
    assert float(spread.square().mean().sqrt()) == pytest.approx(LOGITS)
    torch.testing.assert_close(spread, known * (spread.norm() / known.norm()))


def test_neurons_that_never_answer_make_no_row_long() -> None:
    """One of weights 0, one with a low bias: whatever reads them, the others stay as they are."""
    forms = []
    for size in (0.1, 1e5):
        model = network("dense", 2)
        with torch.no_grad():
            for number, bias in ((3, 0.0), (4, -1e3)):
                model.get_parameter("features.1.weight")[number] *= float(number == 4)
                model.get_parameter("features.1.bias")[number] = bias
                model.get_parameter("features.3.weight")[:, number] = size
        forms.append(
            in_even_form(
                model,
                torch.rand(4, *SHAPES["dense"], generator=torch.Generator().manual_seed(1)),
                range(5),
            )
        )
    assert difference(*forms) < 1e-6


def test_neurons_that_nothing_reads_and_constants_stay_finite() -> None:
    """Rows of 0 keep their scale; a constant of 10^6 that nothing reads is made small."""
    model = network("dense", 2)
    with torch.no_grad():
        model.get_parameter("features.1.weight")[3] = 0
        model.get_parameter("features.1.bias")[3] = 1e6
        model.get_parameter("features.3.weight")[:, 3] = 0
        model.get_parameter("features.1.weight")[4] = 0
        model.get_parameter("features.1.bias")[4] = 0
    found = in_even_form(model, torch.rand(4, *SHAPES["dense"]), range(5)).state_dict()
    assert all(bool(t.isfinite().all()) for t in found.values())
    assert float(found["features.1.bias"][3]) == pytest.approx(2.0)
    assert float(found["features.1.bias"][4]) == 0
