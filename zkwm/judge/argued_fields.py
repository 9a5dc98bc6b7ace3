"""What was examined of an argument as values of a verdict's file, and back (SPEC.md 10.4).

Real numbers are the 8 bytes of IEEE 754's binary64, big-endian: the profile has no floats.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from zkwm.judge.results import Argued
from zkwm.quantizer.network_agreement import Agreement
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import (
    require_bytes,
    require_integer,
    require_list,
    require_map,
    require_text,
)

_MOST = 2**40
_SHORT = 500


def write_argued(argued: Argued | None) -> dict[str, Any] | None:
    """Agreement and soundness; network and k* stand in the challenge."""
    if argued is None:
        return None
    return {
        "agreements": [
            [real(value) if isinstance(value, float) else value for value in vars(one).values()]
            for one in argued.agreements
        ],
        "soundness_bits": real(argued.soundness_bits),
        "soundness_terms": [[name, real(bits), why] for name, bits, why in argued.soundness_terms],
    }


def read_argued(value: object, challenge: Challenge | None) -> Argued | None:
    """What was examined of an argument, None for an opening. Raises Malformed."""
    if (value is not None) != isinstance(challenge, ArgumentChallenge):
        raise Malformed("an argument was examined where none was asked for, or the reverse")
    if value is None or not isinstance(challenge, ArgumentChallenge):
        return None
    fields = require_map(value, "agreements soundness_bits soundness_terms", "argument")
    terms = [require_list(row, 3, 3) for row in require_list(fields["soundness_terms"], 0, 20)]
    return Argued(
        challenge.network,
        challenge.least_matches,
        tuple(_read_agreement(row) for row in require_list(fields["agreements"], 0, 20)),
        read_real(fields["soundness_bits"]),
        tuple(
            (require_text(name, 100), read_real(bits), require_text(why, _SHORT))
            for name, bits, why in terms
        ),
    )


def _read_agreement(value: object) -> Agreement:
    """How closely suspect and network agree on one set of images. Raises Malformed."""
    kind, asked, *counts, order, median, high, translation = require_list(value, 11, 11)
    images = require_integer(asked, _MOST)
    agreeing, clear, clear_agreeing, sure, sure_agreeing = (
        require_integer(count, images) for count in counts
    )
    return Agreement(
        kind=require_text(kind, 100),
        asked=images,
        agreeing=agreeing,
        clear=clear,
        clear_agreeing=clear_agreeing,
        sure=sure,
        sure_agreeing=sure_agreeing,
        same_order=None if order is None else read_real(order),
        median_error=read_real(median),
        high_error=read_real(high),
        translation_error=read_real(translation),
    )


def real(value: float) -> bytes:
    """A real number as 8 bytes, big-endian; what is no number counts as infinite."""
    return struct.pack(">d", math.inf if math.isnan(value) else value)


def read_real(value: object) -> float:
    """A number of at least 0, perhaps infinite. Raises Malformed."""
    (number,) = struct.unpack(">d", require_bytes(value, 8))
    if math.isnan(number) or math.copysign(1.0, number) < 0:
        raise Malformed("expected a number of at least 0")
    return float(number)
