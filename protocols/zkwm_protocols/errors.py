"""The errors of zkwm, one tree, so that a caller can tell "not proven" from "could not check".

Every error carries what happened (``message``), what to do next (``hint``) and, where a numbered
check of SPEC.md section 9 failed, that check's id (``check``). Nothing here decides exit codes:
the command line maps these classes to them.
"""

from __future__ import annotations

from typing import Any


class ZkwmError(Exception):
    """Base of all errors that zkwm raises on purpose.

    ``verdict`` is the whole verdict (``zkwm.Verdict``) where a judge's check ended with this error.
    """

    verdict: Any = None

    def __init__(self, message: str, *, hint: str = "", check: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.check = check


class UsageError(ZkwmError):
    """The request makes no sense as it stands; nothing was read as evidence and nothing changed."""


class CouldNotCheck(ZkwmError):
    """The claim was neither confirmed nor refuted."""


class Malformed(CouldNotCheck):
    """A file or message is not what its format demands."""


class InvalidSignature(CouldNotCheck):
    """A signature does not verify."""


class InvalidOpening(CouldNotCheck):
    """A response does not answer the challenge that it is presented for."""


class SuspectUnusable(CouldNotCheck):
    """The suspect model cannot be asked, or its answers cannot be used."""


class Unsupported(CouldNotCheck):
    """Valid, as far as can be seen, but this version does not know how to check it."""


class VaultUnusable(CouldNotCheck):
    """A vault or key file cannot be opened, locked or written."""


class TrustMaterialMissing(ZkwmError):
    """Something that trust rests on (a timestamp token, a key) is missing or expired."""


class Cancelled(ZkwmError):
    """A person said no, or interrupted."""


class NotProven(ZkwmError):
    """Everything was valid and checked, and the evidence stays under the judge's threshold."""


class NotEnoughMatches(UsageError):
    """Fewer triggers than k* match, so that an honest owner has no argument to make.

    This tells the owner's secret, and is shown to him alone: what he says to a judge releases it.
    """
