"""Named facts and counts of a verdict, which text and report both show.

They repeat the verdict, the header and the challenge; nothing is judged here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from zkwm.judge.results import Argued, Asked, CheckStatus, FirstSeen, TriggerResult, TriggerStatus
from zkwm.judge.verdict import CheckedBy, Outcome, Verdict
from zkwm.report.class_list import class_map_in_words
from zkwm.report.dates import date_facts
from zkwm.report.mark_words import of_keys
from zkwm.report.question_facts import question_facts
from zkwm.report.statistic_words import counted_in_short, counted_more_finely
from zkwm.report.visible import by_luck, count, odds, utc
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Header
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.suspect_identity import SuspectKind

UNKNOWN = "not known: the check ended before it could be read"
_SHOWN_BLOCKS = 40
_UNOPENED = (TriggerStatus.WRONG_LEAF, TriggerStatus.MISSING_LEAF)
_CHECKED_BY = {
    CheckedBy.JUDGE: "the judge, with their ledger",
    CheckedBy.PUBLIC: "the public, without the judge's secrets: the judge's ledger may know more "
    "functions that were tried",
}
_KINDS = {
    SuspectKind.ONNX: "ONNX file",
    SuspectKind.SAFETENSORS: "safetensors with a built-in architecture",
    SuspectKind.HTTP: "endpoint asked over the network",
    SuspectKind.EXTRACTION: "mark extracted from weights, activations or answers of a "
    "built-in architecture",
}


@dataclass(frozen=True)
class Fact:
    """One named fact; ``digest`` marks a value to be shown in groups of characters."""

    name: str
    value: str
    digest: bool = False


@dataclass(frozen=True)
class Block:
    """The results of one opened block, in order, with how many there are of each status."""

    number: int
    triggers: tuple[TriggerResult, ...]
    counts: dict[str, int]


def claim(verdict: Verdict) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """The claim, who makes it, and the model that it is about: (heading, facts)."""
    return (
        ("The commitment", _commitment(verdict)),
        ("The examined model (the suspect)", _suspect(verdict)),
        ("The dates", tuple(Fact(*one) for one in date_facts(verdict))),
        ("The judge and the challenge", _challenge(verdict)),
        *(() if verdict.argued is None else (("The argument", _argument(verdict.argued)),)),
    )


def blocks(verdict: Verdict) -> tuple[Block, ...]:
    """The opened triggers by block."""
    by_block: dict[int, list[TriggerResult]] = {}
    for result in verdict.triggers:
        by_block.setdefault(result.block, []).append(result)
    return tuple(
        Block(number, tuple(results), dict(Counter(result.status for result in results)))
        for number, results in sorted(by_block.items())
    )


def bits(hundredths: int) -> str:
    """Hundredths of a bit as bits with two decimals, exactly."""
    sign = "-" if hundredths < 0 else ""
    whole, rest = divmod(abs(hundredths), 100)
    return f"{sign}{whole:,}.{rest:02}"


def bits_left(evidence: Evidence) -> str:
    """What is left of the evidence after all deductions, in bits; never less than none."""
    total = evidence.total_hundredths
    return f"{bits(total)} bits" if total > 0 else "none"


def in_plain_words(verdict: Verdict) -> str:
    """The case for a reader who does not know the field; empty where nothing was counted."""
    evidence, header = verdict.evidence, verdict.header
    if evidence is None or header is None:
        return ""
    opening = _what_happened(verdict, evidence, header)
    if verdict.declared_labels:
        return opening
    luck = by_luck(evidence.trials, evidence.class_count)
    words = (
        f"{opening} Nobody could choose these labels: they follow from the commitment. A model "
        f"that has nothing to do with the commitment matches {luck} by luck."
    )
    if verdict.outcome == Outcome.COULD_NOT_CHECK:
        return words
    total = evidence.total_hundredths
    if total <= 0:
        return words + (
            " After the deductions below for what an accuser could have tried, nothing is left "
            "that luck could not explain."
        )
    return words + (
        " After the deductions below for what an accuser could have tried, the chance that an "
        f"unrelated model reaches a result this good is at most {odds(total)}; the judge demands "
        f"at most {odds(100 * evidence.threshold_bits)}."
    )


def _what_happened(verdict: Verdict, evidence: Evidence, header: Header) -> str:
    """What was opened, extracted or proven, and how much of it matches."""
    if verdict.argued is not None:
        return (
            f"The owner's commitment fixes {count(header.leaf_count, 'trigger image')} without "
            "showing them. For this case the owner showed no image. They proved by calculation "
            f"that they know {evidence.trials:,} of them, and that the integer network made from "
            f"the examined file gives the label fixed for the image to at least "
            f"{evidence.matches:,} of these "
            f"{evidence.trials:,}. "
            "Which ones, and how many more, stays hidden."
        )
    unseen = sum(result.status in _UNOPENED for result in verdict.triggers)
    if of_keys(verdict):
        return (
            f"The owner's commitment fixes {count(header.leaf_count, 'secret key')} without "
            f"showing them. For this case {evidence.trials:,} of them had to be opened"
            + (f" ({unseen:,} were not opened as committed)" if unseen else "")
            + ", and with each the judge extracted one bit from the examined model. "
            f"{evidence.matches:,} of {evidence.trials:,} are the bits fixed as labels."
        )
    return (
        f"The owner's commitment fixes {count(header.leaf_count, 'trigger image')} without showing "
        f"them. For this case {evidence.trials:,} of them had to be opened and were shown to the "
        "examined model"
        + (f", except {unseen:,} that were not opened as committed" if unseen else "")
        + f". It answered {evidence.matches:,} of {evidence.trials:,} with the label fixed for the "
        "image." + counted_more_finely(verdict)
    )


def _commitment(verdict: Verdict) -> tuple[Fact, ...]:
    """The commitment, its keys, triggers and labels."""
    header, digest = verdict.header, verdict.commitment_digest
    known = Fact("Commitment", digest.hex(), True) if digest else Fact("Commitment", UNKNOWN)
    if header is None:
        return (known, Fact("Owner's key", UNKNOWN))
    keys = header.owner_keys
    return (
        known,
        *(
            Fact(
                "Owner's key" if len(keys) == 1 else f"Owner's key {number}",
                key.fingerprint(),
                True,
            )
            for number, key in enumerate(keys, 1)
        ),
        Fact("Secret keys", _keys(header))
        if of_keys(verdict)
        else Fact("Trigger images", _images(header)),
        Fact("Labels", _labels(verdict, header)),
        *_optional("Named authority", header.timestamp_authority),
        *_optional("Owner's own model", header.owner_model),
    )


def _keys(header: Header) -> str:
    """Number, blocks and size of keys under which bits are extracted."""
    return (
        f"{header.leaf_count:,} in {count(header.block_count, 'block')} of {header.block_size:,}; "
        "32 bytes each, one bit each"
    )


def _images(header: Header) -> str:
    """Number, blocks, size, color and classes of the triggers."""
    channels, height, width = header.shape
    return (
        f"{header.leaf_count:,} in {count(header.block_count, 'block')} of {header.block_size:,}; "
        f"{width} × {height} pixels, {'grayscale' if channels == 1 else 'color'}; "
        f"{header.class_count:,} classes"
    )


def _labels(verdict: Verdict, header: Header) -> str:
    """Whether labels are derived or declared, and whether the judge accepted the latter."""
    if not verdict.declared_labels:
        if header.timestamp_authority is not None:
            return "derived from the commitment and a timestamp; not defined without its token"
        return "derived from the commitment; nobody could choose them"
    accepted = "accepted" if verdict.declared_labels_accepted else "did not accept"
    return f"declared: chosen by the owner; the judge {accepted} this"


def _suspect(verdict: Verdict) -> tuple[Fact, ...]:
    """The suspect, and how images are fed to it."""
    challenge = verdict.challenge
    if challenge is None:
        return (Fact("Model", UNKNOWN),)
    suspect = challenge.suspect
    return (
        Fact("Model", suspect.description or "no description"),
        Fact("Kind", _KINDS[suspect.kind]),
        Fact(
            "Address digest" if suspect.kind == SuspectKind.HTTP else "Digest",
            suspect.digest.hex(),
            True,
        ),
        *(Fact(*one) for one in question_facts(challenge)),
        *(
            ()
            if of_keys(verdict)
            else (Fact("Class map", class_map_in_words(challenge, verdict.class_names)),)
        ),
    )


def _challenge(verdict: Verdict) -> tuple[Fact, ...]:
    """The judge, the case and the standard of evidence."""
    challenge = verdict.challenge
    checked = Fact("Checked", utc(verdict.checked))
    if challenge is None:
        return (Fact("Judge's key", UNKNOWN), Fact("Challenge", UNKNOWN), checked)
    policy = challenge.policy
    demanded = (
        "the number of matches below"
        if verdict.declared_labels
        else f"{policy.threshold_bits} bits"
    )
    recorded = len(verdict.suspect_record)
    tried = verdict.functions_tried or policy.functions_tried
    stated = ", as the challenge states" if verdict.checked_by == CheckedBy.PUBLIC else ""
    # of this judge only the signature of a verdict has the key
    another = verdict.checked_by == CheckedBy.JUDGE and any(
        one.id == "challenge.judge" and one.status == CheckStatus.FAILED for one in verdict.checks
    )
    return (
        Fact(
            "Checked by",
            "another judge than the challenge's" if another else _CHECKED_BY[verdict.checked_by],
        ),
        Fact(
            "Challenge's judge" if another else "Judge's key", challenge.judge.fingerprint(), True
        ),
        Fact("Challenge", challenge.digest.hex(), True),
        Fact("Purpose", challenge.purpose or "none stated"),
        *([Fact("Counted", counted)] if (counted := counted_in_short(challenge)) else ()),
        Fact("Standard", demanded),
        Fact("Tried", _tried(tried) + stated),
        Fact("Blocks", _blocks(verdict, challenge)),
        *_answers(verdict.asked, suspect_kind=challenge.suspect.kind),
        *((Fact("Answers recorded", f"{recorded:,}, in the JSON verdict"),) if recorded else ()),
        Fact("Issued", utc(challenge.issued)),
        *_sights(verdict.first_seen),
        checked,
    )


def _tried(number: int) -> str:
    """Which of all functions tried on this commitment this is (SPEC.md 8.3)."""
    if number == 1:
        return "this is the first model asked about this commitment, as far as the judge knows"
    return (
        f"number {number:,} of all models, and ways to ask one, that were tried on this "
        "commitment as far as the judge knows"
    )


def _answers(asked: Asked | None, *, suspect_kind: SuspectKind) -> tuple[Fact, ...]:
    """How many images of each kind the suspect answered, now and before."""
    if asked is None or not asked.rates:
        return ()
    if suspect_kind == SuspectKind.EXTRACTION:
        read = asked.rates[0]
        return (Fact("Extracted", f"{read.answered:,} of {read.asked:,} bits"),)
    rates = ", ".join(
        f"{rate.kind} {rate.answered:,} of {rate.asked:,} ({rate.scored:,} with scores)"
        for rate in asked.rates
    )
    kept = f"; {count(asked.kept, 'first answer')} kept from before" if asked.kept else ""
    return (Fact("Answers", rates + kept),)


def _sights(seen: FirstSeen | None) -> tuple[Fact, ...]:
    """Since when the judge knows commitment and suspect, by their own clock."""
    if seen is None:
        return ()
    times = f"commitment {utc(seen.commitment)}, model {utc(seen.suspect)}, by the judge's clock"
    return (Fact("First seen", times),)


def _argument(argued: Argued) -> tuple[Fact, ...]:
    """Claim, network, agreement and soundness of a zero-knowledge argument."""
    agreements = "; ".join(one.words() for one in argued.agreements)
    soundness = (
        f"a false argument passes with a chance of at most 2^-{argued.soundness_bits:.1f}"
        if argued.soundness_bits
        else "not checked"
    )
    return (
        Fact(
            "Claim",
            f"in the integer network made from the file at least {argued.least_matches:,} triggers "
            "match; none is opened",
        ),
        Fact("Integer network", argued.network.hex(), True),
        Fact("Agreement", f"with the model: {agreements}" if agreements else "not measured"),
        Fact("Soundness", soundness),
        Fact(
            "Convinces",
            "whoever checks it: it is sealed to nobody, and zkwm verify takes no secret for it",
        ),
        Fact("Stays hidden", "images, salts, answers, which triggers match, and how many more"),
    )


def _blocks(verdict: Verdict, challenge: Challenge) -> str:
    """Blocks demanded, used and excluded."""
    text = f"{challenge.block_count:,} demanded"
    if verdict.blocks:
        used = "opened" if verdict.argued is None else "argued about, none opened"
        text += f"; {used}: {_numbers(verdict.blocks)}"
    if challenge.excluded_blocks:
        text += f"; excluded by the judge: {_numbers(challenge.excluded_blocks)}"
    return text


def _numbers(numbers: tuple[int, ...]) -> str:
    """Numbers between commas, cut after 40."""
    rest = "" if len(numbers) <= _SHOWN_BLOCKS else f", … ({len(numbers):,} in all)"
    return ", ".join(str(number) for number in numbers[:_SHOWN_BLOCKS]) + rest


def _optional(name: str, digest: bytes | None) -> tuple[Fact, ...]:
    """A digest as a fact, where there is one."""
    return () if digest is None else (Fact(name, digest.hex(), True),)
