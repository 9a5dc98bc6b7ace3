"""Whether a token's chain was revoked, by carried CRLs and OCSP responses (SPEC.md 22.5).

RFC 3161, section 4: a compromised key takes every token with it, whenever it was signed; a key that
was given up keeps those that are older.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from cryptography import x509

from zkwm_protocols.errors import InvalidSignature
from zkwm_protocols.timestamps.crl import crl_statement, load_crl
from zkwm_protocols.timestamps.ocsp import load_response, ocsp_statements


def check_revocation(
    chain: tuple[x509.Certificate, ...],
    crls: tuple[bytes, ...],
    ocsp_responses: tuple[bytes, ...],
    latest: datetime,
) -> datetime | None:
    """Since when the answers about a chain are known, the oldest of the newest ones.

    Args:
        chain: signer first, root last; the root is trusted, and not asked about.
        crls, ocsp_responses: what is carried, DER, by anybody.
        latest: the last moment at which the token can have been signed.

    Returns None where a certificate has no answer that covers the token's time.

    Raises:
        InvalidSignature: a certificate was revoked so that the token is void
            (``timestamp.revocation``).
        Malformed: an answer cannot be read (``timestamp.format``).
    """
    lists = [load_crl(data) for data in crls]
    responses = [load_response(data) for data in ocsp_responses]
    known: list[list[datetime]] = []
    for certificate, issuer in pairwise(chain):
        listed = [crl_statement(crl, certificate, issuer) for crl in lists]
        statements = [statement for statement in listed if statement is not None]
        for response in responses:
            statements += ocsp_statements(response, certificate, issuer)
        if any(statement.forbids(latest) for statement in statements):
            raise InvalidSignature(
                "a certificate of the authority was revoked: the token is void",
                hint="a token of another authority, or an earlier one, may still stand",
                check="timestamp.revocation",
            )
        known.append([statement.start for statement in statements if statement.covers(latest)])
    return min(map(max, known)) if all(known) else None
