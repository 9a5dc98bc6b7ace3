"""The desk of a marketplace: register, list, challenge, take answers, settle, screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.particulars import NOT_STATED, CaseParticulars
from zkwm.judge.verdict import Verdict
from zkwm.marketplace import cases
from zkwm.marketplace.cases import Case, CaseState
from zkwm.marketplace.claims import Claim
from zkwm.marketplace.kept_verdicts import documents, keep_verdict, kept_file
from zkwm.marketplace.label_seeds import known_seed
from zkwm.marketplace.many import Settling
from zkwm.marketplace.registrar import Registrar, dated_by, require_digest, whom_to_trust
from zkwm.marketplace.terms import Terms, argument_terms, whole_seconds
from zkwm.registry_database.database import damaged
from zkwm.report import render_report
from zkwm.suspects import Progress, Suspect
from zkwm_protocols.argument_response import Refusal, Response, read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.schema import require_text
from zkwm_protocols.trust import Trust

TWO_WEEKS = timedelta(days=14)


class Marketplace(Registrar):
    """A database of commitments, listings, cases and verdicts, and the judge who decides.

    ``location`` is a folder (its file is ``marketplace.sqlite``), an SQLite file, or a URL
    ``postgresql://USER:PASSWORD@HOST/DATABASE``. Several processes and machines may use one
    database: what was tried on a commitment is counted over all of them, in the ledger that lies in
    the same database (``judge``). A ledger beside the judge's key file is taken over at the first
    opening, and the file refused from then on: one judge keeps one ledger. No lock is held while a
    model is asked. Close it, or use it in a ``with`` statement.

    ``trust`` is whom it trusts to date commitments: a trust folder, or what it says. Challenges fix
    it, and verdicts then say whether the commitment is older than the model (SPEC.md 8.5).

    Raises UsageError for a location that cannot be, CouldNotCheck for a database that cannot be
    used, Unsupported for one of another version.
    """

    def challenge(
        self,
        name: str,
        suspect: Suspect,
        *,
        reveal: int | tuple[int, ...] | None = None,
        zero_knowledge: bool = False,
        listing: str = "",
        answer_within: timedelta | None = TWO_WEEKS,
        **terms: Unpack[Terms],
    ) -> Challenge:
        """Challenge the owner of a registered commitment about a model; open a case.

        The number of functions tried comes from the ledger, which counts those of every challenge
        that was answered. Blocks that were opened in an earlier case stay out. The suspect's file
        is read, and the suspect asked, without a lock: that holds up nobody.

        Args:
            name: the commitment's digest in hexadecimal.
            suspect: the model that the challenge is about.
            reveal: the number of triggers, in whole blocks, or blocks to be weighed again, as for
                ``Judge.challenge``. By default one block, or, for an argument, all that were not
                opened here.
            zero_knowledge: ask for an argument, which opens nothing.
            listing: the id under which this very model was added (``add_listing``), or empty.
            answer_within: the time to answer; None is no deadline.
            terms: ``purpose``, ``preprocessing``, ``class_map``, ``suspect_classes``, ``policy``,
                ``excluded_blocks`` (beside those opened here), ``statistic``, ``test_data``,
                ``published`` and ``trust`` (also a folder; by default whom the marketplace trusts)
                of ``Judge.challenge``. For an argument, suspect and integer network are compared on
                the first 200 images of ``test_data`` too.

        Raises:
            UsageError: there is no such commitment or listing, or the threshold cannot be reached.
            Also what asking the suspect raises.
        """
        seconds = whole_seconds(answer_within)
        self._require_listed(listing, suspect)
        commitment = self.commitment(name)
        opened = set(self._judge.ledger.opened_blocks(commitment.digest))
        if isinstance(reveal, tuple):
            opened -= set(reveal)
        terms["policy"] = terms.get("policy") or self._policy
        terms["excluded_blocks"] = tuple(sorted(opened | set(terms.get("excluded_blocks", ()))))
        size = commitment.header.block_size
        asked: dict[str, Any] = dict(terms)
        if zero_knowledge:
            asked = argument_terms(reveal, size, terms)
        asked["trust"] = whom_to_trust(terms.get("trust", self._trust))
        challenge: Challenge
        if zero_knowledge:
            challenge = self._judge.challenge_argument(commitment, suspect, **asked)
        else:
            challenge = self._judge.challenge(
                commitment, suspect, reveal=size if reveal is None else reveal, **asked
            )
        cases.issue(self._database, challenge, listing, seconds)
        return challenge

    def issued(self, case: str) -> Challenge:
        """The challenge of a case, by its digest in hexadecimal. Raises UsageError."""
        return cases.find(self._database, require_digest(case, "challenge"))[1]

    def case(self, case: Challenge | str) -> Case:
        """The case of a challenge, or of its digest in hexadecimal. Raises UsageError."""
        return cases.find(self._database, _name(case))[0]

    def cases(
        self,
        *,
        state: CaseState | str | None = None,
        commitment: str | None = None,
        listing: str | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> tuple[Case, ...]:
        """Cases in the order in which they were asked, at most ``limit``.

        ``state``, ``commitment`` (a digest in hexadecimal) and ``listing`` (an id) choose among
        them; ``after`` is the id of the last case seen, to go on. Raises UsageError.
        """
        try:
            wanted = None if state is None else CaseState(state)
        except ValueError:
            known = ", ".join(CaseState)
            raise UsageError("state names no state of a case", hint=f"one of {known}") from None
        return cases.select_cases(
            self._database,
            state=wanted,
            commitment=None if commitment is None else require_digest(commitment, "commitment"),
            listing=listing,
            after=None if after is None else require_digest(after, "challenge"),
            limit=limit,
        )

    def answer(self, case: Challenge | str, proof: Response | bytes) -> Case:
        """Check that this is the owner's answer in time, and keep it; ``settle`` weighs it.

        Giving the same one again changes nothing; another answer of the owner's is kept beside it,
        up to 16. A refusal that the owner signed is an answer too.

        Raises UsageError for an answer that is late or to a withdrawn case, Malformed, Unsupported,
        InvalidSignature and InvalidOpening for what is no answer of the owner's to this challenge;
        then nothing is kept or counted.
        """
        name = _name(case)
        found, challenge = cases.find(self._database, name)
        cases.require_open(found)
        response = read_response(proof) if isinstance(proof, bytes) else proof
        commitment = self.commitment(found.commitment)
        response.verify_signatures(commitment.header)
        if isinstance(response, Refusal):
            response.verify_answers(commitment, challenge)
        else:
            response.verify_against(commitment, challenge)
        return cases.answer(self._database, name, response.to_bytes())

    def withdraw(self, case: Challenge | str, reason: str = "") -> Case:
        """End a case that is not decided: it is not answered or settled any more.

        Blocks that were opened stay opened. Raises UsageError for a case that is decided.
        """
        return cases.withdraw(self._database, _name(case), require_text(reason, cases.MOST_REASON))

    def extend(self, case: Challenge | str, answer_within: timedelta | None) -> Case:
        """Set the deadline of a case anew, from now; None is no deadline. Raises UsageError."""
        return cases.extend(self._database, _name(case), whole_seconds(answer_within))

    def settle(
        self,
        suspect: Suspect | str | Path,
        case: Challenge | str,
        proof: Response | bytes | None = None,
        *,
        decoys: NDArray[np.uint8] | None = None,
        images: NDArray[np.uint8] | None = None,
        progress: Progress | None = None,
        particulars: CaseParticulars = NOT_STATED,
        trust: Trust | str | Path | None = None,
        **suspect_options: Any,  # noqa: ANN401
    ) -> Verdict:
        """Check the owner's answer; keep the verdict and its reports; return it if proven.

        ``suspect`` is open, or a location; ``suspect_options`` then go to ``zkwm.open_suspect``.
        Without ``proof`` it is the last answer that was kept; with one, it is kept first
        (``answer``), where it is the owner's. ``decoys``, ``images``, ``progress`` and
        ``particulars`` are those of ``Judge.verify``: natural images uint8 (n, channels, height,
        width) asked beside triggers; images of the suspect's task on which suspect and integer
        network are compared; the parties as stated. The listing is that of the case. ``trust`` is
        whom the challenge trusts, where that is not whom the marketplace trusts now.

        What was opened stays excluded for good, and a kept verdict is replaced only by one whose
        checks came at least as far: a later answer takes nothing back. Settling again asks the
        suspect only for answers that it did not give: first ones stand.

        Raises UsageError for a challenge that this marketplace did not issue, a case that was
        withdrawn, also in the meantime, and an answer that is missing or late; and what
        ``Judge.verify`` raises, with its verdict.
        """
        name = _name(case)
        found, challenge = cases.find(self._database, name)
        cases.require_open(found)
        trusted = self._trust if trust is None else whom_to_trust(trust)
        owners, commitment = True, dated_by(self.commitment(found.commitment), trusted)
        if proof is None:
            proof = cases.newest_proof(self._database, name)
        else:
            owners = self._accept(case, proof)
        with ExitStack() as stack:
            if owners:  # a stranger's answer costs no seed
                key = self._judge.secret_key
                stack.enter_context(known_seed(self._database, key, commitment))
            try:
                verdict = self._judge.verify(
                    commitment, suspect, challenge, proof, decoys=decoys,
                    images=images, progress=progress,
                    particulars=replace(particulars, listing=found.listing), trust=trusted,
                    **suspect_options,
                )  # fmt: skip
            except ZkwmError as error:
                if owners and isinstance(error.verdict, Verdict):
                    self._keep(name, error.verdict)
                raise
        self._keep(name, verdict)
        return verdict

    def verify_many(
        self,
        claims: Iterable[Claim],
        *,
        processes: int | None = None,
        seconds: float = 3600.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Settling:
        """Settle many claims at once, in other processes; iterate over what is returned.

        Results come in the order in which they are there. A case whose process crashes or takes too
        long could not be checked; the others go on. ``with`` and ``cancel`` end all processes.

        Args:
            claims: the cases, and where each model is.
            processes: at most so many at once; by default as many as there are processors.
            seconds: the time for one claim, after which its process is ended.
            progress: called with the number of claims settled, and that of all.

        Raises UsageError for a claim's options that cannot be sent to another process.
        """
        return Settling(
            self._database.location, self._judge.secret_key, claims, self._trust,
            processes=processes, seconds=seconds, progress=progress,
        )  # fmt: skip

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Every verdict kept, as JSON values, by the challenge's digest in hexadecimal."""
        return documents(self._database)

    def verdict(self, case: Challenge | str) -> Verdict:
        """The kept verdict, without images of triggers, as whoever has its file reads it.

        Raises UsageError without one, InvalidSignature for one that this judge did not sign, and
        Malformed for a file that is damaged, or about another case.
        """
        return self._kept(case)[0]

    def verdict_file(self, case: Challenge | str) -> bytes:
        """The file of the kept verdict, signed by the judge. Raises what ``verdict`` does."""
        return self._kept(case)[1]

    def proof(self, case: Challenge | str) -> bytes:
        """The file of the owner's last answer. Raises UsageError where there is none."""
        return cases.newest_proof(self._database, _name(case))

    def report(self, case: Challenge | str, *, public: bool = False) -> str:
        """The report on the kept verdict, one HTML page. Raises UsageError without a verdict.

        It shows the triggers that were opened, and is for parties and judge; with ``public`` it is
        the one that shows none.
        """
        column = "report_public" if public else "report"
        return str(kept_file(self._database, _name(case), column))

    def _kept(self, case: Challenge | str) -> tuple[Verdict, bytes]:
        """The kept verdict and its file. Raises what ``verdict`` does."""
        name = _name(case)
        file = bytes(kept_file(self._database, name, "file"))
        verdict = Verdict.from_bytes(file, self._judge.public)
        if verdict.challenge is None or verdict.challenge.digest != name:
            raise damaged("verdict on", name)
        return verdict, file

    def _accept(self, case: Challenge | str, proof: Response | bytes) -> bool:
        """Keep an answer that is the owner's; whether it is. Raises UsageError for a late one."""
        try:
            self.answer(case, proof)
        except UsageError:
            raise
        except ZkwmError:  # the judge says by which check
            return False
        return True

    def _keep(self, name: bytes, verdict: Verdict) -> None:
        """Keep a verdict, signed, and its reports: all made before the database is locked."""
        keep_verdict(
            self._database,
            name,
            verdict,
            file=self._judge.sign_verdict(verdict),
            report=render_report(verdict),
            report_public=render_report(verdict, public=True),
        )


def _name(case: Challenge | str) -> bytes:
    """The digest of a challenge. Raises UsageError."""
    return case.digest if isinstance(case, Challenge) else require_digest(case, "challenge")
