"""The error tree of zkwm, in which "not proven" is never "could not check".

::

    ZkwmError
    ├── UsageError               the request makes no sense; nothing was read or changed
    │   └── NotEnoughMatches     fewer than k* triggers match; for the owner alone
    ├── NotProven                everything was valid; the evidence stays under the threshold
    ├── CouldNotCheck            the claim is neither confirmed nor refuted
    │   ├── Malformed            a file is not in its format
    │   ├── Unsupported          this version cannot check it
    │   ├── InvalidSignature     a signature does not verify
    │   ├── InvalidLogProof      a log does not prove what it should, or its trees contradict
    │   ├── InvalidOpening       a response or its challenge does not fit
    │   ├── SuspectUnusable      the suspect cannot be asked
    │   └── VaultUnusable        a vault or key file cannot be opened or written
    ├── TrustMaterialMissing     a timestamp token or key is missing or expired
    └── Cancelled                a person said no, or interrupted

Each error carries what happened (``message``), what to do next (``hint``) and the id of the failed
check of SPEC.md section 9, if there is one (``check``). The command line maps the classes to exit
codes (``zkwm_cli.exits``).
"""

from __future__ import annotations

from typing import Any


class ZkwmError(Exception):
    """Base of all errors that zkwm raises on purpose.

    Args:
        message: what happened, in one line.
        hint: what to do next, or empty.
        check: the id of the check that failed, or empty.

    ``verdict`` is the whole verdict (``zkwm.Verdict``) of a ``Judge.verify`` that ended with this
    error, else None.
    """

    verdict: Any = None

    def __init__(self, message: str, *, hint: str = "", check: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.check = check


class UsageError(ZkwmError):
    """The request makes no sense; nothing was read as evidence and nothing was changed."""


class CouldNotCheck(ZkwmError):
    """The claim was neither confirmed nor refuted."""


class Malformed(CouldNotCheck):
    """A file or message is not in the format that it should have."""


class InvalidSignature(CouldNotCheck):
    """A signature does not verify."""


class InvalidLogProof(CouldNotCheck):
    """A proof of a log does not verify, or too few of those whom the policy trusts signed its tree.

    It says nothing about the entry itself: the log, the proof or the policy may be the wrong one.
    """


class InvalidOpening(CouldNotCheck):
    """The response or its challenge does not fit.

    Raised for openings, arguments and refusals alike, and for challenges that do not fit their
    commitment or suspect.
    """


class SuspectUnusable(CouldNotCheck):
    """The suspect cannot be asked, or its answers cannot be used."""


class Unsupported(CouldNotCheck):
    """Possibly valid, but this version does not know how to check it."""


class VaultUnusable(CouldNotCheck):
    """A vault or key file cannot be opened, locked or written."""


class TrustMaterialMissing(ZkwmError):
    """A timestamp token or a key that trust rests on is missing or expired."""


class Cancelled(ZkwmError):
    """A person said no, or interrupted."""


class NotProven(ZkwmError):
    """Everything was valid and checked, and the evidence stays under the judge's threshold."""


class NotEnoughMatches(UsageError):
    """Fewer triggers than k* match, so that an honest owner has no argument to make.

    This is the owner's secret: it is shown to the owner alone, and telling a judge releases it.
    """
