"""The judge whom somebody trusts: by the file of their public key, or by their fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import read_parsed
from zkwm_cli.options import option
from zkwm_cli.secret_options import PUBLIC_LIMIT

if TYPE_CHECKING:
    from zkwm_protocols.keys import JudgePublic


def fingerprint_option() -> str | None:
    """The option --judge-fingerprint."""
    given: str | None = option(
        "--judge-fingerprint",
        metavar="FP",
        help="Instead of --judge: the judge's fingerprint as you know it; the keys that the file "
        "holds have to be theirs.",
    )
    return given


def trusted_judge(judge: str | None, fingerprint: str | None) -> JudgePublic | str | None:
    """Public keys from a file, or a fingerprint; None where neither was given.

    Raises a usage error for both, UsageError for a text that is no fingerprint, and what reading
    the file raises.
    """
    if judge is not None and fingerprint is not None:
        raise click.UsageError("give --judge FILE or --judge-fingerprint FP, not both")
    if fingerprint is not None:
        return typed_fingerprint(fingerprint, "--judge-fingerprint: ")
    if judge is None:
        return None
    from zkwm_protocols.keys import JudgePublic

    return read_parsed(judge, PUBLIC_LIMIT, JudgePublic.from_bytes)


def typed_fingerprint(written: str, where: str) -> str:
    """A fingerprint as it was typed. Raises UsageError, naming where, for anything else."""
    from zkwm_protocols.errors import Malformed, UsageError
    from zkwm_protocols.fingerprints import read_fingerprint

    try:
        return read_fingerprint(written)
    except Malformed as error:
        raise UsageError(f"{where}{error.message}", hint=error.hint) from None
