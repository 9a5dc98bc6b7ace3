"""Answer a challenge in zero knowledge: release one bit about one network, open nothing.

SPEC.md sections 18.2 and 18.5. The vault is not locked while the argument is computed
(``zkwm_protocols.argument.prover``). The bit and the response are recorded, durably, before
anything leaves this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zkwm.extras import require
from zkwm.owner.disclosure import BIT_LIMIT, check_challenge, confirm_judge, pixels_of
from zkwm.owner.spent_blocks import free_blocks
from zkwm.owner.vault import ArgumentEntry, CommitmentSecrets, Vault, VaultState
from zkwm.owner.vault.ledger import ArgumentOutcome
from zkwm.quantizer.classifier import require_classifier
from zkwm.quantizer.derive import derive_network, require_network
from zkwm_protocols.argument_response import ArgumentResponse, Refusal, make_statement
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, NotEnoughMatches, UsageError
from zkwm_protocols.leaves import SALT_BYTES

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm_protocols.argument.statement import Statement
    from zkwm_protocols.integer_network.model import IntegerNetwork

ArgumentProgress: TypeAlias = Callable[[str, float], None]
"""Called with the name of a step and how much of it is done, 0 to 1."""


def argue(
    vault: Vault,
    commitment: Commitment,
    challenge: ArgumentChallenge,
    *,
    judge_fingerprint: str | None,
    model: str | Path | IntegerNetwork | None,
    test_data: ImageData | None = None,
    refuse: bool = False,
    exceed_limit: bool = False,
    progress: ArgumentProgress | None = None,
) -> ArgumentResponse | Refusal:
    """Answer a challenge for an argument (SPEC.md 18.2).

    Args:
        judge_fingerprint: None for a judge confirmed before.
        model: the suspect's file, or the integer network that ``derive_network`` made of it.
        test_data: labeled images on which it has to be better than chance.
        refuse: answer that fewer blocks are unopened than are asked for.
        exceed_limit: release more than 16 bits about one commitment.
        progress: called with each step of the prover.

    Raises:
        UsageError: no model, a judge not confirmed, the limit, another question than before about
            this network, a network near chance, a refusal without a reason.
        NotEnoughMatches: fewer than k* triggers match, which is recorded.
        InvalidOpening: blocks are missing, or the challenge or its network does not fit.
    """
    with vault.transaction() as state:
        owner_secrets = check_challenge(state, commitment, challenge)
        earlier = _answered(state, challenge)
        if earlier is not None:
            return earlier
        file = None if refuse else _require_model(model)
        confirm_judge(state, challenge, judge_fingerprint)
        _require_below_limit(state, commitment, exceed_limit=exceed_limit)
        if file is None:
            return _refuse(state, commitment, challenge)
        _require_same_question(state, commitment, challenge)
        blocks = _choose(state, commitment, challenge)
    network = _network(file, challenge)
    require_classifier(network, challenge.class_map, test_data)
    record = partial(_record_bit, vault, commitment, challenge, blocks, exceed_limit=exceed_limit)
    try:
        response = _respond(state, owner_secrets, commitment, challenge, network, blocks, progress)
    except NotEnoughMatches as error:
        record(None)
        error.hint = "this is recorded in the vault: telling a judge releases one bit"
        raise
    return record(response) or response


def _respond(
    state: VaultState,
    owner_secrets: CommitmentSecrets,
    commitment: Commitment,
    challenge: ArgumentChallenge,
    network: IntegerNetwork,
    blocks: tuple[int, ...],
    progress: ArgumentProgress | None,
) -> ArgumentResponse:
    """Prove, check and sign; nothing is recorded yet. Raises NotEnoughMatches."""
    labels = _declared_labels(owner_secrets, commitment, blocks)
    statement = make_statement(commitment, challenge, network, blocks, labels)
    secret = state.derive_key(b"argument", challenge.digest)
    proof = _prove(statement, owner_secrets, commitment, blocks, secret, progress)
    response = ArgumentResponse(challenge.digest, commitment.digest, blocks, labels, proof)
    response.verify_against(commitment, challenge)
    return response.signed_by((state.signing_key,))


def _answered(state: VaultState, challenge: ArgumentChallenge) -> ArgumentResponse | Refusal | None:
    """What was answered to this very challenge before. Raises NotEnoughMatches after silence."""
    for entry in state.arguments(challenge.commitment):
        if entry.challenge_digest == challenge.digest:
            if entry.outcome == ArgumentOutcome.REFUSED:
                return Refusal.from_bytes(entry.response)
            if entry.outcome == ArgumentOutcome.PROVED:
                return ArgumentResponse.from_bytes(entry.response)
            raise NotEnoughMatches(
                "fewer triggers match than this challenge asks for, as was found before",
                hint="nothing was computed or recorded again",
            )
    return None


def _require_model(model: str | Path | IntegerNetwork | None) -> str | Path | IntegerNetwork:
    """The model. Raises UsageError where none is given."""
    if model is None:
        raise UsageError(
            "an argument is about the suspect's network, and its file is missing",
            hint="give the suspect's file (--model)",
        )
    return model


def _require_below_limit(state: VaultState, commitment: Commitment, *, exceed_limit: bool) -> None:
    """Raise UsageError at ``BIT_LIMIT`` released bits, unless the owner exceeds it."""
    released = len(state.arguments(commitment.digest))
    if released >= BIT_LIMIT and not exceed_limit:
        raise UsageError(
            f"{released} bits have been released about this commitment, and {BIT_LIMIT} are the "
            "limit",
            hint="consider who has asked and why; --exceed-limit answers all the same",
        )


def _require_same_question(
    state: VaultState, commitment: Commitment, challenge: ArgumentChallenge
) -> None:
    """Raise UsageError where another number of matches was answered for about this network."""
    asked = (challenge.block_count, challenge.least_matches)
    for entry in state.arguments(commitment.digest):
        if (
            entry.asks_for_matches
            and entry.network_digest == challenge.network
            and entry.question != asked
        ):
            raise UsageError(
                f"you have answered whether {entry.least_matches} triggers of {entry.block_count} "
                f"blocks match on this network; answering about {challenge.least_matches} of "
                f"{challenge.block_count} blocks would tell more",
                hint="ask the judge for a challenge with the same numbers",
            )


def _choose(
    state: VaultState, commitment: Commitment, challenge: ArgumentChallenge
) -> tuple[int, ...]:
    """The first r blocks that are free. Raises InvalidOpening (``challenge.reachable``)."""
    free = free_blocks(state, commitment, challenge)
    if len(free) < challenge.block_count:
        raise InvalidOpening(
            f"the challenge asks for {challenge.block_count} of {commitment.header.block_count} "
            f"blocks; still unopened and not excluded: {len(free)}",
            hint="ask the judge for a smaller challenge; --refuse gives them your signed word on "
            "the number, which counts as a released bit",
            check="challenge.reachable",
        )
    return free[: challenge.block_count]


def _network(model: str | Path | IntegerNetwork, challenge: ArgumentChallenge) -> IntegerNetwork:
    """The integer network of the model, checked to be the challenge's. Raises InvalidOpening."""
    network = (
        derive_network(model, challenge.suspect, challenge.preprocessing)
        if isinstance(model, str | Path)
        else model
    )
    require_network(network, challenge.network)
    return network


def _declared_labels(
    owner_secrets: CommitmentSecrets, commitment: Commitment, blocks: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The declared labels of the triggers of ``blocks``; None where labels are derived."""
    if owner_secrets.labels is None:
        return None
    return tuple(owner_secrets.labels[index] for index in _indices(commitment, blocks))


def _indices(commitment: Commitment, blocks: tuple[int, ...]) -> list[int]:
    """The numbers of all triggers of the blocks."""
    size = commitment.header.block_size
    return [index for block in blocks for index in range(block * size, (block + 1) * size)]


def _prove(
    statement: Statement,
    owner_secrets: CommitmentSecrets,
    commitment: Commitment,
    blocks: tuple[int, ...],
    secret: bytes,
    progress: ArgumentProgress | None,
) -> bytes:
    """The argument, as bytes. Raises NotEnoughMatches."""
    require("numba")
    from zkwm_protocols.argument import prover

    indices = _indices(commitment, blocks)
    return prover.prove(
        statement,
        pixels_of(owner_secrets.images, commitment.header.shape)[indices],
        [owner_secrets.salts[i * SALT_BYTES : (i + 1) * SALT_BYTES] for i in indices],
        secret=secret,
        progress=progress,
    )


def _refuse(state: VaultState, commitment: Commitment, challenge: ArgumentChallenge) -> Refusal:
    """The signed refusal, entered into the ledger of ``state``."""
    unopened = len(free_blocks(state, commitment, challenge))
    if unopened >= challenge.block_count:
        raise UsageError(
            f"{unopened} blocks are unopened and not excluded, and the challenge asks for "
            f"{challenge.block_count}: there is nothing to refuse",
            hint="answer without --refuse, or not at all",
        )
    refusal = Refusal(challenge.digest, commitment.digest, unopened).signed_by((state.signing_key,))
    state.ledger.append(_entry(challenge, ArgumentOutcome.REFUSED, (), refusal.to_bytes()))
    return refusal


def _record_bit(
    vault: Vault,
    commitment: Commitment,
    challenge: ArgumentChallenge,
    blocks: tuple[int, ...],
    response: ArgumentResponse | None,
    *,
    exceed_limit: bool,
) -> ArgumentResponse | Refusal | None:
    """Enter the bit, and the response that may then leave; None for too few matches.

    Other processes could use the vault while the argument was made. If one of them answered this
    challenge, that answer is returned and nothing entered. Raises UsageError where what they did
    forbids this answer, so that it never leaves.
    """
    with vault.transaction() as state:
        earlier = _answered(state, challenge)
        if earlier is not None:
            return earlier
        _require_below_limit(state, commitment, exceed_limit=exceed_limit)
        _require_same_question(state, commitment, challenge)
        if not set(blocks) <= set(free_blocks(state, commitment, challenge)):
            raise UsageError(
                "a block of this argument was opened while it was made; nothing was released",
                hint="run the command again: it takes other blocks, if there are enough",
            )
        outcome, data = (
            (ArgumentOutcome.TOO_FEW, b"")
            if response is None
            else (ArgumentOutcome.PROVED, response.to_bytes())
        )
        state.ledger.append(_entry(challenge, outcome, blocks, data))
    return None


def _entry(
    challenge: ArgumentChallenge, outcome: ArgumentOutcome, blocks: tuple[int, ...], response: bytes
) -> ArgumentEntry:
    """The ledger entry of an answer to this challenge, recorded now."""
    return ArgumentEntry(
        challenge_digest=challenge.digest,
        commitment_digest=challenge.commitment,
        outcome=outcome,
        network_digest=challenge.network,
        block_count=challenge.block_count,
        least_matches=challenge.least_matches,
        blocks=blocks,
        judge_fingerprint=challenge.judge.fingerprint(),
        purpose=challenge.purpose,
        suspect_description=challenge.suspect.description,
        suspect_digest=challenge.suspect.digest,
        issued=challenge.issued,
        recorded=int(time.time()),
        response=response,
    )
