"""Both dates of a case, and which of both is older, in sentences for text and report (SPEC.md 8.5).

They stand at the top of every verdict: a commitment that is not older supports no claim.
"""

from __future__ import annotations

from zkwm.judge.dating import Dating
from zkwm.judge.log_dating import LoggedTime
from zkwm.judge.verdict import Verdict
from zkwm.report.persons import person_lines
from zkwm.report.question_facts import Named
from zkwm.report.visible import count, quoted, visible
from zkwm.written_dates import in_words
from zkwm_protocols.dates import MOST_SOURCE, Order, Published

_ORDERS = {
    Order.OLDER: "The commitment is OLDER than the model",
    Order.NOT_OLDER: "The commitment is NOT OLDER than the model, and so supports no claim on it",
    Order.UNDECIDED: "UNDECIDED which is older, commitment or model: their dates overlap",
    Order.UNKNOWN: "UNKNOWN whether the commitment is older than the model",
}


def in_short(verdict: Verdict) -> str:
    """Which is older, and both dates, in one sentence."""
    return f"{_ORDERS[verdict.order]}: {_commitment(verdict)}; {_suspect(verdict)}{_why(verdict)}."


def _why(verdict: Verdict) -> str:
    """Why both dates decide nothing, where they do not."""
    dating, challenge = verdict.dating, verdict.challenge
    known = dating is not None and dating.existed is not None and verdict.published is not None
    if not known or verdict.order != Order.UNKNOWN:
        return ""
    if challenge is not None and challenge.trust is None:
        return "; the challenge names no trust folder, and one chosen later decides no order"
    return "; they are not by the trust folder that the challenge names"


def date_facts(verdict: Verdict) -> tuple[Named, ...]:
    """Both dates with whose word they are, and by whose trust."""
    dating, published = verdict.dating, verdict.published
    authorities = () if dating is None else dating.dated
    entries = () if dating is None else tuple(_entry(one, dating) for one in dating.logged)
    return (
        ("Order", verdict.order, False),
        ("Commitment", _commitment(verdict), False),
        *(("Dated by", f"{one.authority}: {in_words(one.interval)}", False) for one in authorities),
        *entries,
        *(
            (("Labels by the token of", in_words(dating.beacon), False),)
            if dating is not None and dating.beacon is not None
            else ()
        ),
        ("Model", _suspect(verdict), False),
        *(
            (("Source", f"{quoted(published.source, MOST_SOURCE)}, as the judge states", False),)
            if published is not None
            else ()
        ),
        *(
            (
                ("Trust folder", dating.trust.hex(), True),
                ("Owner known as", dating.owner_name or "nobody whom the judge knows", False),
                *_persons(dating),
            )
            if dating is not None
            else ()
        ),
    )


def _persons(dating: Dating) -> tuple[Named, ...]:
    """The person behind each key of the owner; no outcome rests on it."""
    several = len(dating.owner_keys) > 1
    return tuple(
        ("Person behind the key", f"{one.key}: {line}" if several else line, False)
        for one in dating.owner_keys
        for line in person_lines(one, dating.people)
    )


def _entry(entry: LoggedTime, dating: Dating) -> Named:
    """An entry of a log, who saw it by when, and by whose key."""
    seen = "no witness says when"
    if entry.interval is not None:
        seen = f"seen by {' and '.join(map(visible, entry.witnesses))}: {in_words(entry.interval)}"
    shown = "" if dating.log_dates else "; shown only, for the judge lets no log date a commitment"
    return (
        "In the log",
        f"entry {entry.index:,} of {visible(entry.log)}, {seen}; statement "
        f"{entry.statement.hex()[:16]} by the owner's key {entry.key}{shown}",
        False,
    )


def limit(verdict: Verdict) -> tuple[str, str]:
    """What the dates do not say: (heading, sentences)."""
    words = (
        "A commitment made after the examined model was published supports no claim. When the "
        "model was published is the judge's own finding. "
    )
    if verdict.dating is None:
        return (
            "Dates",
            f"{words}Nobody was trusted to date the commitment here: when it was made must be "
            "shown by other means.",
        )
    return (
        "Dates",
        f"{words}When the commitment existed rests on the authorities named above, which the judge "
        "chose to trust, and on the witnesses of a log where the judge lets them date; the mark "
        "may be younger than the commitment.",
    )


def limit_in_short(verdict: Verdict) -> str:
    """The same in one sentence."""
    if verdict.dating is None:
        return (
            "No timestamp was checked: a commitment later than the model's publication supports no "
            "claim."
        )
    return (
        "The commitment's date rests on the authorities that the judge trusts, the model's on the "
        "judge's own finding."
    )


def _commitment(verdict: Verdict) -> str:
    """When the commitment existed, by how many authorities."""
    dating = verdict.dating
    if dating is None:
        return "the commitment's date is not known"
    needed = f"{dating.needed} of {count(len(dating.dated), 'trusted authority')}"
    if dating.carried_by_log:
        needed = "by the witnesses of a log"
    if dating.existed is None:
        needed = f"{len(dating.dated)} of {dating.needed} trusted authorities that are needed"
        return f"the commitment's date is not known ({needed})"
    return f"the commitment existed by {in_words(dating.existed)} ({needed})"


def _suspect(verdict: Verdict) -> str:
    """When the suspect was published."""
    published = verdict.published
    if verdict.challenge is None:
        return "when the model was published says the challenge, which was not read yet"
    if published is None:
        return "the model's date of publication is not known"
    return f"the model was published {in_words(published.interval)}"


def published_in_words(published: Published) -> str:
    """When the suspect was published, and by whose word, for whoever is challenged."""
    return (
        f"{in_words(published.interval)}, says the judge: {quoted(published.source, MOST_SOURCE)}"
    )
