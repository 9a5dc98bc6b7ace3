"""Structural obfuscation is folded back, in each architecture."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from tests.support.aligned import (
    SHAPES,
    assert_same_answers,
    changed,
    difference,
    network,
    relative_logits,
)
from zkwm.attacks.model_modification.structural_obfuscation import KINDS, StructuralObfuscation
from zkwm.extraction.alignment import align, aligned
from zkwm.extraction.folding import folded
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import Classifier
from zkwm.nn.model_file import load_model, load_with_files, save_classifier
from zkwm.nn.widths import with_widths
from zkwm_protocols.errors import Malformed, Unsupported, UsageError


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """``airbench`` has few channels here, as its widest layer takes long."""
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (10, 12, 12))


def obfuscated(
    model: Classifier, kind: str = "mixed", share: float = 0.5, members: int = 2, noise: float = 0.0
) -> Classifier:
    """The network with more neurons, in another order and at other scales."""
    return StructuralObfuscation(kind, share, members, noise).obfuscated(model, 5)


def widths(model: Classifier) -> list[int]:
    return [len(layer.weight) for _, layer in weighted_layers(model)]


@pytest.mark.parametrize(
    ("architecture", "kind", "share", "members"),
    [
        *((architecture, "mixed", 0.3, 2) for architecture in SHAPES),
        *(("lenet5", kind, 2.0, 3) for kind in KINDS),
        ("resnet8", "mixed", 1.0, 3),
    ],
)
def test_an_obfuscated_copy_is_brought_back(
    architecture: str, kind: str, share: float, members: int
) -> None:
    reference = network(architecture)
    suspect = changed(reference, 0.3)
    wide = obfuscated(suspect, kind=kind, share=share, members=members)
    assert_same_answers(suspect, wide, factor=False)
    more = [many - few for many, few in zip(widths(wide), widths(suspect), strict=True)]
    assert min(more[:-1]) > 0
    assert more[-1] == 0
    found = align(wide, reference)
    assert widths(found) == widths(suspect)
    assert difference(align(suspect, reference), found) < 1e-5


@pytest.mark.parametrize("architecture", [*SHAPES])
def test_an_honest_network_is_the_very_same(architecture: str) -> None:
    for seed in range(2):
        model = network(architecture, seed)
        before = copy.deepcopy(model.state_dict())
        assert folded(model, network(architecture, 9)) is model
        assert folded(model) is model
        assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


@pytest.mark.parametrize("architecture", ["lenet5", "cnn3", "resnet8", "airbench"])
def test_an_innocent_wide_network_is_not_folded(architecture: str) -> None:
    """All its neurons do something: leaving out any changes answers."""
    wide = obfuscated(network(architecture), kind="zero")
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, layer in weighted_layers(wide):
            drawn = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.copy_(drawn / layer.weight[0].numel() ** 0.5)
    with pytest.raises(UsageError, match="cannot be folded"):
        align(wide, network(architecture))


@pytest.mark.parametrize("kind", KINDS)
def test_neurons_disguised_by_noise_are_folded_too(kind: str) -> None:
    reference = network("cnn3")
    suspect = changed(reference, 0.3)
    wide = obfuscated(suspect, kind=kind, noise=0.03)
    assert not torch.allclose(*(relative_logits(m, SHAPES["cnn3"]) for m in (suspect, wide)))
    # what a split neuron's place is taken by has the noise, all else is as it was
    assert difference(align(suspect, reference), align(wide, reference)) < 0.1


@pytest.mark.parametrize(
    ("architecture", "kind", "noise"),
    [("lenet5", "mixed", 0.2), ("resnet8", "mixed", 0.2), ("lenet5", "clique", 1.0)],
)
def test_what_cannot_be_folded_is_chosen_by_its_likeness_to_the_reference(
    architecture: str, kind: str, noise: float
) -> None:
    """Signs of 0.94 (0.98 for most) of each layer's weights stay; half of them would by chance."""
    reference = network(architecture)
    suspect = changed(reference, 0.3)
    wide = obfuscated(suspect, kind=kind, noise=noise)
    with pytest.raises(UsageError, match="there is no reference"):
        folded(wide)
    found, plain = align(wide, reference), align(suspect, reference)
    for (_, ours), (_, theirs) in zip(weighted_layers(found), weighted_layers(plain), strict=True):
        assert float(((ours.weight >= 0) == (theirs.weight >= 0)).float().mean()) > 0.94


def test_neurons_that_cancel_without_equal_inputs_are_left_out() -> None:
    """relu(u) - relu(-u) + relu(v) - relu(-v) - relu(u + v) + relu(-u - v) is 0."""
    reference = network("lenet5")
    suspect = changed(reference, 0.3)
    state = suspect.state_dict()
    generator = torch.Generator().manual_seed(1)
    u, v = (torch.randn(121, generator=generator) / 11 for _ in range(2))
    rows = torch.stack([u, -u, v, -v, u + v, -u - v])
    signs = torch.tensor([1.0, -1, 1, -1, -1, 1])
    state["features.9.weight"] = torch.cat([state["features.9.weight"], rows[:, :-1]])
    state["features.9.bias"] = torch.cat([state["features.9.bias"], rows[:, -1]])
    columns = torch.randn(5, 1, generator=generator) * signs
    state["features.11.weight"] = torch.cat([state["features.11.weight"], columns], dim=1)
    wide = with_widths(suspect, state)
    assert_same_answers(suspect, wide, factor=False)
    assert difference(align(suspect, reference), align(wide, reference)) < 1e-4


def same_signs(one: Classifier, other: Classifier) -> list[float]:
    """The share of weights of one sign in each layer."""
    pairs = zip(weighted_layers(one), weighted_layers(other), strict=True)
    return [float(((a.weight >= 0) == (b.weight >= 0)).float().mean()) for (_, a), (_, b) in pairs]


def test_a_constant_that_all_rows_share_does_not_make_neurons_alike() -> None:
    """A large weight in every row, undone by the bias: of the right width, and nothing to fold."""
    reference = network("dense", 4)
    suspect, attacked = changed(reference, 0.3), changed(reference, 0.3)
    with torch.no_grad():
        suspect.get_parameter("features.3.weight")[:, 7] = 0
        attacked.get_parameter("features.1.weight")[7] = 0
        attacked.get_parameter("features.1.bias")[7] = 1
        attacked.get_parameter("features.3.weight")[:, 7] = 3e4
        attacked.get_parameter("features.3.bias").sub_(3e4)
    plain, hidden = (relative_logits(model, SHAPES["dense"]) for model in (suspect, attacked))
    assert float((plain - hidden).abs().max()) < 0.01 * float(plain.abs().max())
    assert folded(attacked, reference) is attacked
    assert min(same_signs(align(attacked, reference), align(suspect, reference))) > 0.9


def test_neurons_are_not_left_out_for_the_large_effects_of_others_that_cancel() -> None:
    """Two thirds of a layer cancel by sixes, and are read 30,000 times as strongly as the rest."""
    reference = network("lenet5")
    suspect = changed(reference, 0.3)
    state = dict(suspect.state_dict())
    generator = torch.Generator().manual_seed(0)
    signs = torch.tensor([1.0, -1, 1, -1, -1, 1])
    for _ in range(40):
        u, v = (torch.randn(121, generator=generator) / 11 for _ in range(2))
        rows = torch.stack([u, -u, v, -v, u + v, -u - v])
        columns = 3e3 * torch.randn(5, 1, generator=generator) * signs
        for name, added, axis in (
            ("features.9.weight", rows[:, :-1], 0),
            ("features.9.bias", rows[:, -1], 0),
            ("features.11.weight", columns, 1),
        ):
            state[name] = torch.cat([state[name], added], dim=axis)
    wide = with_widths(suspect, state)
    plain, hidden = (relative_logits(model, SHAPES["lenet5"]) for model in (suspect, wide))
    assert float((plain - hidden).abs().max()) < 0.01 * float(plain.abs().max())
    assert min(same_signs(align(wide, reference), align(suspect, reference))) > 0.99


@pytest.mark.parametrize("size", [1.0, 1e3])
def test_opposites_of_all_neurons_do_not_hide_what_reads_them(size: float) -> None:
    """The sum of s_i (relu(a_i) - relu(-a_i)) is linear, and relu(b) - relu(-b) takes it away."""
    reference = network("lenet5")
    suspect = changed(reference, 0.3)
    state, generator = dict(suspect.state_dict()), torch.Generator().manual_seed(0)
    weight, bias, read = (
        state[name].double()
        for name in ("features.7.weight", "features.7.bias", "features.9.weight")
    )
    shares = torch.randn(len(weight), generator=generator).double()
    outputs = size * read.std() * torch.randn(len(read), 1, generator=generator)
    row, shift = shares @ weight, (shares @ bias)[None]
    state["features.7.weight"] = torch.cat([weight, -weight, row[None], -row[None]]).float()
    state["features.7.bias"] = torch.cat([bias, -bias, shift, -shift]).float()
    state["features.9.weight"] = torch.cat(
        [read + outputs * shares, -outputs * shares, -outputs, outputs], dim=1
    ).float()
    wide = with_widths(suspect, state)
    plain, hidden = (relative_logits(model, SHAPES["lenet5"]) for model in (suspect, wide))
    assert float((plain - hidden).abs().max()) < 0.01 * float(plain.abs().max())
    assert min(same_signs(align(wide, reference), align(suspect, reference))) > 0.99


def test_copies_that_never_answer_are_not_taken_for_neurons() -> None:
    """The rows of all neurons with a bias so low that nothing depends on what reads them."""
    reference = network("lenet5")
    suspect = changed(reference, 0.3)
    state = dict(suspect.state_dict())
    generator = torch.Generator().manual_seed(0)
    for layer, reader in (("features.7", "features.9"), ("features.9", "features.11")):
        weight, bias, read = (
            state[name] for name in (f"{layer}.weight", f"{layer}.bias", f"{reader}.weight")
        )
        drawn = 100 * read.std() * torch.randn(read.shape, generator=generator)
        state[f"{layer}.weight"] = torch.cat([weight, weight])
        state[f"{layer}.bias"] = torch.cat([bias, torch.full_like(bias, -50.0)])
        state[f"{reader}.weight"] = torch.cat([read, drawn], dim=1)
    wide = with_widths(suspect, state)
    assert_same_answers(suspect, wide, factor=False)
    assert min(same_signs(align(wide, reference), align(suspect, reference))) > 0.99


def test_too_few_neurons_are_filled_up() -> None:
    reference = network("lenet5")
    suspect = copy.deepcopy(reference)
    with torch.no_grad():
        suspect.get_parameter("features.7.weight")[:, 3] = 0
    state = suspect.state_dict()
    kept = [n for n in range(120) if n != 3]
    state["features.9.weight"] = state["features.9.weight"][:, kept]
    state["features.7.weight"], state["features.7.bias"] = (
        state[f"features.7.{name}"][kept] for name in ("weight", "bias")
    )
    narrower = with_widths(suspect, state)
    found = align(narrower, reference)
    assert widths(found) == widths(reference)
    assert_same_answers(narrower, found)


def test_one_neuron_split_at_the_cost_of_another_is_folded() -> None:
    """The widths stay: a neuron without effect gives its place to a copy of another."""
    reference = network("dense", 4)
    suspect, disguised = copy.deepcopy(reference), copy.deepcopy(reference)
    first, second = "features.1.", "features.3.weight"
    with torch.no_grad():
        for model in (suspect, disguised):
            model.get_parameter(second)[:, 7] = 0
        for name in ("weight", "bias"):
            values = disguised.get_parameter(f"{first}{name}")
            values[7] = 2 * values[40]
        columns = disguised.get_parameter(second)
        columns[:, 7] = 0.4 * columns[:, 40]
        columns[:, 40] *= 0.2
    assert_same_answers(suspect, disguised, factor=False)
    found = align(disguised, reference)
    assert_same_answers(suspect, found)
    columns = found.get_parameter(second)
    assert torch.allclose(columns[:, 40], suspect.get_parameter(second)[:, 40], rtol=1e-2)
    assert not bool(columns[:, 7].any())


def test_a_constant_neuron_becomes_bias() -> None:
    reference = network("lenet5")
    wide = obfuscated(reference, kind="zero", share=0.01)  # two in each layer
    with torch.no_grad():
        layers = [layer for _, layer in weighted_layers(wide)]
        for layer, reader in pairwise(layers[1:]):
            copies = reader.weight.shape[1] // len(layer.weight)
            columns = reader.weight.view(len(reader.weight), -1, copies)
            read = columns - columns.mean(dim=0)  # what all classes share changes no answer
            number = int(
                read.abs().amax(dim=(0, 2)).argmin()
                if reader is layers[-1]
                else columns.abs().sum(dim=(0, 2)).argmin()
            )
            layer.weight[number], layer.bias[number] = 0, 2.0
            columns[:, number] = torch.randn(len(columns), 1) * 0.3
            reader.bias -= 2 * columns[:, number].sum(dim=1)
    assert_same_answers(reference, wide, factor=False)
    assert difference(reference, align(wide, reference)) < 1e-5


def test_layers_that_do_not_fit_are_refused() -> None:
    reference = network("resnet8")
    state = reference.state_dict()
    # one channel is added to sixteen by broadcasting: evaluated, but no network of neurons
    state["features.3.conv2.weight"] = state["features.3.conv2.weight"][:1]
    for name in ("weight", "bias", "running_mean", "running_var"):
        state[f"features.3.bn2.{name}"] = state[f"features.3.bn2.{name}"][:1]
    broadcast = with_widths(reference, state)
    assert relative_logits(broadcast, SHAPES["resnet8"]).isfinite().all()
    with pytest.raises(UsageError, match="do not fit together"):
        align(broadcast, reference)


def test_without_a_reference_widths_are_folded_all_the_same() -> None:
    model = network("lenet5")
    found = aligned(obfuscated(model), JudgeView())
    assert isinstance(found, Classifier)
    assert widths(found) == widths(model)


def test_files_of_other_widths_are_read_where_a_mark_is_extracted_and_nowhere_else(
    tmp_path: Path,
) -> None:
    wide = obfuscated(network("resnet8"))
    save_classifier(tmp_path, wide)
    with pytest.raises(Malformed):
        load_model(tmp_path)
    found, _ = load_with_files(tmp_path, any_width=True)
    assert all(torch.equal(t, found.state_dict()[name]) for name, t in wide.state_dict().items())
    assert_same_answers(wide, found, factor=False)


@pytest.mark.parametrize("times", [0, 5])
def test_files_of_impossible_widths_are_refused(tmp_path: Path, times: int) -> None:
    model = network("dense")
    state = model.state_dict()
    rows = state["features.1.weight"].repeat(times or 1, 1)
    state["features.1.weight"], state["features.1.bias"] = rows, torch.zeros(len(rows))
    if times:
        state["features.3.weight"] = state["features.3.weight"].repeat(1, times)
    else:
        state["features.1.bias"] = torch.zeros(1)  # broadcasts
    save_classifier(tmp_path, with_widths(model, state))
    with pytest.raises(Unsupported, match="times as many"):
        load_with_files(tmp_path, any_width=True)
