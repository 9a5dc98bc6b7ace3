"""Seeds and generators for each purpose."""

from __future__ import annotations

import torch
from torch import nn

from zkwm.nn.seeds import derived_seed, generator, seed_torch


def test_purposes_and_positions_have_seeds_of_their_own() -> None:
    """No two purposes or positions share a seed, and a seed is the same every time."""
    places = [("model", 0, 1), ("model", 1, 0), ("fit", 0, 1), ("model", 0, 11)]
    seeds = [derived_seed(5, purpose, *position) for purpose, *position in places]

    assert len(set(seeds)) == len(places)
    assert seeds == [derived_seed(5, purpose, *position) for purpose, *position in places]
    assert all(0 <= seed < 1 << 63 for seed in seeds)


def test_a_generator_does_not_depend_on_what_others_drew() -> None:
    """Its numbers follow from seed, purpose and position alone."""
    first = torch.rand(3, generator=generator(1, "order", 2))
    torch.rand(100)

    assert torch.equal(torch.rand(3, generator=generator(1, "order", 2)), first)


def test_dropout_draws_what_it_draws_after_manual_seed() -> None:
    """Seeding torch's own generator is what torch.manual_seed does to it."""
    layer, ones = nn.Dropout(0.5), torch.ones(64)
    seed_torch(derived_seed(3, "model", 4), torch.device("cpu"))
    drawn = layer(ones)
    torch.manual_seed(derived_seed(3, "model", 4))

    assert torch.equal(drawn, layer(ones))
