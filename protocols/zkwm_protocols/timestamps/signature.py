"""Signatures that a timestamp may rest on, and the one form of each (SPEC.md 22.3, 22.4, 22.7).

RSA (PKCS #1 v1.5), ECDSA and Ed25519 with SHA-2; no SHA-1, no short keys. ``cryptography``
verifies; this module says which algorithm an identifier means and what is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from zkwm_protocols.errors import InvalidSignature, Unsupported
from zkwm_protocols.timestamps.structures import AlgorithmIdentifier, decode, malformed
from zkwm_protocols.timestamps.token import Token

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
        "581a0db248b0a77aecec196accc52973",
        16,
    ),
    "secp521r1": int(
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
        "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        16,
    ),
}
"""Orders of the curves of FIPS 186-5 that are allowed."""

_RSA = {
    "1.2.840.113549.1.1.1": None,  # rsaEncryption: the hash is that of the digest algorithm
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
_ECDSA = {
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_ED25519 = ("1.3.101.112", "sha512")
"""By RFC 8419 the content's hash is SHA-512 there."""


def require_strong_key(certificate: Certificate) -> None:
    """RSA of 2,048 to 8,192 bits, P-256, P-384, P-521 or Ed25519.

    Raises Unsupported (``timestamp.algorithm``).
    """
    try:
        key = certificate.public_key()
    except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm):
        raise _not_allowed("a key that cannot be read") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in ORDERS:
            raise _not_allowed(f"a key on the curve {key.curve.name}")
    elif isinstance(key, rsa.RSAPublicKey):
        if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
            raise _not_allowed(f"an RSA key of {key.key_size} bits")
    else:
        raise _not_allowed("a key of another kind than RSA, ECDSA and Ed25519")


def verify_signature(token: Token, certificate: Certificate) -> None:
    """Verify the signature of a token's attributes under a certificate's key.

    Raises InvalidSignature (``timestamp.signature``); Unsupported (``timestamp.algorithm``).
    """
    identifier = decode(AlgorithmIdentifier, token.signature_algorithm, "a signature's algorithm")
    algorithm = identifier.algorithm.dotted_string
    if identifier.parameters is not None and algorithm not in _RSA:
        raise malformed("the signature's algorithm has parameters, and takes none")
    try:
        verify_with_key(certificate, token.signature, token.attributes, algorithm, token.digest)
    except WrongSignature:
        raise InvalidSignature(
            "the authority's signature does not verify", check="timestamp.signature"
        ) from None


def verify_with_key(
    certificate: Certificate, signature: bytes, data: bytes, algorithm: str, digest: str
) -> None:
    """Verify a signature by a certificate's key.

    Args:
        certificate: whose key is of those that are allowed.
        signature: as CMS and OCSP have it.
        data: what was signed.
        algorithm: object identifier of the signature's algorithm.
        digest: ``sha256``, ``sha384`` or ``sha512``, that goes with it; of Ed25519 ``sha512``.

    Raises:
        WrongSignature: of ``cryptography``: it does not verify.
        Unsupported: ``timestamp.algorithm``.
    """
    require_strong_key(certificate)
    key, used = certificate.public_key(), HASHES[digest]
    if isinstance(key, rsa.RSAPublicKey) and _RSA.get(algorithm, "") in (None, digest):
        key.verify(signature, data, padding.PKCS1v15(), used)
    elif isinstance(key, ec.EllipticCurvePublicKey) and _ECDSA.get(algorithm) == digest:
        key.verify(signature, data, ec.ECDSA(used))
    elif isinstance(key, ed25519.Ed25519PublicKey) and (algorithm, digest) == _ED25519:
        key.verify(signature, data)
    else:
        raise _not_allowed(f"the signature algorithm {algorithm} with this key and hash")


def normal_form(signature: bytes, certificate: Certificate) -> bytes:
    """The one form of a signature that verifies: of r, s and r, -s both give the same bytes.

    ECDSA: r and the smaller of s and n - s, each as long as n. RSA and Ed25519: as it stands, for
    their verification accepts one form alone.
    """
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return signature
    order = ORDERS[key.curve.name]
    r, s = decode_dss_signature(signature)
    length = (order.bit_length() + 7) // 8
    return r.to_bytes(length, "big") + min(s, order - s).to_bytes(length, "big")


def allowed_hash(algorithm: hashes.HashAlgorithm | None) -> bool:
    """Whether a certificate, CRL or OCSP response may be signed with it; None is Ed25519's own."""
    return algorithm is None or algorithm.name in HASHES


def _not_allowed(what: str) -> Unsupported:
    return Unsupported(
        f"the timestamp rests on {what}, which is not allowed",
        hint="use an authority with RSA from 2,048 bits, P-256, P-384, P-521 or Ed25519, and SHA-2",
        check="timestamp.algorithm",
    )
