"""Claims for tools of in-toto and C2PA: published vectors, a second reader, and forgeries."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.statements import ED_KEY, P256_KEY, D, private_key
from zkwm.sidecar import (
    C2PA_LABEL,
    PAYLOAD_TYPE,
    ClaimedFile,
    LogEntryName,
    Sidecar,
    c2pa_assertion,
    pre_authentication_encoding,
    read_sidecar,
)
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported, ZkwmError
from zkwm_protocols.keys import ED25519, SigningKey

CLAIM = Sidecar(D, (ClaimedFile("model.onnx", b"m" * 32),), (LogEntryName("log.example/2027", 17),))
OWNERS = [ED_KEY.public, P256_KEY.public]


def test_published_vectors_of_dsse() -> None:
    """secure-systems-lab/dsse: protocol.md, and single-signature of testvectors/vectors.json."""
    hello = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert hello == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    key = SigningKey.from_bytes(
        ED25519, bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    payload = base64.b64decode("eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==")
    assert base64.b64encode(key.sign_dsse(pre_authentication_encoding(PAYLOAD_TYPE, payload))) == (
        b"2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
    )


@pytest.mark.parametrize("key", [ED_KEY, P256_KEY])
def test_what_an_owner_signs_is_read_also_by_others(key: SigningKey) -> None:
    envelope = CLAIM.signed(key)
    assert read_sidecar(envelope, OWNERS) == CLAIM
    assert read_sidecar(c2pa_assertion(envelope), OWNERS) == CLAIM
    value = json.loads(envelope)
    payload = base64.b64decode(value["payload"])
    statement = json.loads(payload)
    assert statement["subject"] == [{"name": "model.onnx", "digest": {"sha256": "6d" * 32}}]
    assert statement["predicate"]["commitment"] == {"sha256": D.hex()}
    signature = base64.b64decode(value["signatures"][0]["sig"])
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    public = private_key(key).public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    else:
        public.verify(signature, signed)


def changed(**changes: Any) -> bytes:
    """An owner's envelope with other members."""
    return json.dumps(json.loads(CLAIM.signed(ED_KEY)) | changes).encode()


def test_url_safe_base64_and_further_signatures_are_read() -> None:
    """DSSE demands both alphabets; a stranger may sign beside the owner."""
    value = json.loads(CLAIM.signed(ED_KEY))
    for part in (value, value["signatures"][0]):
        name = "payload" if part is value else "sig"
        part[name] = part[name].replace("+", "-").replace("/", "_")
    value["signatures"].insert(0, {"sig": "AAAA"})
    assert read_sidecar(json.dumps(value).encode(), OWNERS) == CLAIM


def test_a_strangers_claim_on_somebodys_commitment() -> None:
    with pytest.raises(InvalidSignature):
        read_sidecar(CLAIM.signed(SigningKey.generate()), OWNERS)
    payload = base64.b64encode(b"{}").decode()
    with pytest.raises(InvalidSignature):
        read_sidecar(changed(payload=payload), OWNERS)
    with pytest.raises(InvalidSignature):
        read_sidecar(CLAIM.signed(P256_KEY), [ED_KEY.public])


def test_a_signature_of_another_protocol_is_no_claim() -> None:
    with pytest.raises(Malformed):
        ED_KEY.sign_dsse(b"zkwm-signature-1")
    with pytest.raises(Malformed):
        ED_KEY.sign_cose(pre_authentication_encoding(PAYLOAD_TYPE, b""))
    digest = b"d" * 32
    other = base64.b64encode(ED_KEY.sign("commitment", digest)).decode()
    with pytest.raises(InvalidSignature):
        read_sidecar(changed(signatures=[{"sig": other}]), OWNERS)


def test_another_payload_type_or_predicate() -> None:
    with pytest.raises(Unsupported):
        read_sidecar(changed(payloadType="text/plain"), OWNERS)
    value = json.loads(CLAIM.to_payload()) | {"predicateType": "https://slsa.dev/provenance/v1"}
    with pytest.raises(Unsupported):
        Sidecar.from_payload(json.dumps(value).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"payload":"","payload":"","payloadType":"","signatures":[]}',
        b'{"assertions":[]}',
        b'{"assertions":[{"label":"' + C2PA_LABEL.encode() + b'","data":{}}]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b" " * (1 << 20) + b"{}",
        b'{"payload":"*","payloadType":"application/vnd.in-toto+json","signatures":[{}]}',
    ],
)
def test_what_is_no_claim(data: bytes) -> None:
    with pytest.raises(ZkwmError):
        read_sidecar(data, OWNERS)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": []},
        {"subject": [{"name": "a", "digest": {"md5": "0"}}]},
        {"subject": [{"name": "a\u202eb", "digest": {"sha256": "6d" * 32}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "6D" * 32}}]},
        {"subject": [{"name": "a", "digest": {"sha256": "6d" * 32}}] * 2},
        {"predicate": {"commitment": {"sha256": "00"}, "log": []}},
        {"predicate": {"commitment": {"sha256": "44" * 32}, "log": [{"origin": "o", "index": -1}]}},
        {"more": 1},
    ],
)
def test_statements_that_are_refused(change: dict[str, Any]) -> None:
    value = json.loads(CLAIM.to_payload()) | change
    with pytest.raises(Malformed):
        Sidecar.from_payload(json.dumps(value).encode())
