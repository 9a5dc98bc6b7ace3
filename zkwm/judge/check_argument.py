"""A case in zero knowledge: derive the network, hold it against the suspect, check the argument.

SPEC.md section 18.3. Used by ``zkwm.judge.judge`` alone; common checks and the verdict are in
``zkwm.judge.case``. Imports neither torch nor numba.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.case import Case
from zkwm.judge.check_agreement import measure_agreement, require_agreement
from zkwm.judge.checks import PASSED
from zkwm.quantizer.derive import network_of, require_network
from zkwm.suspects import Suspect
from zkwm_protocols.argument_response import ArgumentResponse, make_statement
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, ZkwmError

if TYPE_CHECKING:
    from zkwm_protocols.integer_network.model import IntegerNetwork


def examine_argument(case: Case, suspect: Suspect, images: NDArray[np.uint8] | None) -> None:
    """The checks from ``challenge.network`` to ``argument.proof``, then weigh k* matches.

    ``images`` (uint8, (n, c, h, w)) are the judge's own for the comparison of suspect and integer
    network; without them public ones are taken.
    """
    challenge = case.challenge
    with case.checks.group("challenge.network"):
        network = network_of(suspect, challenge.preprocessing)
        require_network(network, challenge.network)
    with case.checks.group("argument.agreement"):
        agreements = measure_agreement(network, suspect, challenge.preprocessing, images)
        assert case.argued is not None
        case.argued = replace(case.argued, agreements=agreements)
        require_agreement(agreements)
    case.checks.set(
        "argument.agreement",
        PASSED,
        ", ".join(f"{one.agreeing} of {one.asked} {one.kind}" for one in agreements),
    )
    with case.checks.group("argument.format", "argument.soundness", "argument.proof"):
        _verify(case, network)
    case.weigh(case.argued.least_matches)


def _verify(case: Case, network: IntegerNetwork) -> None:
    from zkwm_protocols.argument import verifier

    response = case.response
    assert isinstance(response, ArgumentResponse)  # response.challenge has seen to it
    statement = make_statement(
        case.commitment, case.challenge, network, response.blocks, response.labels
    )
    try:
        layout = verifier.verify(statement, response.argument)
    except MemoryError:
        raise CouldNotCheck(
            "there is not enough memory to check an argument about this network",
            hint="check it on a larger machine, or ask for a selective opening",
            check="argument.proof",
        ) from None
    except ZkwmError as error:
        if error.check in case.checks.titles:
            raise
        raise InvalidOpening(
            f"{error.message} ({error.check})", hint=error.hint, check="argument.proof"
        ) from None
    assert case.argued is not None
    case.argued = replace(
        case.argued,
        soundness_bits=layout.soundness_bits,
        soundness_terms=tuple((term.name, term.bits, term.theorem) for term in layout.soundness()),
    )
