"""What a visitor looks for: a digest, the fingerprint of a key, or the address of an issuer.

A digest may be a commitment's, a model's, a claim's, or the SHA-256 of a verdict or a statement;
the text does not say which, so that all of them are looked up.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from zkwm.registry_service.pages.case_pages import claim_in_words
from zkwm.registry_service.pages.commitment_page import key_values
from zkwm.registry_service.pages.history import history
from zkwm.registry_service.pages.view import RegistryView
from zkwm.report.visible import count
from zkwm_protocols.cose.contents import commitment_subject
from zkwm_protocols.errors import Malformed
from zkwm_protocols.fingerprints import read_fingerprint

LONGEST_QUERY = 600
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PREFIXES = ("sha256:", "urn:zkwm:commitment:", "urn:zkwm:key:", "0x")


@dataclass(frozen=True)
class Found:
    """One thing that was found: its kind, a digest or fingerprint, its page, what it is."""

    kind: str
    name: str
    path: str
    says: str


@dataclass(frozen=True)
class Query:
    """What was asked for: ``kind`` is digest, key, address, or empty where it is none of them."""

    kind: str
    value: str


def read_query(text: str) -> Query:
    """What a text asks for; digests and fingerprints as people copy them."""
    plain = text.strip()
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    digits = re.sub(r"[\s:]", "", plain).lower()
    if _DIGEST.fullmatch(digits):
        return Query("digest", digits)
    if plain.startswith("https://") and plain.isascii() and " " not in plain:
        return Query("address", plain)
    try:
        return Query("key", read_fingerprint(plain))
    except Malformed:
        return Query("", text)


def sha256_of(data: bytes) -> str:
    """The SHA-256 of bytes, by which a file is looked for."""
    return hashlib.sha256(data).hexdigest()


def search(view: RegistryView, query: Query) -> list[Found]:
    """Everything with this name."""
    if query.kind == "digest":
        return _by_digest(view, query.value)
    if query.kind == "key":
        return _by_key(view, query.value)
    if query.kind == "address":
        return [
            Found(row.title, row.sha256, row.path, row.says)
            for row in history(view, view.statements_of(query.value))
        ]
    return []


def _by_digest(view: RegistryView, name: str) -> list[Found]:
    """All that a digest may name."""
    digest, found = bytes.fromhex(name), []
    if view.commitment(digest) is not None:
        found.append(Found("Commitment", name, f"/commitments/{name}", "its file is kept here"))
    elif view.statements(commitment_subject(digest)):
        found.append(Found("Commitment", name, f"/commitments/{name}", "in the log"))
    if claims := view.claims(model=digest):
        found.append(Found("Model", name, f"/models/{name}", count(len(claims), "claim")))
    if (claim := view.claim(digest)) is not None:
        found.append(Found("Claim", name, f"/claims/{name}", claim_in_words(claim)))
    if (kept := view.verdict(digest)) is not None:  # one, by whichever of its two names
        path = f"/verdicts/{kept.challenge.hex()}"
        found.append(Found("Verdict", sha256_of(kept.file), path, "signed by a judge"))
    if (entry := view.statement(digest)) is not None:
        [row] = history(view, [entry])
        says = f"{row.title}, entry {entry.index:,} of the log"
        found.append(Found("Statement", name, row.path, says))
    return found


def _by_key(view: RegistryView, fingerprint: str) -> list[Found]:
    """A key's page; that of the key with which a judge signs, by the fingerprint they publish."""
    signing = view.judges_key(fingerprint)
    shown = signing or fingerprint
    if key_values(view, shown) is None:
        return []
    says = (
        "in the log, or in a commitment"
        if signing is None
        else "the key with which the judge of this fingerprint signs"
    )
    return [Found("Key", shown, f"/keys/{shown}", says)]
