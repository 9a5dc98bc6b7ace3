"""Repeat a whole case from its archive: every check again, and whether the verdict follows.

Nothing but the archive is read (SPEC.md 20.4): no network, no ledger, no secret. What rests on the
judge's word alone is said, and never counts as repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zkwm.case_archive.asked_again import repeat_mark
from zkwm.case_archive.container import read_archive
from zkwm.case_archive.documents import CaseDocuments, in_files, read_documents
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.case_archive.other_rounding import Replaying
from zkwm.case_archive.replay_accuracy import repeat_accuracy
from zkwm.case_archive.replay_answers import weigh_stated
from zkwm.case_archive.replay_dates import (
    dating_again,
    repeat_dates,
    too_late,
    trust_of_case,
)
from zkwm.case_archive.replay_triggers import repeat_triggers
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.case import ArgumentCase, OpeningCase
from zkwm.judge.check_opening import could_decide
from zkwm.judge.dating import Dating
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.suspects import OnnxLimits
from zkwm.suspects.model_digests import model_digests
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import ArgumentChallenge, OpeningChallenge
from zkwm_protocols.errors import NotProven, TrustMaterialMissing, ZkwmError
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opening import Opening
from zkwm_protocols.suspect_identity import SuspectKind
from zkwm_protocols.trust import Trust


@dataclass(frozen=True)
class Replay:
    """What came of a replay.

    Attributes:
        documents: what the archive holds.
        steps: every step in order.
        outcome: what the case comes to by this replay; None where it was not repeated whole.
        judge_given: whether whoever asked gave the judge's key, or it is the archive's own.
        dating: dates and persons as they are now found; None where nobody is trusted.
    """

    documents: CaseDocuments
    steps: tuple[ReplayStep, ...]
    outcome: Outcome | None
    judge_given: bool
    dating: Dating | None = None

    @property
    def differs(self) -> bool:
        """Whether a step came to something else than the archive says."""
        return any(step.state == ReplayState.DIFFERS for step in self.steps)

    @property
    def hint(self) -> str:
        """What to do about the first step that differs, else about one that is not repeated."""
        wanted = ReplayState.DIFFERS if self.differs else ReplayState.NOT_REPEATED
        return next((step.hint for step in self.steps if step.state == wanted and step.hint), "")

    @property
    def whole(self) -> bool:
        """Whether every step was repeated, with the verdict's own outcome."""
        return self.outcome is not None


def check_case(
    data: bytes,
    judge: JudgePublic | str | None = None,
    *,
    trust: Trust | None = None,
    limits: OnnxLimits | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Replay:
    """Repeat the case in an archive.

    Args:
        data: the archive.
        judge: the public keys of the judge whom the caller trusts, or their fingerprint; None
            takes the archive's own, whose fingerprint somebody has to confirm.
        trust: whom the caller trusts to date the commitment; None takes the archive's own, which is
            the judge's.
        limits: time and memory that the suspect may use when it is asked again; ``total_seconds``
            are for all askings of one step together.
        progress: called with what is done, and with images (or rounds of relearning) done and in
            all.

    Raises:
        Malformed or Unsupported: the archive, or a file in it, cannot be read.
        InvalidSignature: the judge of the archive is another one, or did not sign its verdict.
    """
    documents = read_documents(*read_archive(data), judge)
    if documents.trust is None and trust is not None:
        documents = documents.trusting(trust)
    steps = []
    replayed: Outcome | None = None
    replaying = Replaying(limits or OnnxLimits(), progress)
    for step, outcome in _steps(documents, trust, replaying):
        steps.append(step)
        replayed = outcome
    whole = all(step.state == ReplayState.REPEATED for step in steps)
    outcome = replayed if whole else None
    dating = dating_again(documents, trust)
    return Replay(documents, tuple(steps), outcome, judge is not None, dating)


_Stepped = Iterator[tuple[ReplayStep, Outcome | None]]


def _steps(documents: CaseDocuments, given: Trust | None, replaying: Replaying) -> _Stepped:
    """Every step, with the outcome of the case as far as it is known."""
    verdict = documents.verdict
    if verdict is not None:
        yield _signed(verdict), None
    yield _files(documents), None
    if documents.files(ArchiveRole.REPORT):
        yield _reports(documents), None
    yield _answers_each_other(documents), None
    dates = repeat_dates(documents, given)
    if dates is not None:
        yield dates, None
    trust = trust_of_case(documents, given)
    challenge, response = documents.challenge, documents.response
    with documents.suspect_at() as suspect:
        location = None if suspect is None else str(suspect)
        yield _suspect(documents, location), None
        accuracy = None
        if location is not None:
            accuracy = repeat_accuracy(documents, location, replaying)
        if accuracy is not None:
            yield accuracy, None
        if isinstance(challenge, ArgumentChallenge) and isinstance(response, ArgumentResponse):
            yield from _argument(documents, challenge, response, location, trust)
        elif isinstance(challenge, OpeningChallenge) and isinstance(response, Opening):
            case = _opening_case(documents, challenge, response)
            yield from _opening(documents, case, location, trust, replaying)
        else:
            words = "the owner refused to answer, which proves nothing"
            yield ReplayStep("answer", ReplayState.NOT_REPEATED, words), None


def _signed(verdict: Verdict) -> ReplayStep:
    """The verdict's signature, which the reader verified."""
    words = f"signed by the judge's key, and says: {verdict.outcome}"
    return ReplayStep("verdict", ReplayState.REPEATED, words)


def _files(documents: CaseDocuments) -> ReplayStep:
    """The files of the verdict, by digest."""
    if documents.verdict is None:
        return ReplayStep("files", ReplayState.REPEATED, "as the manifest lists them")
    if others := documents.other_files():
        return ReplayStep("files", ReplayState.DIFFERS, "; ".join(others))
    return ReplayStep(
        "files", ReplayState.REPEATED, "the very ones that the verdict names by digest"
    )


def _reports(documents: CaseDocuments) -> ReplayStep:
    """Whether the judge vouches for the pages that people read: nothing is read from them here."""
    if unnamed := documents.unnamed_reports():
        words = (
            f"nobody vouches for what {', '.join(unnamed)} shows: the verdict does not name it "
            "(zkwm verify writes report and verdict together)"
        )
        return ReplayStep("reports", ReplayState.NOT_REPEATED, words)
    return ReplayStep("reports", ReplayState.REPEATED, "those that the verdict names by digest")


def _answers_each_other(documents: CaseDocuments) -> ReplayStep:
    """All signatures, and that commitment, challenge and answer belong together."""
    try:
        documents.require_one_case()
    except ZkwmError as error:
        return ReplayStep("signatures", ReplayState.DIFFERS, error.message)
    words = "those of owner and judge verify, and the answer is to this challenge"
    return ReplayStep("signatures", ReplayState.REPEATED, words)


def _suspect(documents: CaseDocuments, location: str | None) -> ReplayStep:
    """The suspect's digest."""
    pinned = documents.challenge.suspect
    if not in_files(pinned.kind):
        words = f"a suspect of the kind {pinned.kind} is in no file: nobody can ask it again"
        return ReplayStep("suspect", ReplayState.NOT_REPEATED, words)
    if pinned.kind == SuspectKind.EXTRACTION:
        return repeat_mark(documents, location)
    if location is None:
        return ReplayStep("suspect", ReplayState.NOT_REPEATED, "the model is not in the archive")
    try:
        (found,) = model_digests(location)
    except ZkwmError as error:
        return ReplayStep("suspect", ReplayState.NOT_REPEATED, error.message)
    if found.digest is None:
        return ReplayStep("suspect", ReplayState.NOT_REPEATED, found.problem)
    if found.digest != pinned.digest:
        return ReplayStep(
            "suspect", ReplayState.DIFFERS, "it is not the model that the challenge names"
        )
    return ReplayStep(
        "suspect", ReplayState.REPEATED, "the model that the challenge names, by digest"
    )


def _argument(
    documents: CaseDocuments,
    challenge: ArgumentChallenge,
    response: ArgumentResponse,
    location: str | None,
    trust: Trust | None,
) -> _Stepped:
    """The argument, its network made again from the file, and the evidence."""
    if location is None:
        yield (
            ReplayStep("argument", ReplayState.NOT_REPEATED, "the model is not in the archive"),
            None,
        )
        return
    from zkwm.judge.verification import verify_argument

    verdict = documents.verdict
    accept = verdict is not None and verdict.declared_labels_accepted
    failure: ZkwmError | None = None
    try:
        public = verify_argument(
            documents.commitment, location, challenge, response, documents.judge,
            accept_declared_labels=accept, trust=trust,
        )  # fmt: skip
    except ZkwmError as error:
        if error.verdict is None:
            yield ReplayStep("argument", ReplayState.NOT_REPEATED, error.message), None
            return
        public, failure = error.verdict, error
    if failure is not None and not isinstance(failure, NotProven):
        state = ReplayState.DIFFERS
        if isinstance(failure, TrustMaterialMissing) or (
            verdict is not None and verdict.outcome == Outcome.COULD_NOT_CHECK
        ):
            state = ReplayState.NOT_REPEATED
        yield ReplayStep("argument", state, failure.message), None
        return
    words = "verified whole: network from the file, gate, proof"
    if verdict is not None and verdict.argued is not None and public.argued is not None:
        more = len(verdict.argued.agreements) - len(public.argued.agreements)
        if more > 0:
            words += "; the comparison on the judge's own images is theirs"
    yield ReplayStep("argument", ReplayState.REPEATED, words), None
    tried = challenge.policy.functions_tried if verdict is None else verdict.functions_tried
    case = ArgumentCase(documents.commitment, challenge, response, accept, tried or 1)
    evidence = case.weigh(challenge.least_matches)
    yield _evidence(documents, evidence, trust, counted=case.labels_count)


def _opening_case(
    documents: CaseDocuments, challenge: OpeningChallenge, response: Opening
) -> OpeningCase:
    """What was asked and answered, with the verdict's j."""
    verdict = documents.verdict
    accept = verdict is not None and verdict.declared_labels_accepted
    tried = None if verdict is None else verdict.functions_tried
    return OpeningCase(documents.commitment, challenge, response, accept, tried or 1)


def _opening(
    documents: CaseDocuments,
    case: OpeningCase,
    location: str | None,
    trust: Trust | None,
    replaying: Replaying,
) -> _Stepped:
    """Leaves and answers, where the triggers are there, and the evidence from the matches."""
    verdict = documents.verdict
    if verdict is None:
        words = "an opening is sealed to the judge, whose verdict is not in the archive"
        yield ReplayStep("answers", ReplayState.NOT_REPEATED, words), None
        return
    if verdict.evidence is None and not verdict.triggers:
        words = f"the verdict has no answers of the suspect, and says: {verdict.outcome}"
        yield ReplayStep("answers", ReplayState.NOT_REPEATED, words), None
        return
    if documents.opened is None:
        words = (
            "the opened triggers are not in the archive: that they match rests on the judge's word "
            "(an archive may be packed with them)"
        )
        yield ReplayStep("answers", ReplayState.NOT_REPEATED, words), None
    else:
        for step in repeat_triggers(documents, case, documents.opened, location, replaying):
            yield step, None
    evidence = weigh_stated(case, verdict.triggers)
    if evidence is None:
        words = "the answers that the verdict lists give no evidence"
        yield ReplayStep("evidence", ReplayState.NOT_REPEATED, words), None
        return
    if could_decide(case, verdict.triggers, evidence):
        yield _open_evidence(verdict, evidence), None
        return
    yield _evidence(documents, evidence, trust, counted=case.labels_count)


def _open_evidence(verdict: Verdict, evidence: Evidence) -> ReplayStep:
    """The sum in bits where answers that the verdict has not could change it: nobody decides."""
    if verdict.outcome == Outcome.COULD_NOT_CHECK and verdict.evidence == evidence:
        words = f"the verdict decides nothing: {verdict.reason}"
        return ReplayStep("evidence", ReplayState.NOT_REPEATED, words)
    words = f"answers that it has not could decide, and the verdict says {verdict.outcome}"
    return ReplayStep("evidence", ReplayState.DIFFERS, words)


def _evidence(
    documents: CaseDocuments, evidence: Evidence, trust: Trust | None, *, counted: bool
) -> tuple[ReplayStep, Outcome | None]:
    """The sum in bits, and the outcome that follows from it."""
    late = too_late(documents, trust)
    proven = evidence.reached and counted and not late
    outcome = Outcome.PROVEN if proven else Outcome.NOT_PROVEN
    verdict = documents.verdict
    listed = isinstance(documents.challenge, OpeningChallenge) and documents.opened is None
    if counted:
        left = max(evidence.total_hundredths, 0) / 100
        words = f"{left:.2f} bits are left, {evidence.threshold_bits} are demanded"
        words += ", and the commitment is not older" * late + f": {outcome}"
    else:
        words = f"the owner chose the labels, and they do not count: {outcome}"
    if verdict is not None and (verdict.evidence != evidence or verdict.outcome != outcome):
        return ReplayStep(
            "evidence", ReplayState.DIFFERS, f"{words}; the verdict says otherwise"
        ), None
    if verdict is not None and documents.files(ArchiveRole.VERDICT):
        words += ", as the verdict says"
    if listed:
        words += ", from the matches that it lists"
    return ReplayStep("evidence", ReplayState.REPEATED, words), outcome
