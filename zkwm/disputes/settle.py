"""A whole dispute, from the folder of its case to its verdict (SPEC.md 28)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zkwm.disputes import wording
from zkwm.disputes.case_file import DisputeCase, read_case
from zkwm.disputes.findings import Examiner, Shown, find_model
from zkwm.disputes.logged import Logs, read_logs
from zkwm.disputes.marks import Mark, date_mark, read_mark, require_different
from zkwm.disputes.objections import Evidence, objections, read_openings
from zkwm.disputes.remarks import remarks
from zkwm.disputes.results import Basis, Found, FoundModel
from zkwm.disputes.rules import decide
from zkwm.disputes.verdict import CaseFileDigest, DisputeVerdict, file_digest
from zkwm.files import read_limited
from zkwm.judge.judge import Judge
from zkwm.judge.versions import used_versions
from zkwm.trust_folder import read_trust
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.trust import Trust

_JUDGE_LIMIT = 4_096
_BLOCK = 1 << 20


def settle_dispute(
    path: str | Path,
    *,
    trust: Trust | None = None,
    judge: Judge | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> DisputeVerdict:
    """Decide the dispute of CASE.yaml.

    Args:
        path: the case's file; all other files lie in its folder.
        trust: whom the judge of the dispute trusts; None takes the case's own folder.
        judge: that judge, who alone checks openings to themselves, and who can sign; or None.
        say: called with a line before whatever takes long.

    Raises Malformed for a case, a trust folder or a judge's key that is not of its format, and for
    two parties with one commitment,
    CouldNotCheck for one that cannot be read. Evidence that fails is told in the verdict instead.
    """
    case = read_case(path)
    now = int(time.time())
    if trust is None and case.trust is not None:
        trust = read_trust(case.trust)
    judges = _judges(case.judges, judge)
    marks = [read_mark(party) for party in case.parties]
    require_different(marks)
    commitments = [one.commitment for one in marks if one.commitment is not None]
    logs = read_logs(case, commitments, trust, now)
    parties = tuple(date_mark(one, trust, logs, now) for one in marks)
    models = tuple(find_model(one) for one in case.models)
    examiner = Examiner(judges, trust, judge)
    shown = _examined(case, marks, models, examiner, say)
    opened, unread = read_openings(
        case.earlier_openings, list(shown.values()), commitments, judges, logs, now
    )
    evidence = Evidence(opened, logs, now)
    found = _weighed(Found(parties, models, ()), marks, shown, evidence)
    decision = decide(found)
    return DisputeVerdict(
        title=case.title,
        decision=decision,
        reason=wording.reason(found, decision),
        checked=now,
        trust=None if trust is None else trust.digest,
        found=found,
        remarks=remarks(found, marks, shown, trust, evidence),
        not_checked=(*_not_checked(found, trust, logs), *logs.problems, *unread),
        equivocations=logs.equivocations,
        files=tuple(_files(Path(path), case)),
        versions=used_versions(None),
        judge=None if judge is None else judge.public,
        people=() if trust is None else tuple(one.name for one in trust.people),
    )


def _weighed(
    found: Found,
    marks: Sequence[Mark],
    shown: Mapping[tuple[str, str], Shown],
    evidence: Evidence,
) -> Found:
    """The same with the claims, each with what keeps it from counting."""
    by_name = {one.party.name: one for one in marks}
    claims = []
    for (mark, model), one in shown.items():
        commitment = by_name[mark].commitment
        weighed = one.found
        if commitment is not None:
            raised = objections(one, commitment, found.party(mark), found.model(model), evidence)
            weighed = replace(weighed, objections=raised)
        claims.append(weighed)
    return replace(found, claims=tuple(claims))


def _judges(paths: Sequence[Path], judge: Judge | None) -> dict[str, JudgePublic]:
    """The judges whose word counts, by fingerprint. Raises Malformed, naming the file."""
    found = [] if judge is None else [judge.public]
    for path in paths:
        try:
            found.append(JudgePublic.from_bytes(read_limited(path, _JUDGE_LIMIT, regular=True)))
        except ZkwmError as error:
            raise type(error)(f"{path.name}: {error.message}", hint=error.hint) from None
    return {one.fingerprint(): one for one in found}


def _examined(
    case: DisputeCase,
    marks: Sequence[Mark],
    models: Sequence[FoundModel],
    examiner: Examiner,
    say: Callable[[str], object],
) -> dict[tuple[str, str], Shown]:
    """What was shown of each claim, by mark and model."""
    by_name = {one.party.name: one for one in marks}
    asked = {one.name: (one, known) for one, known in zip(case.models, models, strict=True)}
    shown = {}
    for claim in case.claims:
        say(f"examining the claim of {claim.mark} on {claim.model}")
        model, known = asked[claim.model]
        mark = by_name[claim.mark]
        shown[claim.mark, claim.model] = examiner.examine(claim, mark.commitment, model, known)
    return shown


def _not_checked(found: Found, trust: Trust | None, logs: Logs) -> Iterator[str]:
    """What of the case was not looked at, or rests on somebody's word."""
    if trust is None:
        yield "no date of a commitment was checked: nobody was trusted to date one"
    for party in found.parties:
        if party.problem:
            yield f"the commitment of {party.name}: {party.problem}"
    for model in found.models:
        if model.problem:
            yield f"the model {model.name}: {model.problem}"
        if model.published is None:
            yield f"when the model {model.name} was published is not known"
    for claim in found.claims:
        where = f"the mark of {claim.mark} in {claim.model}"
        if claim.basis == Basis.JUDGES_WORD:
            yield f"{where} rests on the word of the judge who asked: {claim.detail}"
        elif claim.basis == Basis.NOTHING:
            yield f"{where} could not be checked: {claim.detail}"
    yield from _unclaimed(found)
    yield from _unnamed(found, logs)


def _unnamed(found: Found, logs: Logs) -> Iterator[str]:
    """Keys whose revocation is shown with the person, and is not among the case's statements."""
    for party in found.parties:
        for one in party.keys:
            if one.revoked and logs.history.standing(one.key, logs.latest).revocation is None:
                yield (
                    f"the key {one.key} of {party.name} is revoked by a statement that is not one "
                    "of the case, so that no claim was weighed by it: name it under statements"
                )


def _unclaimed(found: Found) -> Iterator[str]:
    """Marks of parties that nobody looked for in the other parties' products."""
    claimed = {(one.mark, one.model) for one in found.claims}
    for model in found.models:
        for party in found.parties:
            if model.published_by != party.name and (party.name, model.name) not in claimed:
                yield f"nobody looked for the mark of {party.name} in {model.name}"


def _files(path: Path, case: DisputeCase) -> Iterator[CaseFileDigest]:
    """Every file of the case by its digest; a file that cannot be read is left out."""
    named = [("case", path)]
    named += [("judge-public", one) for one in case.judges]
    named += [("commitment", one.commitment) for one in case.parties]
    named += [("model", one.file) for one in case.models if one.file is not None]
    named += [(role, file) for claim in case.claims for role, file in sorted(claim.files.items())]
    for opening in case.earlier_openings:
        named += [("challenge", opening.challenge), ("proof", opening.proof)]
        named += [] if opening.verdict is None else [("verdict", opening.verdict)]
    for role, files in (
        ("statement", case.statements),
        ("checkpoint", case.checkpoints),
        ("equivocation", case.equivocations),
    ):
        named += [(role, one) for one in files]
    for role, file in dict.fromkeys(named):
        digest, size = hashlib.sha256(), 0
        try:
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
        except OSError:
            continue
        yield file_digest(role, file.name, digest.digest(), size)
