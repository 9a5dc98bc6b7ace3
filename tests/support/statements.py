"""Statements of every kind, signed by fixed keys."""

from __future__ import annotations

import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.certificate_authority import DAY, SHA256, Certified, certify
from zkwm_protocols.cose.contents import (
    CommitmentStatement,
    DisputeEvent,
    DisputeStatement,
    SpentBlocks,
    VerdictStatement,
)
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    RevocationReason,
    agree_to_succeed,
    claim_message,
)
from zkwm_protocols.cose.statement import Content, SignedStatement, sign_statement
from zkwm_protocols.keys import ECDSA_P256, ED25519, SigningKey

ED_KEY = SigningKey.from_bytes(ED25519, bytes(range(32)))
P256_KEY = SigningKey.from_bytes(ECDSA_P256, bytes(range(1, 33)))
KEYS = {"EdDSA": ED_KEY, "ES256": P256_KEY}
D, SUSPECT, DOCUMENT = b"D" * 32, b"S" * 32, b"F" * 32
ADDRESS = "https://owner.example/keys"
ADA = "Ada Lovelace, London"
PERSON_DAY = datetime.datetime(2023, 11, 14, tzinfo=datetime.UTC)
_TIMES: dict[str, Any] = {
    "start": PERSON_DAY - 400 * DAY, "end": PERSON_DAY + 4000 * DAY, "serial": 7,
}  # fmt: skip
SIGNS = (ExtendedKeyUsageOID.EMAIL_PROTECTION,)
PERSON_ROOT = certify("Persons", ec.derive_private_key(78, ec.SECP256R1()), ca=True, **_TIMES)
CARD = certify(ADA, ec.derive_private_key(77, ec.SECP256R1()), PERSON_ROOT, usages=SIGNS, **_TIMES)
"""A card of the person, whose key is another one than the owner's."""


def private_key(key: SigningKey) -> Any:
    """A key as ``cryptography`` has it."""
    if key.algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(key.to_bytes())
    return ec.derive_private_key(int.from_bytes(key.to_bytes(), "big"), ec.SECP256R1())


def certified(key: SigningKey, **options: Any) -> Certified:
    """A certificate of the person for the owner's key itself."""
    return certify(ADA, private_key(key), PERSON_ROOT, **{"usages": SIGNS, **_TIMES, **options})


def bound_by(key: str, card: Certified, person: str = ADA) -> KeyBinding:
    """A binding of the key with this fingerprint, which a card's key signed."""
    message = claim_message(key, person)
    if isinstance(card.key, ec.EllipticCurvePrivateKey):
        used = {256: hashes.SHA256(), 384: hashes.SHA384()}[card.key.key_size]
        proof = card.key.sign(message, ec.ECDSA(used, deterministic_signing=True))
    elif isinstance(card.key, rsa.RSAPrivateKey):
        proof = card.key.sign(message, padding.PKCS1v15(), SHA256)
    else:
        proof = card.key.sign(message)
    return KeyBinding(key, person, (card.der, PERSON_ROOT.der), None, proof)


def contents(key: SigningKey) -> list[Content]:
    """One of each kind, as this key may state it."""
    own = key.public.fingerprint()
    successor = SigningKey.from_bytes(ED25519, b"n" * 32)
    return [
        CommitmentStatement(D),
        VerdictStatement(D, DOCUMENT),
        SpentBlocks(D, 3, 2),
        DisputeStatement(D, SUSPECT, DisputeEvent.ASKED),
        DisputeStatement(D, SUSPECT, DisputeEvent.DECIDED, DOCUMENT),
        KeyBinding(own, ADA, (certified(key).der, PERSON_ROOT.der)),
        bound_by(own, CARD),
        KeyBinding(own, ADA, (), DOCUMENT),
        agree_to_succeed(own, successor),
        KeyRevocation(own, 1_700_000_000, RevocationReason.COMPROMISED),
    ]


def statements() -> list[SignedStatement]:
    """Each kind by each key."""
    return [sign_statement(content, key) for key in KEYS.values() for content in contents(key)]
