"""A public key inside of a COSE header: claims with a COSE_Key (RFC 9528 and RFC 8747)."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zkwm_protocols.cose.sign1 import CONFIRMATION
from zkwm_protocols.errors import Malformed, Unsupported
from zkwm_protocols.keys import ECDSA_P256, ED25519, PublicKey
from zkwm_protocols.schema import require_bytes

_COSE_KEY = 1
_TYPE, _CURVE, _X, _Y = 1, -1, -2, -3
_OKP, _EC2 = 1, 2
_ED25519_CURVE, _P256_CURVE = 6, 1


def write_key(key: PublicKey) -> dict[int, Any]:
    """The claims that name a key: ``cnf`` with its COSE_Key (RFC 9053, section 7)."""
    if key.algorithm == ED25519:
        fields: dict[int, Any] = {_TYPE: _OKP, _CURVE: _ED25519_CURVE, _X: key.data}
    else:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.data)
        whole = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        fields = {_TYPE: _EC2, _CURVE: _P256_CURVE, _X: whole[1:33], _Y: whole[33:]}
    return {CONFIRMATION: {_COSE_KEY: fields}}


def read_key(claims: object) -> PublicKey:
    """Read ``write_key``.

    Raises:
        Malformed: another map, or no point of the curve.
        Unsupported: a key of another type or curve.
    """
    confirmation = _only(claims, CONFIRMATION)
    fields = _only(confirmation, _COSE_KEY)
    if not isinstance(fields, dict):
        raise Malformed("the key of a statement is no map")
    kind = (fields.get(_TYPE), fields.get(_CURVE))
    if kind == (_OKP, _ED25519_CURVE) and set(fields) == {_TYPE, _CURVE, _X}:
        return PublicKey(ED25519, require_bytes(fields[_X], 32))
    if kind == (_EC2, _P256_CURVE) and set(fields) == {_TYPE, _CURVE, _X, _Y}:
        x, y = require_bytes(fields[_X], 32), require_bytes(fields[_Y], 32)
        key = PublicKey(ECDSA_P256, bytes([2 + (y[-1] & 1)]) + x)
        if write_key(key) != claims:
            raise Malformed("the key of a statement is no point of P-256")
        return key
    raise Unsupported(
        "the key of a statement is of a type that this version does not know",
        hint="it knows Ed25519 and P-256",
    )


def _only(value: object, label: int) -> object:
    """The value of a map that has this label and no other."""
    if not isinstance(value, dict) or set(value) != {label}:
        raise Malformed("the key of a statement is not in a 'cnf' claim alone")
    return value[label]
