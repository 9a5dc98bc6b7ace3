"""Receipts: a second reader both ways, and what they are not taken for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import scitt_cose
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from scitt_cose import cose_sign1

from tests.support.statements import statements
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, ORIGIN, SECOND_KEY
from zkwm_protocols.cose.cbor import encode
from zkwm_protocols.cose.receipt import Receipt, sign_receipt
from zkwm_protocols.cose.sign1 import Sign1
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed, Unsupported
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.tree import prove_inclusion

STATEMENTS = statements()
ENTRIES = [one.to_bytes() for one in STATEMENTS]
LOG = TiledLog(ENTRIES)
INDEX = 5
LEAF, SUBJECT = leaf_hash(ENTRIES[INDEX]), STATEMENTS[INDEX].content.subject
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(LOG_KEY.to_bytes())
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PRIVATE_PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def receipt(key: NoteSigningKey = LOG_KEY) -> Receipt:
    proof = prove_inclusion(INDEX, LOG.size, LOG.hashes())
    return sign_receipt(SUBJECT, LOG.head(), INDEX, proof, key)


def test_a_receipt_is_verified() -> None:
    read = Receipt.from_bytes(receipt().to_bytes())
    assert read == receipt()
    assert read.verify(LEAF, SUBJECT, LOG_KEY.verifier) == LOG.head().root


def test_a_second_reader_reads_ours() -> None:
    found = scitt_cose.verify_receipt(
        receipt().to_bytes(), leaf_entry_hex=ENTRIES[INDEX].hex(), log_public_key_pem=PUBLIC_PEM
    )
    assert found.ok, found.errors
    assert (found.root, found.tree_size, found.leaf_index) == (
        LOG.head().root.hex(), LOG.size, INDEX,
    )  # fmt: skip
    assert (found.issuer, found.subject) == (ORIGIN, SUBJECT)
    other = scitt_cose.verify_receipt(
        receipt().to_bytes(), leaf_entry_hex=ENTRIES[6].hex(), log_public_key_pem=PUBLIC_PEM
    )
    assert not other.ok


def test_we_read_what_the_second_writer_signs() -> None:
    """Its own tree, proof and signature; its headers in the order that we demand."""
    texts = [entry.hex() for entry in ENTRIES]
    path = [bytes.fromhex(one) for one in scitt_cose.inclusion_proof(texts, INDEX)]
    proof = encode([len(texts), INDEX, path])
    data = cose_sign1.sign_sign1(
        bytes.fromhex(scitt_cose.merkle_root(texts)),
        alg="EdDSA",
        private_key_pem=PRIVATE_PEM,
        protected={1: 0, 4: LOG_KEY.verifier.key_id, 15: {1: ORIGIN, 2: SUBJECT}, 395: 1},
        unprotected={396: {-1: [proof]}},
        detached=True,
    )
    assert data == receipt().to_bytes()
    assert Receipt.from_bytes(data).verify(LEAF, SUBJECT, LOG_KEY.verifier) == LOG.head().root
    whole: Any = scitt_cose.build_receipt(
        leaf_entry_hex=texts[INDEX], leaf_index=INDEX, tree_entries_hex=texts, alg="EdDSA",
        log_private_key_pem=PRIVATE_PEM, iss=ORIGIN, sub=SUBJECT, kid=LOG_KEY.verifier.key_id,
    )  # fmt: skip
    with pytest.raises(Malformed):  # its headers are not in the one deterministic order
        Receipt.from_bytes(whole)


def test_another_entry_statement_log_or_tree_is_refused() -> None:
    good = receipt()
    with pytest.raises(InvalidSignature):
        good.verify(leaf_hash(ENTRIES[6]), SUBJECT, LOG_KEY.verifier)
    for change in ({"index": 6}, {"proof": good.proof[::-1]}):
        with pytest.raises((InvalidSignature, InvalidLogProof)):
            replace(good, **change).verify(LEAF, SUBJECT, LOG_KEY.verifier)
    with pytest.raises(InvalidLogProof):
        replace(good, proof=good.proof[:-1]).verify(LEAF, SUBJECT, LOG_KEY.verifier)
    with pytest.raises(InvalidLogProof):
        good.verify(LEAF, "urn:zkwm:commitment:" + "00" * 32, LOG_KEY.verifier)
    with pytest.raises(Malformed):
        replace(good, index=LOG.size).verify(LEAF, SUBJECT, LOG_KEY.verifier)
    with pytest.raises(InvalidSignature):
        replace(good, signature=bytes(64)).verify(LEAF, SUBJECT, LOG_KEY.verifier)
    thief = NoteSigningKey(ORIGIN, SignatureType.ED25519, b"t" * 32)
    with pytest.raises(InvalidLogProof):
        receipt(thief).verify(LEAF, SUBJECT, LOG_KEY.verifier)
    forged = replace(receipt(thief), key_id=LOG_KEY.verifier.key_id)
    with pytest.raises(InvalidSignature):
        forged.verify(LEAF, SUBJECT, LOG_KEY.verifier)
    with pytest.raises(Malformed):
        receipt(SECOND_KEY)


def test_size_and_index_of_a_receipt_are_signed_by_nobody() -> None:
    """The log signs the root alone (RFC 9942), so other numbers may fold to it: not to be used."""
    smaller = replace(receipt(), size=LOG.size - 1)
    assert smaller.verify(LEAF, SUBJECT, LOG_KEY.verifier) == LOG.head().root


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({395: 2}, Unsupported), ({395: True}, Unsupported), ({1: -7}, Unsupported),
        ({1: -35}, Unsupported), ({2: [395]}, Unsupported), ({4: b"12345"}, Malformed),
        ({15: {1: ORIGIN, 2: SUBJECT, 6: 5}}, Unsupported), ({15: {1: "", 2: SUBJECT}}, Malformed),
        ({15: {2: SUBJECT}}, Malformed),
    ],
)  # fmt: skip
def test_other_headers_are_refused(headers: dict[int, Any], error: type[Exception]) -> None:
    message = Sign1.from_bytes(receipt().to_bytes(), limit=9_999)
    changed = replace(message, protected=encode(message.headers() | headers))
    with pytest.raises(error):
        Receipt.from_bytes(changed.to_bytes())


def test_other_proofs_are_refused() -> None:
    message = Sign1.from_bytes(receipt().to_bytes(), limit=9_999)
    [proof] = message.unprotected[396][-1]
    long = encode([2**63 - 1, 0, [bytes(32)] * 64])
    for unprotected in (
        {}, {396: {}}, {396: {-1: []}}, {396: {-1: [proof, proof]}}, {396: {-2: [proof]}},
        {396: {-1: [proof], -2: [proof]}}, {396: [proof]}, {396: {-1: proof}}, {396: {-1: [5]}},
        {396: {-1: [proof]}, 4: b"k"}, {396: {-1: [proof[:-1]]}}, {396: {-1: [proof + b"\0"]}},
        {396: {-1: [long]}}, {396: {-1: [encode([0, 0, []])]}}, {396: {-1: [encode([1, 0])]}},
        {396: {-1: [encode([1, -1, []])]}}, {396: {-1: [encode([1, 0, [bytes(31)]])]}},
        {396: {-1: [encode([True, 0, []])]}}, {396: {-1: [encode([2**63, 0, []])]}},
    ):  # fmt: skip
        with pytest.raises(Malformed):
            Receipt.from_bytes(replace(message, unprotected=unprotected).to_bytes())
    with pytest.raises(Malformed):
        Receipt.from_bytes(replace(message, payload=LOG.head().root).to_bytes())
    with pytest.raises(Malformed):
        Receipt.from_bytes(replace(message, signature=bytes(63)).to_bytes())
