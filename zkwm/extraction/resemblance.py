"""Choose the neurons of a network that is too wide by their likeness to a reference's.

Noise on neurons that were added hides which of them belong together, so that folding ends with too
many (``zkwm.extraction.folding``). A stolen network's own neurons still resemble those that it was
trained from. Group by group, from the image on, each neuron of the reference gets the one most like
it; neurons left over join the one that they resemble, or are left out. Biases count beside rows: a
copy with another bias may answer to no image. An innocent network has no such neurons, and is
refused. The reference is fixed before labels exist, and nothing here knows keys.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zkwm.extraction.neuron_groups import NeuronGroup, by_neuron, neuron_groups, permute
from zkwm.extraction.unit_form import unit_form
from zkwm.nn.architectures import Classifier
from zkwm.nn.widths import with_widths
from zkwm_protocols.errors import UsageError

LEAST_LIKENESS = 0.5
"""Mean over the groups of the mean cosine of chosen neurons with the reference's."""
SAME, SAME_BIAS = 0.8, 0.25
"""Cosine from which a neuron left over is taken for a copy of a chosen one, and how far their
biases may differ, in parts of the chosen one's and the reference's."""
BIAS_WEIGHT = 0.1
"""What a bias of another size takes off a cosine: a copy that never answers has one."""

PARTS, ALLOWANCE = 8, 20.0
"""Rows are compared without their larger weights too, and differ more there."""


def alike(directions: Tensor, number: int, others: Tensor, level: float) -> Tensor:
    """Which others, near in direction, are like a neuron in its small weights too; bool.

    A weight that is large in all rows, of a neuron that is constant or never answers, makes all
    directions near. At least a quarter of the weights read a network's own neurons, so that one of
    the parts, each with the next larger weights, has no such weight.
    """
    row = directions[number]
    order = row.abs().argsort()
    order = order[row[order] != 0]
    apart, size, start = torch.zeros(len(others), dtype=row.dtype), torch.zeros(()), 0
    same = torch.ones(len(others), dtype=torch.bool)
    for part in range(1, PARTS + 1):
        end = len(order) * part // PARTS
        places, start = order[start:end], end
        left = same.nonzero().flatten()
        found = directions[others[left]][:, places] - row[places]
        apart[left] += found.square().sum(dim=1)
        size = size + row[places].square().sum()
        same &= apart.sqrt() <= ALLOWANCE * level * size.sqrt()
        if not bool(same.any()):
            break
    return same


def chosen(model: Classifier, reference: Classifier) -> Classifier:
    """The network with the reference's widths, in unit form: its neurons most like the reference's.

    Args:
        model: At least as wide as the reference in every group.
        reference: Of the same architecture.

    Raises UsageError where its neurons are not like the reference's.
    """
    (state, _), (target, _) = unit_form(model), unit_form(reference)
    settled = {neuron_groups(reference)[0].makers[0].layer}
    cosines = []
    for group, wanted in zip(neuron_groups(model), neuron_groups(reference), strict=True):
        makers = [maker.layer for maker in group.makers if maker.layer in settled]
        rows, like = (
            torch.cat([one[f"{layer}.weight"].flatten(1) for layer in makers], dim=1)
            for one in (state, target)
        )
        biases, known = _biases(state, group), _biases(target, wanted)
        if group.makers[0].norm is None:  # what was joined before has changed lengths
            biases = biases / torch.where(rows.norm(dim=1) > 0, rows.norm(dim=1), 1.0)
        rows, like = _directions(rows), _directions(like)
        spread = known.norm() / len(known) ** 0.5 + 1e-6
        apart = ((known[:, None] - biases) / spread).abs().clamp_max(1)
        order, cosine = _assigned(like @ rows.T, BIAS_WEIGHT * apart)
        cosines.append(cosine)
        near, most = rows @ rows[order].T, SAME_BIAS * (biases[order].abs() + spread)
        far = (biases[:, None] - biases[order] * near.sign()).abs() > most
        _join(state, group, near.abs().masked_fill(far, -1), order)
        permute(state, group, order)
        settled |= {reader.layer for reader in group.readers}
    if sum(cosines) < LEAST_LIKENESS * len(cosines):
        raise UsageError("the network's neurons are not like the reference's")
    return with_widths(model, {name: tensor.float() for name, tensor in state.items()})


def _directions(rows: Tensor) -> Tensor:
    """Rows (n, d) at length 1; one of length 0 stays."""
    return torch.nn.functional.normalize(rows, dim=1)


def _biases(state: dict[str, Tensor], group: NeuronGroup) -> Tensor:
    """The bias of each neuron in unit form, float64 (size,); of two makers added the second's."""
    maker = group.makers[1 if group.joined else 0]
    return state[f"{maker.norm or maker.layer}.bias"]


def _assigned(cosines: Tensor, losses: Tensor) -> tuple[Tensor, float]:
    """The neuron for each of the reference's, int64 (size,), by cosines (size, neurons).

    Losses, of the same shape, count against them. And the mean of their cosines. Raises UsageError
    for cosines that are no numbers.
    """
    from scipy.optimize import linear_sum_assignment

    likeness = cosines - losses
    if not bool(likeness.isfinite().all()) or likeness.shape[1] < likeness.shape[0]:
        raise UsageError("its weights cannot be compared with the reference's")
    places, order = linear_sum_assignment(likeness.numpy(), maximize=True)
    found = cosines[torch.from_numpy(places), torch.from_numpy(order)]
    return torch.from_numpy(order), float(found.mean())


def _join(state: dict[str, Tensor], group: NeuronGroup, likeness: Tensor, order: Tensor) -> None:
    """Give what reads a neuron left over to the chosen one that it is a copy of, in place.

    So too of its opposite: where inputs change sign, the slopes of all that reads relu(u) and
    relu(-u) change by the sum of both weights, however they are shared out.

    ``likeness`` (group's size, chosen) are sizes of cosines with the chosen, -1 for other biases.
    """
    left = torch.ones(group.size, dtype=torch.bool)
    left[order] = False
    if not bool(left.any()):
        return
    cosines, nearest = likeness[left].max(dim=1)
    copies = cosines >= SAME
    numbers = left.nonzero().flatten()[copies]
    for reader in group.readers:
        name = f"{reader.layer}.weight"
        columns = by_neuron(state[name], group.size, 1, reader.copies).clone()
        columns.index_add_(1, order[nearest[copies]], columns.index_select(1, numbers))
        state[name] = columns.flatten(1, 2)
