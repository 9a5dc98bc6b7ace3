"""A proof that does not fit into memory is refused, with the number of blocks that would fit."""

from __future__ import annotations

import pytest

from tests.support.small_networks import small_network
from zkwm.owner.proof_memory import require_memory
from zkwm_protocols.argument.cost_estimate import estimate
from zkwm_protocols.errors import UsageError


def _leave(memory: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.owner.proof_memory.memory_left", lambda: memory)


@pytest.mark.parametrize("spare", [0, 1, None])
def test_what_fits_or_is_not_known_is_served(
    spare: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = estimate(small_network(), 8 * 50)
    _leave(None if spare is None else cost.peak_bytes + spare, monkeypatch)
    assert require_memory(small_network(), 8, 50) == cost


@pytest.mark.parametrize("fitting", [1, 3, 7])
def test_the_hint_says_how_many_blocks_fit(fitting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_network()
    _leave(estimate(network, fitting * 2000).peak_bytes, monkeypatch)
    with pytest.raises(UsageError, match="of memory") as caught:
        require_memory(network, 8, 2000)
    assert f"about {fitting} of the 8 blocks fits" in caught.value.hint
    require_memory(network, fitting, 2000)


def test_where_not_one_block_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    _leave(1 << 20, monkeypatch)
    with pytest.raises(UsageError) as caught:
        require_memory(small_network(), 8, 50)
    assert caught.value.hint.startswith("end other programs")
