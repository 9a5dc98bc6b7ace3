"""What logs, witnesses and issuers of statements send: SPEC.md 23."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from tests.fuzz.byte_changes import Change, chosen, headed, mixed
from tests.fuzz.cbor_changes import change_cbor, encoded
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.text_changes import change_lines
from tests.fuzz.trees import Nested, Pairs, Tree, change_tree
from tests.support.statements import statements
from tests.support.stored_vectors import vectors
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import (
    LOG_KEY,
    POLICY,
    POLICY_TEXT,
    TIME,
    WITNESSES,
    proof_of,
    signed,
    two_histories,
)
from zkwm.judge.dating import read_dates
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.cbor import decode, decode_sign1, encode_sign1
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import Receipt, sign_receipt
from zkwm_protocols.cose.statement import SignedStatement, TransparentStatement
from zkwm_protocols.encoding import pack, unpack
from zkwm_protocols.errors import InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint, sign_checkpoint
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tiles import ENTRIES, Tile, read_bundle, write_bundle
from zkwm_protocols.transparency.tree import prove_consistency, prove_inclusion
from zkwm_protocols.transparency.witness import AddCheckpoint, read_answer, write_answer
from zkwm_protocols.trust import Trust

ALL = [one.to_bytes() for one in statements()]
LOG = TiledLog(ALL)
SIGNED_ERRORS = (*DOCUMENT_ERRORS, InvalidSignature)


def change_cose(data: bytes, random: Random) -> bytes:
    """A COSE_Sign1 with its tree changed, headers included."""
    try:
        parts = decode_sign1(data, limit=1 << 20)
    except Malformed:
        return data
    whole = _tree(parts)
    if isinstance(parts, list) and isinstance(whole, list) and parts:
        with suppress(Malformed):
            whole[0] = Nested(_tree(decode(parts[0], limit=1 << 20)))
    odd = random if random.random() < 0.15 else None
    return data[:1] + encoded(change_tree(whole, random), odd)


def _tree(value: Any) -> Tree:
    """The tree of a decoded value."""
    if isinstance(value, dict):
        return Pairs(tuple((key, _tree(item)) for key, item in value.items()))
    return [_tree(item) for item in value] if isinstance(value, list) else value


def _read(kind: Any, check: Callable[[Any], object]) -> Callable[[bytes], Any]:
    """A reader that then makes a check, which may refuse, by an error of zkwm alone."""

    def read(data: bytes) -> Any:
        value = kind.from_bytes(data)
        with suppress(ZkwmError):
            check(value)
        return value

    return read


def _kind(name: str, samples: list[bytes], change: Change, read: Any, **more: Any) -> Kind:
    """A kind that is written back."""
    more.setdefault("again", lambda value: value.to_bytes())
    return Kind(name, mixed(chosen(samples), change), read, **more)


def note_kinds() -> list[Kind]:
    """Checkpoints, proofs, policies and what a witness is sent and answers."""
    checkpoint = signed(LOG)
    keys = [LOG_KEY.verifier, *(key.verifier for key in WITNESSES)]
    lines = [sign_checkpoint(checkpoint.checkpoint, key, TIME) for key in WITNESSES]
    request = AddCheckpoint(5, tuple(prove_consistency(5, LOG.size, LOG.hashes())), checkpoint)
    known = TiledLog(ALL[:5]).head()
    texts = [key.to_text().encode() for key in keys]
    checks: dict[str, Callable[[Any], object]] = {
        "checkpoint": lambda one: [one.signed_by(key, latest=TIME) for key in keys],
        "proof of a log": lambda one: one.verify(leaf_hash(ALL[3]), POLICY, latest=TIME + 9),
        "request to a witness": lambda one: one.require_acceptable(keys, known),
        "evidence against a log": lambda one: one.verify(keys),
    }
    return [
        _kind("checkpoint of a log", [checkpoint.to_bytes()], change_lines,
              _read(SignedCheckpoint, checks["checkpoint"])),
        _kind("proof of a log", [proof_of(LOG, 3).to_bytes()], change_lines,
              _read(ProofFile, checks["proof of a log"])),
        _kind("request to a witness", [request.to_bytes()], change_lines,
              _read(AddCheckpoint, checks["request to a witness"])),
        _kind("answer of a witness", [write_answer(lines)], change_lines,
              lambda data: read_answer(data, checkpoint.checkpoint, keys),
              errors=SIGNED_ERRORS, again=None),
        _kind("log policy", [POLICY_TEXT.encode()], change_lines,
              _read(LogPolicy, lambda policy: policy.require(checkpoint)), again=None),
        _kind("verifier key", texts, change_lines,
              lambda data: VerifierKey.from_text(data.decode("utf-8", "surrogateescape")),
              again=lambda key: key.to_text().encode()),
        _kind("evidence against a log", [two_histories().to_bytes()], headed(change_cbor),
              _read(Equivocation, checks["evidence against a log"])),
    ]  # fmt: skip


def tile_kinds() -> list[Kind]:
    """Names of tiles, as a server is asked for them, and bundles of entries."""
    paths = [Tile(0, 1_234_067).path, Tile(ENTRIES, 3, 7).path, Tile(63, 999).path]
    bundle = Tile(ENTRIES, 0, len(ALL))
    return [
        _kind("path of a tile", [path.encode() for path in paths], change_lines,
              lambda data: Tile.from_path(data.decode("utf-8", "replace")),
              again=lambda tile: tile.path.encode()),
        _kind("bundle of entries", [LOG.read(bundle)], change_lines,
              lambda data: read_bundle(bundle, data), again=write_bundle),
    ]  # fmt: skip


def cose_kinds() -> list[Kind]:
    """Statements and receipts."""
    subject = statements()[3].content.subject
    proof = prove_inclusion(3, LOG.size, LOG.hashes())
    receipt = sign_receipt(subject, LOG.head(), 3, proof, LOG_KEY)
    logged = LoggedStatement(statements()[3], proof_of(LOG, 3))
    transparent = [
        TransparentStatement(one, (receipt.to_bytes(),)).to_bytes() for one in statements()
    ]
    return [
        _kind("statement", ALL, change_cose, SignedStatement.from_bytes, errors=SIGNED_ERRORS),
        _kind("statement with its proof", [logged.to_bytes()], change_lines,
              _read(LoggedStatement, lambda one: one.verify(POLICY)), errors=SIGNED_ERRORS),
        _kind("transparent statement", transparent, change_cose, TransparentStatement.from_bytes,
              errors=SIGNED_ERRORS),
        _kind("receipt", [receipt.to_bytes()], change_cose,
              _read(Receipt, lambda one: one.verify(leaf_hash(ALL[3]), subject, LOG_KEY.verifier))),
        _kind("COSE value", ALL, change_cose, lambda data: decode_sign1(data, limit=1 << 16),
              again=encode_sign1),
    ]  # fmt: skip


def commitment_kinds() -> list[Kind]:
    """Commitments with log proofs, and whether a judge who trusts their log dates them."""
    stored = [one for one in vectors("commitment")["commitments"] if one["name"] == "in a log"]
    trust = Trust((), log_policy=POLICY_TEXT.encode(), log_dates=True)

    def change(data: bytes, random: Random) -> bytes:
        """Another text in one of the log proofs, in a file that is well encoded."""
        with suppress(Malformed):
            fields = unpack("commitment", data, limit=1 << 20)
            proofs = fields["log_proofs"]
            place = random.randrange(len(proofs))
            proofs[place] = change_lines(proofs[place], random)
            return pack("commitment", fields)
        return data

    def read(data: bytes) -> Commitment:
        commitment = Commitment.from_bytes(data)
        read_dates(commitment, trust, clock=TIME)
        return commitment

    files = [bytes.fromhex(one["file"]) for one in stored]
    return [_kind("commitment in a log", files, change, read)]


@functools.cache
def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [*note_kinds(), *tile_kinds(), *cose_kinds(), *commitment_kinds()]
