"""The page of a commitment: who registered it by key, when it existed, and what came after.

What the log says about D is shown even where the commitment's file is not kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkwm.registry_service.pages.commitment_dates import proof_rows, sights, token_rows
from zkwm.registry_service.pages.history import history, key_history
from zkwm.registry_service.pages.key_standing import key_end
from zkwm.registry_service.pages.view import KeptCommitment, LoggedEntry, RegistryView
from zkwm.report.visible import count
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.cose.contents import CommitmentStatement, commitment_subject
from zkwm_protocols.opened_words import holds_keys

SHOWN_CLASSES = 200


def commitment_values(view: RegistryView, digest: bytes) -> dict[str, Any] | None:
    """What the page of the commitment D shows; None where nothing is known of it."""
    entries = view.statements(commitment_subject(digest))
    kept = view.commitment(digest)
    if not entries and kept is None:
        return None
    owners = owners_of(kept)
    rows = history(view, entries)
    keys = [(owner, key_history(view, owner)) for owner in owners or ()]
    ends = [end for owner in owners or () if (end := key_end(view, owner)) is not None]
    registered = registration(entries, kept)
    state = view.log_state()
    proofs = [] if kept is None else proof_rows(kept.commitment, state)
    seen = sights(state, registered, proofs)
    return {
        "digest": digest.hex(),
        "kept": kept,
        "header": None if kept is None else kept.commitment.header,
        "keyed": kept is not None and holds_keys(kept.commitment.header),
        "triggers": "" if kept is None else triggers_in_words(kept.commitment),
        "derived": kept is not None and kept.commitment.header.label_mode == LabelMode.DERIVED,
        "class_names": () if kept is None else (kept.commitment.class_names or ()),
        "shown_classes": SHOWN_CLASSES,
        "tokens": [] if kept is None else token_rows(kept.commitment),
        "rows": rows,
        "keys": keys,
        "ends": ends,
        "grave": next((end for end in ends if end.grave), None),
        "registered": registered,
        "row": None if registered is None else history(view, [registered])[0],
        "proofs": proofs,
        "cosigned": seen,
        "witnessed_by": len({one.witness for one in seen}),
        "claims": view.claims(commitment=digest),
    }


def key_values(view: RegistryView, fingerprint: str) -> dict[str, Any] | None:
    """What the page of a key shows; None where nothing is known of it."""
    about = key_history(view, fingerprint)
    by = [
        row
        for row in history(view, view.statements_of(fingerprint))
        if row.about != ("key", fingerprint)
    ]
    kept = [digest.hex() for digest in view.commitments_of(fingerprint)]
    if not (about or by or kept):
        return None
    return {
        "fingerprint": fingerprint,
        "about": about,
        "by": by,
        "kept": kept,
        "end": key_end(view, fingerprint),
    }


def owners_of(kept: KeptCommitment | None) -> list[str] | None:
    """The fingerprints of the owner's keys, where the file is here."""
    if kept is None:
        return None
    return [key.fingerprint() for key in kept.commitment.header.owner_keys]


def registration(entries: Sequence[LoggedEntry], kept: KeptCommitment | None) -> LoggedEntry | None:
    """The first entry by which an owner made the commitment public; by anybody, if none is known.

    A statement by another key than the owner's registers nothing.
    """
    owners = owners_of(kept)
    found = [
        entry
        for entry in (*entries, *((kept.entry,) if kept and kept.entry else ()))
        if isinstance(entry.statement.content, CommitmentStatement)
        and (owners is None or entry.statement.key.fingerprint() in owners)
    ]
    return min(found, key=lambda entry: entry.index, default=None)


def triggers_in_words(commitment: Commitment) -> str:
    """Number, blocks, size and classes of the triggers."""
    header = commitment.header
    channels, height, width = header.shape
    if holds_keys(header):
        return (
            f"{count(header.leaf_count, 'secret key')} of a mark in "
            f"{count(header.block_count, 'block')} of {header.block_size:,}; 32 bytes each, one "
            "bit each"
        )
    return (
        f"{count(header.leaf_count, 'trigger image')} in {count(header.block_count, 'block')} of "
        f"{header.block_size:,}; {width} × {height} pixels, "
        f"{'grayscale' if channels == 1 else 'color'}; {header.class_count:,} classes"
    )
