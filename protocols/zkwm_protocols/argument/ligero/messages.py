"""Messages of the Ligero protocol: one challenge, four combined rows, the opened columns.

::

    prover                                          verifier
      root of the column tree           ---->
                                        <----   CombinationChallenge   (gammas, zeta, rhos)
      root of CombinedRows              ---->
                                        <----   t column indices
      OpenedColumns                     ---->   claims on CombinedRows, for recursive_opening

The arrows to the left are drawn from the Fiat-Shamir transcript. SPEC.md 17.7 and 17.8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.linear_claim import CombinedClaim
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array


@dataclass(frozen=True)
class CombinationChallenge:
    """What the rows are combined with.

    Args:
        claim: the linear claim of the dot test; all relations, weighted by the gammas.
        rhos (uint64, (5, combined_rows)): the weights of the low-degree test.
        zeta: the weight of the product test.
    """

    claim: CombinedClaim
    rhos: Array
    zeta: Element


@dataclass(frozen=True)
class CombinedRows:
    """The four polynomials over K that answer a challenge, canonical coefficients.

    Args:
        low (uint64, (5, R + t)): the low-degree test.
        dot (uint64, (5, 2R + t)): the linear claim in witness and multiplicities.
        pads (uint64, (5, 2h + t)): the linear claim in pads, left, right and product.
        product (uint64, (5, h + 2t)): that product is left times right.
    """

    low: Array
    dot: Array
    pads: Array
    product: Array

    def joined(self) -> Array:
        """The coefficients of all four, one behind the other, (5, 3R + 3h + 5t)."""
        return np.concatenate([self.low, self.dot, self.pads, self.product], axis=1)


@dataclass(frozen=True)
class OpenedColumns:
    """Columns of the encoded tableau, and what proves them against the root.

    Args:
        cells (uint32, (t, base_rows)): the columns' elements over F_p.
        nonces: 32 bytes of each column's leaf.
        nodes: the nodes of the column tree that the verifier cannot compute, 32 bytes each.
    """

    cells: NDArray[np.uint32]
    nonces: tuple[bytes, ...]
    nodes: tuple[bytes, ...]
