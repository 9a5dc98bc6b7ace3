"""The verifier's side of a recursive opening: the columns' trees, and the one last equation.

::

    for every fold      replay its rounds; columns belong to its root      argument.columns
    at the end          <w, last> = claim                                  argument.relations

Everything that the claim says of v (``ligero.verifier``: relations and rows) stands in that one
equation. NumPy and hashlib only; sizes and canonical elements were checked by the reader of the
proof. SPEC.md 17.11.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkwm_protocols.argument.ligero.column_tree import FOLD_PREFIX, check_columns, fold_nonces
from zkwm_protocols.argument.recursive_opening.messages import RecursiveOpening
from zkwm_protocols.argument.recursive_opening.protocol import Folding
from zkwm_protocols.argument.recursive_opening.sizes import OpeningSizes
from zkwm_protocols.argument.recursive_opening.weights import Weights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.scalar import Element


def check_recursive_opening(
    sizes: OpeningSizes,
    transcript: Transcript,
    claim: Element,
    weights: Sequence[Weights],
    opening: RecursiveOpening,
) -> None:
    """Accept that <w, v> = ``claim`` for the v of the first root, or raise.

    Args:
        sizes: of the opening.
        transcript: with everything that was sent before, the first root included.
        claim: s.
        weights: the terms of w.
        opening: what was sent, of the lengths that the sizes give.

    Raises:
        InvalidOpening: argument.columns or argument.relations.
    """
    folding = Folding(sizes, transcript, claim, weights)
    for i, messages in enumerate(opening.folds):
        for at_zero, at_infinity in messages.rounds:
            folding.receive_round(at_zero, at_infinity)
        if i + 1 < len(opening.folds):
            folding.receive_root(opening.folds[i + 1].root)
        else:
            folding.receive_last(opening.last)
        indices = folding.draw_columns()
        check_columns(
            messages.root,
            messages.columns,
            indices,
            messages.nodes,
            depth=sizes.folds[i].code_log,
            nonces=fold_nonces(i + 1, len(indices)),
            prefix=FOLD_PREFIX,
        )
        folding.receive_columns(indices, messages.columns)
    if not folding.holds(opening.last):
        raise InvalidOpening(
            "the committed values do not satisfy the relations", check="argument.relations"
        )
