"""What the files of a log say: proofs, checkpoints, statements, receipts, policies (SPEC.md 23).

They have no first line of zkwm's: they are told apart by how their standards make them begin.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from zkwm.report.stated import stated_in_words
from zkwm.written_dates import in_words, interval_values
from zkwm_cli.reading import Reading
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import Receipt
from zkwm_protocols.cose.statement import SignedStatement, TransparentStatement
from zkwm_protocols.dates import WITNESS_SECONDS, Interval, witnessed_interval
from zkwm_protocols.errors import CouldNotCheck, ZkwmError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.policy import LogPolicy, Witnessed
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.trust import Trust

Tests = dict[str, Callable[[], object] | None]

LOG_KINDS = ("tlog-proof", "checkpoint", "statement", "receipt", "log-policy")
_PROOF = b"c2sp.org/tlog-proof@v1\n"
_SIGN1 = b"\xd2"
_SIGNED = b"\n\n\xe2\x80\x94 "
_POLICY = (b"log ", b"log\t", b"witness ", b"group ", b"quorum ")


def log_kind(data: bytes) -> str:
    """The kind of a log's file, empty for what is none."""
    if data.startswith(_PROOF):
        return "tlog-proof"
    if data.startswith(_SIGN1):
        return "statement" if _is_statement(data) else "receipt"
    if _SIGNED in data[: 1 << 16]:
        return "checkpoint"
    lines = [line for line in data[: 1 << 16].split(b"\n") if line and not line.startswith(b"#")]
    return "log-policy" if lines and lines[0].startswith(_POLICY) else ""


def log_fields(kind: str, data: bytes, trust: Trust | None) -> Reading:
    """The fields of a log's file, and what of it can be checked by ``trust``.

    Raises Malformed, Unsupported or InvalidSignature where it cannot be read.
    """
    policy = None if trust is None else trust.read_log_policy()
    if kind == "tlog-proof":
        return _proof(data, policy)
    if kind == "checkpoint":
        signed = SignedCheckpoint.from_bytes(data)
        tests: Tests = {
            "checkpoint.policy": None if policy is None else partial(policy.require, signed)
        }
        return Reading(_checkpoint(signed), tests, _BY_POLICY)
    if kind == "statement":
        return _statement(data)
    if kind == "receipt":
        return _receipt(data)
    return _policy(data)


_BY_POLICY = "with a trust folder that has a log-policy: zkwm inspect FILE --trust FOLDER"


def _is_statement(data: bytes) -> bool:
    """Whether these bytes are no receipt: that is read first, and refuses every statement."""
    try:
        Receipt.from_bytes(data)
    except ZkwmError:
        return True
    return False


def _proof(data: bytes, policy: LogPolicy | None) -> Reading:
    """A proof of an entry, with or without its statement."""
    proof = ProofFile.from_bytes(data)
    fields: dict[str, Any] = {"index": proof.index, **_checkpoint(proof.checkpoint)}
    fields |= {"seen_by": None, "statement": None}
    tests: Tests = {"statement.signature": None, "log.proof": None}
    lines: dict[str, list[str]] = {}
    if proof.extra is not None:
        logged = LoggedStatement.from_bytes(data)
        fields["statement"] = _stated(logged.statement)
        tests = {
            "statement.signature": lambda: None,  # it was verified as it was read
            "log.proof": None if policy is None else partial(_verify, logged, policy),
        }
        seen = None if policy is None else _seen(logged, policy)
        if seen is not None:
            fields["seen_by"] = interval_values(seen)
            lines["seen_by"] = [f"{in_words(seen)}, by a quorum of the policy's witnesses"]
    return Reading(fields, tests, _BY_POLICY, lines)


def _verify(logged: LoggedStatement, policy: LogPolicy) -> Witnessed:
    """Check that log and witnesses of the policy signed the tree, and the entry stands in it."""
    return logged.verify(policy, latest=int(time.time()) + WITNESS_SECONDS)


def _seen(logged: LoggedStatement, policy: LogPolicy) -> Interval | None:
    """By when a quorum of witnesses had seen the entry; None where the proof does not verify."""
    try:
        time = policy.reached_at(_verify(logged, policy))
    except ZkwmError:
        return None
    return None if time is None else witnessed_interval(time)


def _statement(data: bytes) -> Reading:
    """A signed statement, perhaps with receipts."""
    receipts = 0
    try:
        statement = SignedStatement.from_bytes(data)
    except CouldNotCheck as error:
        try:
            transparent = TransparentStatement.from_bytes(data)
        except CouldNotCheck:
            raise error from None
        statement, receipts = transparent.statement, len(transparent.receipts)
    fields = {**_stated(statement), "receipts": receipts}
    advice = "compare the key's fingerprint with the one that its holder published"
    return Reading(fields, {"statement.signature": lambda: None}, advice)


def _stated(statement: SignedStatement) -> dict[str, Any]:
    """What a statement says, and which key signed it; the issuer is what it claims of itself."""
    return {
        "sha256": hashlib.sha256(statement.to_bytes()).hexdigest(),
        "content_type": statement.content.CONTENT_TYPE,
        "subject": statement.content.subject,
        "issuer": statement.issuer,
        "key": statement.key.fingerprint(),
        "says": stated_in_words(statement.content),
    }


def _receipt(data: bytes) -> Reading:
    """A log's receipt, which no witness has seen."""
    receipt = Receipt.from_bytes(data)
    fields = {"log": receipt.origin, "subject": receipt.subject, "log_key_id": receipt.key_id.hex()}
    advice = (
        "a receipt alone shows no witness and no time: get the .tlog-proof; size and index in it "
        "are signed by nobody"
    )
    return Reading(fields, {"receipt.signature": None}, advice)


def _checkpoint(signed: SignedCheckpoint) -> dict[str, Any]:
    """The signed tree, and who is named in its signature lines."""
    head = signed.checkpoint.head
    return {
        "log": signed.checkpoint.origin,
        "tree_size": head.size,
        "root": head.root.hex(),
        "signed_by": [line.name for line in signed.signatures],
    }


def _policy(data: bytes) -> Reading:
    """Which logs and witnesses a policy names, and how many are enough."""
    policy = LogPolicy.from_bytes(data)
    fields = {
        "logs": [log.key.to_text() for log in policy.logs],
        "witnesses": [{"name": one.name, "operator": one.key.name} for one in policy.witnesses],
        "groups": [
            {"name": one.name, "needed": one.threshold, "members": list(one.members)}
            for one in policy.groups
        ],
        "quorum": policy.quorum,
    }
    return Reading(fields, {}, "put it into a trust folder as log-policy (docs/registration.md)")
