"""Verify a timestamp offline, at its own time, by what is carried and a judge's trust (SPEC.md 22).

The order: format, imprint, nonce and policy; the signer's certificate, the signature, the chain to
a root, its revocation. ``rfc3161-client`` is a second reader, with OpenSSL: both have to agree.
"""

from __future__ import annotations

import hmac

import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from zkwm_protocols.errors import (
    InvalidSignature,
    Malformed,
    TrustMaterialMissing,
    ZkwmError,
)
from zkwm_protocols.timestamps.authority import DatedBy, Revocation, TimestampAuthority
from zkwm_protocols.timestamps.beacon import beacon
from zkwm_protocols.timestamps.chain import (
    encoded,
    find_signer,
    key_digest,
    load_candidates,
    load_certificate,
    quiet,
    verify_chain,
)
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.timestamps.refusals import refused_by_all
from zkwm_protocols.timestamps.revocation import check_revocation
from zkwm_protocols.timestamps.signature import verify_signature
from zkwm_protocols.timestamps.structures import SEQUENCE, integer, tlv
from zkwm_protocols.timestamps.token import Token, read_token
from zkwm_protocols.timestamps.tst_info import as_datetime, as_microseconds


def verify_token(
    evidence: TimestampEvidence,
    digest: bytes,
    authority: TimestampAuthority,
    *,
    root: bytes | None = None,
) -> DatedBy:
    """Verify that an authority dated a digest.

    Args:
        evidence: what the commitment carries.
        digest: D, 32 bytes.
        authority: as the judge's policy states it.
        root: accept only roots whose key has this digest (``key_digest``), 32 bytes.

    Raises:
        Malformed, Unsupported, InvalidSignature: the token is none over D, or void
            (``timestamp.*``).
        TrustMaterialMissing: no chain leads to a root of the authority, its policy is not one that
            counts, or revocation is demanded and has no answer (``timestamp.chain``,
            ``timestamp.signer``, ``timestamp.policy``, ``timestamp.revocation``).
    """
    return verify_with_any(evidence, digest, (authority,), root=root)


def stated_beacon(timestamps: tuple[TimestampEvidence, ...]) -> bytes:
    """The beacon of a commitment's first timestamp, 32 bytes, whoever signed it (SPEC.md 22.7).

    It tells one file of a commitment from another, and dates nothing. Raises TrustMaterialMissing
    (``commitment.timestamp``) without a timestamp, and what ``verify_token`` raises for one that is
    none.
    """
    if not timestamps:
        raise TrustMaterialMissing(
            "the commitment names a timestamp authority, and its token is missing",
            hint="ask the owner for the commitment file with its token",
            check="commitment.timestamp",
        )
    token = read_token(timestamps[0].token)
    candidates = load_candidates((*token.certificates, *timestamps[0].certificates))
    signer = find_signer(token, candidates)
    verify_signature(token, signer)
    return beacon(token, signer)


def verified_beacon(
    timestamps: tuple[TimestampEvidence, ...],
    digest: bytes,
    authorities: tuple[TimestampAuthority, ...],
    named: bytes,
) -> bytes:
    """The beacon of a commitment's first timestamp, 32 bytes, by a trusted root of the named key.

    Args:
        timestamps: of the commitment's file.
        digest: D, 32 bytes.
        authorities: whom the reader trusts.
        named: digest of the key that the header names, 32 bytes.

    Raises TrustMaterialMissing without token or trust, and others that ``verify_token`` raises, all
    with the check ``commitment.timestamp``.
    """
    if not timestamps or not authorities:
        raise TrustMaterialMissing(
            "the commitment names a timestamp authority, and "
            + ("no authority is trusted" if timestamps else "its token is missing"),
            hint="give a trust folder that has the root certificate of that authority (`trust`)"
            if timestamps
            else "its owner gets it (zkwm register); else ask for the file that has it",
            check="commitment.timestamp",
        )
    try:
        return verify_with_any(timestamps[0], digest, authorities, root=named).beacon
    except ZkwmError as error:
        error.message += f" ({error.check})"
        error.check = "commitment.timestamp"
        raise


def verify_with_any(
    evidence: TimestampEvidence,
    digest: bytes,
    authorities: tuple[TimestampAuthority, ...],
    *,
    root: bytes | None = None,
) -> DatedBy:
    """Verify that one of several authorities dated a digest: the first by which it verifies.

    What is wrong with one of them, such as a root with a weak key, is nothing to the others; a
    revocation that any of them knows of is. The arguments are those of ``verify_token``.

    Raises what it raises; where none dates it, with what each of them says.
    TrustMaterialMissing (``timestamp.chain``) without any.
    """
    token = read_token(evidence.token)
    _require_answer(token, evidence, digest)
    said: list[tuple[str, ZkwmError]] = []
    dated: list[DatedBy] = []
    with quiet():
        asked = _that_may_date(token, authorities, root, said)
        if not asked:
            raise refused_by_all(said)
        candidates = load_candidates((*token.certificates, *evidence.certificates))
        signer = find_signer(token, candidates)
        verify_signature(token, signer)
        for authority, roots in asked:
            try:
                chain = verify_chain(signer, candidates, roots, token)
                _read_again(token, digest, chain)
                dated.append(_dated(token, evidence, authority, chain))
            except ZkwmError as error:
                if isinstance(error, InvalidSignature) and error.check == "timestamp.revocation":
                    raise
                said.append((authority.name, error))
    if not dated:
        raise refused_by_all(said)
    return dated[0]


def _that_may_date(
    token: Token,
    authorities: tuple[TimestampAuthority, ...],
    root: bytes | None,
    said: list[tuple[str, ZkwmError]],
) -> list[tuple[TimestampAuthority, list[x509.Certificate]]]:
    """The authorities under whose policies the token is, each with its roots that may count.

    ``root`` is the digest of the key that a root must have, or None. What speaks against the others
    is added to ``said``, each by its name.
    """
    found = []
    for authority in authorities:
        try:
            found.append((authority, _roots_for(token, authority, root)))
        except ZkwmError as error:
            said.append((authority.name, error))
    return found


def _roots_for(
    token: Token, authority: TimestampAuthority, root: bytes | None
) -> list[x509.Certificate]:
    """The roots of an authority that may date a token. Raises TrustMaterialMissing, Malformed."""
    if token.info.policy not in authority.policies:
        raise TrustMaterialMissing(
            f"the token is under the policy {token.info.policy}, which does not count",
            hint="allow this policy of the authority if you trust it, or ask for another token",
            check="timestamp.policy",
        )
    roots, problem = [], None
    for data in authority.roots:
        try:
            certificate = load_certificate(data)
            roots.append((certificate, key_digest(certificate)))
        except Malformed as error:
            problem = problem or error
    if problem is not None and not roots:
        raise problem
    trusted = [certificate for certificate, key in roots if root in (None, key)]
    if not trusted:
        raise TrustMaterialMissing(
            "no root of the authority has the key that the commitment names",
            hint="trust the root certificate of the authority that the commitment names",
            check="timestamp.chain",
        )
    return trusted


def _require_answer(token: Token, evidence: TimestampEvidence, digest: bytes) -> None:
    """The token answers the request: its imprint is D, its nonce the request's."""
    if not hmac.compare_digest(token.info.imprint, digest):
        raise InvalidSignature(
            "the authority's token is for something else than this commitment",
            check="timestamp.imprint",
        )
    if token.info.nonce != int.from_bytes(evidence.nonce, "big"):
        raise Malformed(
            "the token has another nonce than the request, or none", check="timestamp.nonce"
        )


def _read_again(token: Token, digest: bytes, chain: tuple[x509.Certificate, ...]) -> None:
    """Have ``rfc3161-client`` verify the same token and chain by OpenSSL, and agree on its second.

    It knows no Ed25519, and passes over fractions of a second. Raises InvalidSignature
    (``timestamp.signature``).
    """
    if isinstance(chain[0].public_key(), ed25519.Ed25519PublicKey):
        return
    whole = token.canonical(tuple(encoded(one) for one in chain[:-1]))
    granted = tlv(SEQUENCE, tlv(SEQUENCE, integer(0)), whole)
    try:
        response = rfc3161_client.decode_timestamp_response(granted)
        verifier = rfc3161_client.VerifierBuilder(
            policy_id=x509.ObjectIdentifier(token.info.policy),
            roots=[chain[-1]],
            nonce=token.info.nonce,
        ).build()
        verifier.verify(response, digest)
        agreed = response.tst_info.gen_time == token.info.time.replace(microsecond=0)
    except (rfc3161_client.VerificationError, ValueError, TypeError, OverflowError):
        agreed = False
    if not agreed:
        raise InvalidSignature(
            "two readers of the token (cryptography, and rfc3161-client with OpenSSL) do not agree",
            check="timestamp.signature",
        )


def _dated(
    token: Token,
    evidence: TimestampEvidence,
    authority: TimestampAuthority,
    chain: tuple[x509.Certificate, ...],
) -> DatedBy:
    """What the token says, where its chain was not revoked so that it is void."""
    info = token.info
    accuracy = authority.accuracy if info.accuracy is None else info.accuracy
    latest = info.gen_time + info.rounding + accuracy
    crls = tuple(dict.fromkeys((*token.crls, *evidence.crls, *authority.crls)))
    known = check_revocation(chain, crls, evidence.ocsp_responses, as_datetime(latest))
    if known is None and authority.demand_revocation:
        raise TrustMaterialMissing(
            "nothing that is carried says whether the authority's certificates were revoked at the "
            "token's time, and the policy demands it",
            hint="ask the owner for the commitment file with CRLs or OCSP responses",
            check="timestamp.revocation",
        )
    return DatedBy(
        authority=authority.name,
        root=key_digest(chain[-1]),
        signer=chain[0].subject.rfc4514_string(),
        policy=info.policy,
        serial=info.serial,
        gen_time=info.gen_time,
        accuracy=info.accuracy,
        earliest=info.gen_time - accuracy,
        latest=latest,
        revocation=Revocation.MISSING if known is None else Revocation.GOOD,
        revocation_known=None if known is None else as_microseconds(known),
        beacon=beacon(token, chain[0]),
    )
