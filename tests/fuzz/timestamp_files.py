"""Timestamps: tokens, certificates, CRLs and OCSP responses of the vectors, changed as DER.

A token that is accepted after a change says what it said before, with the same beacon.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from tests.fuzz.byte_changes import chosen, mixed
from tests.fuzz.der_changes import change_der
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.support.stored_vectors import vectors
from tests.support.timestamp_cases import authority_of, evidence_of
from zkwm_protocols.errors import CouldNotCheck, InvalidSignature, TrustMaterialMissing
from zkwm_protocols.timestamps.authority import DatedBy, TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.timestamps.request import token_of_response
from zkwm_protocols.timestamps.verification import verify_token

ERRORS = (*DOCUMENT_ERRORS, InvalidSignature, TrustMaterialMissing)
TOKENS = ("ECDSA P-256, CRLs", "RSA, no accuracy", "fraction of a second", "Ed25519")


@functools.cache
def case(name: str) -> tuple[TimestampEvidence, bytes, TimestampAuthority]:
    """Evidence, D and authority of a stored token."""
    found = next(one for one in vectors("timestamps")["accepted"] if one["name"] == name)
    return evidence_of(found), bytes.fromhex(found["digest"]), authority_of(found)


@functools.cache
def _said(name: str) -> DatedBy:
    """What an unchanged token says."""
    return verify_token(*case(name))


def _same(dated: DatedBy, *names: str) -> DatedBy:
    """What was said, where one of the unchanged tokens says it."""
    known = [
        replace(dated, revocation=one.revocation, revocation_known=one.revocation_known) == one
        for one in map(_said, names)
    ]
    assert any(known), "another date or beacon by a change of what was signed"
    return dated


def _with_token(data: bytes) -> DatedBy:
    """A token in the place of each stored one: whichever it was made from accepts it."""
    problem: Exception | None = None
    for name in TOKENS:
        evidence, digest, authority = case(name)
        try:
            changed = replace(evidence, token=data, crls=(), ocsp_responses=())
            return _same(verify_token(changed, digest, authority), *TOKENS)
        except ERRORS as error:
            problem = error
    assert problem is not None
    raise problem


def _beside(field: str, name: str) -> Callable[[bytes], DatedBy]:
    """A reader of what lies beside a token, in the place of the last of its kind."""

    def read(data: bytes) -> DatedBy:
        evidence, digest, authority = case(name)
        kept = getattr(evidence, field)[:-1]
        changed = replace(evidence, **{field: (*kept, data)})
        return _same(verify_token(changed, digest, authority), name)

    return read


def kinds() -> list[Kind]:
    """Tokens, and what is carried with them."""
    tokens = [case(name)[0].token for name in TOKENS]
    granted = [b"\x30\x82" + (len(one) + 5).to_bytes(2, "big") + b"\x30\x03\x02\x01\x00" + one
               for one in tokens]  # fmt: skip
    found = [
        Kind("timestamp token", mixed(chosen(tokens), change_der), _with_token, ERRORS),
        Kind(
            "timestamp response", mixed(chosen(granted), change_der), token_of_response,
            (*DOCUMENT_ERRORS, CouldNotCheck),
        ),
    ]  # fmt: skip
    for field, name in (
        ("certificates", "certificates beside the token"),
        ("crls", "ECDSA P-256, CRLs"),
        ("ocsp_responses", "OCSP"),
    ):
        samples = list(getattr(case(name)[0], field))
        found.append(
            Kind(f"timestamp {field}", mixed(chosen(samples), change_der), _beside(field, name),
                 ERRORS)
        )  # fmt: skip
    return found
