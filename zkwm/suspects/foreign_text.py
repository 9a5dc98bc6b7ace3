"""Untrusted text made safe to show."""

from __future__ import annotations


def printable(text: str, limit: int) -> str:
    """Untrusted ``text`` on one line: printable characters only, at most ``limit`` of them."""
    clean = "".join(character if character.isprintable() else " " for character in text[:10_000])
    return " ".join(clean.split())[:limit]
