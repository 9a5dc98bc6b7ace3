"""The fixed sentences of text and report: outcomes and limits of a verdict.

Both forms take them from here, so that they agree and a lawyer can review them in one place.
"""

from __future__ import annotations

from zkwm.judge.results import CheckStatus, TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report import dates
from zkwm.report.mark_words import OPENED_KEYS, of_keys
from zkwm.report.public_check import IN_SHORT, MEANING, by_public, public_limits
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.dates import Order
from zkwm_protocols.suspect_identity import SuspectKind

TITLES = {
    Outcome.PROVEN: "Proven",
    Outcome.NOT_PROVEN: "Not proven",
    Outcome.COULD_NOT_CHECK: "Could not be checked",
    Outcome.TRUST_MATERIAL_MISSING: "Trust material is missing",
}

_MEANINGS = {
    Outcome.PROVEN: "The examined model carries the mark that was fixed in the commitment, by "
    "the standard that the judge set.",
    Outcome.NOT_PROVEN: "All files were valid and the model was asked, but the evidence falls "
    "short of the standard that the judge set.",
    Outcome.COULD_NOT_CHECK: "The claim is neither confirmed nor refuted.",
    Outcome.TRUST_MATERIAL_MISSING: "The claim is neither confirmed nor refuted: something that "
    "trust rests on is missing or expired.",
}

_ARGUED_MEANINGS = {
    Outcome.PROVEN: "The integer network made from the examined file carries the mark that was "
    "fixed in the commitment, by the standard that the judge set.",
    Outcome.NOT_PROVEN: "All files were valid and the argument holds, but the owner chose the "
    "labels and the judge did not accept declared labels.",
}

_NOT_OLDER = (
    "All files were valid and the matches reach the standard that the judge set, but the "
    "commitment {} older than the model, as the judge demands."
)

_CAUTIONS = {
    Outcome.PROVEN: "Who copied from whom, when and how, whether a use was permitted, and that "
    "anybody is guilty.",
    Outcome.NOT_PROVEN: "That the model carries no mark, or that anybody is innocent.",
    Outcome.COULD_NOT_CHECK: "Anything for or against the claim.",
    Outcome.TRUST_MATERIAL_MISSING: "Anything for or against the claim.",
}
_SHOWS_TRIGGERS = "Shows opened triggers: not for third parties"
_WITHOUT_TRIGGERS = "Copy without the pictures of the opened triggers"

_LEAVES = "opening.leaves"
"""Wrong leaves count as misses; they alone keep nothing from being proven."""

STATUSES: dict[str, str] = {
    TriggerStatus.MATCH: "match",
    TriggerStatus.NO_MATCH: "no match",
    TriggerStatus.WRONG_LEAF: "wrong leaf",
    TriggerStatus.MISSING_LEAF: "not opened",
    TriggerStatus.NO_ANSWER: "no answer",
}

_DECLARED_RISK = (
    "Images made to deceive many models alike (transferable adversarial images) would pass this "
    "check on a model that has nothing to do with the owner. Matches are counted; no strength of "
    "evidence is stated."
)

_LIMITS = (
    (
        "Who copied, and how",
        "It does not say who copied whom, when or how, nor whether a use was permitted.",
    ),
    (
        "A mark in one's own product",
        "It proves nothing: its owner could have put it there at any time. Only a mark in the "
        "other party's product counts.",
    ),
    (
        "How the mark came in",
        "A mark can come in with training data, a pre-trained model or a merge of models. In our "
        "trials fifty marked images among thousands convicted whoever trained on them. The result "
        "says that model and commitment depend on each other, not through whom.",
    ),
    (
        "Guilt",
        "It is not a probability of guilt, nor the probability that the claim is true or false.",
    ),
    (
        '"Not proven"',
        "It does not mean innocent, and it does not show that the model carries no mark.",
    ),
    (
        "Persons",
        "Owner and judge are known here by their keys only. Whose keys they are must be shown by "
        "other means.",
    ),
)

_OPENED = (
    "Opened triggers",
    "They are spent: whoever has seen them can train them into any model. They count only "
    "against models published before they were opened.",
)

_ARGUED = (
    "The integer network",
    "The argument is about the integer network made from the file, not about the file. How "
    "closely the two agree was measured on the images named above, drawn after the file was fixed, "
    "not on the triggers, which only the owner has seen. Who made or changed the file, the accuser "
    "included, may make both differ on images that the file can tell from others, for example by "
    "how sure it is: where the file's origin is disputed, ask for an opening, where triggers are "
    "shown to the file itself.",
)

_UNMEASURED = (
    "How images were fed",
    "No labeled images of the model's task were given, so nothing checked that images are fed to "
    "it as it wants. With a scale, mean or order of channels that is wrong, even a marked model "
    'ends as "not proven".',
)

_ENDPOINT = (
    "The model behind an address",
    "The model was asked over the network. Its digest names the address only; whoever runs it may "
    "replace the model at any time, answer a judge differently from a customer, and fail on images "
    "that look odd.",
)

_EVIDENCE = (
    "Bits",
    "They bound how often a model unrelated to the commitment does as well by luck, and nothing "
    "else.",
)


def meaning(verdict: Verdict) -> str:
    """The outcome in one plain sentence, one on a suspect that evades, one on who checked."""
    decided = verdict.outcome in (Outcome.PROVEN, Outcome.NOT_PROVEN)
    public = MEANING if decided and by_public(verdict) else ""
    return " ".join(filter(None, (_outcome(verdict), evasion(verdict), public)))


def caution(verdict: Verdict) -> str:
    """What the outcome does not say, in one sentence."""
    return _CAUTIONS[verdict.outcome]


def notice(verdict: Verdict, *, pictured: bool) -> str:
    """What every page of a report says about opened triggers; empty where there are no images."""
    if pictured:
        return _SHOWS_TRIGGERS
    return _WITHOUT_TRIGGERS if verdict.triggers and not of_keys(verdict) else ""


def evasion(verdict: Verdict) -> str:
    """The sentence on a suspect that answers natural images and few triggers, else empty."""
    if verdict.asked is None or not verdict.asked.evasive:
        return ""
    triggers, natural = verdict.asked.rates[0], verdict.asked.rates[-1]
    counts = (
        f"{natural.answered:,} of {natural.asked:,} natural images and "
        f"{triggers.answered:,} of {triggers.asked:,} triggers"
    )
    if triggers.answered == triggers.asked:
        counts += f", with scores {natural.scored:,} and {triggers.scored:,} of them"
    return f"The model is evasive: it answered {counts}."


def _outcome(verdict: Verdict) -> str:
    """The outcome in one plain sentence."""
    if _lacks_its_date_alone(verdict):
        return _NOT_OLDER.format("is not" if verdict.order == Order.NOT_OLDER else "may not be")
    if verdict.argued is not None and verdict.outcome == Outcome.NOT_PROVEN:
        return _ARGUED_MEANINGS[verdict.outcome]
    if verdict.declared_labels and verdict.outcome == Outcome.NOT_PROVEN:
        if not verdict.declared_labels_accepted:
            return (
                "All files were valid and the model was asked, but the owner chose the labels "
                "and the judge did not accept declared labels."
            )
        return (
            "All files were valid and the model was asked, but too few answers match, even though "
            "the judge accepted declared labels."
        )
    if verdict.declared_labels and verdict.outcome == Outcome.PROVEN:
        what = "model" if verdict.argued is None else "file's integer network"
        return (
            f"The examined {what} gives the labels that were fixed in the commitment. The owner "
            "chose these labels, and the judge accepted that."
        )
    special = {} if verdict.argued is None else _ARGUED_MEANINGS
    return special.get(verdict.outcome, _MEANINGS[verdict.outcome])


def _lacks_its_date_alone(verdict: Verdict) -> bool:
    """Whether nothing but the demanded order of the dates keeps it from being proven."""
    failed = [check.id for check in verdict.checks if check.status == CheckStatus.FAILED]
    reached = verdict.evidence is not None and verdict.evidence.reached
    unmet = "commitment.timestamp" in failed and {*failed} <= {"commitment.timestamp", _LEAVES}
    return verdict.outcome == Outcome.NOT_PROVEN and reached and unmet


def declared_warning(verdict: Verdict) -> str:
    """The warning wherever the owner chose the labels; empty where the labels are derived."""
    if not verdict.declared_labels:
        return ""
    if verdict.declared_labels_accepted:
        stance = "The owner chose the labels, and the judge accepted declared labels. "
    elif verdict.outcome == Outcome.NOT_PROVEN:
        stance = (
            "The owner chose the labels. The verdict is not proven, whatever the number "
            "of matches, because the judge did not accept declared labels. "
        )
    else:
        stance = "The owner chose the labels, and the judge did not accept declared labels. "
    return stance + _DECLARED_RISK


_ORDER = (
    "Order of the model's names",
    "Labels and outputs belong together by equal names. Where the model answers by numbers, the "
    "order in which its names were listed decides which output has which name, and nothing that it "
    "answers checks this. No bits are deducted for it: the judge must have found the order in the "
    "model's own file or documentation, never with a party.",
)


def limits(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """What this verdict does not say: (heading, sentences)."""
    challenge = verdict.challenge
    remote = challenge is not None and challenge.suspect.kind == SuspectKind.HTTP
    stated = verdict.evidence is not None and not verdict.declared_labels
    opened = OPENED_KEYS if of_keys(verdict) else _OPENED
    shown = opened if verdict.argued is None else _ARGUED
    return (
        *public_limits(verdict, by_names=rests_on_order(verdict)),
        *_LIMITS,
        dates.limit(verdict),
        shown,
        *((_EVIDENCE,) if stated else ()),
        *((_UNMEASURED,) if unmeasured(challenge) else ()),
        *((_ORDER,) if rests_on_order(verdict) else ()),
        *((_ENDPOINT,) if remote else ()),
    )


def rests_on_order(verdict: Verdict) -> bool:
    """Whether the class map follows from the order in which the suspect's names were listed."""
    challenge = verdict.challenge
    return (
        challenge is not None
        and challenge.suspect_classes is not None
        and verdict.class_names is not None
        and challenge.suspect.adapter != "huggingface"  # each score has its name
    )


def unmeasured(challenge: Challenge | None) -> bool:
    """Whether nobody measured what the model gets right when it is fed like this."""
    return (
        challenge is not None
        and challenge.test_accuracy is None
        and challenge.suspect.kind != SuspectKind.EXTRACTION
    )


def limits_in_short(verdict: Verdict) -> tuple[str, ...]:
    """What this verdict does not say, a line each."""
    opened = "keys" if of_keys(verdict) else "triggers"
    last = (
        f'"Not proven" is not "innocent". Opened {opened} are spent: keep them from third parties.'
        if verdict.argued is None
        else "Nothing was opened. How many more triggers match, and which, is known only to the "
        "owner."
    )
    network = () if verdict.argued is None else (_NETWORK_IN_SHORT,)
    fed = (_UNMEASURED_IN_SHORT,) if unmeasured(verdict.challenge) else ()
    order = (_ORDER_IN_SHORT,) if rests_on_order(verdict) else ()
    public = (IN_SHORT,) if by_public(verdict) else ()
    date = dates.limit_in_short(verdict)
    return (*public, *_LIMITS_IN_SHORT, date, *network, *fed, *order, last)


_LIMITS_IN_SHORT = (
    "It does not say who copied whom, when or how, and it is not a probability of guilt.",
    "A mark in one's own product proves nothing: only one in the other party's product counts.",
    "A mark can come in with training data, a pre-trained model or a merge: it does not say how.",
)
_ORDER_IN_SHORT = (
    "Where the model answers by numbers, nothing checked the order of the names of its outputs: it "
    "is the judge's own finding."
)
_UNMEASURED_IN_SHORT = (
    "Nothing checked that images are fed to the model as it wants: no test data were given, and a "
    "wrong preprocessing frees a marked model."
)
_NETWORK_IN_SHORT = (
    "The argument is about the integer network made from the file. Who made or changed the file, "
    "the accuser included, may make both differ: where its origin is disputed, ask for an opening."
)
