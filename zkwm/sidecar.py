"""A claim on a model's files that other tools carry: an in-toto Statement, signed by DSSE.

Users of OpenSSF model signing or C2PA put it beside their own signatures; no file of the model
changes. It is the owner's word for which files their commitment is about, and no proof. SPEC.md 29.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported
from zkwm_protocols.keys import ECDSA_P256, PublicKey, SigningKey
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_text

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:zkwm:predicate:commitment:1"
C2PA_LABEL = "org.zkwm.commitment"
SIDECAR_LIMIT = 1 << 20
MOST_SUBJECTS = 1_000
MOST_ENTRIES = 16
MOST_SIGNATURES = 16

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST_INDEX = 2**53 - 1
"""What every reader of JSON reads exactly."""


@dataclass(frozen=True)
class ClaimedFile:
    """A file that a claim is about: its name, and its SHA-256 (32 bytes), which alone counts."""

    name: str
    digest: bytes


@dataclass(frozen=True)
class LogEntryName:
    """Where a log has the commitment: its origin, and the entry's index."""

    origin: str
    index: int


@dataclass(frozen=True)
class Sidecar:
    """The owner's claim.

    Args:
        commitment: D, 32 bytes.
        files: 1 to 1,000, names each once.
        log: at most 16 entries.

    Raises Malformed for others.
    """

    commitment: bytes
    files: tuple[ClaimedFile, ...]
    log: tuple[LogEntryName, ...] = ()

    def __post_init__(self) -> None:
        require_bytes(self.commitment, 32)
        require_list(list(self.files), 1, MOST_SUBJECTS)
        require_list(list(self.log), 0, MOST_ENTRIES)
        for file in self.files:
            require_bytes(file.digest, 32)
            if not require_text(file.name, 500):
                raise Malformed("a file of a claim has a name")
        if len({file.name for file in self.files}) != len(self.files):
            raise Malformed("a file stands twice in a claim")
        for entry in self.log:
            require_text(entry.origin, 255)
            require_integer(entry.index, _LARGEST_INDEX)

    def to_payload(self) -> bytes:
        """The in-toto Statement, as JSON."""
        return _json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [
                    {"name": file.name, "digest": {"sha256": file.digest.hex()}}
                    for file in self.files
                ],
                "predicateType": PREDICATE_TYPE,
                "predicate": {
                    "commitment": {"sha256": self.commitment.hex()},
                    "log": [{"origin": one.origin, "index": one.index} for one in self.log],
                },
            }
        )

    @classmethod
    def from_payload(cls, payload: bytes) -> Sidecar:
        """Read an in-toto Statement of this predicate. Raises Malformed or Unsupported."""
        value = _parsed(payload)
        if value.get("_type") != STATEMENT_TYPE or value.get("predicateType") != PREDICATE_TYPE:
            raise Unsupported(
                "an in-toto statement of another kind than a claim of zkwm",
                hint="give the file that zkwm sidecar make wrote",
            )
        fields = _object(value, "_type subject predicateType predicate")
        predicate = _object(fields["predicate"], "commitment log")
        files = []
        for one in require_list(fields["subject"], 1, MOST_SUBJECTS):
            subject = _object(one, "name digest")
            files.append(
                ClaimedFile(require_text(subject["name"], 500), _sha256(subject["digest"]))
            )
        entries = [
            _object(one, "origin index") for one in require_list(predicate["log"], 0, MOST_ENTRIES)
        ]
        return cls(
            _sha256(predicate["commitment"]),
            tuple(files),
            tuple(LogEntryName(require_text(one["origin"], 255), one["index"]) for one in entries),
        )

    def signed(self, key: SigningKey) -> bytes:
        """The DSSE envelope, as JSON: what tools of in-toto read."""
        payload = self.to_payload()
        signature = key.sign_dsse(pre_authentication_encoding(PAYLOAD_TYPE, payload))
        if key.algorithm == ECDSA_P256:
            numbers = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
            signature = encode_dss_signature(*numbers)
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {
                    "keyid": key.public.fingerprint(),
                    "sig": base64.b64encode(signature).decode(),
                }
            ],
        }
        return _json(envelope)


def c2pa_assertion(envelope: bytes) -> bytes:
    """The claim as an assertion for the manifest of a C2PA sidecar, as JSON.

    The label is of an entity's own kind; its data are the envelope, so that the owner's signature
    comes along in a manifest that somebody else signs.
    """
    return _json({"assertions": [{"label": C2PA_LABEL, "data": {"dsse": _parsed(envelope)}}]})


def read_sidecar(data: bytes, owners: Sequence[PublicKey]) -> Sidecar:
    """Read ``Sidecar.signed`` or ``c2pa_assertion``, signed by an owner of the commitment.

    Args:
        data: at most 1 MiB.
        owners: the ``owner_keys`` of the commitment's header.

    Raises:
        InvalidSignature: none of the owners signed it.
        Malformed, Unsupported: another format, payload or predicate.
    """
    value = _parsed(data)
    if "assertions" in value:
        found = [
            one for one in require_list(value["assertions"], 0, MOST_SIGNATURES)
            if isinstance(one, dict) and one.get("label") == C2PA_LABEL
        ]  # fmt: skip
        if len(found) != 1:
            raise Malformed(f"a manifest has one assertion {C2PA_LABEL}")
        value = _object(_object(found[0], "label data")["data"], "dsse")["dsse"]
    envelope = _object(value, "payload payloadType signatures")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise Unsupported("an envelope of another payload type than in-toto's")
    payload = _base64(envelope["payload"])
    signed = pre_authentication_encoding(PAYLOAD_TYPE, payload)
    signatures = [
        _base64(one.get("sig") if isinstance(one, dict) else None)
        for one in require_list(envelope["signatures"], 1, MOST_SIGNATURES)
    ]
    if not any(_signed_by(key, signed, one) for key in owners for one in signatures):
        raise InvalidSignature(
            "no owner of the commitment signed this claim",
            hint="anybody can write one about any file; ask the owner for theirs",
        )
    return Sidecar.from_payload(payload)


def pre_authentication_encoding(kind: str, payload: bytes) -> bytes:
    """What DSSE signs: type and payload, each behind its length."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def _signed_by(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    """Whether a signature is this key's; of ECDSA in DER."""
    try:
        if key.algorithm == ECDSA_P256:
            r, s = decode_dss_signature(signature)
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key.verify_dsse(signed, signature)
    except (InvalidSignature, ValueError, OverflowError):
        return False
    return True


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _parsed(data: bytes) -> dict[str, Any]:
    """A JSON object without a name twice, of at most 1 MiB. Raises Malformed."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    value = None
    if len(data) <= SIDECAR_LIMIT:
        with suppress(ValueError, RecursionError):
            value = json.loads(data.decode(), object_pairs_hook=once)
    if not isinstance(value, dict):
        raise Malformed("a claim is a JSON object of at most 1 MiB, no name in it twice")
    return value


def _object(value: object, names: str) -> dict[str, Any]:
    """An object with exactly these names. Raises Malformed."""
    if not isinstance(value, dict) or set(value) != set(names.split()):
        raise Malformed(f"a part of the claim is no object of {names}")
    return value


def _sha256(value: object) -> bytes:
    """The digest of ``{"sha256": ...}``; other digests beside it are passed over."""
    text = value.get("sha256") if isinstance(value, dict) else None
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise Malformed("a claim names files and commitment by SHA-256, in lower-case digits")
    return bytes.fromhex(text)


def _base64(value: object) -> bytes:
    """Bytes of base64, standard or for URLs, as DSSE allows. Raises Malformed."""
    if isinstance(value, str) and value.isascii():
        plain = value.replace("-", "+").replace("_", "/")
        with suppress(binascii.Error):
            return base64.b64decode(plain.encode("ascii"), validate=True)
    raise Malformed("payload and signatures of an envelope are base64")
