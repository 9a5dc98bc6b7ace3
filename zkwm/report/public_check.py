"""What a check by the public rests on: everything that is the judge's word alone (SPEC.md 18.7).

Anybody can repeat the arithmetic of an argument, and nobody without the judge's ledger and honesty
knows what else was tried. A judge and an owner who collude could use each of these.
"""

from __future__ import annotations

from zkwm.judge.verdict import CheckedBy, Verdict
from zkwm.report.facts import bits
from zkwm.report.visible import count
from zkwm_protocols.evidence import class_map_bits

MEANING = (
    "It was checked by the public: files, proof and evidence are as they say, and what the judge "
    "states (how often they tried, the nonce, the names of outputs, the standard) is the judge's "
    "word."
)
IN_SHORT = (
    "Checked by the public: the judge's ledger may know more functions, and whoever holds the "
    "judge's key could have chosen nonce, names of outputs, preprocessing and standard at will."
)
_KEY = (
    "Whose word it is",
    "Anybody can make a judge's key. The check is worth as much as the trust in whoever holds this "
    "one: compare its fingerprint through a channel of your own.",
)
_NONCE = (
    "The judge's nonce",
    "The nonce draws the images on which file and integer network are compared. A judge who draws "
    "many nonces and keeps one can let a file pass whose network is another function.",
)
_SHOWN = (
    "What was not shown",
    "Challenges that were answered, or not answered, and that nobody published are not seen here.",
)


def by_public(verdict: Verdict) -> bool:
    """Whether the public checked."""
    return verdict.checked_by == CheckedBy.PUBLIC


def public_limits(verdict: Verdict, *, by_names: bool) -> tuple[tuple[str, str], ...]:
    """What rests on the judge's word, each with what it may be worth: (heading, sentences).

    ``by_names`` says that the class map follows from names that the judge listed.
    """
    if not by_public(verdict):
        return ()
    stated = verdict.evidence is not None and not verdict.declared_labels
    return (
        _KEY,
        *((_tried(verdict),) if stated else ()),
        _NONCE,
        *((_names(verdict),) if stated and by_names else ()),
        *((_standard(verdict),) if stated else ()),
        _SHOWN,
    )


def _tried(verdict: Verdict) -> tuple[str, str]:
    """What more functions would cost."""
    number = verdict.functions_tried or 1
    return (
        "Functions tried",
        f"The challenge states that this is function {number:,}. Each doubling of the number of "
        "functions that were really tried takes off two bits.",
    )


def _names(verdict: Verdict) -> tuple[str, str]:
    """What a free order of the outputs' names would cost."""
    challenge, evidence = verdict.challenge, verdict.evidence
    if challenge is None or evidence is None:
        return ("", "")
    price = class_map_bits(challenge.suspect.outputs, evidence.class_count)
    left = max(0, evidence.total_hundredths - 100 * price)
    return (
        "Names of outputs",
        "The judge listed them, and their order decides which output stands for which label. If "
        f"the order had been chosen to fit, up to {price:,} bits would have to be taken off, and "
        f"{bits(left)} bits would be left: compare the list with the model's own documentation.",
    )


def _standard(verdict: Verdict) -> tuple[str, str]:
    """Who sets the standard."""
    demanded = 0 if verdict.evidence is None else verdict.evidence.threshold_bits
    return (
        "The judge's standard",
        f"What is demanded ({count(demanded, 'bit')}), the preprocessing and the blocks left out "
        "are the judge's choice: hold the bits that are left against a standard of your own.",
    )
