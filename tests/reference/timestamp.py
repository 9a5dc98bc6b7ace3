"""What a token says, and its beacon, read by asn1crypto: sections 22.6 and 22.7 of the protocol.

Nothing is verified here.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, x509

ORDERS = {
    "secp256r1": (32, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    "secp384r1": (
        48,
        int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
    ),
}


def reference_beacon(token: bytes, carried: tuple[bytes, ...] = ()) -> dict[str, Any]:
    """The policy's accuracy is one second; times are microseconds."""
    signed = cms.ContentInfo.load(token)["content"]
    (signer,) = signed["signer_infos"]
    content = signed["encap_content_info"]["content"].contents
    info = signed["encap_content_info"]["content"].parsed
    attributes = b"\x31" + signer["signed_attrs"].dump()[1:]
    text = info["gen_time"].contents.decode("ascii")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
    nanoseconds = int(fraction.ljust(9, "0"))
    gen_time = seconds * 10**6 + nanoseconds // 1000
    accuracy = None
    if info["accuracy"].native is not None:
        parts = info["accuracy"].native
        accuracy = sum(
            (parts[name] or 0) * size
            for name, size in (("seconds", 10**6), ("millis", 10**3), ("micros", 1))
        )
    width = 10**6 if accuracy is None else accuracy
    digests = [
        hashlib.sha256(part).digest()
        for part in (content, attributes, _normal(signer, signed, carried))
    ]
    return {
        "gen_time": gen_time,
        "accuracy": accuracy,
        "earliest": gen_time - width,
        "latest": gen_time + (nanoseconds % 1000 > 0) + width,
        "serial": info["serial_number"].native,
        "beacon": hashlib.sha256(b"zkwm-beacon-1" + b"".join(digests)).hexdigest(),
    }


def _normal(signer: Any, signed: Any, carried: tuple[bytes, ...]) -> bytes:
    """The signature with the smaller s, where it is one of ECDSA."""
    signature: bytes = signer["signature"].native
    if not signer["signature_algorithm"]["algorithm"].native.endswith("ecdsa"):
        return signature
    present = [one.chosen for one in signed["certificates"]] if signed["certificates"] else []
    present += [x509.Certificate.load(data) for data in carried]
    serial = signer["sid"].chosen["serial_number"].native
    certificate = next(one for one in present if one.serial_number == serial)
    length, order = ORDERS[certificate.public_key.curve[1]]
    r, s = (part.native for part in _Pair.load(signature))
    return bytes(r.to_bytes(length, "big") + min(s, order - s).to_bytes(length, "big"))


class _Pair(x509.SequenceOf):
    """r and s."""

    _child_spec = x509.Integer
