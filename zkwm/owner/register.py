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
from zkwm_protocols.timestamps.authority import MAXIMUM_ROOTS, TimestampAuthority
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
        commitment: theirs; its timestamps stay if they are signed and over D, after the vault's.
        authorities: URLs; one of them has to be that which the header names, if it names one and
            has no token of it yet.
        trust: whom tokens have to verify by; without, by the root of their own chain.
        seconds: for each request.
        tell: called with what is being done.

    Raises:
        UsageError: no authority, too many, the vault has no secrets of this commitment, or another
            command registered it meanwhile.
        CouldNotCheck: an authority gives no token, or one that does not verify.
        TrustMaterialMissing: a root, a policy that counts or revocation material is missing.
    """
    file = secrets_of(vault.state, commitment).commitment_file
    kept = Commitment.from_bytes(file)
    commitment.verify_root()
    commitment.verify_signatures()
    before = _merged(kept.timestamps, commitment)
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
    timestamps = _ordered(commitment, kept.timestamps, before, added, trust)
    registered = replace(commitment, timestamps=timestamps)
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
    kept: Sequence[TimestampEvidence], commitment: Commitment
) -> tuple[TimestampEvidence, ...]:
    """Those of the vault, and those of the file that the vault does not have, each once.

    Anybody can add tokens to a file: one that is not over D, or not signed by the certificate that
    it comes with, is left out.
    """
    tokens = {one.token: one for one in kept}
    for one in commitment.timestamps:
        if one.token not in tokens and _is_signed(one, commitment.digest):
            tokens[one.token] = one
    return tuple(tokens.values())


def _ordered(
    commitment: Commitment,
    kept: Sequence[TimestampEvidence],
    before: tuple[TimestampEvidence, ...],
    added: tuple[Obtained, ...],
    trust: Trust | None,
) -> tuple[TimestampEvidence, ...]:
    """All timestamps; where the header names an authority, one of that authority is the first.

    The first one of the vault is never replaced: another token of the same authority would change
    every label. Where the vault has none, that of the file stays first if it verifies by the named
    root, and else a new one becomes the first. Raises UsageError without any.
    """
    named = commitment.header.timestamp_authority
    new = tuple(one.evidence for one in added)
    if named is None or kept:
        return (*before, *new)
    candidates = (*before[:1], *new) if before[:1] == commitment.timestamps[:1] else new
    first = next((one for one in candidates if _is_of(named, one, commitment, trust)), None)
    if first is None:
        raise UsageError(
            "the commitment names a timestamp authority, and none of those that were asked is it",
            hint="ask that authority first: its token fixes the labels",
        )
    return (first, *(one for one in (*before, *new) if one is not first))


def _is_signed(evidence: TimestampEvidence, digest: bytes) -> bool:
    """Whether a token is over D (32 bytes), answers its request, and its certificate signed it."""
    from zkwm_protocols.timestamps.token import read_token
    from zkwm_protocols.timestamps.verification import stated_beacon

    try:
        info = read_token(evidence.token).info
        stated_beacon((evidence,))
    except ZkwmError:
        return False
    return info.imprint == digest and info.nonce == int.from_bytes(evidence.nonce, "big")


def _is_of(
    named: bytes, evidence: TimestampEvidence, commitment: Commitment, trust: Trust | None
) -> bool:
    """Whether a token verifies by a root that has the named key, carried or in the trust folder.

    The name is the key's digest (32 bytes), so it does not matter where the root comes from.
    """
    from zkwm_protocols.timestamps.token import read_token
    from zkwm_protocols.timestamps.verification import verify_token

    try:
        token = read_token(evidence.token)
        known = (root for one in (trust.authorities if trust else ()) for root in one.roots)
        carried = (*known, *token.certificates, *evidence.certificates)
        roots = tuple(one for one in dict.fromkeys(carried) if _has_key(one, named))
        if not roots:
            return False
        authority = TimestampAuthority("named", roots[:MAXIMUM_ROOTS], (token.info.policy,))
        verify_token(evidence, commitment.digest, authority, root=named)
    except ZkwmError:
        return False
    return True


def _has_key(certificate: bytes, named: bytes) -> bool:
    """Whether a certificate (DER) has the key with this digest (32 bytes)."""
    from zkwm_protocols.timestamps.chain import key_digest, load_certificate

    try:
        return key_digest(load_certificate(certificate)) == named
    except ZkwmError:
        return False
