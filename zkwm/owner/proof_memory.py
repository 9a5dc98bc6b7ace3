"""The cost of a proof, and whether it fits into the memory of this machine.

A prover that runs out of memory is ended by the system, after minutes and without a word. So the
estimate is compared with what is left before any work on the proof begins.
"""

from __future__ import annotations

from zkwm.suspects.resource_limits import memory_left
from zkwm_protocols.argument import cost_estimate
from zkwm_protocols.argument.cost_estimate import Estimate
from zkwm_protocols.errors import UsageError
from zkwm_protocols.integer_network.model import IntegerNetwork

_GIB = 2**30


def require_memory(network: IntegerNetwork, blocks: int, block_size: int) -> Estimate:
    """The cost of a proof about ``blocks`` blocks of ``block_size`` triggers each.

    Raises:
        UsageError: it takes more memory than is left, or no parameters are sound for so many
            triggers; the hint says how many blocks would do.
        Unsupported: the network is too large for an argument (network.size).
    """
    cost = cost_estimate.estimate(network, blocks * block_size)
    left = memory_left()
    if left is None or cost.peak_bytes <= left:
        return cost
    fitting, most = 0, blocks
    while most - fitting > 1:  # of ``fitting`` blocks the proof fits, of ``most`` it does not
        middle = (fitting + most) // 2
        fits = cost_estimate.estimate(network, middle * block_size).peak_bytes <= left
        fitting, most = (middle, most) if fits else (fitting, middle)
    fewer = f"a challenge about {fitting} of the {blocks} blocks fits; else " if fitting else ""
    raise UsageError(
        f"this proof takes about {cost.peak_bytes / _GIB:.1f} GiB of memory, and "
        f"{left / _GIB:.1f} GiB are left on this machine",
        hint=f"{fewer}end other programs, or prove on a machine with more memory",
    )
