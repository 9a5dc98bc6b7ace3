"""Keys, fingerprints, signatures and sealed boxes of SPEC.md section 4, for checking only.

Ed25519 is written out over plain integers (never for secrets: nothing here takes constant time).
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import nacl.exceptions
import nacl.public
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tests.reference.cbor import RejectedError, write

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE_Y = 4 * pow(5, -1, P) % P
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(first: Point, second: Point) -> Point:
    """Sum of two points of edwards25519 in affine coordinates (RFC 8032, section 5.1.4)."""
    x1, y1 = first
    x2, y2 = second
    cross = D * x1 * x2 * y1 * y2 % P
    inverse = pow(1 - cross * cross, -1, P)  # of both denominators, 1 + cross and 1 - cross
    x = (x1 * y2 + y1 * x2) * (1 - cross) * inverse % P
    y = (y1 * y2 + x1 * x2) * (1 + cross) * inverse % P
    return x, y


def multiply(scalar: int, point: Point) -> Point:
    """``scalar`` times ``point``, by doubling and adding."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def decompress(data: bytes) -> Point:
    """Point of a canonical encoding (RFC 8032, section 5.1.3); raises `RejectedError`."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(data) != 32 or y >= P:
        raise RejectedError("not a canonical point")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        raise RejectedError("not a point")
    return (P - x if x & 1 != sign else x), y


BASE = decompress(BASE_Y.to_bytes(32, "little"))


def check_public_key(value: Any) -> None:
    """Raise `RejectedError` unless ``value`` is the map of a public key (section 4.1)."""
    if type(value) is not dict or set(value) != {"algorithm", "public"}:
        raise RejectedError("not a public key")
    public = value["public"]
    if type(public) is not bytes:
        raise RejectedError("not a public key")
    if value["algorithm"] == "ed25519":
        if not _generates(decompress(public)):
            raise RejectedError("not in the prime-order group")
    elif value["algorithm"] == "ecdsa-p256":
        if len(public) != 33 or public[0] not in (2, 3):
            raise RejectedError("not a compressed point")
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        except ValueError as error:
            raise RejectedError("not a point") from error
    else:
        raise RejectedError("unknown algorithm")


def check_signature(key: dict[str, Any], purpose: str, digest: bytes, signature: Any) -> None:
    """Raise `RejectedError` unless ``signature`` is ``key``'s over ``digest`` for ``purpose``."""
    name = purpose.encode("ascii")
    check_message(key, b"zkwm-signature-1" + bytes([len(name)]) + name + digest, signature)


def check_message(key: dict[str, Any], message: bytes, signature: Any) -> None:
    """Raise `RejectedError` unless ``signature`` is ``key``'s over exactly these bytes."""
    if type(signature) is not bytes or len(signature) != 64:
        raise RejectedError("a signature has 64 bytes")
    if key["algorithm"] == "ed25519":
        if not _ed25519_verifies(key["public"], message, signature):
            raise RejectedError("the signature does not verify")
        return
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
        raise RejectedError("r or s out of range")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key["public"])
    try:
        public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise RejectedError("the signature does not verify") from error


@cache
def _generates(point: Point) -> bool:
    return point != IDENTITY and multiply(ORDER, point) == IDENTITY


@cache
def _ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(hashed, "little") % ORDER
    right = add(decompress(signature[:32]), multiply(k, decompress(public)))
    return multiply(s, BASE) == right


def check_judge(value: Any) -> None:
    """Raise `RejectedError` unless ``value`` is the map of a judge's public keys (section 4.2)."""
    if type(value) is not dict or set(value) != {"signing", "box"}:
        raise RejectedError("not a judge's keys")
    check_public_key(value["signing"])
    box = value["box"]
    if type(box) is not bytes or len(box) != 32 or int.from_bytes(box, "little") >= P:
        raise RejectedError("not a canonical X25519 key")
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(
            X25519PublicKey.from_public_bytes(box)
        )
    except ValueError as error:
        raise RejectedError("an X25519 key of small order") from error


def fingerprint(prefix: str, value: dict[str, Any]) -> str:
    """Fingerprint of a map of keys; ``prefix`` is ``zkwm-key-1`` or ``zkwm-judge-1``."""
    digest = hashlib.sha256(prefix.encode("ascii") + write(value)).digest()[:20]
    text = base64.b32encode(digest).decode("ascii").lower()
    return "-".join(text[i : i + 4] for i in range(0, 32, 4))


def unseal(box_secret: bytes, sealed: bytes) -> bytes:
    """Open a `crypto_box_seal` with the judge's X25519 secret; raises `RejectedError`."""
    try:
        return nacl.public.SealedBox(nacl.public.PrivateKey(box_secret)).decrypt(sealed)
    except (nacl.exceptions.CryptoError, ValueError, TypeError) as error:
        raise RejectedError("it does not unseal") from error
