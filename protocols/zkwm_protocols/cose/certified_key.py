"""Whether a certificate's key stands behind a binding: it is the bound key, or signed for it.

The certificate itself is not trusted by this; ``zkwm_protocols.persons`` says whose it is. SPEC.md
26.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported, ZkwmError
from zkwm_protocols.keys import ECDSA_P256, ED25519, PublicKey

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 8192
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


def read_certificate(data: bytes) -> Certificate:
    """A certificate in DER, version 3. Raises Malformed."""
    from cryptography import x509

    from zkwm_protocols.timestamps.chain import load_certificate

    try:
        found = load_certificate(data)
    except ZkwmError:
        raise Malformed("a certificate of a key's binding cannot be read") from None
    if found.version != x509.Version.v3:
        raise Malformed("a certificate of a key's binding is not of version 3")
    return found


def require_certified(
    certificate: bytes, key: PublicKey, message: bytes, proof: bytes | None
) -> None:
    """Return only if the holder of a certificate's key agreed that ``key`` is theirs.

    Args:
        certificate: DER.
        key: the key that is bound.
        message: what the certificate's key signed.
        proof: its signature, or None where the certificate is for ``key`` itself.

    Raises:
        Malformed: the certificate cannot be read, or there is a proof where none belongs.
        InvalidSignature: it is for another key, which did not sign the message.
        Unsupported: it is for a key that is not allowed.
    """
    found = read_certificate(certificate)
    if _is_of(found, key):
        if proof is not None:
            raise Malformed("a certificate of the bound key itself needs no other signature")
        return
    if proof is None:
        raise InvalidSignature(
            "the certificate is for another key than the one that it is to bind",
            hint="have the certificate's key sign the binding, too",
        )
    try:
        _verify(found, message, proof)
    except WrongSignature:
        raise InvalidSignature(
            "the key of the certificate did not sign that this key and person belong together"
        ) from None


def _is_of(certificate: Certificate, key: PublicKey) -> bool:
    """Whether a certificate is for this very key."""
    try:
        found = certificate.public_key()
    except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm):
        raise _not_allowed("a key that cannot be read") from None
    if isinstance(found, ed25519.Ed25519PublicKey):
        return key.algorithm == ED25519 and found.public_bytes_raw() == key.data
    if isinstance(found, ec.EllipticCurvePublicKey) and found.curve.name == "secp256r1":
        point = found.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return key.algorithm == ECDSA_P256 and point == key.data
    return False


def _verify(certificate: Certificate, message: bytes, signature: bytes) -> None:
    """Verify by the one algorithm of each kind of key. Raises WrongSignature, Unsupported."""
    key = certificate.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_HASHES:
        key.verify(signature, message, ec.ECDSA(_CURVE_HASHES[key.curve.name]))
    elif isinstance(key, rsa.RSAPublicKey) and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise _not_allowed("a key that is not allowed")


def _not_allowed(what: str) -> Unsupported:
    return Unsupported(
        f"the certificate is for {what}",
        hint="allowed are RSA of 2,048 to 8,192 bits, P-256, P-384, P-521 and Ed25519",
    )
