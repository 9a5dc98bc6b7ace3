"""Who signed a checkpoint, line by line, verified: the log's keys and the witnesses."""

from __future__ import annotations

from dataclasses import dataclass

from zkwm.registry_service.pages.view import LogState
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.transparency.checkpoint import SignedBy, SignedCheckpoint
from zkwm_protocols.transparency.note_keys import SignatureType, VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy

_ALGORITHMS = {
    SignatureType.ED25519: "Ed25519",
    SignatureType.ED25519_COSIGNATURE: "Ed25519",
    SignatureType.ML_DSA_44_COSIGNATURE: "ML-DSA-44",
}


@dataclass(frozen=True)
class Signer:
    """A key and its line on a checkpoint.

    Args:
        name: the key's name.
        algorithm: of its signatures.
        key: its verifier key as text.
        witness: whether it is a witness's and not the log's.
        state: "signed", "did not sign", or "its line does not verify".
        time: seconds since 1970 that the line names; None where it names none.
        size: of the tree that was signed.
    """

    name: str
    algorithm: str
    key: str
    witness: bool
    state: str
    time: int | None
    size: int


def signers(state: LogState, signed: SignedCheckpoint) -> list[Signer]:
    """What each key of the log and of its policy's witnesses signed on this checkpoint."""
    witnesses = () if state.policy is None else state.policy.witnesses
    return [
        *(_signer(key, signed, witness=False) for key in state.keys),
        *(_signer(one.key, signed, witness=True) for one in witnesses),
    ]


def policy_of(state: LogState) -> LogPolicy:
    """The log's policy; where it has none, one of its keys without witnesses."""
    return state.policy or LogPolicy.of_keys(state.keys)


def _signer(key: VerifierKey, signed: SignedCheckpoint, *, witness: bool) -> Signer:
    """One key's line."""
    by: SignedBy | None = None
    try:
        by = signed.signed_by(key)
        state = "did not sign" if by is None else "signed"
    except ZkwmError:
        state = "its line does not verify"
    return Signer(
        name=key.name,
        algorithm=_ALGORITHMS[key.signature_type],
        key=key.to_text(),
        witness=witness,
        state=state,
        time=None if by is None else by.time,
        size=signed.checkpoint.head.size,
    )
