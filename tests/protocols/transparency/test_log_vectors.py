"""``spec/vectors/log.json``: what we read, made again, and read by others."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
import scitt_cose
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.reference import transparency as reference
from tests.support.statements import KEYS, P256_KEY, D
from tests.support.stored_vectors import vectors
from tests.vectors.log import INDEX, OLD, log_vectors
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import Receipt
from zkwm_protocols.cose.statement import SignedStatement, TransparentStatement
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import TreeHead
from zkwm_protocols.transparency.witness import AddCheckpoint


@pytest.fixture(scope="module")
def stored() -> Any:
    return vectors("log")


@pytest.fixture(scope="module")
def entries(stored: Any) -> list[bytes]:
    return [bytes.fromhex(one["statement"]) for one in stored["statements"]]


def test_made_again_it_is_the_same(stored: Any) -> None:
    assert log_vectors() == stored


def test_we_read_it(stored: Any, entries: list[bytes]) -> None:
    for one, data in zip(stored["statements"], entries, strict=True):
        read = SignedStatement.from_bytes(data)
        assert read.content.subject == one["subject"]
        assert read.content.to_payload().hex() == one["payload"]
    policy = LogPolicy.from_bytes(stored["policy"].encode())
    leaf = leaf_hash(entries[INDEX])
    proof = ProofFile.from_bytes(stored["proof"].encode())
    assert len(proof.verify(leaf, policy, latest=stored["time"] + 9).witnesses) == 3
    logged = LoggedStatement.from_bytes(stored["log_proof"].encode())
    logged.verify(policy)
    logged.require_commitment(D, [P256_KEY.public])
    keys = [VerifierKey.from_text(key["verifier"]) for key in stored["keys"]]
    request = AddCheckpoint.from_bytes(stored["witness_request"].encode())
    request.require_acceptable(keys[:2], TreeHead(OLD, bytes.fromhex(stored["old_root"])))
    assert Equivocation.from_bytes(bytes.fromhex(stored["equivocation"])).verify(keys) == keys[0]
    receipt = Receipt.from_bytes(bytes.fromhex(stored["receipt"]))
    root = receipt.verify(leaf, stored["statements"][INDEX]["subject"], keys[0])
    assert root == proof.checkpoint.checkpoint.head.root
    whole = TransparentStatement.from_bytes(bytes.fromhex(stored["transparent_statement"]))
    assert whole.receipts == (receipt.to_bytes(),)
    assert SignedCheckpoint.from_bytes(stored["checkpoint"].encode()) == proof.checkpoint


def test_others_read_it(stored: Any, entries: list[bytes]) -> None:
    """scitt-cose and the recursion of RFC 9162, from bytes and text alone."""
    key = KEYS["EdDSA"].public.data
    for one, data in zip(stored["statements"], entries, strict=True):
        if one["algorithm"] == "ed25519":
            found = scitt_cose.parse_signed_statement(data, public_key_pem=pem(key))
            assert found["signature_verified"] is True
            assert found["subject"] == one["subject"]
    _, index, *path = stored["proof"].partition("\n\n")[0].split("\n")
    origin, size, root = stored["checkpoint"].partition("\n\n")[0].split("\n")
    decoded = [base64.b64decode(line) for line in path]
    slow = reference.Log([leaf_hash(entry) for entry in entries])
    assert slow.head(int(size)) == base64.b64decode(root)
    assert index == f"index {INDEX}"
    assert decoded == slow.path(INDEX, int(size))
    result = scitt_cose.verify_receipt(
        bytes.fromhex(stored["receipt"]),
        leaf_entry_hex=entries[INDEX].hex(),
        log_public_key_pem=pem(typed_key(stored["keys"][0])[1:]),
    )
    assert result.ok
    assert result.issuer == origin


def test_every_signature_line_by_hand(stored: Any) -> None:
    """Messages put together here from C2SP's text, verified by the library alone."""
    text, _, lines = stored["checkpoint"].partition("\n\n")
    origin, size, root = text.split("\n")
    for line, key in zip(lines.rstrip("\n").split("\n"), stored["keys"], strict=True):
        dash, name, encoded = line.split(" ")
        typed, data = typed_key(key), base64.b64decode(encoded)
        assert (dash, name) == ("\u2014", key["name"])
        assert data[:4] == hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        if typed[0] == 1:
            verify_ed25519(typed[1:], data[4:], f"{text}\n".encode())
            continue
        time = int.from_bytes(data[4:12], "big")
        if typed[0] == 4:
            message = f"cosignature/v1\ntime {time}\n{text}\n".encode()
            verify_ed25519(typed[1:], data[12:], message)
            continue
        message = b"".join(
            [b"subtree/v1\n\0", bytes([len(name)]), name.encode(), data[4:12],
             bytes([len(origin)]), origin.encode(), bytes(8), int(size).to_bytes(8, "big"),
             base64.b64decode(root)]
        )  # fmt: skip
        mldsa.MLDSA44PublicKey.from_public_bytes(typed[1:]).verify(data[12:], message)


def typed_key(key: dict[str, str]) -> bytes:
    """Type and public key of a verifier key."""
    return base64.b64decode(key["verifier"].split("+", 2)[2])


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> None:
    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


def pem(public: bytes) -> bytes:
    key = ed25519.Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
