"""The fixed sentences of a dispute: outcomes, standings and rules, for text, page and verdict."""

from __future__ import annotations

from zkwm.disputes.results import Basis, DisputeOutcome, Found, FoundClaim, Standing
from zkwm.disputes.rules import Decision, against, standing
from zkwm.judge.verdict import Outcome
from zkwm_protocols.suspect_identity import SuspectKind
from zkwm_protocols.transparency.equivocation import Equivocation

TITLES = {
    DisputeOutcome.SUPPORTED: "Supported",
    DisputeOutcome.NOT_SUPPORTED: "Supported for nobody",
    DisputeOutcome.UNDECIDED: "Undecided",
    DisputeOutcome.COULD_NOT_CHECK: "Could not be checked",
    DisputeOutcome.TRUST_MATERIAL_MISSING: "Trust material is missing",
}

STANDINGS = {
    Standing.COUNTS: "the mark stands in another's product, and its commitment is older than that "
    "product: it counts",
    Standing.OWN_PRODUCT: "it is the party's own product, in which a mark proves nothing",
    Standing.NOT_FOUND: "the mark was not found",
    Standing.OBJECTED: "the mark was found, and does not count",
    Standing.NOT_OLDER: "the mark was found, but the commitment is not older than the model and "
    "supports nothing",
    Standing.UNDECIDED_IN_TIME: "the mark was found, but the dates of commitment and model "
    "overlap: undecided in time",
    Standing.NO_DATE: "the mark was found or may be there, but a date is missing: it supports "
    "nothing",
    Standing.NOT_CHECKED: "it could not be checked, and says nothing for or against anybody",
}

SHORT = {
    Standing.COUNTS: "found, counts",
    Standing.OWN_PRODUCT: "own product",
    Standing.NOT_FOUND: "not found",
    Standing.OBJECTED: "found, does not count",
    Standing.NOT_OLDER: "found, too late",
    Standing.UNDECIDED_IN_TIME: "found, dates overlap",
    Standing.NO_DATE: "no date",
    Standing.NOT_CHECKED: "not checked",
}

BASES = {
    Basis.REPEATED: "repeated here",
    Basis.JUDGES_WORD: "the word of the judge who asked",
    Basis.NOTHING: "nothing that could be checked",
}

RULES = {
    "28.3.2": "Tokens of trusted authorities date first, the place in a log second.",
    "28.3.3": "Of a log with two trees counts what a quorum of witnesses saw, if of one alone.",
    "28.4.1": "A mark in one's own product proves nothing.",
    "28.4.2": "A claim is as good as the check of it: proven, not proven, or not checked.",
    "28.4.3": "A commitment that is not older than the model supports nothing.",
    "28.4.4": "Dates that overlap leave it undecided in time.",
    "28.4.5": "Without both dates a mark supports nothing.",
    "28.4.6": "A mark in another's product that is older than it counts.",
    "28.5": "A mark does not count where an objection holds.",
    "28.5.1": "Labels that the owner chose do not count.",
    "28.5.2": "A commitment by a revoked key counts only if it is dated before.",
    "28.5.3": "An answer by a revoked key counts only if it is dated before.",
    "28.5.4": "A block that was opened before the model was published does not count.",
    "28.5.5": "Where the count of spent blocks fell, the vault is an older copy.",
    "28.6.1": "One party alone has a mark that counts, and nobody's mark counts against it.",
    "28.6.2": "Marks of several parties count, or marks count against each other.",
    "28.6.3": "What could decide could not be checked.",
    "28.6.4": "What could decide has no date.",
    "28.6.5": "What could decide overlaps in time.",
    "28.6.6": "No mark that counts was found in the contested model.",
    "28.8.1": "Leaves are public, and can be copied by whoever cannot open them.",
    "28.8.2": "An endpoint and published weights are two models.",
    "28.8.3": "The terms of a challenge are those of its judge.",
}
"""The rules in one sentence each; SPEC.md has them in full."""

FILES = {
    "case": "Case",
    "judge-public": "Judge's public key",
    "commitment": "Commitment",
    "model": "Model",
    "archive": "Archive of a case",
    "challenge": "Challenge",
    "proof": "Proof",
    "verdict": "Verdict",
    "statement": "Statement",
    "checkpoint": "Checkpoint",
    "equivocation": "Evidence of two trees",
}
"""What a file is, by its role in the verdict."""

KINDS = {
    SuspectKind.ONNX: "ONNX file",
    SuspectKind.SAFETENSORS: "safetensors file",
    SuspectKind.HTTP: "endpoint",
    SuspectKind.EXTRACTION: "model from which a mark is extracted",
}
"""What a model is, by its suspect's kind."""

PERSONS = (
    "A mark leads to a key, and certificates or documents say whose the key is. No rule and no "
    "outcome rests on that."
)
"""What persons are shown for."""

UNSAID = (
    "who copied, when or how, nor that anybody is guilty: a mark can come in with training data, a "
    "pre-trained model or a merge."
)
"""What no outcome of a dispute says."""


def reason(found: Found, decision: Decision) -> str:
    """The outcome in one plain sentence."""
    contested = ", ".join(one.name for one in found.models if one.contested)
    if decision.outcome == DisputeOutcome.SUPPORTED:
        party = found.party(decision.party)
        where = ", ".join(
            one.model
            for one in found.claims
            if one.mark == party.name and standing(found, one) == Standing.COUNTS
        )
        return (
            f"the claim of {party.called} on {contested} is supported: their mark stands in "
            f"{where}, which is not their own product and not older than their commitment"
        )
    if decision.outcome == DisputeOutcome.NOT_SUPPORTED:
        return f"no claim on {contested} is supported: all was checked, and no mark counts there"
    if decision.outcome == DisputeOutcome.COULD_NOT_CHECK:
        return f"a claim on {contested} could not be checked, and no other one decides"
    if decision.outcome == DisputeOutcome.TRUST_MATERIAL_MISSING:
        return f"a claim on {contested} has no date that the judge trusts, and no other one decides"
    if decision.section == "28.6.5":
        return (
            f"a mark stands in {contested}, but it is undecided which is older, commitment or "
            "model: their dates overlap"
        )
    counted = sorted({one.mark for one in found.claims if standing(found, one) == Standing.COUNTS})
    names = " and ".join(found.party(name).called for name in counted)
    return (
        f"undecided between the parties: marks of {names} count, and the marks in their own "
        "products do not tell them apart"
    )


def on_party(found: Found, name: str) -> tuple[str, ...]:
    """What the rules say about one party, claim by claim, then against it."""
    lines = []
    for one in found.claims:
        if one.mark == name:
            worth = standing(found, one)
            lines.append(f"Mark of {name} in {one.model}: {STANDINGS[worth]}.")
            if worth == Standing.OBJECTED:
                lines += [f"By rule {item.section}: {item.words}." for item in one.objections]
    if not lines:
        lines.append("No claim of this party was put forward.")
    others = against(found, name)
    if others:
        names = ", ".join(others)
        lines.append(f"Against this party: the mark of {names} counts in this party's own product.")
    return tuple(lines)


def two_sizes(one: Equivocation) -> str:
    """The size of both trees that contradict each other, or each of them where they differ."""
    first, second = one.first.checkpoint.head.size, one.second.checkpoint.head.size
    if first == second:
        return f"of size {first:,}"
    return f"of sizes {first:,} and {second:,}, neither of which grew from the other"


def on_claim(one: FoundClaim) -> str:
    """What was found of a claim, in numbers where there are some."""
    words = {
        Outcome.PROVEN: "proven",
        Outcome.NOT_PROVEN: "not proven",
        Outcome.COULD_NOT_CHECK: "could not be checked",
        Outcome.TRUST_MATERIAL_MISSING: "trust material missing",
    }[one.outcome]
    if one.matches is not None and one.trials is not None:
        words += f", {one.matches:,} of {one.trials:,} match"
    if one.bits is not None:
        words += f", {max(one.bits, 0) / 100:.2f} bits left"
    return words
