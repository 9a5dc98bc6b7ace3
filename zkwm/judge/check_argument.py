"""The checks of a zero-knowledge argument: network, agreement with the suspect, proof.

SPEC.md section 18.3. ``zkwm.judge.case`` has the checks that both ways share. Imports neither torch
nor numba.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from zkwm.early import Early
from zkwm.judge.case import (
    ArgumentCase,
    Findings,
    Request,
    pinned_suspect,
    record_labels,
    require_labels,
)
from zkwm.judge.checks import Checks
from zkwm.judge.date_demands import require_older
from zkwm.judge.head_start import await_label_seed
from zkwm.judge.results import Argued, CheckStatus
from zkwm.quantizer.agreement_bounds import (
    require_agreement,
    require_comparable,
    require_translation,
)
from zkwm.quantizer.derive import network_of, require_network
from zkwm.quantizer.early_questions import asked_meanwhile, quantizer_for
from zkwm.quantizer.network_agreement import measure_agreement
from zkwm.suspects.resource_limits import memory_left
from zkwm_protocols.argument_response import make_statement
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, ZkwmError
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.ranks import MOST_OUTPUTS

EARLY_BYTES = 4 << 20
"""Bytes of a proof that is verified while the network is compared: about a second's work."""
EARLY_MEMORY = 4 << 30
"""Bytes left with which both go on at once."""

if TYPE_CHECKING:
    from zkwm_protocols.argument.parameters import Layout
    from zkwm_protocols.integer_network.model import IntegerNetwork


def examine_argument(
    checks: Checks, case: ArgumentCase, request: Request, findings: Findings
) -> Iterator[Findings]:
    """The checks from ``argument.labels`` to ``argument.proof``; yields what each step finds.

    Args:
        checks: records the result of each check.
        case: the files, which fit each other.
        request: has the suspect and the images on which it is compared.
        findings: what is known before.

    Raises:
        NotProven: the owner declared the labels, and they do not count.
        CouldNotCheck: everything else that fails.
    """
    challenge = case.challenge
    record_labels(checks, "argument.labels", case)
    if challenge.suspect.outputs > MOST_OUTPUTS:  # else it would pass before its turn
        with checks.group("argument.agreement"):
            require_comparable(challenge.suspect.outputs)
    with pinned_suspect(checks, case, request) as suspect:
        findings = replace(findings, suspect_files=suspect.files)
        yield findings
        fed, nonce, images = challenge.preprocessing, challenge.nonce, request.images
        with (
            quantizer_for(suspect, images) as process,
            asked_meanwhile(suspect, fed, nonce=nonce, images=images) as early,
        ):
            with checks.group("challenge.network"):
                network = network_of(suspect, fed, process)
                require_network(network, challenge.network)
            verifying = _verify_early(checks, case, network)
            with checks.group("argument.translation", "argument.agreement"):
                agreements = measure_agreement(
                    network, suspect, fed, nonce=nonce, images=images,
                    class_map=challenge.class_map, asked=early.taken(), process=process,
                )  # fmt: skip
                argued = Argued(challenge.network, challenge.least_matches, agreements)
                yield replace(findings, argued=argued)
                require_translation(agreements)
                require_agreement(agreements)
        words = "; ".join(one.words() for one in agreements)
        checks.set("argument.agreement", CheckStatus.PASSED, words)
        with checks.group("argument.format", "argument.soundness", "argument.proof"):
            layout = verifying.result() if verifying else _verify(checks, case, network)
    argued = replace(
        argued,
        soundness_bits=layout.soundness_bits,
        soundness_terms=tuple((term.name, term.bits, term.theorem) for term in layout.soundness()),
    )
    evidence = case.weigh(challenge.least_matches)
    summary = case.summary(evidence)
    yield replace(findings, argued=argued, evidence=evidence, summary=summary)
    decide(checks, case, evidence)
    require_older(checks, challenge, findings.dating, summary)


def require_still_reached(case: ArgumentCase) -> None:
    """Check that k* reaches the threshold with j as the judge's ledger counts it now.

    Raises InvalidOpening (``challenge.reachable``) where other challenges about this commitment
    were answered since this one was issued, so that this function costs more.
    """
    if case.weigh(case.challenge.least_matches).reached:
        return
    raise InvalidOpening(
        f"this is function {case.functions_tried} that was tried on the commitment, and "
        f"{case.challenge.least_matches} matches no longer reach the threshold: other challenges "
        "were answered after this one was issued",
        hint="issue a new challenge, which asks for as many matches as are needed now",
        check="challenge.reachable",
    )


def decide(checks: Checks, case: ArgumentCase, evidence: Evidence) -> None:
    """Check that the labels count, and that k* matches reach the threshold (SPEC.md 18.3).

    A challenge whose k* does not reach it has failed ``challenge.reachable`` long before; that is
    not relied on here. Raises NotProven (``argument.labels``) or InvalidOpening
    (``challenge.reachable``).
    """
    require_labels(checks, "argument.labels", case, evidence)
    if not evidence.reached:
        raise InvalidOpening(
            "the challenge demands too few matches for its threshold", check="challenge.reachable"
        )


def _verify_early(
    checks: Checks, case: ArgumentCase, network: IntegerNetwork
) -> Early[Layout] | None:
    """Begin to verify a small proof while the network is compared; None for another.

    Its outcome, and its error, count after those of the comparison.
    """
    left = memory_left()
    if len(case.response.argument) > EARLY_BYTES or (left is not None and left < EARLY_MEMORY):
        return None
    return Early(lambda: _verify(checks, case, network))


def _verify(checks: Checks, case: ArgumentCase, network: IntegerNetwork) -> Layout:
    """Verify the argument; its sizes, from which its soundness follows.

    Raises errors with the ids of the judge's checks; those inside the argument have their own.
    """
    from zkwm_protocols.argument import verifier

    response = case.response
    await_label_seed(case.commitment)
    statement = make_statement(
        case.commitment, case.challenge, network, response.blocks, response.labels
    )
    try:
        return verifier.verify(statement, response.argument)
    except MemoryError:
        raise CouldNotCheck(
            "there is not enough memory to check an argument about this network",
            hint="check it on a larger machine, or ask for a selective opening",
            check="argument.proof",
        ) from None
    except ZkwmError as error:
        if error.check in checks.titles:
            raise
        raise InvalidOpening(
            f"{error.message} ({error.check})", hint=error.hint, check="argument.proof"
        ) from None
