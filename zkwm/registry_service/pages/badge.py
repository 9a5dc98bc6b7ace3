"""Badges: small pictures that say exactly what the registry shows, and never more.

A badge of a commitment says "registered", which proves no claim on any model; a badge of a verdict
names its outcome. Each rests on the word of an owner whose key the commitment's file names, or of a
judge whom the operator trusts: strangers can state whatever they like. What takes it back stands in
it as soon as the registry knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm.registry_service.pages.case_pages import verdict_standing
from zkwm.registry_service.pages.commitment_page import owners_of, registration
from zkwm.registry_service.pages.key_standing import key_end
from zkwm.registry_service.pages.rendering import render
from zkwm.registry_service.pages.view import RegistryView
from zkwm_protocols.cose.contents import commitment_subject

SECONDS = 300
"""How long a badge may be kept: so long one that was taken back is seen."""
_CHARACTER = 6.7  # of 11 px DejaVu Sans or Verdana; texts are fitted to the sum
_NARROW, _WIDE = dict.fromkeys("fijlrt: '", 4.0), dict.fromkeys("mw", 9.8)
_PADDING = 12


@dataclass(frozen=True)
class Badge:
    """What a badge says.

    Args:
        says: the words in it.
        title: for screen readers and on hover: what exactly is shown, of what.
        tone: good, plain or bad.
        known: whether the registry knows what it is about.
    """

    says: str
    title: str
    tone: str
    known: bool = True


def commitment_badge(view: RegistryView, digest: bytes) -> Badge:
    """The badge of a commitment."""
    name, origin = digest.hex(), view.log_state().checkpoint.checkpoint.origin
    kept = view.commitment(digest)
    owners = owners_of(kept)
    entry = registration(view.statements(commitment_subject(digest)), kept)
    if entry is None:
        return Badge(
            "not registered", f"No entry of the log {origin} registers {name}", "bad", False
        )
    key = entry.statement.key.fingerprint()
    if kept is None:
        says = (
            f"Entry {entry.index} of the log {origin} by key {key} names commitment {name}; "
            "whether that is its owner's key, only the commitment's file shows, which is not here"
        )
        return Badge("owner not known", says, "plain")
    title = f"Commitment {name} is entry {entry.index} of the log {origin}, registered by key {key}"
    for end in (key_end(view, one) for one in owners or [key]):
        if end is not None and end.grave:
            return Badge(f"registered, key {end.word}", f"{title}; a key was {end.word}", "bad")
    return Badge("registered", f"{title}. This proves no claim on any model", "plain")


def verdict_badge(view: RegistryView, digest: bytes) -> Badge:
    """The badge of a verdict. Raises Malformed or InvalidSignature for a damaged one."""
    name, kept = digest.hex(), view.verdict(digest)
    if kept is None:
        return Badge("no verdict", f"The registry keeps no verdict {name}", "bad", False)
    outcome, taken_back = verdict_standing(view, kept)
    title = f'A judge signed the verdict "{outcome}" on claim {kept.challenge.hex()}'
    if taken_back:
        return Badge(f"verdict: {taken_back}", f"{title}; since then: {taken_back}", "bad")
    tone = "good" if outcome == "proven" else "plain"
    return Badge(f"verdict: {outcome}", f"{title}. Read it for what it does not say", tone)


def badge_svg(badge: Badge) -> str:
    """The picture, SVG."""
    widths = {**_NARROW, **_WIDE}
    left, right = (
        round(sum(widths.get(one, _CHARACTER) for one in text)) + _PADDING
        for text in ("zkwm", badge.says)
    )
    return render("badge.svg.j2", badge=badge, left=left, right=right, padding=_PADDING)
