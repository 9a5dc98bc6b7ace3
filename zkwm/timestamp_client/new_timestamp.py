"""A commitment's new timestamp: asked for, with all that its verification needs, and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from zkwm.outgoing_http.location import Location
from zkwm.timestamp_client.addresses import locate
from zkwm.timestamp_client.ask import ask
from zkwm.timestamp_client.fetch import SECONDS
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing, ZkwmError
from zkwm_protocols.timestamps.authority import DatedBy, TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.trust import Trust


@dataclass(frozen=True)
class Obtained:
    """A timestamp that verifies, and what it says.

    Args:
        url: of the authority, as it was given.
        evidence: what the commitment's file carries.
        dated: what the token says; ``dated.authority`` is the name in the trust folder, or host
            and port where none was given.
        trusted: whether a trust folder was given, by which it verifies.
        missing: what could not be had, in words.
    """

    url: str
    evidence: TimestampEvidence
    dated: DatedBy
    trusted: bool
    missing: tuple[str, ...]


def obtain(
    commitment: Commitment,
    url: str,
    *,
    trust: Trust | None = None,
    seconds: float = SECONDS,
    tell: Callable[[str], None] = lambda _: None,
) -> Obtained:
    """Ask the authority at ``url`` for a timestamp of a commitment, and verify it offline.

    Args:
        commitment: what is dated.
        url: of the authority.
        trust: the token has to verify by one of these; without, by the root of its own chain, which
            shows that it is whole and trusts nobody.
        seconds: for each request.
        tell: called with what is being done.

    Raises:
        UsageError: for a URL that is none.
        CouldNotCheck: there is no token, or one that does not verify.
        TrustMaterialMissing: a root, a policy that counts or revocation material is missing.
    """
    from zkwm.timestamp_client.material import gather

    location = locate(url)
    tell(f"asking {location.place}")
    answer = ask(location, commitment.digest, seconds=seconds)
    known = [root for one in (trust.authorities if trust else ()) for root in one.roots]
    asked = replace(location, address=answer.address)
    found = gather(answer.certificates, known, asked, seconds, tell)
    evidence = TimestampEvidence(
        token=answer.token,
        nonce=answer.nonce,
        certificates=tuple(found.certificates),
        crls=tuple(found.crls),
        ocsp_responses=tuple(found.ocsp_responses),
    )
    if found.root is None:
        raise TrustMaterialMissing(
            f"the chain of {location.place} does not lead to a root: {'; '.join(found.missing)}",
            hint="give a trust folder with its root certificate (`trust`)",
            check="timestamp.chain",
        )
    itself = TimestampAuthority(location.place, (found.root,), (answer.policy,))
    authorities = trust.authorities if trust else (itself,)
    dated = _verified(evidence, commitment, authorities, location, found.missing)
    return Obtained(url, evidence, dated, trust is not None, tuple(found.missing))


def _verified(
    evidence: TimestampEvidence,
    commitment: Commitment,
    authorities: tuple[TimestampAuthority, ...],
    location: Location,
    missing: list[str],
) -> DatedBy:
    """What the token says, by the first authority by which it verifies.

    ``missing`` is what could not be had, in words, for the hint where that is why it does not.
    Raises CouldNotCheck, TrustMaterialMissing.
    """
    from zkwm_protocols.timestamps.verification import verify_with_any

    try:
        return verify_with_any(evidence, commitment.digest, authorities)
    except ZkwmError as error:
        kind = TrustMaterialMissing if isinstance(error, TrustMaterialMissing) else CouldNotCheck
        raise kind(
            f"the token of {location.place} does not verify: {error.message}",
            hint=_hint(error, missing),
            check=error.check,
        ) from None


def _hint(error: ZkwmError, missing: list[str]) -> str:
    """What to do about a token that does not verify."""
    if error.check == "timestamp.revocation" and isinstance(error, TrustMaterialMissing):
        what = f"could not get {'; '.join(missing)}: " if missing else ""
        return (
            f"{what}try again later, ask another authority, put its CRLs (DER, NAME.crl) into its "
            "folder in the trust folder, or set demand_revocation = false there"
        )
    return "ask an authority that your trust folder names, or add this one to the folder"
