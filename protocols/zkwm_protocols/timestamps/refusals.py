"""Why no authority dates a token: what each of them says, in one error (SPEC.md 22.3)."""

from __future__ import annotations

from collections.abc import Sequence

from zkwm_protocols.errors import TrustMaterialMissing, ZkwmError

MOST_NAMED = 3
"""Authorities that are named for one reason."""
_FURTHEST = ("timestamp.revocation", "timestamp.chain", "timestamp.policy")
"""Where material is missing: the checks, from the last that is made to the first."""


def refused_by_all(said: Sequence[tuple[str, ZkwmError]]) -> ZkwmError:
    """The error where no authority dates a token.

    ``said`` has the name of each authority, and its error. Where material of any of them is
    missing, it may still be dated: then that is the error, and of these the one that came furthest.
    """
    if not said:
        return TrustMaterialMissing(
            "no timestamp authority is trusted",
            hint="trust the root certificate of the authority that dated the commitment",
            check="timestamp.chain",
        )
    missing = [error for _, error in said if isinstance(error, TrustMaterialMissing)]
    main = min(missing, key=_distance) if missing else said[0][1]
    reasons: dict[str, list[str]] = {}
    for name, error in said:
        reasons.setdefault(error.message, []).append(name)
    if len(reasons) == 1:
        return main
    words = "; ".join(f"{_named(names)}: {reason}" for reason, names in reasons.items())
    return type(main)(words, hint=main.hint, check=main.check)


def _distance(error: ZkwmError) -> int:
    """How far from the end the check of an error is."""
    return _FURTHEST.index(error.check) if error.check in _FURTHEST else len(_FURTHEST)


def _named(names: Sequence[str]) -> str:
    """Names of authorities, at most three of them."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
