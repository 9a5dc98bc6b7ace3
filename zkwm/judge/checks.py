"""The ids and titles of a judge's checks, and a recorder of their results.

SPEC.md sections 9.2 and 18.3. The checks themselves raise, in ``zkwm_protocols`` and in the other
modules of ``zkwm.judge``; the recorder turns what they raise into a list that gives each check as
passed, failed or skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zkwm.judge.results import Check, CheckStatus
from zkwm_protocols.errors import ZkwmError

TITLES = {
    "commitment.format": "The commitment file is well formed",
    "commitment.root": "All leaf digests hash to the signed root",
    "commitment.class_names": "The class names are those that were signed",
    "commitment.signature": "The owner signed the commitment",
    "commitment.timestamp": "The commitment is dated, and older where that is demanded",
    "challenge.format": "The challenge file is well formed",
    "challenge.signature": "The judge signed the challenge",
    "challenge.judge": "The challenge is this judge's own",
    "challenge.commitment": "The challenge is for this commitment",
    "challenge.class_map": "The class map is injective and fits the commitment",
    "challenge.suspect": "The suspect is the one that the challenge names",
    "challenge.reachable": "The number of triggers can reach the threshold",
    "response.format": "The proof file is well formed",
    "response.signature": "The owner signed the response",
    "response.challenge": "The response answers this challenge",
    "response.blocks": "Exactly the demanded number of allowed, different, whole blocks is opened",
    "opening.sealed": "The openings are sealed to this judge",
    "opening.format": "The openings are whole blocks of this commitment",
    "opening.leaves": "Every opened trigger hashes to its committed leaf",
    "opening.labels": "The labels are derived, or the judge accepts declared ones",
    "suspect.answers": "The suspect answered every trigger that matters",
    "evidence.threshold": "The evidence reaches the judge's threshold",
}

_OPENING_ONLY = ("opening.", "suspect.", "evidence.")
ARGUMENT_TITLES = {
    **{name: title for name, title in TITLES.items() if not name.startswith(_OPENING_ONLY)},
    "challenge.reachable": "As many matches as are demanded can be had and reach the threshold",
    "response.blocks": "The response is about exactly the demanded number of allowed, whole blocks",
    "argument.labels": "The labels are derived, or the judge accepts declared ones",
    "challenge.network": "The suspect's file gives the integer network of the challenge",
    "argument.translation": "The layers read of the file give the suspect's scores",
    "argument.agreement": "The integer network made from the file answers as the suspect does",
    "argument.format": "The argument is well formed",
    "argument.soundness": "A false argument would pass with a chance of at most 2^-120",
    "argument.proof": "The argument proves the claim",
}


class Checks:
    """The result of each check so far.

    ``titles`` are the checks that apply, in order: ``TITLES``, or ``ARGUMENT_TITLES``.
    """

    def __init__(self) -> None:
        self.titles = TITLES
        self._results: dict[str, tuple[CheckStatus, str]] = {}

    @contextmanager
    def group(self, *ids: str) -> Iterator[None]:
        """Record the checks ``ids``, which the block makes in this order.

        All have passed when the block ends. When it raises, those before the one that the error
        names have passed; an error that names no check counts as the first one's.
        """
        try:
            yield
        except ZkwmError as error:
            failing = error.check = error.check if error.check in self.titles else ids[0]
            order = list(self.titles)
            for earlier in ids:
                if order.index(earlier) < order.index(failing):
                    self._results.setdefault(earlier, (CheckStatus.PASSED, ""))
            self.set(failing, CheckStatus.FAILED, error.message)
            raise
        for passed in ids:
            self._results.setdefault(passed, (CheckStatus.PASSED, ""))

    def set(self, check: str, status: CheckStatus, detail: str) -> None:
        """Record the result of one check."""
        self._results[check] = (status, detail)

    def all(self) -> tuple[Check, ...]:
        """Every check in order; those that were not reached are skipped."""
        return tuple(
            Check(name, title, *self._results.get(name, (CheckStatus.SKIPPED, "not reached")))
            for name, title in self.titles.items()
        )
