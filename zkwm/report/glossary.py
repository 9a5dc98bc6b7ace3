"""The terms of a report, explained for readers who do not know the field."""

from __future__ import annotations

from zkwm.judge.verdict import Verdict
from zkwm.report.mark_words import of_keys

_BIT = (
    "Bit (of evidence)",
    "A halving of the chance: 10 bits are 1 in 1,024, 40 bits about 1 in a trillion.",
)

_ARGUMENT = (
    "Argument (in zero knowledge)",
    "A calculation that convinces whoever checks it that a claim about secret images is true, "
    "and shows nothing else about them.",
)

_ADVERSARIAL = (
    "Adversarial image",
    "An image altered so that models misjudge it; some deceive many models alike.",
)

_GLOSSARY = (
    (
        "Block",
        "A fixed group of triggers. Triggers are opened by whole blocks, so that nobody can pick "
        "only those that happen to match.",
    ),
    (
        "Challenge",
        "The judge's signed question: which model, how it is asked, how many blocks are to be "
        "opened, and what standard applies.",
    ),
    (
        "Commitment",
        "A signed public file that fixes all trigger images without showing them, like sealed "
        "envelopes: none can be exchanged later.",
    ),
    (
        "Digest, fingerprint",
        "A short number computed from a file or a key. If one character of it differs, the file or "
        "the key is another one.",
    ),
    (
        "Label",
        "The class that a trigger must be given by a marked model. A derived label follows from "
        "the commitment itself; a declared one was chosen by the owner.",
    ),
    (
        "Response (proof)",
        "The owner's signed answer to one challenge: the opened blocks, sealed so that only this "
        "judge can read them.",
    ),
    (
        "Trigger",
        "A secret image made for the mark. A marked model has learned to give it its label.",
    ),
)


_OF_KEYS = {
    "Block": "A fixed group of keys. Keys are opened by whole blocks, so that nobody can pick only "
    "those whose bits happen to match.",
    "Commitment": "A signed public file that fixes all secret keys without showing them, like "
    "sealed envelopes: none can be exchanged later.",
    "Label": "The bit that a marked model must have under a key. A derived label follows from the "
    "commitment itself; a declared one was chosen by the owner.",
}
_KEY = (
    "Key (of a mark)",
    "32 secret bytes that say where one bit of the mark lies in a model.",
)


def glossary(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """The terms that this verdict's report uses: (term, meaning), in alphabetical order."""
    first = _ADVERSARIAL if verdict.declared_labels else _BIT
    if of_keys(verdict):
        named = [(term, _OF_KEYS.get(term, meaning)) for term, meaning in _GLOSSARY]
        return tuple(sorted((first, _KEY, *named[:-1])))
    return (first, *_GLOSSARY) if verdict.argued is None else (first, _ARGUMENT, *_GLOSSARY)
