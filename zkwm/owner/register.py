"""Register a commitment: timestamps into its file, and into the vault (SPEC.md 22.1).

The vault keeps them, too: where the header names an authority, labels exist only with its token, so
that a lost file would be a lost mark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from zkwm.owner.disclosure import secrets_of
from zkwm.owner.vault import Vault
from zkwm.timestamp_client import Obtained, obtain
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.timestamps.evidence import MAXIMUM_TIMESTAMPS, TimestampEvidence
from zkwm_protocols.trust import Trust

SECONDS = 30.0


@dataclass(frozen=True)
class Registration:
    """A commitment with its new timestamps, and what each of them says."""

    commitment: Commitment
    added: tuple[Obtained, ...]


def register(
    vault: Vault,
    commitment: Commitment,
    authorities: Sequence[str],
    *,
    trust: Trust | None = None,
    seconds: float = SECONDS,
    tell: Callable[[str], None] = lambda _: None,
) -> Registration:
    """Have a commitment dated by timestamp authorities; the vault keeps their tokens.

    All of them are asked before anything is kept: a failure changes nothing.

    Args:
        vault: of the owner.
        commitment: theirs; timestamps that it has stay, and those that the vault has are added.
        authorities: URLs; one of them has to be that which the header names, if it names one and
            has no token of it yet.
        trust: whom tokens have to verify by; without, by the root of their own chain.
        seconds: for each request.
        tell: called with what is being done.

    Raises:
        UsageError: no authority, too many, the vault has no secrets of this commitment, or another
            command registered it meanwhile.
        CouldNotCheck: an authority gives no token, or one that does not verify.
    """
    file = secrets_of(vault.state, commitment).commitment_file
    kept = Commitment.from_bytes(file)
    commitment.verify_root()
    commitment.verify_signatures()
    before = _merged(kept.timestamps, commitment.timestamps)
    if not authorities:
        raise UsageError("nobody is asked to date the commitment", hint="name an authority")
    if len(before) + len(authorities) > MAXIMUM_TIMESTAMPS:
        raise UsageError(
            f"a commitment has at most {MAXIMUM_TIMESTAMPS} timestamps, and this one has "
            f"{len(before)}",
            hint="ask fewer authorities",
        )
    added = tuple(
        obtain(commitment, url, trust=trust, seconds=seconds, tell=tell) for url in authorities
    )
    registered = replace(commitment, timestamps=_ordered(commitment, before, added))
    with vault.transaction() as state:
        secrets = secrets_of(state, registered)
        if secrets.commitment_file != file:  # its first timestamp may have fixed the labels
            raise UsageError(
                "this commitment was registered by another command meanwhile; nothing was kept",
                hint="run the command again: it adds to the timestamps that there are now",
            )
        state.commitments[registered.digest] = replace(
            secrets, commitment_file=registered.to_bytes()
        )
    return Registration(registered, added)


def _merged(
    kept: Sequence[TimestampEvidence], given: Sequence[TimestampEvidence]
) -> tuple[TimestampEvidence, ...]:
    """Those of the vault, and those of the file that the vault does not have."""
    tokens = {one.token for one in kept}
    return (*kept, *(one for one in given if one.token not in tokens))


def _ordered(
    commitment: Commitment, before: tuple[TimestampEvidence, ...], added: tuple[Obtained, ...]
) -> tuple[TimestampEvidence, ...]:
    """All timestamps; that of the authority in the header stays, or becomes, the first.

    It is never replaced: another token of the same authority would change every label. Raises
    UsageError where no authority that was asked is the one in the header.
    """
    named = commitment.header.timestamp_authority
    new = tuple(one.evidence for one in added)
    if named is None or _begins_with(before, named):
        return (*before, *new)
    first = next((one.evidence for one in added if one.dated.root == named), None)
    if first is None:
        raise UsageError(
            "the commitment names a timestamp authority, and none of those that were asked is it",
            hint="ask that authority first: its token fixes the labels",
        )
    return (first, *before, *(one for one in new if one is not first))


def _begins_with(timestamps: tuple[TimestampEvidence, ...], named: bytes) -> bool:
    """Whether the first of them carries a root with the key that the header names."""
    from zkwm_protocols.timestamps.chain import key_digest, load_certificate
    from zkwm_protocols.timestamps.token import read_token

    if not timestamps:
        return False
    try:
        first = timestamps[0]
        carried = (*read_token(first.token).certificates, *first.certificates)
        return any(key_digest(load_certificate(data)) == named for data in carried)
    except ZkwmError:
        return False
