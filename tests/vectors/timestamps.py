"""Writes `timestamps.json` (SPEC.md 22): ``python -m tests.vectors.timestamps``.

Keys are derived from names, certificates and signatures are deterministic. The OCSP response alone
says when it was made: the stored one is kept. A test compares what this makes with what is stored.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.reference.timestamp import reference_beacon
from tests.support.certificate_authority import (
    DAY,
    TIMESTAMPING,
    Revoked,
    certify,
    ocsp_response,
)
from tests.support.timestamp_tokens import (
    DIGEST,
    TIME,
    TokenMaker,
    der,
    integer,
    sequence,
)
from tests.vectors.generate import FOLDER, stored
from zkwm_protocols.timestamps.evidence import TimestampEvidence

OPTIONS = {"start": TIME - 400 * DAY, "end": TIME + 400 * DAY}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = int(
    "f8b1d7386fec2f5dff13b312c21c3d290245e7a6079582eff7fce580a6ee1f83"
    "9c40ec1690426fe1d673d22cb6e5461e279c217d2ac72a8ccc2ca4e591ae9290"
    "be04af767e238c6fffca5f1ff0d19547e51e1be0b17f4a68d3a9d37ab6ffe990"
    "d377510e4e879bed1f015744d1339d113a0bbf0d5a07a4d014b50dc712c611fd",
    16,
)
Q = int(
    "c4d9b2ace465378d9188d1aaaf67b0463631224812e4d35374cbdf71db62cdc9"
    "d63ec7a9eb90cdcebd62bc16d9b4b83e2d05ad88a43f1f573194e7453afd2acc"
    "2197cb51102bf19bba3222b36dae456fec487b8f819ed9c112f15e005c3e3d62"
    "e057eaf171e3db922b70304da03d905f5985eead671682d39e8d24262a16b7b3",
    16,
)


def fixed_key(name: str, kind: str = "p256") -> Any:
    """A private key that follows from its name; of RSA there is one."""
    seed = hashlib.sha256(f"zkwm timestamp vector {name}".encode()).digest()
    if kind == "rsa":
        d = pow(65_537, -1, (P - 1) * (Q - 1))
        crt = (rsa.rsa_crt_dmp1(d, P), rsa.rsa_crt_dmq1(d, Q), rsa.rsa_crt_iqmp(P, Q))
        public = rsa.RSAPublicNumbers(65_537, P * Q)
        return rsa.RSAPrivateNumbers(P, Q, d, *crt, public).private_key()
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind]
    return ec.derive_private_key(int.from_bytes(seed, "big") >> 1, curve)


def maker(name: str, kind: str = "p256", **signer: Any) -> TokenMaker:
    """An authority whose issuers are P-256, or all of it P-384 or RSA."""
    above = "p256" if kind == "ed25519" else kind
    root = certify("Root", fixed_key(f"{name} root", above), ca=True, serial=1, **OPTIONS)
    issuer = certify("Issuing", fixed_key(name, above), root, ca=True, serial=2, **OPTIONS)
    options = {**OPTIONS, "serial": 3, **signer}
    own = certify("Signer", fixed_key(f"{name} signer", kind), issuer, **options)
    if kind == "rsa":  # one key is enough here: no check looks at that
        issuer = root
        own = certify("Signer", root.key, root, **options)
    hash_used = {"ed25519": "sha512", "p384": "sha384"}.get(kind, "sha256")
    return TokenMaker(root, issuer, own, digest_hash=hash_used)


def _high(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, max(s, P256_ORDER - s))


def _low(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, P256_ORDER - s))


def _stored_response() -> bytes | None:
    """The OCSP response of the stored vectors."""
    found = [case["ocsp_responses"] for case in stored("timestamps").get("accepted", [])]
    return next((bytes.fromhex(one[0]) for one in found if one), None)


def good_cases() -> list[tuple[str, TokenMaker, dict[str, Any]]]:
    """Names, makers, and what is carried beside the token."""
    plain = maker("plain")
    responder = certify(
        "Responder", fixed_key("responder", "ed25519"), plain.issuer, serial=4,
        usages=(ExtendedKeyUsageOID.OCSP_SIGNING,), usage_critical=False,
        extensions=((x509.OCSPNoCheck(), False),), **OPTIONS,
    )  # fmt: skip
    times = {"start": TIME - DAY, "end": TIME + DAY}
    answer = _stored_response() or ocsp_response(
        plain.signer.certificate, plain.issuer, responder=responder, **times
    )
    given_up = Revoked(plain.signer.certificate, TIME + DAY, x509.ReasonFlags.superseded)
    later = {"start": TIME + 2 * DAY, "end": TIME + 3 * DAY}
    backwards = (plain.issuer.der, plain.signer.der)
    return [
        ("ECDSA P-256, CRLs", plain.but(change_signature=_low), {"crls": plain.crls()}),
        ("the other s, certificates in another order",
         plain.but(change_signature=_high, certificates=backwards), {}),
        ("ECDSA P-384", maker("p384", "p384"), {}),
        ("RSA, no accuracy", maker("rsa", "rsa").but(accuracy=b""), {}),
        ("Ed25519", maker("ed25519", "ed25519"), {}),
        ("fraction of a second", plain.but(time=der(0x18, b"20260517123015.1234567Z"),
         accuracy=sequence(integer(2), der(0x80, b"\x05"), der(0x81, b"\x07"))), {}),
        ("certificates beside the token", plain.but(certificates=()),
         {"certificates": (plain.signer.der, plain.issuer.der)}),
        ("OCSP", plain, {"crls": plain.crls()[:1], "ocsp_responses": (answer,)}),
        ("given up later", plain, {"crls": plain.crls(given_up, **later)}),
    ]  # fmt: skip


def bad_cases() -> list[tuple[str, TokenMaker, dict[str, Any], str]]:
    """The same, and the check that each fails."""
    plain, other = maker("plain"), ExtendedKeyUsageOID.CODE_SIGNING
    stolen = Revoked(plain.signer.certificate, TIME + DAY, x509.ReasonFlags.key_compromise)
    later = {"start": TIME + 2 * DAY, "end": TIME + 3 * DAY}
    return [
        ("another digest", plain.but(digest=bytes(32)), {}, "timestamp.imprint"),
        ("another nonce", plain.but(nonce=b"\x01"), {}, "timestamp.nonce"),
        ("another policy", plain.but(policy="1.2.3"), {}, "timestamp.policy"),
        ("SHA-1", plain.but(digest_hash="sha1"), {}, "timestamp.algorithm"),
        ("a signature altered", plain.but(change_signature=lambda one: one[:-1] + b"\x01"), {},
         "timestamp.signature"),
        ("two signers", plain.but(change_signed=lambda parts: [
            *parts[:4], der(0x31, parts[4][4:], parts[4][4:])]), {}, "timestamp.format"),
        ("usage not critical", maker("a", usage_critical=False), {}, "timestamp.signer"),
        ("two usages", maker("b", usages=(*TIMESTAMPING, other)), {}, "timestamp.signer"),
        ("ended before", maker("c", end=TIME - DAY), {}, "timestamp.chain"),
        ("another root", plain.but(root=maker("d").root), {}, "timestamp.chain"),
        ("compromised later", plain, {"crls": plain.crls(stolen, **later)},
         "timestamp.revocation"),
        ("a time without its last digit", plain.but(time=der(0x18, b"2026051712301Z")), {},
         "timestamp.time"),
    ]  # fmt: skip


def generate() -> dict[str, Any]:
    """`timestamps.json` as JSON values; what tokens say is read by the reference."""
    accepted = [
        {**_case(name, one, parts), **reference_beacon(one.token(), parts.get("certificates", ()))}
        for name, one, parts in good_cases()
    ]
    refused = [
        {**_case(name, one, parts), "check": check} for name, one, parts, check in bad_cases()
    ]
    return {"accepted": accepted, "refused": refused}


def _case(name: str, one: TokenMaker, parts: dict[str, Any]) -> dict[str, Any]:
    evidence: TimestampEvidence = one.evidence(**parts)
    return {
        "name": name,
        "digest": DIGEST.hex(),
        "root": one.root.der.hex(),
        "policy": "1.3.6.1.4.1.57264.2",
        "token": evidence.token.hex(),
        "nonce": evidence.nonce.hex(),
        "certificates": [data.hex() for data in evidence.certificates],
        "crls": [data.hex() for data in evidence.crls],
        "ocsp_responses": [data.hex() for data in evidence.ocsp_responses],
    }


def main() -> None:
    """Write the file."""
    text = json.dumps(generate(), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "timestamps.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
