"""Answer a challenge in zero knowledge: release one bit about one network, open nothing.

SPEC.md sections 18.2 and 18.5. The vault is not locked while the argument is computed
(``zkwm_protocols.argument.prover``). The bit and the response are recorded, durably, before
anything leaves this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.extras import require
from zkwm.owner.disclosure import BIT_LIMIT, check_challenge, confirm_judge, pixels_of
from zkwm.owner.proof_memory import require_memory
from zkwm.owner.spent_blocks import free_blocks
from zkwm.owner.suspect_file import DerivedNetwork, require_close, require_file_below
from zkwm.owner.vault import ArgumentEntry, CommitmentSecrets, Vault, VaultState
from zkwm.owner.vault.ledger import ArgumentOutcome, answer_fields
from zkwm.quantizer.classifier import require_classifier
from zkwm.quantizer.derive import derive_network, require_network
from zkwm_protocols.argument_response import ArgumentResponse, Refusal, make_statement
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, NotEnoughMatches, UsageError
from zkwm_protocols.field.kernels.native import LEVEL, OTHER_VERSION
from zkwm_protocols.leaves import SALT_BYTES

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm_protocols.argument.statement import Statement

_LOGGER = logging.getLogger(__name__)

ArgumentProgress: TypeAlias = Callable[[str, float], None]
"""Called with the name of a step and how much of it is done, 0 to 1."""
_NEXT = (
    "zkwm check says in private how many match, and what an opening would show, by ranks too: if "
    "that is enough, ask the judge for an opening"
)


def argue(
    vault: Vault,
    commitment: Commitment,
    challenge: ArgumentChallenge,
    *,
    judge_fingerprint: str | None,
    model: str | Path | DerivedNetwork | None,
    test_data: ImageData | None = None,
    refuse: bool = False,
    exceed_limit: bool = False,
    ray: bool = False,
    progress: ArgumentProgress | None = None,
) -> ArgumentResponse | Refusal:
    """Answer a challenge for an argument (SPEC.md 18.2).

    Args:
        judge_fingerprint: None for a judge confirmed before.
        model: the suspect's file, alone or with the integer network that was made of it.
        test_data: labeled images on which it has to be better than chance.
        refuse: answer that fewer blocks are unopened than are asked for.
        exceed_limit: release more than 16 bits about one commitment.
        ray: share the work on a Ray cluster, which must be the owner's own: triggers go to its
            machines (``zkwm.owner.proof_on_ray``).
        progress: called with the comparison and each step of the prover.

    Raises:
        UsageError: no model, a judge not confirmed, the limit, another question than before about
            this network, too little memory, a network near chance, a refusal without a reason,
            Ray that is not installed.
        CouldNotCheck: no cluster, too many workers lost, or a proof of theirs that does not verify.
        NotEnoughMatches: fewer than k* triggers match, which is recorded.
        SuspectUnusable: file and integer network differ on the images of 18.1
            (``argument.translation``, ``argument.agreement``), or the file reaches k* and the
            network does not (``argument.agreement``); nothing is recorded.
        InvalidOpening: blocks are missing, or the challenge or its network does not fit.
    """
    with vault.transaction(releases=True) as state:
        owner_secrets, commitment = check_challenge(state, commitment, challenge)
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
    derived = _derived(file, challenge)
    if not ray:
        require_memory(derived.network, challenge.block_count, commitment.header.block_size)
    require_classifier(derived.network, challenge.class_map, test_data)
    require_close(derived, challenge, progress)
    record = partial(_record_bit, vault, commitment, challenge, blocks, exceed_limit=exceed_limit)
    labels = _declared_labels(owner_secrets, commitment, blocks)
    statement = make_statement(commitment, challenge, derived.network, blocks, labels)
    images = pixels_of(owner_secrets.images, commitment.header.shape)[_indices(commitment, blocks)]
    secret = state.derive_key(b"argument", challenge.digest)
    try:
        salts = _salts(owner_secrets, commitment, blocks)
        proof = _prove(statement, images, salts, secret, progress, ray=ray)
    except NotEnoughMatches as error:
        require_file_below(derived.file, challenge, statement, images)
        record(None)
        error.hint = (
            "the vault records it as a released bit, since silence tells a judge as much; no block "
            f"is spent and no proof is written; {_NEXT}"
        )
        raise
    response = ArgumentResponse(challenge.digest, commitment.digest, blocks, labels, proof)
    response.verify_against(commitment, challenge)
    response = response.signed_by((state.signing_key,))
    return record(response) or response


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
                hint=f"nothing was computed or recorded again; {_NEXT}",
            )
    return None


def _require_model(model: str | Path | DerivedNetwork | None) -> str | Path | DerivedNetwork:
    """The model. Raises UsageError where none is given."""
    if model is None:
        raise UsageError(
            "an argument is about the suspect's network, and its file is missing",
            hint="give the suspect's file (`model`)",
        )
    return model


def _require_below_limit(state: VaultState, commitment: Commitment, *, exceed_limit: bool) -> None:
    """Raise UsageError at ``BIT_LIMIT`` released bits, unless the owner exceeds it."""
    released = len(state.arguments(commitment.digest))
    if released >= BIT_LIMIT and not exceed_limit:
        raise UsageError(
            f"{released} bits have been released about this commitment, and {BIT_LIMIT} are the "
            "limit",
            hint="consider who has asked and why; `Consent.exceed_limit` answers all the same",
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
            hint="ask the judge for a smaller challenge; `refuse=True` gives them your signed word "
            "on the number, which counts as a released bit",
            check="challenge.reachable",
        )
    return free[: challenge.block_count]


def _derived(model: str | Path | DerivedNetwork, challenge: ArgumentChallenge) -> DerivedNetwork:
    """File and integer network, checked to be the challenge's. Raises InvalidOpening."""
    if not isinstance(model, DerivedNetwork):
        network = derive_network(model, challenge.suspect, challenge.preprocessing)
        model = DerivedNetwork(Path(model), network)
    require_network(model.network, challenge.network)
    return model


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


def _salts(
    owner_secrets: CommitmentSecrets, commitment: Commitment, blocks: tuple[int, ...]
) -> list[bytes]:
    """The salts of all triggers of the blocks."""
    return [
        owner_secrets.salts[index * SALT_BYTES : (index + 1) * SALT_BYTES]
        for index in _indices(commitment, blocks)
    ]


def _prove(
    statement: Statement,
    images: NDArray[np.uint8],
    salts: list[bytes],
    secret: bytes,
    progress: ArgumentProgress | None,
    *,
    ray: bool,
) -> bytes:
    """The argument, as bytes; nothing is recorded yet. Raises NotEnoughMatches."""
    if LEVEL is None:  # no kernels from C
        require("numba")
    if OTHER_VERSION is not None:
        _log_other_version(OTHER_VERSION)
    release = version("zkwm")
    if ray:
        from zkwm.owner.proof_on_ray import prove_on_ray as prove
    else:
        from zkwm_protocols.argument.prover import prove
    return prove(statement, images, salts, secret=secret, release=release, progress=progress)


@cache
def _log_other_version(version: int) -> None:
    """Say once that kernels from C are there, but not those of these sources."""
    _LOGGER.warning(
        "the kernels from C are of version %d, not of this one's: slower ones run by Numba; "
        "install zkwm again, or run `python hatch_build.py` in its repository",
        version,
    )


def _refuse(state: VaultState, commitment: Commitment, challenge: ArgumentChallenge) -> Refusal:
    """The signed refusal, entered into the ledger of ``state``."""
    unopened = len(free_blocks(state, commitment, challenge))
    if unopened >= challenge.block_count:
        raise UsageError(
            f"{unopened} blocks are unopened and not excluded, and the challenge asks for "
            f"{challenge.block_count}: there is nothing to refuse",
            hint="answer without `refuse=True`, or not at all",
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
    with vault.transaction(releases=True) as state:
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
        **answer_fields(challenge, response),
        blocks=blocks,
        outcome=outcome,
        network_digest=challenge.network,
        block_count=challenge.block_count,
        least_matches=challenge.least_matches,
    )
