"""Statements of the log in words: what each says, by whom, and what of it is only said.

Anybody can state something about any digest; a statement counts by its key. So each row names the
key, and texts of the issuer's own are told apart as claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from zkwm.registry_service.pages.key_standing import void_bindings
from zkwm.registry_service.pages.view import LoggedEntry, RegistryView
from zkwm.report.visible import count, utc
from zkwm_protocols.cose.contents import (
    CommitmentStatement,
    DisputeEvent,
    DisputeStatement,
    SpentBlocks,
    VerdictStatement,
)
from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    KeyRotation,
    key_subject,
)
from zkwm_protocols.cose.statement import Content

_EVENTS = {
    DisputeEvent.ASKED: "the owner was asked for proof",
    DisputeEvent.ANSWERED: "the owner answered",
    DisputeEvent.OVERDUE: "the owner let the deadline pass",
    DisputeEvent.WITHDRAWN: "the claim was withdrawn",
    DisputeEvent.DECIDED: "the claim was decided",
}
_TITLES: dict[type[Content], str] = {
    CommitmentStatement: "Commitment registered",
    VerdictStatement: "Verdict",
    SpentBlocks: "Blocks spent",
    DisputeStatement: "Dispute",
    KeyBinding: "Key bound to a person",
    KeyRotation: "Key replaced",
    KeyRevocation: "Key revoked",
}
_ANOTHER = "another key than the owner's"
_JUDGE = "a judge whom this registry trusts"
_NO_JUDGE = "a key of no judge whom this registry trusts"
_NAMED = "Commitment named"
_STRANGERS = "Named by a stranger"
_NOT_REGISTERED = "A key that is not the owner's names this commitment: that registers nothing."


@dataclass(frozen=True)
class HistoryRow:
    """One statement, in the log's order.

    Args:
        index: of the entry in the log.
        title: its kind.
        says: what it says, in words of this service.
        claim: a text of the issuer's own, which nobody checked; empty without one.
        digest: what it names: (what, hexadecimal, path of its page or empty), or None.
        key: the fingerprint of the key that signed.
        by: whose key that is, as far as the files here show.
        address: the issuer's address, as they state it; empty without one.
        about: what it is about: commitment or key, and its digest or fingerprint.
        path: of the page about its subject.
        sha256: of the statement's bytes, hexadecimal.
        grave: whether it takes trust away.
        void: whether it does not count, since its key did not count any more.
    """

    index: int
    title: str
    says: str
    claim: str
    digest: tuple[str, str, str] | None
    key: str
    by: str
    address: str
    about: tuple[str, str]
    path: str
    sha256: str
    grave: bool
    void: bool = False


def key_history(view: RegistryView, fingerprint: str) -> list[HistoryRow]:
    """The rows about a key."""
    entries = view.statements(key_subject(fingerprint))
    void = void_bindings(view, fingerprint, entries)
    return [replace(row, void=row.index in void) for row in history(view, entries)]


def history(view: RegistryView, entries: Iterable[LoggedEntry]) -> list[HistoryRow]:
    """The rows of these entries, in their order; ``view`` knows owners, judges and verdicts."""
    owners: dict[bytes, Collection[str] | None] = {}
    return [_row(view, entry, owners) for entry in entries]


def _row(
    view: RegistryView, entry: LoggedEntry, known: dict[bytes, Collection[str] | None]
) -> HistoryRow:
    """One row; ``known`` are fingerprints of owners' keys by D, None where no file names them."""
    statement = entry.statement
    content, key = statement.content, statement.key.fingerprint()
    says, claim, digest = _says(content)
    about = _about(content)
    owners: Collection[str] | None = None
    if not isinstance(content, KeyBinding | KeyRotation | KeyRevocation):
        if content.commitment not in known:
            known[content.commitment] = view.owners(content.commitment)
        owners = known[content.commitment]
    title = _TITLES[type(content)]
    if isinstance(content, CommitmentStatement) and (owners is None or key not in owners):
        title = _NAMED if owners is None else _STRANGERS
    if isinstance(content, VerdictStatement) and view.verdict(content.verdict) is None:
        digest = ("Verdict's file, not kept here", content.verdict.hex(), "")
    return HistoryRow(
        index=entry.index,
        title=title,
        says=_NOT_REGISTERED if title == _STRANGERS else says,
        claim=claim,
        digest=digest,
        key=key,
        by=_whose(content, key, owners, judge=view.trusts(statement.key)),
        address="" if statement.issuer == key else statement.issuer,
        about=about,
        path=f"/{about[0]}s/{about[1]}",
        sha256=hashlib.sha256(statement.to_bytes()).hexdigest(),
        grave=isinstance(content, KeyRevocation),
    )


def _about(content: Content) -> tuple[str, str]:
    """What a statement is about."""
    if isinstance(content, KeyBinding | KeyRotation | KeyRevocation):
        return "key", content.key
    return "commitment", content.commitment.hex()


def _whose(content: Content, key: str, owners: Collection[str] | None, *, judge: bool) -> str:
    """Whose key signed, as far as it is known here; ``judge`` is whether one who is trusted did."""
    if isinstance(content, KeyBinding | KeyRotation | KeyRevocation):
        return "the key itself"
    if owners is not None and key in owners:
        return "an owner's key"
    if judge:
        return _JUDGE
    if isinstance(content, VerdictStatement):
        return _NO_JUDGE
    if owners is None:
        return "a key; whether it is the owner's, only the commitment's file shows"
    return _ANOTHER


def _says(content: Content) -> tuple[str, str, tuple[str, str, str] | None]:
    """(what a statement says, the issuer's own text, the digest that it names)."""
    if isinstance(content, VerdictStatement):
        digest = content.verdict.hex()
        return (
            "Whoever holds this key gave a verdict, in the file with this SHA-256.",
            "",
            ("Verdict's file", digest, f"/verdicts/{digest}"),
        )
    if isinstance(content, SpentBlocks):
        words = f"{count(content.blocks, 'block')} spent, by {count(content.releases, 'release')}"
        return f"The vault's own count: {words}.", "", None
    if isinstance(content, DisputeStatement):
        return _dispute(content)
    if isinstance(content, KeyBinding):
        shown = [
            *([count(len(content.certificates), "certificate")] if content.certificates else []),
            *(["a document"] if content.document else []),
        ]
        document = content.document
        return (
            f"Names a person, with {' and '.join(shown)} as evidence, which this service did not "
            "check.",
            content.person,
            None if document is None else ("Document", document.hex(), ""),
        )
    if isinstance(content, KeyRotation):
        successor = content.successor.fingerprint()
        return (
            "This key is followed by another one, whose holder agreed.",
            "",
            ("Successor", successor, f"/keys/{successor}"),
        )
    if isinstance(content, KeyRevocation):
        since = utc(content.since)
        return f"Not to be trusted since {since}; reason: {content.reason}.", "", None
    return "The commitment exists; whoever holds this key makes it public.", "", None


def _dispute(content: DisputeStatement) -> tuple[str, str, tuple[str, str, str]]:
    """What a statement about a dispute says; the model's page lists its claims."""
    model = content.suspect.hex()
    return (
        f"In a dispute on the model below, {_EVENTS[content.event]}.",
        "",
        ("Model", model, f"/models/{model}"),
    )
