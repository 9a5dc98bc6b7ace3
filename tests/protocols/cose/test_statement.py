"""Statements: one encoding of each kind, a second reader both ways, and who may say what."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
import scitt_cose
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from scitt_cose import cose_sign1

from tests.support.statements import (
    ADDRESS,
    DOCUMENT,
    ED_KEY,
    KEYS,
    P256_KEY,
    D,
    contents,
    statements,
)
from zkwm_protocols.cose import sign1
from zkwm_protocols.cose.cbor import decode, encode
from zkwm_protocols.cose.contents import CommitmentStatement, SpentBlocks, commitment_subject
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    KeyRotation,
    RevocationReason,
    agree_to_succeed,
)
from zkwm_protocols.cose.public_key import read_key, write_key
from zkwm_protocols.cose.sign1 import Sign1, sig_structure
from zkwm_protocols.cose.statement import (
    STATEMENT_LIMIT,
    SignedStatement,
    TransparentStatement,
    sign_statement,
)
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported, ZkwmError
from zkwm_protocols.keys import P256_ORDER, SigningKey

CLOSED = NoEncryption()


def private_pem(key: SigningKey) -> bytes:
    secret = key.to_bytes()
    private: Any = (
        ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        if key is ED_KEY
        else ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    )
    pem: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, CLOSED)
    return pem


def public_pem(key: SigningKey) -> bytes:
    public: Any = (
        ed25519.Ed25519PublicKey.from_public_bytes(key.public.data)
        if key is ED_KEY
        else ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.public.data)
    )
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def headers_of(statement: SignedStatement) -> tuple[Sign1, dict[Any, Any]]:
    message = Sign1.from_bytes(statement.to_bytes(), limit=STATEMENT_LIMIT)
    return message, message.headers()


def resigned(statement: SignedStatement, key: SigningKey = ED_KEY, **change: Any) -> bytes:
    """The statement with other headers (``h1=...``) or payload, signed again by ``key``."""
    message, headers = headers_of(statement)
    for name, value in change.items():
        if name.startswith("h"):
            headers[int(name[1:])] = value
            if value is None:
                del headers[int(name[1:])]
    payload = change.get("payload", message.payload)
    protected = encode(headers)
    signature = key.sign_cose(sig_structure(protected, payload))
    return Sign1(protected, payload, signature).to_bytes()


@pytest.mark.parametrize("statement", statements(), ids=lambda s: type(s.content).__name__)
def test_each_kind_is_read_back(statement: SignedStatement) -> None:
    data = statement.to_bytes()
    read = SignedStatement.from_bytes(data)
    assert read == statement
    assert read.to_bytes() == data
    assert len(data) < 1_000 or isinstance(statement.content, KeyBinding)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_second_reader_reads_ours(algorithm: str) -> None:
    """scitt-cose, an implementation of others, verifies our statements and finds their fields."""
    key = KEYS[algorithm]
    for content in contents(key):
        data = sign_statement(content, key).to_bytes()
        found = scitt_cose.parse_signed_statement(data, public_key_pem=public_pem(key))
        assert found["signature_verified"] is True
        assert found["alg"] == algorithm
        assert found["issuer"] == key.public.fingerprint()
        assert found["subject"] == content.subject
        assert found["payload"] == content.to_payload()
        other = P256_KEY if key is ED_KEY else ED_KEY
        wrong = scitt_cose.parse_signed_statement(data, public_key_pem=public_pem(other))
        assert wrong["signature_verified"] is False


@pytest.mark.parametrize("algorithm", KEYS)
def test_we_read_what_the_second_writer_signs(algorithm: str) -> None:
    """Its ES256 may have a high s, which we refuse: the low one is the same signature."""
    key = KEYS[algorithm]
    content = CommitmentStatement(D)
    _, headers = headers_of(sign_statement(content, key))
    data = cose_sign1.sign_sign1(
        D, alg=algorithm, private_key_pem=private_pem(key), protected=headers
    )
    message = Sign1.from_bytes(data, limit=STATEMENT_LIMIT)
    s = int.from_bytes(message.signature[32:], "big")
    if algorithm == "ES256" and s > P256_ORDER // 2:
        with pytest.raises(InvalidSignature):
            SignedStatement.from_bytes(data)
        low = message.signature[:32] + (P256_ORDER - s).to_bytes(32, "big")
        data = replace(message, signature=low).to_bytes()
    assert SignedStatement.from_bytes(data).content == content


def test_the_headers_are_those_of_the_rfcs() -> None:
    """SCITT (RFC 9943), hash envelope (RFC 9995), claims (RFC 9597), key (RFC 9528, RFC 9053)."""
    message, headers = headers_of(sign_statement(CommitmentStatement(D), ED_KEY))
    assert headers == {
        1: -8, 4: headers[4], 14: {8: {1: {1: 1, -1: 6, -2: ED_KEY.public.data}}},
        15: {1: ED_KEY.public.fingerprint(), 2: "urn:zkwm:commitment:" + D.hex()},
        258: -16, 259: "application/vnd.zkwm.commitment",
    }  # fmt: skip
    assert message.payload == D
    assert len(headers[4]) == 20
    _, headers = headers_of(sign_statement(SpentBlocks(D, 1, 1), P256_KEY, ADDRESS))
    assert headers[1] == -7
    assert headers[3] == "application/vnd.zkwm.spent-blocks+cbor"
    assert headers[15][1] == ADDRESS
    assert not {258, 259} & set(headers)


def test_any_changed_bit_is_refused() -> None:
    data = sign_statement(CommitmentStatement(D), P256_KEY).to_bytes()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        with pytest.raises(ZkwmError):
            SignedStatement.from_bytes(changed)


def test_a_signature_of_one_protocol_is_none_of_the_other() -> None:
    """Every message begins with its own byte (SPEC.md 23.10)."""
    message, _ = headers_of(sign_statement(CommitmentStatement(D), ED_KEY))
    assert message.payload is not None
    structure = sig_structure(message.protected, message.payload)
    assert structure[:1] == b"\x84"
    digest = hashlib.sha256(structure).digest()
    with pytest.raises(InvalidSignature):
        ED_KEY.public.verify("statement", digest, message.signature)
    with pytest.raises(InvalidSignature):
        ED_KEY.public.verify_cose(structure, ED_KEY.sign("statement", digest))
    for wrong in (b"", structure[1:], b"\x85" + structure[1:], b"zkwm-signature-1" + bytes(40)):
        with pytest.raises(Malformed):
            ED_KEY.sign_cose(wrong)
        with pytest.raises(Malformed):
            ED_KEY.public.verify_cose(wrong, message.signature)


def test_a_stranger_cannot_sign_for_a_key_or_under_its_fingerprint() -> None:
    mine = sign_statement(CommitmentStatement(D), ED_KEY)
    with pytest.raises(InvalidSignature):
        SignedStatement.from_bytes(resigned(mine, P256_KEY))
    other = SigningKey.from_bytes("ed25519", b"o" * 32)
    claims = {1: other.public.fingerprint(), 2: mine.content.subject}
    with pytest.raises(Malformed):
        SignedStatement.from_bytes(resigned(mine, h15=claims))
    with pytest.raises(Malformed):
        SignedStatement.from_bytes(resigned(mine, h4=bytes(20)))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"h1": -7}, Malformed), ({"h1": -35}, Malformed), ({"h1": True}, Malformed),
        ({"h1": None}, Malformed), ({"h4": None}, Malformed), ({"h14": None}, Malformed),
        ({"h15": None}, Malformed), ({"h259": None}, Malformed), ({"h258": -44}, Malformed),
        ({"h258": None}, Malformed), ({"h2": [15]}, Unsupported), ({"h16": "x"}, Unsupported),
        ({"h3": "text/plain"}, Unsupported), ({"h33": b"x"}, Unsupported),
        ({"h259": "application/other"}, Unsupported), ({"h259": 50}, Unsupported),
        ({"h259": "application/vnd.zkwm.spent-blocks+cbor"}, Unsupported),
        ({"h15": {1: "x", 2: "urn:zkwm:commitment:" + "44" * 32}}, Malformed),
        ({"h15": {1: ADDRESS, 2: "urn:zkwm:commitment:" + "45" * 32}}, Malformed),
        ({"h15": {1: ADDRESS, 2: "urn:zkwm:commitment:" + "4D" * 32}}, Malformed),
        ({"h15": {1: ADDRESS, 2: "x"}}, Malformed), ({"h15": {1: ADDRESS}}, Malformed),
        ({"h15": {1: ADDRESS, 2: "x", 6: 5}}, Unsupported), ({"h15": []}, Malformed),
        ({"h15": {1: 1, 2: "x"}}, Malformed), ({"h14": {}}, Malformed),
        ({"h14": {8: {1: {1: 1, -1: 4, -2: bytes(32)}}}}, Unsupported),
        ({"h14": {8: {1: {1: 1, -1: 6, -2: bytes(32)}}}}, Malformed),
        ({"h14": {8: {1: 5}}}, Malformed),
        ({"payload": bytes(31)}, Malformed), ({"payload": b"E" * 32}, Malformed),
    ],
)  # fmt: skip
def test_other_headers_are_refused(change: dict[str, Any], error: type[ZkwmError]) -> None:
    """Also where the key itself signed them: nothing is read as less than it says."""
    mine = sign_statement(CommitmentStatement(D), ED_KEY)
    assert SignedStatement.from_bytes(resigned(mine)) == mine
    with pytest.raises(error):
        SignedStatement.from_bytes(resigned(mine, **change))


def test_issuers_by_address() -> None:
    for address in (ADDRESS, "https://a.example", "https://a.example:8443/x?y#z"):
        statement = sign_statement(CommitmentStatement(D), ED_KEY, address)
        assert SignedStatement.from_bytes(statement.to_bytes()).issuer == address
    for wrong in ("http://a.example", "https://", "https://a b", "https://a.example/ä", "a",
                  "https://u@a.example/", "https://a.example/" + "x" * 500,
                  P256_KEY.public.fingerprint(), "HTTPS://a.example"):  # fmt: skip
        with pytest.raises(Malformed):
            sign_statement(CommitmentStatement(D), ED_KEY, wrong)


def test_about_a_key_that_key_alone_speaks() -> None:
    own, other = ED_KEY.public.fingerprint(), P256_KEY.public.fingerprint()
    revocation = KeyRevocation(other, 5, RevocationReason.LOST)
    for issuer in ("", ADDRESS):
        with pytest.raises(Malformed):
            sign_statement(revocation, ED_KEY, issuer)
    forged = SignedStatement(revocation, own, ED_KEY.public, bytes(64))
    with pytest.raises(Malformed):
        SignedStatement.from_bytes(forged.to_bytes())


def test_a_successor_has_to_agree() -> None:
    own, other = ED_KEY.public.fingerprint(), P256_KEY.public.fingerprint()
    good = agree_to_succeed(own, P256_KEY)
    assert sign_statement(good, ED_KEY).content == good
    elsewhere = agree_to_succeed(SigningKey.generate().public.fingerprint(), P256_KEY)
    for consent in (bytes(64), elsewhere.consent):
        with pytest.raises(InvalidSignature):
            sign_statement(KeyRotation(own, P256_KEY.public, consent), ED_KEY)
    unsigned = SignedStatement(
        KeyRotation(own, P256_KEY.public, bytes(64)), own, ED_KEY.public, bytes(64)
    )
    with pytest.raises(InvalidSignature):
        SignedStatement.from_bytes(unsigned.to_bytes())
    with pytest.raises(Malformed):
        agree_to_succeed(other, P256_KEY)


def test_contents_out_of_range_are_refused() -> None:
    own = ED_KEY.public.fingerprint()
    for make in (
        lambda: KeyBinding(own, ""), lambda: KeyBinding(own, "A"),
        lambda: KeyBinding(own, "A", (b"",)), lambda: KeyBinding(own, "A", (bytes(8_193),)),
    ):  # fmt: skip
        with pytest.raises(Malformed):
            make()
    for content in (
        CommitmentStatement(bytes(31)), SpentBlocks(D, -1, 0), SpentBlocks(D, 100_001, 0),
        KeyRevocation(own, -1, RevocationReason.LOST), KeyBinding(own, "A\n", (), DOCUMENT),
        KeyBinding(own, "A", (b"x",) * 9), KeyBinding(own, "A" * 501, (b"x",)),
        KeyBinding(own, "A", (bytes(8_192),) * 8),
    ):  # fmt: skip
        with pytest.raises(Malformed):
            sign_statement(content, ED_KEY)


def test_keys_in_headers() -> None:
    for key in KEYS.values():
        assert read_key(write_key(key.public)) == key.public
    claims = write_key(P256_KEY.public)
    fields = claims[8][1]
    wrong_y = {8: {1: fields | {-3: bytes(31) + bytes([fields[-3][-1] & 1])}}}
    for wrong in (wrong_y, {8: {1: fields | {-2: bytes(32)}}}, {8: {1: fields | {-3: b""}}}):
        with pytest.raises(Malformed):
            read_key(wrong)
    for wrong in ({8: {1: fields | {2: b"k"}}}, {8: {1: {}}}, {8: {1: fields | {1: 1}}}):
        with pytest.raises(Unsupported):
            read_key(wrong)


def test_messages_of_another_form_are_refused() -> None:
    data = sign_statement(CommitmentStatement(D), ED_KEY).to_bytes()
    parts = decode(data[1:], limit=9_999)
    for wrong in (
        [*parts, b""], parts[:3], {}, 5, [parts[0], {1: 2}, *parts[2:]], [parts[0], [], *parts[2:]],
        [*parts[:2], None, parts[3]], [*parts[:2], "text", parts[3]], [b"", *parts[1:]],
        [encode([]), *parts[1:]], [b"\xa1\x18\x01\x26", *parts[1:]], [*parts[:3], b""],
        [*parts[:3], None],
    ):  # fmt: skip
        with pytest.raises((Malformed, InvalidSignature)):
            SignedStatement.from_bytes(data[:1] + encode(wrong))
    for wrong_bytes in (data[1:], data[:-1], data + b"\0", b"", bytes(70_000)):
        with pytest.raises(Malformed):
            SignedStatement.from_bytes(wrong_bytes)


def test_transparent_statements_carry_receipts() -> None:
    statement = sign_statement(CommitmentStatement(D), ED_KEY)
    whole = TransparentStatement(statement, (b"one", b"two"))
    data = whole.to_bytes()
    assert TransparentStatement.from_bytes(data) == whole
    assert scitt_cose.extract_receipts(data) == [b"one", b"two"]
    theirs = scitt_cose.attach_receipts(statement.to_bytes(), [b"one", b"two"])
    assert TransparentStatement.from_bytes(theirs) == whole
    with pytest.raises(Malformed):
        SignedStatement.from_bytes(data)
    with pytest.raises(Malformed):
        TransparentStatement.from_bytes(statement.to_bytes())
    for receipts in ((), (b"x",) * 9):
        with pytest.raises(Malformed):
            TransparentStatement(statement, receipts).to_bytes()
    message, _ = headers_of(statement)
    for unprotected in ({394: []}, {394: [5]}, {394: b"x"}, {394: [b"x"], 4: b"k"},
                        {394: [bytes(9_000)]}, {394: [b"x"] * 9}):  # fmt: skip
        with pytest.raises(Malformed):
            TransparentStatement.from_bytes(replace(message, unprotected=unprotected).to_bytes())


def test_labels_and_subjects() -> None:
    assert commitment_subject(D) == "urn:zkwm:commitment:" + "44" * 32
    other = commitment_subject(b"E" * 32)
    with pytest.raises(Malformed):
        CommitmentStatement.from_payload(other, D)
    assert sign1.ALGORITHMS == {"ed25519": -8, "ecdsa-p256": -7}
