"""Whether an owner could argue in zero knowledge about a suspect, and what that would show.

The steps are those of a judge and of ``zkwm.owner.prove_argument``, without a challenge: the
integer network, its cost, the comparison with the file, and the triggers that match in it.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from zkwm.owner.disclosure import BIT_LIMIT
from zkwm.owner.inquiry import Inquiry
from zkwm.owner.proof_memory import require_memory
from zkwm.owner.suspect_check import ArgumentCheck
from zkwm.quantizer.agreement_bounds import (
    require_agreement,
    require_comparable,
    require_translation,
)
from zkwm.quantizer.classifier import require_classifier
from zkwm.quantizer.derive import network_digest, network_of
from zkwm.quantizer.limited_scores import labels_limited
from zkwm.quantizer.network_agreement import measure_agreement
from zkwm_protocols.challenge_body import NONCE_BYTES
from zkwm_protocols.errors import SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.feasibility import fewest_matches


def check_argument(inquiry: Inquiry, free: tuple[int, ...]) -> ArgumentCheck:
    """What an argument about the unspent blocks ``free`` would show; raises nothing for a refusal.

    The nonce of the comparison is drawn here: a judge draws another, so that a suspect near a bound
    may pass once and fail another time.
    """
    released = len(inquiry.state.arguments(inquiry.commitment.digest))
    nothing = ArgumentCheck(
        refusal="", hint="", check="", blocks=inquiry.most_blocks(free), network=None, matches=None,
        least_matches=None, evidence=None, cost=None, bits_released=released, bit_limit=BIT_LIMIT,
    )  # fmt: skip
    try:
        return _measured(inquiry, nothing, free)
    except (SuspectUnusable, Unsupported, UsageError) as error:
        return replace(nothing, refusal=error.message, hint=error.hint, check=error.check)


def _measured(inquiry: Inquiry, found: ArgumentCheck, free: tuple[int, ...]) -> ArgumentCheck:
    """The check, step by step. Raises what refuses an argument."""
    commitment, suspect, policy = inquiry.commitment, inquiry.suspect, inquiry.policy
    if not found.blocks:
        raise UsageError("no block is unspent", check="challenge.reachable")
    require_comparable(suspect.identity.outputs)
    fewest_matches(commitment, len(found.blocks), policy, inquiry.map_bits)
    network = network_of(suspect, inquiry.preprocessing)
    digest = network_digest(network)
    count, least = _question(inquiry, digest, len(found.blocks))
    if count > len(free):
        raise UsageError(
            f"a judge was answered about {count} blocks of this network, which only the same "
            f"question may ask again, and {len(free)} are unspent"
        )
    blocks = free[:count]
    cost = require_memory(network, count, commitment.header.block_size)
    agreements = measure_agreement(
        network, suspect, inquiry.preprocessing, nonce=secrets.token_bytes(NONCE_BYTES),
        class_map=inquiry.class_map, progress=inquiry.progress,
    )  # fmt: skip
    require_translation(agreements)
    require_agreement(agreements)
    require_classifier(network, inquiry.class_map, inquiry.test_data)
    given = labels_limited(network, inquiry.images[inquiry.indices(blocks)])
    return replace(
        found, blocks=blocks, network=digest, least_matches=least, cost=cost,
        matches=int((given == inquiry.expected(blocks)).sum()),
        evidence=inquiry.weigh(least, count),
    )  # fmt: skip


def _question(inquiry: Inquiry, network: bytes, blocks: int) -> tuple[int, int]:
    """The number of blocks and k* that a judge may ask about this network (SPEC.md 18.5).

    Those of an answer before, since another question would tell more; else all that are unspent,
    and the fewest matches that suffice. Raises UsageError where these are out of reach.
    """
    for entry in inquiry.state.arguments(inquiry.commitment.digest):
        if entry.asks_for_matches and entry.network_digest == network:
            return entry.question
    return blocks, fewest_matches(inquiry.commitment, blocks, inquiry.policy, inquiry.map_bits)
