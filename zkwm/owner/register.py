"""Register a commitment: timestamps into its file, and into the vault (SPEC.md 22.1).

The vault keeps them, too: where the header names an authority, labels exist only with its token, so
that a lost file would be a lost mark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from zkwm.owner.disclosure import secrets_of
from zkwm.owner.key_proofs import other_key_proofs, own_key_proofs
from zkwm.owner.register_in_log import (
    WAIT,
    RegisteredEntry,
    other_proofs,
    own_proofs,
    policy_of,
    register_in_log,
    require_room,
)
from zkwm.owner.vault import Vault
from zkwm.timestamp_client import Obtained, obtain
from zkwm_protocols.commitment import MAXIMUM_LOG_PROOFS, Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.timestamps.authority import MAXIMUM_ROOTS, TimestampAuthority
from zkwm_protocols.timestamps.evidence import MAXIMUM_TIMESTAMPS, TimestampEvidence
from zkwm_protocols.trust import Trust

SECONDS = 30.0


@dataclass(frozen=True)
class Registration:
    """A commitment with its new timestamps and entries in logs, and what each of them says.

    ``others`` is how many of its timestamps stood in the file that was given and are not in the
    vault: anybody may have added them. ``left_out`` is how many more the file had.
    """

    commitment: Commitment
    added: tuple[Obtained, ...]
    others: int = 0
    left_out: int = 0
    entries: tuple[RegisteredEntry, ...] = ()


def register(
    vault: Vault,
    commitment: Commitment,
    authorities: Sequence[str],
    *,
    logs: Sequence[str] = (),
    statements: Sequence[LoggedStatement] = (),
    trust: Trust | None = None,
    seconds: float = SECONDS,
    wait: float = WAIT,
    tell: Callable[[str], None] = lambda _: None,
) -> Registration:
    """Have a commitment dated by timestamp authorities and logs; the vault keeps what they say.

    All of them are asked before anything is kept: a failure changes nothing.

    Args:
        vault: of the owner.
        commitment: theirs; timestamps of its file that the vault does not have stay in the file, if
            they are signed and over D, after the owner's own and as far as there are places.
        authorities: URLs; one of them has to be that which the header names, if it names one and
            has no token of it yet.
        logs: URLs of logs that take the owner's statement; ``trust`` says which witnesses have to
            have seen it.
        statements: logged statements about the owner's keys, which the file carries from then on,
            so that whoever reads it sees whose the keys are.
        trust: whom tokens have to verify by; without, by the root of their own chain.
        seconds: for each request.
        wait: seconds that the witnesses of a log may take.
        tell: called with what is being done.

    Raises:
        UsageError: nobody is asked, too many are, the vault has no secrets of this commitment,
            another command registered it meanwhile, no policy names the log, or a statement is not
            about a key of the commitment.
        CouldNotCheck: an authority gives no token, or one that does not verify; a log takes
            nothing, or what it proves does not verify, or too few witnesses have seen it in time.
        TrustMaterialMissing: a root, a policy that counts or revocation material is missing.
    """
    file = secrets_of(vault.state, commitment).commitment_file
    before = Commitment.from_bytes(file)
    kept = before.timestamps
    commitment.verify_root()
    commitment.verify_signatures()
    _require_place(commitment, kept, authorities, asked=bool(logs or statements))
    own_keys = own_key_proofs(commitment, before.key_proofs, statements, trust)
    for url in logs:
        policy_of(trust, url)
    added = tuple(
        obtain(commitment, url, trust=trust, seconds=seconds, tell=tell) for url in authorities
    )
    others = _others(kept, commitment)
    own = _ordered(commitment, kept, others, tuple(one.evidence for one in added), trust)
    more = tuple(one for one in others if one not in own)[: MAXIMUM_TIMESTAMPS - len(own)]
    entries = tuple(
        register_in_log(
            commitment, before.log_proofs, vault.state.signing_key, url, trust,
            seconds=seconds, wait=wait, tell=tell,
        )
        for url in logs
    )  # fmt: skip
    proofs = own_proofs(before.log_proofs, entries)
    require_room(len(proofs) + len(own_keys))
    registered = replace(commitment, timestamps=own, log_proofs=proofs, key_proofs=own_keys)
    _keep(vault, registered, file)
    given = {one.token for one in commitment.timestamps} - {one.token for one in own}
    room = MAXIMUM_LOG_PROOFS - len(own_keys)
    proofs = (*proofs, *other_proofs(proofs, commitment, trust))[:room]
    keys = (*own_keys, *other_key_proofs(own_keys, commitment, trust))
    keys = keys[: MAXIMUM_LOG_PROOFS - len(proofs)]
    whole = replace(registered, timestamps=(*own, *more), log_proofs=proofs, key_proofs=keys)
    return Registration(whole, added, len(more), len(given) - len(more), entries)


def _keep(vault: Vault, registered: Commitment, file: bytes) -> None:
    """Keep a registered commitment in place of ``file``. Raises UsageError where that is gone."""
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


def _require_place(
    commitment: Commitment,
    kept: Sequence[TimestampEvidence],
    authorities: Sequence[str],
    *,
    asked: bool,
) -> None:
    """Raise UsageError where nothing is wanted, or the file has no place for what they say."""
    if not authorities and not asked:
        raise UsageError(
            "nobody is asked to date the commitment",
            hint="name a timestamp authority, or a log (`logs`)",
        )
    named = commitment.header.timestamp_authority is not None
    before = len(kept) or min(int(named), len(commitment.timestamps))  # the first one may stay
    if before + len(authorities) > MAXIMUM_TIMESTAMPS:
        raise UsageError(
            f"a commitment has at most {MAXIMUM_TIMESTAMPS} timestamps, and the vault has "
            f"{len(kept)} of this one",
            hint=f"ask at most {MAXIMUM_TIMESTAMPS - before} authorities"
            if before < MAXIMUM_TIMESTAMPS
            else "use the file that zkwm register wrote: no more can be added",
        )


def _others(
    kept: Sequence[TimestampEvidence], commitment: Commitment
) -> tuple[TimestampEvidence, ...]:
    """The timestamps of the file that the vault does not have, each once.

    Anybody can add tokens to a file: one that is not over D, or not signed by the certificate that
    it comes with, is left out; the others take the places that the owner's own leave.
    """
    tokens = {one.token: one for one in kept}
    found: dict[bytes, TimestampEvidence] = {}
    for one in commitment.timestamps:
        if one.token not in tokens and _is_signed(one, commitment.digest):
            found.setdefault(one.token, one)
    return tuple(found.values())


def _ordered(
    commitment: Commitment,
    kept: tuple[TimestampEvidence, ...],
    others: tuple[TimestampEvidence, ...],
    new: tuple[TimestampEvidence, ...],
    trust: Trust | None,
) -> tuple[TimestampEvidence, ...]:
    """The owner's own timestamps: the vault's, then new ones.

    Where the header names an authority, one of that authority is the first. The first one of the
    vault is never replaced: another token of the same authority would change every label. Where the
    vault has none, that of the file stays first if it verifies by the named root, and is the
    owner's own from then on; else a new one becomes the first. Raises UsageError without any.
    """
    named = commitment.header.timestamp_authority
    if named is None or kept:
        return (*kept, *new)
    candidates = (*others[:1], *new) if others[:1] == commitment.timestamps[:1] else new
    first = next((one for one in candidates if _is_of(named, one, commitment, trust)), None)
    if first is None and not new:
        return ()  # a log alone was asked: labels wait for the token, and nothing else goes first
    if first is None:
        raise UsageError(
            "the commitment names a timestamp authority, and none of those that were asked is it",
            hint="ask that authority first: its token fixes the labels",
        )
    return (first, *(one for one in new if one is not first))


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
