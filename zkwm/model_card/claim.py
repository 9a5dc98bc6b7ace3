"""A claim in a model card: this commitment is said to be about these models (SPEC.md 21)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zkwm.suspects.foreign_text import printable
from zkwm.suspects.model_digests import MOST_FILES, ModelDigest
from zkwm_protocols.commitment import MAXIMUM_LOG_PROOFS, Commitment
from zkwm_protocols.errors import Malformed, UsageError

if TYPE_CHECKING:
    from zkwm_protocols.cose.logged_statement import LoggedStatement

SCHEMA = "zkwm/claim/v1"
LONGEST_URL = 500
_LONGEST_NAME = 200
_LONGEST_VERSION = 100
_LONGEST_ORIGIN = 255
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FINGERPRINT = re.compile(r"([a-z2-7]{4}-){7}[a-z2-7]{4}")
_KINDS = ("onnx", "safetensors")
_MOST_KEYS = 4
_INDEX = re.compile(r"0|[1-9][0-9]{0,18}")
_KEYS = {"schema", "commitment", "owner", "models", "url", "logs", "version"}
_OPTIONAL = {"url", "logs"}


@dataclass(frozen=True)
class ClaimedModel:
    """A model that a claim names: its file as stated, its kind, its digest of 32 bytes."""

    file: str
    kind: str
    digest: bytes


@dataclass(frozen=True)
class ClaimedEntry:
    """An entry of a log: the log's origin, its index from 0, SHA-256 of the statement (32 bytes).

    A card proves none of it: the commitment's file does, where it has the proof.
    """

    log: str
    index: int
    statement: bytes

    @classmethod
    def of(cls, proof: LoggedStatement) -> ClaimedEntry:
        """The entry that a log proof is about."""
        checkpoint = proof.proof.checkpoint.checkpoint
        digest = hashlib.sha256(proof.statement.to_bytes()).digest()
        return cls(checkpoint.origin, proof.proof.index, digest)


@dataclass(frozen=True)
class CardClaim:
    """What somebody states in a card.

    Attributes:
        commitment: the digest D of the commitment, 32 bytes.
        owner: the fingerprints of the owner's keys, one to four.
        models: the models that it is said to claim.
        url: where the commitment can be had; empty where nobody says.
        version: the release of zkwm that wrote the claim.
        logs: where the commitment stands in logs, as stated.
    """

    commitment: bytes
    owner: tuple[str, ...]
    models: tuple[ClaimedModel, ...]
    url: str
    version: str
    logs: tuple[ClaimedEntry, ...] = ()

    def to_map(self) -> dict[str, Any]:
        """The same as texts, lists and maps, in the order of the card."""
        return {
            "schema": SCHEMA,
            "commitment": self.commitment.hex(),
            "owner": list(self.owner),
            "models": [
                {"file": model.file, "kind": str(model.kind), "digest": model.digest.hex()}
                for model in self.models
            ],
            **({"url": self.url} if self.url else {}),
            **({"logs": [_entry_map(one) for one in self.logs]} if self.logs else {}),
            "version": self.version,
        }

    @classmethod
    def from_map(cls, value: object) -> CardClaim:
        """A claim of a card. Raises Malformed for anything else."""
        if not isinstance(value, dict) or not _KEYS - _OPTIONAL <= set(value) <= _KEYS:
            raise Malformed(
                "a claim has schema, commitment, owner, models and version, perhaps url and logs"
            )
        if value["schema"] != SCHEMA:
            raise Malformed(
                f"a claim of the schema {printable(str(value['schema']), 50)!r}, not {SCHEMA}",
                hint="read it with the release of zkwm that wrote it, or write the claim again "
                "(zkwm card)",
            )
        owner, models = value["owner"], value["models"]
        logs = value.get("logs", [])
        if not isinstance(logs, list) or len(logs) > MAXIMUM_LOG_PROOFS:
            raise Malformed(f"a claim names at most {MAXIMUM_LOG_PROOFS} entries of logs")
        if not isinstance(owner, list) or not 1 <= len(owner) <= _MOST_KEYS:
            raise Malformed("a claim names one to four keys of its owner")
        if not isinstance(models, list) or not 1 <= len(models) <= MOST_FILES:
            raise Malformed(f"a claim names one to {MOST_FILES} models")
        return cls(
            commitment=_digest(value["commitment"]),
            owner=tuple(_matching(_FINGERPRINT, one, "a fingerprint") for one in owner),
            models=tuple(_model(one) for one in models),
            url=require_url(value.get("url", "")),
            version=_text(value["version"], _LONGEST_VERSION),
            logs=tuple(_entry(one) for one in logs),
        )


def make_claim(
    commitment: Commitment, models: Sequence[ModelDigest], *, url: str, version: str
) -> CardClaim:
    """The claim of a commitment to models whose digests are known.

    Raises UsageError for a model whose digest could not be computed, and for an address that is
    none.
    """
    for model in models:
        if model.digest is None:
            raise UsageError(
                f"the digest of {model.name} cannot be computed: {model.problem}",
                hint="name the file that the claim is about",
            )
    try:
        address = require_url(url)
    except Malformed as error:
        raise UsageError(error.message, hint=error.hint) from None
    return CardClaim(
        commitment=commitment.digest,
        owner=tuple(key.fingerprint() for key in commitment.header.owner_keys),
        models=tuple(
            ClaimedModel(printable(model.name, _LONGEST_NAME), model.kind, model.digest)
            for model in models
            if model.digest is not None
        ),
        url=address,
        version=version,
        logs=tuple(
            ClaimedEntry.of(one)
            for one in commitment.log_proofs
            if one.is_about(commitment.digest, commitment.header.owner_keys)
            and one.proof.checkpoint.checkpoint.origin.isprintable()
        ),
    )


def require_url(value: object) -> str:
    """An http(s) address without a password, or "". Raises Malformed."""
    url = _text(value, LONGEST_URL) if value != "" else ""
    if not url:
        return ""
    hint = "write an address that anybody can open, such as https://example.org/acme.commitment"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
    except ValueError:
        usable = False
    if not usable or not url.isascii() or " " in url:
        raise Malformed(
            "the address of a commitment is http(s), without name or password", hint=hint
        )
    return url


def _model(value: object) -> ClaimedModel:
    """A model of a claim. Raises Malformed."""
    if not isinstance(value, dict) or set(value) != {"file", "kind", "digest"}:
        raise Malformed("a model of a claim has file, kind and digest")
    if value["kind"] not in _KINDS:
        raise Malformed(f"a model of a claim is of the kind {' or '.join(_KINDS)}")
    return ClaimedModel(
        _text(value["file"], _LONGEST_NAME), value["kind"], _digest(value["digest"])
    )


def _entry_map(entry: ClaimedEntry) -> dict[str, str]:
    """An entry as texts."""
    return {
        "log": entry.log, "index": str(entry.index), "statement": entry.statement.hex()
    }  # fmt: skip


def _entry(value: object) -> ClaimedEntry:
    """An entry of a log in a claim. Raises Malformed."""
    if not isinstance(value, dict) or set(value) != {"log", "index", "statement"}:
        raise Malformed("an entry of a log in a claim has log, index and statement")
    index = _matching(_INDEX, value["index"], "a whole number")
    return ClaimedEntry(
        _text(value["log"], _LONGEST_ORIGIN), int(index), _digest(value["statement"])
    )


def _digest(value: object) -> bytes:
    """32 bytes in lower-case hexadecimal. Raises Malformed."""
    return bytes.fromhex(_matching(_DIGEST, value, "a digest"))


def _matching(pattern: re.Pattern[str], value: object, what: str) -> str:
    """A text of this form. Raises Malformed."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"a claim has a text that is not {what}")
    return value


def _text(value: object, limit: int) -> str:
    """A printable text of one line, not empty. Raises Malformed."""
    if not isinstance(value, str) or not 1 <= len(value) <= limit or not value.isprintable():
        raise Malformed(f"a claim has a text that is not one line of 1 to {limit} characters")
    return value
