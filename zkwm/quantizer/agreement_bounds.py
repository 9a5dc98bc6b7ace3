"""What judge and owner demand of a suspect and its integer network (SPEC.md 18.1 to 18.3).

An argument is about the integer network made from the file, the accusation about the suspect.
``zkwm.quantizer.network_agreement`` measures on images drawn from the challenge's nonce; here are
the bounds that each set of images has to keep. Does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from zkwm.quantizer.network_agreement import Agreement
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.ranks import MOST_OUTPUTS

TRANSLATION_TOLERANCE = 1e-3
"""The largest relative difference between the suspect's scores and those of the layers read."""
LARGEST_ERROR = 0.5
"""The largest relative error of the integer network's scores, for 95 % of each set."""
LEAST_CLEAR = 0.9
"""The least share of clear images on which both give the same label."""
LEAST_SURE = 0.9
"""The same of each group of the images of which the suspect, or the network, is surest."""
LEAST_EQUAL = 0.85
"""The least share of all images on which both give the same label."""
LEAST_ORDERED = 0.85
"""The least share of images on which both order two outputs alike, for nine pairs of ten."""
_HINT = "ask for an opening instead (`Judge.challenge`)"
_ROUNDING_HINT = (
    f"{_HINT}; in a file that rounds values itself (int8, QuantizeLinear) one value rounded the "
    "other way is enough"
)


def require_comparable(outputs: int) -> None:
    """Raise SuspectUnusable (``argument.agreement``) for more outputs than scores are kept of."""
    if outputs > MOST_OUTPUTS:
        raise SuspectUnusable(
            f"a suspect of {outputs:,} outputs cannot be compared with its integer network; at "
            f"most {MOST_OUTPUTS:,} can",
            hint=_HINT,
            check="argument.agreement",
        )


def require_translation(agreements: tuple[Agreement, ...]) -> None:
    """Raise SuspectUnusable (``argument.translation``) where what is read of the file is not what
    the suspect computes."""
    for one in agreements:
        if not one.translation_error <= TRANSLATION_TOLERANCE:
            raise SuspectUnusable(
                f"ONNX Runtime and what zkwm reads of the file differ on {one.kind}: scores by "
                f"{one.translation_error:.2g} of their size, {TRANSLATION_TOLERANCE:g} is allowed",
                hint=_ROUNDING_HINT,
                check="argument.translation",
            )


def require_agreement(agreements: tuple[Agreement, ...]) -> None:
    """Raise SuspectUnusable (``argument.agreement``) where one set of images is out of bounds."""
    for one in agreements:
        for fault in _faults(one):
            raise SuspectUnusable(
                "the integer network made from the file is not close enough to the suspect: "
                f"{fault}",
                hint=_HINT,
                check="argument.agreement",
            )


def _faults(one: Agreement) -> Iterator[str]:
    """What is out of bounds on a set."""
    if one.agreeing < LEAST_EQUAL * one.asked:
        yield f"{one.words()}; the same label on {LEAST_EQUAL:.0%} is demanded"
    if one.clear_agreeing < LEAST_CLEAR * one.clear:
        yield (
            f"the same label on {one.clear_agreeing} of the {one.clear} {one.kind} with a clear "
            f"answer; {LEAST_CLEAR:.0%} is demanded"
        )
    if one.sure_agreeing < LEAST_SURE * one.sure:
        yield (
            f"the same label on {one.sure_agreeing} of the {one.sure} {one.kind} of which the "
            f"suspect or the network is surest; {LEAST_SURE:.0%} is demanded"
        )
    if one.same_order is not None and not one.same_order >= LEAST_ORDERED:
        yield (
            f"two outputs are in the same order on {one.same_order:.0%} of {one.kind}; "
            f"{LEAST_ORDERED:.0%} is demanded of nine pairs of ten"
        )
    if not one.high_error <= LARGEST_ERROR:
        yield f"{one.words()}; {LARGEST_ERROR:g} is allowed"
