"""The pages of a claim and of a verdict: what was asked, how it stands, who decided what.

A verdict is read from its signed file alone and verified with the key that it names; whose key that
is, a reader has to know from elsewhere. Opened triggers are never shown.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from zkwm.judge.verdict import Outcome, Verdict
from zkwm.registry_service.pages.history import HistoryRow, history
from zkwm.registry_service.pages.key_standing import KeyEnd, key_end
from zkwm.registry_service.pages.view import Claim, KeptVerdict, RegistryView
from zkwm.report import case_facts, dates, facts, render_report, wording
from zkwm.report.question_facts import question_facts
from zkwm.written_dates import in_words
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.cose.contents import VerdictStatement, commitment_subject
from zkwm_protocols.errors import Malformed
from zkwm_protocols.opened_words import opened_words
from zkwm_protocols.suspect_identity import SuspectKind

REPORT_LIMIT = 4 * 2**20
"""Bytes of a verdict's file of which a report is made on request."""
_VERDICTS_HELD = 16

STATES = {
    "asked": ("Asked", "The owner was asked for proof and has not answered yet."),
    "answered": ("Answered", "The owner answered in time. The judge has not decided yet."),
    "overdue": (
        "Overdue",
        "The deadline passed without an answer. That proves nothing for or against the claim.",
    ),
    "withdrawn": ("Withdrawn", "The claim was withdrawn: there is no decision, and none follows."),
    "decided": ("Decided", "The judge gave a verdict, which was verified and is kept here."),
}
_KINDS = {
    SuspectKind.ONNX: "an ONNX file",
    SuspectKind.SAFETENSORS: "a safetensors file",
    SuspectKind.HTTP: "an endpoint asked over the network",
    SuspectKind.EXTRACTION: "a model from which a mark is extracted",
}
_ICONS = {Outcome.PROVEN: "yes", Outcome.NOT_PROVEN: "no"}


def claim_values(view: RegistryView, digest: bytes) -> dict[str, Any] | None:
    """What the page of a claim shows; None where there is none."""
    claim = view.claim(digest)
    if claim is None:
        return None
    challenge = claim.challenge
    title, meaning = STATES[claim.state]
    return {
        "claim": claim,
        "challenge": challenge,
        "title": title,
        "meaning": meaning,
        "id": challenge.digest.hex(),
        "commitment": challenge.commitment.hex(),
        "model": challenge.suspect.digest.hex(),
        "kind": _KINDS[challenge.suspect.kind],
        "judge": challenge.judge.fingerprint(),
        "signing": challenge.judge.signing.fingerprint(),
        "questions": [facts.Fact(*one) for one in question_facts(challenge)],
        "published": challenge.published,
        "opened": opened_words(challenge.suspect.kind),
        "argued": isinstance(challenge, ArgumentChallenge),
        "verdict": view.verdict(digest) is not None,
    }


def model_values(view: RegistryView, digest: bytes) -> dict[str, Any] | None:
    """What the page of a model shows: the claims on it; None where there is none."""
    claims = view.claims(model=digest)
    return {"digest": digest.hex(), "claims": claims} if claims else None


def verdict_values(view: RegistryView, digest: bytes) -> dict[str, Any] | None:
    """What the page of a verdict shows; None where there is none.

    Raises Malformed or InvalidSignature for a file that its judge did not sign so.
    """
    kept = view.verdict(digest)
    if kept is None:
        return None
    verdict, challenge = signed_verdict(kept.file), kept.challenge
    sha256 = hashlib.sha256(kept.file).digest()
    claim = view.claim(challenge)
    return {
        "verdict": verdict,
        "title": wording.TITLES[verdict.outcome],
        "icon": _ICONS.get(verdict.outcome, "unknown"),
        "dates": dates.in_short(verdict),
        "meaning": wording.meaning(verdict),
        "caution": wording.caution(verdict),
        "words": facts.in_plain_words(verdict),
        "warning": wording.declared_warning(verdict),
        "limits": wording.limits(verdict),
        "facts": facts.claim(verdict),
        "particulars": case_facts.particulars(verdict),
        "files": case_facts.files(verdict),
        "judge": "" if verdict.judge is None else verdict.judge.fingerprint(),
        "signing": "" if verdict.judge is None else verdict.judge.signing.fingerprint(),
        "judge_end": _judge_end(view, verdict),
        "trusted": verdict.judge is not None and view.trusts(verdict.judge.signing),
        "claim": claim,
        "challenge": challenge.hex(),
        "commitment": verdict.commitment_digest.hex() if verdict.commitment_digest else "",
        "sha256": sha256.hex(),
        "logged": _statements_of_verdict(view, verdict, kept, sha256),
        "report": len(kept.file) <= REPORT_LIMIT,
    }


def report_of(kept: KeptVerdict) -> str | None:
    """The report without pictures, made of the signed file; None where that is too long.

    Raises Malformed or InvalidSignature.
    """
    if len(kept.file) > REPORT_LIMIT:
        return None
    return render_report(signed_verdict(kept.file), public=True)


@lru_cache(maxsize=_VERDICTS_HELD)
def signed_verdict(file: bytes) -> Verdict:
    """The same for a file that the registry keeps, which is then held for the next page."""
    return read_signed_verdict(file)


def read_signed_verdict(file: bytes) -> Verdict:
    """A verdict that the judge whom it names has signed. Raises Malformed or InvalidSignature."""
    named = Verdict.from_unverified(file).judge
    if named is None:
        raise Malformed("the verdict names no judge")
    return Verdict.from_bytes(file, named)


def verdict_standing(view: RegistryView, kept: KeptVerdict) -> tuple[str, str]:
    """(what a badge may say of a verdict, what takes it back or nothing)."""
    verdict = signed_verdict(kept.file)
    claim = view.claim(kept.challenge)
    if claim is not None and claim.state == "withdrawn":
        return verdict.outcome, "claim withdrawn"
    end = _judge_end(view, verdict)
    if end is not None and end.grave:
        return verdict.outcome, f"judge's key {end.word}"
    trusted = verdict.judge is not None and view.trusts(verdict.judge.signing)
    return verdict.outcome, "" if trusted else "judge not trusted here"


def claim_in_words(claim: Claim) -> str:
    """How a claim stands in a list."""
    if claim.state == "decided" and claim.outcome:
        return f"decided: {claim.outcome}"
    return claim.state


def published_in_words(claim: Claim) -> str:
    """When the model was published, as the judge states; empty where they do not."""
    published = claim.challenge.published
    return "" if published is None else in_words(published.interval)


def _judge_end(view: RegistryView, verdict: Verdict) -> KeyEnd | None:
    """Why the key that signed a verdict does not count any more; None where it does."""
    if verdict.judge is None:
        return None
    return key_end(view, verdict.judge.signing.fingerprint())


def _statements_of_verdict(
    view: RegistryView, verdict: Verdict, kept: KeptVerdict, sha256: bytes
) -> list[tuple[HistoryRow, bool]]:
    """The log's entries about this very file, and whether the judge's own key signed them."""
    entries = [] if kept.entry is None else [kept.entry]
    if verdict.commitment_digest is not None:
        entries += view.statements(commitment_subject(verdict.commitment_digest))
    own = "" if verdict.judge is None else verdict.judge.signing.fingerprint()
    found = {
        entry.index: entry
        for entry in entries
        if isinstance(entry.statement.content, VerdictStatement)
        and entry.statement.content.verdict == sha256
    }
    return [(row, row.key == own) for row in history(view, found.values())]
