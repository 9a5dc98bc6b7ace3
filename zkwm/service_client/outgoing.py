"""What a signed file is to a registry's service: where it goes, and with what beside it.

Each file says itself what it is and which claim it is about; nothing secret is taken.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from zkwm_protocols.argument_response import read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import (
    CommitmentStatement,
    DisputeEvent,
    DisputeStatement,
    VerdictStatement,
)
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.schema import require_bytes
from zkwm_protocols.verdict_file import VerdictFile

FILE_LIMIT = 64 * 2**20
"""Bytes of the largest file that a service takes."""
_FILE, _STATEMENT, _JSON = "application/octet-stream", "application/cose", "application/json"
_FIRST_LINE = re.compile(rb"zkwm-([a-z-]+)/\d+\n")
_KNOWN = (
    "send a commitment (of zkwm commit or register), a challenge (zkwm challenge; perhaps with "
    "`answer_within` and `listing`), a proof (zkwm prove), a signed verdict (zkwm verify with "
    "`Verdict.signed_by`) with its statement (zkwm registry state-verdict; `statement`), or an "
    "owner's withdrawal (zkwm registry state-withdrawal) with its challenge (`challenge`)"
)


class SentKind(StrEnum):
    """What is sent."""

    COMMITMENT = "commitment"
    CHALLENGE = "challenge"
    ANSWER = "answer"
    VERDICT = "verdict"
    WITHDRAWAL = "withdrawal"


NOUNS = {
    SentKind.COMMITMENT: "a commitment",
    SentKind.CHALLENGE: "a challenge",
    SentKind.ANSWER: "an answer",
    SentKind.VERDICT: "a verdict",
    SentKind.WITHDRAWAL: "a withdrawal",
}


@dataclass(frozen=True)
class Outgoing:
    """A request: what it is, its path below ``/v1/``, its body, and what the body is.

    ``about`` is the digest that the service's own answer names: of the commitment, or of the
    claim's challenge.
    """

    kind: SentKind
    path: str
    body: bytes
    media_type: str
    about: str


def outgoing(
    file: bytes,
    *,
    statement: bytes | None = None,
    challenge: bytes | None = None,
    answer_within: int | None = None,
    listing: str | None = None,
) -> Outgoing:
    """Where a file goes, and as what, by its content alone.

    Args:
        file: of a commitment, challenge, answer or verdict, or an owner's withdrawal.
        statement: the judge's about the verdict, for a verdict; the owner's about the commitment,
            where its file carries no log proof.
        challenge: the claim's, for a withdrawal.
        answer_within: seconds that the owner has to answer, for a challenge.
        listing: the holder's own name of the offer, for a challenge.

    Raises UsageError for what no service takes, and for options of another kind of file; Malformed
    or Unsupported for a file that cannot be read, InvalidSignature for a forged statement.
    """
    first = _FIRST_LINE.match(file)
    kind = "" if first is None else first[1].decode()
    made = _made(kind, file, statement, challenge, answer_within, listing)
    options = (("statement", statement), ("challenge", challenge),
               ("answer_within", answer_within), ("listing", listing))  # fmt: skip
    fitting = {
        SentKind.COMMITMENT: {"statement"},
        SentKind.VERDICT: {"statement"},
        SentKind.WITHDRAWAL: {"challenge"},
        SentKind.CHALLENGE: {"answer_within", "listing"},
    }.get(made.kind, set())
    if others := [name for name, value in options if value is not None and name not in fitting]:
        name = others[0].replace("_", " ")
        raise UsageError(f"{NOUNS[made.kind]} is sent without a {name}", hint=_KNOWN)
    return made


def _made(
    kind: str,
    file: bytes,
    statement: bytes | None,
    challenge: bytes | None,
    answer_within: int | None,
    listing: str | None,
) -> Outgoing:
    """The request for a file of this kind."""
    if kind == "commitment":
        return _commitment(file, statement)
    if kind == "challenge":
        asked = {"answer_within": answer_within, "listing": listing}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        claim = Challenge.from_bytes(file).digest.hex()
        path = f"claims?{query}" if query else "claims"
        return Outgoing(SentKind.CHALLENGE, path, file, _FILE, claim)
    if kind == "proof":
        return _about(SentKind.ANSWER, read_response(file).challenge, "answer", file, _FILE)
    if kind == "verdict":
        return _verdict(file, statement)
    if kind:
        raise UsageError(f"a {kind} goes to no service", hint=_KNOWN)
    return _withdrawal(file, challenge)


def _commitment(file: bytes, statement: bytes | None) -> Outgoing:
    """A commitment, with its owner's statement where its file has none. Raises UsageError."""
    digest = Commitment.from_bytes(file).digest
    if statement is None:
        return Outgoing(SentKind.COMMITMENT, "commitments", file, _FILE, digest.hex())
    if SignedStatement.from_bytes(statement).content != CommitmentStatement(digest):
        raise UsageError(
            "the statement is not about this commitment",
            hint="leave `statement` out for a file that zkwm register wrote for a log",
        )
    body = _both(commitment=file, statement=statement)
    return Outgoing(SentKind.COMMITMENT, "commitments", body, _JSON, digest.hex())


def _both(**parts: bytes) -> bytes:
    """Two files as JSON, each in base64."""
    encoded = {name: base64.b64encode(data).decode("ascii") for name, data in parts.items()}
    return json.dumps(encoded).encode()


def _about(kind: SentKind, challenge: bytes, end: str, body: bytes, media_type: str) -> Outgoing:
    """A request about the claim of a challenge."""
    claim = challenge.hex()
    return Outgoing(kind, f"claims/{claim}/{end}", body, media_type, claim)


def _verdict(file: bytes, statement: bytes | None) -> Outgoing:
    """A verdict with the statement of its judge. Raises UsageError, Malformed."""
    asked = VerdictFile.from_bytes(file).fields()["challenge"]
    if asked is None:
        raise UsageError(
            "this verdict names no challenge: it came to no claim that a service could decide"
        )
    challenge = Challenge.from_bytes(require_bytes(asked))
    if statement is None:
        raise UsageError(
            "a verdict is sent with its judge's statement, which the log takes first",
            hint="sign one (zkwm registry state-verdict), and give it (`statement`)",
        )
    content = SignedStatement.from_bytes(statement).content
    if (
        not isinstance(content, VerdictStatement)
        or content.verdict != hashlib.sha256(file).digest()
    ):
        raise UsageError(
            "the statement is not about this verdict",
            hint="sign one for it (zkwm registry state-verdict), and give it (`statement`)",
        )
    body = _both(verdict=file, statement=statement)
    return _about(SentKind.VERDICT, challenge.digest, "verdict", body, _JSON)


def _withdrawal(file: bytes, challenge: bytes | None) -> Outgoing:
    """An owner's statement that they withdraw a claim. Raises UsageError, Malformed."""
    try:
        content = SignedStatement.from_bytes(file).content
    except Malformed:
        raise UsageError(
            "no service takes this file: it is neither a file of zkwm's nor a signed statement, or "
            "it is damaged",
            hint=_KNOWN,
        ) from None
    if isinstance(content, VerdictStatement | CommitmentStatement):
        what = "verdict" if isinstance(content, VerdictStatement) else "commitment"
        raise UsageError(
            f"this is the statement of a {what}, which no service takes alone",
            hint=f"send the {what}'s file, with this as its statement (`statement`)",
        )
    if not isinstance(content, DisputeStatement) or content.event != DisputeEvent.WITHDRAWN:
        raise UsageError(
            "this statement is for the log alone, and no service takes it",
            hint="register it at the log (zkwm key log)",
        )
    if challenge is None:
        raise UsageError(
            "a withdrawal is sent with the challenge of its claim",
            hint="give the file that zkwm registry state-withdrawal was given (`challenge`)",
        )
    if content.document != hashlib.sha256(challenge).digest():
        raise UsageError("the withdrawal is about another challenge")
    claim = Challenge.from_bytes(challenge).digest
    return _about(SentKind.WITHDRAWAL, claim, "owner-withdrawal", file, _STATEMENT)
