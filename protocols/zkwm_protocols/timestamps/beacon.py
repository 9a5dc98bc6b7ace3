"""The beacon: 32 bytes that nobody knew before an authority signed (SPEC.md 22.7).

They enter the labels of a commitment that names the authority, so that an accuser cannot try out
commitments by themselves: each try costs a token.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from zkwm_protocols.timestamps.signature import normal_form

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from zkwm_protocols.timestamps.token import Token


def beacon(token: Token, signer: Certificate) -> bytes:
    """The beacon of a token whose signature verifies under the signer's key, 32 bytes.

    It is a function of what is signed and of the signature in its normal form: neither another
    DER form, nor unsigned attributes, certificates and their order, nor the other s of an ECDSA
    signature change it.
    """
    parts = (token.content, token.attributes, normal_form(token.signature, signer))
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(b"zkwm-beacon-1" + digests).digest()
