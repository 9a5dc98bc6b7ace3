"""Statements of every kind, signed by fixed keys."""

from __future__ import annotations

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
)
from zkwm_protocols.cose.statement import Content, SignedStatement, sign_statement
from zkwm_protocols.keys import ECDSA_P256, ED25519, SigningKey

ED_KEY = SigningKey.from_bytes(ED25519, bytes(range(32)))
P256_KEY = SigningKey.from_bytes(ECDSA_P256, bytes(range(1, 33)))
KEYS = {"EdDSA": ED_KEY, "ES256": P256_KEY}
D, SUSPECT, DOCUMENT = b"D" * 32, b"S" * 32, b"F" * 32
ADDRESS = "https://owner.example/keys"


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
        KeyBinding(own, "Ada Lovelace, London", (b"certificate", b"its issuer's")),
        KeyBinding(own, "Ada Lovelace, London", (), DOCUMENT),
        agree_to_succeed(own, successor),
        KeyRevocation(own, 1_700_000_000, RevocationReason.COMPROMISED),
    ]


def statements() -> list[SignedStatement]:
    """Each kind by each key."""
    return [sign_statement(content, key) for key in KEYS.values() for content in contents(key)]
