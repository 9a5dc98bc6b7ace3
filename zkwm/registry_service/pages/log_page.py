"""The page of the log, and whether a checkpoint that a visitor kept fits the tree of today.

A log that shows two people two trees is found out by whoever compares. Checkpoints that do not fit
are the evidence against it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from zkwm.registry_service.pages.view import LogState, RegistryView
from zkwm.registry_service.pages.witnesses import Signer, signers
from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, ZkwmError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.tree import verify_consistency

CLOCK_SECONDS = 300
"""How far a clock may be ahead."""


@dataclass(frozen=True)
class Comparison:
    """What came of comparing a visitor's checkpoint with the log's newest.

    Args:
        icon: yes, no or unknown.
        title: the outcome.
        says: what it means, and what to do.
    """

    icon: str
    title: str
    says: str


def log_values(view: RegistryView) -> dict[str, Any]:
    """What the page of the log shows."""
    state = view.log_state()
    return {
        "state": state,
        "head": state.checkpoint.checkpoint.head,
        "origin": state.checkpoint.checkpoint.origin,
        "signers": signers(state, state.checkpoint),
        "witnessed": state.witnessed,
        "witnesses": _witnesses(state),
        "note": state.checkpoint.to_bytes().decode(),
        "newest": view.newest(10),
        "comparison": None,
        "pasted": "",
    }


def _witnesses(state: LogState) -> list[Signer]:
    """Each witness with its line on the newest cosigned tree."""
    if state.policy is None:
        return []
    signed = state.witnessed or state.checkpoint
    return [one for one in signers(state, signed) if one.witness]


def compare(view: RegistryView, pasted: str) -> Comparison:
    """Whether a checkpoint that somebody kept is one of a tree that this log's tree grew from."""
    text = pasted.replace("\r\n", "\n").lstrip("\n")
    if text and not text.endswith("\n"):
        text += "\n"
    try:
        seen = SignedCheckpoint.from_bytes(text.encode())
    except ZkwmError as error:
        return Comparison(
            "unknown",
            "This is no checkpoint",
            f"{error.message}. Paste the whole of it, from the origin in its first line to its "
            "last signature line.",
        )
    state = view.log_state()
    try:
        mine = _is_signed(state, seen)
    except InvalidSignature as error:
        return Comparison(
            "unknown",
            "A signature on it does not verify",
            f"{error.message}. It was altered on its way, and says nothing about this log.",
        )
    if not mine:
        return Comparison(
            "unknown",
            "It is not this log's",
            "No key of this log signed it under the log's name, so it says nothing about this log.",
        )
    return _grown(view, state, seen)


def _is_signed(state: LogState, seen: SignedCheckpoint) -> bool:
    """Whether a key of this log signed it under its origin."""
    latest = int(time.time()) + CLOCK_SECONDS
    return any(
        key.name == seen.checkpoint.origin and seen.signed_by(key, latest=latest)
        for key in state.keys
    )


def _grown(view: RegistryView, state: LogState, seen: SignedCheckpoint) -> Comparison:
    """Whether one of two trees begins with the other."""
    head, newest = seen.checkpoint.head, state.checkpoint.checkpoint.head
    older, newer = sorted((head, newest), key=lambda one: one.size)
    if head.size > newest.size:
        return Comparison(
            "no",
            "It is of a larger tree than the log has now",
            f"This log signed a tree of {head.size:,} entries, and shows one of {newest.size:,}. "
            "It may have been restored from an old copy, or shows you another tree. Keep your "
            "checkpoint; look again in an hour, and tell the log's witnesses if nothing changes.",
        )
    try:
        proof = () if older.size in (0, newer.size) else view.consistency(older.size, newer.size)
        verify_consistency(older, newer, proof)
    except InvalidLogProof:
        return Comparison(
            "no",
            "It does not fit: two trees",
            f"This log signed your checkpoint of {head.size:,} entries, and its tree of today does "
            "not begin with it. Your checkpoint is evidence against this log: keep it, keep the "
            "log's checkpoint below too, and tell the log's witnesses.",
        )
    same = head.size == newest.size
    return Comparison(
        "yes",
        "It fits",
        "It is the tree that the log shows today."
        if same
        else f"The tree of today, of {newest.size:,} entries, begins with your tree of "
        f"{head.size:,}: nothing that stood in it was changed or removed.",
    )
