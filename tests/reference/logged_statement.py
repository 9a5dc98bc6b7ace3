"""A log proof of a commitment's file (SPEC.md 23.15), read line by line; nothing of the log is
verified but the statement's own signature."""

from __future__ import annotations

import base64
import binascii
import re

import cbor2

from tests.reference.cbor import RejectedError
from tests.reference.signatures import check_message, check_public_key

_FIRST = "c2sp.org/tlog-proof@v1"
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_ALGORITHMS = {-8: "ed25519", -7: "ecdsa-p256"}


def check_log_proof(data: bytes) -> bool:
    """Whether the statement in a proof file is about a key; `RejectedError` for no such file."""
    try:
        head, _, note = data.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise RejectedError("no text") from None
    first, extra, index, *path = [*head.split("\n"), "", ""]
    path = path[:-2]
    if first != _FIRST or not extra.startswith("extra ") or not index.startswith("index "):
        raise RejectedError("no proof of a log with a statement")
    if len(path) > 63 or any(len(_base64(one)) != 32 for one in path):
        raise RejectedError("no inclusion proof")
    _number(index.removeprefix("index "))
    _check_note(note)
    return _check_statement(_base64(extra.removeprefix("extra ")))


def _check_note(note: str) -> None:
    """A checkpoint with 1 to 64 signature lines."""
    text, between, signatures = note.partition("\n\n")
    lines = signatures.split("\n")
    if not between or lines.pop() != "" or not 1 <= len(lines) <= 64:
        raise RejectedError("no signed note")
    origin, size, root, *_ = [*text.split("\n"), "", ""]
    if not origin or len(_base64(root)) != 32:
        raise RejectedError("no checkpoint")
    _number(size)
    for line in lines:
        dash, name, signature = [*line.split(" "), "", ""][:3]
        if dash != "\u2014" or not name or len(_base64(signature)) < 5:
            raise RejectedError("no line of a signature")


def _check_statement(data: bytes) -> bool:
    """A COSE_Sign1 that the key in its own headers signed; whether its subject is a key."""
    try:
        protected, unprotected, payload, signature = cbor2.loads(data).value
        headers = cbor2.loads(protected)
        key = headers[14][8][1]
        public = key[-2]
        if key[1] == 2:
            public = bytes([2 + key[-3][-1] % 2]) + key[-2]
    except (cbor2.CBORError, ValueError, TypeError, LookupError, AttributeError):
        raise RejectedError("no statement") from None
    if unprotected != {}:
        raise RejectedError("unprotected headers")
    message = cbor2.dumps(["Signature1", protected, b"", payload])
    algorithm = _ALGORITHMS.get(headers[1], "")
    signer = {"algorithm": algorithm, "public": public}
    check_public_key(signer)
    check_message(signer, message, signature)
    return str(headers[15][2]).startswith("urn:zkwm:key:")


def _number(text: str) -> None:
    if not _DECIMAL.fullmatch(text) or int(text) >= 2**63:
        raise RejectedError("no number")


def _base64(text: str) -> bytes:
    """The bytes, in the one spelling with padding."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise RejectedError("no base64") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise RejectedError("another spelling of base64")
    return data
