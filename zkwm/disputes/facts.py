"""What page and text show of a dispute: its dates, its matrix, the rules that were applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zkwm.disputes.results import FoundClaim, FoundParty, Standing
from zkwm.disputes.rules import SECTIONS
from zkwm.disputes.verdict import DisputeVerdict
from zkwm.disputes.wording import RULES, SHORT, STANDINGS, on_claim
from zkwm.report.persons import person_lines
from zkwm_protocols.dates import Interval, witnessed_interval

_MICRO = 1_000_000
ORDER_OF_RULES = tuple(RULES)


@dataclass(frozen=True)
class Dated:
    """One event of the timeline: when, what happened, by whose word."""

    when: Interval
    what: str
    word: str


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix.

    Args:
        short: what the claim is worth, in two or three words.
        words: what was found, in numbers.
        standing: of the claim; None where nobody claimed.
    """

    short: str
    words: str
    standing: Standing | None


@dataclass(frozen=True)
class Applied:
    """A rule, what it says, and where it was applied."""

    section: str
    rule: str
    where: tuple[str, ...]


def timeline(verdict: DisputeVerdict) -> tuple[Dated, ...]:
    """All dates as intervals, the earliest first."""
    found = [event for party in verdict.found.parties for event in _of_party(party)]
    for model in verdict.found.models:
        if model.published is not None:
            found.append(
                Dated(
                    model.published.interval,
                    f"the model {model.name} was published by {model.published_by}",
                    f"the judge's own finding: {model.published.source}",
                )
            )
    for one in verdict.found.claims:
        if one.issued is not None:
            found.append(
                Dated(
                    _second(one.issued),
                    f"a judge asked about the mark of {one.mark} in {one.model}",
                    f"the clock of the judge {one.judge}",
                )
            )
    found.append(Dated(_second(verdict.checked), "this verdict", "the clock of its judge"))
    return tuple(sorted(found, key=lambda one: (one.when, one.what)))


def _of_party(party: FoundParty) -> Iterator[Dated]:
    """The dates of a commitment: by each authority, by logs, and what they come to."""
    for name, interval in party.dated:
        yield Dated(
            interval, f"the commitment of {party.name} existed", f"the timestamp authority {name}"
        )
    for place in party.logged:
        if place.time is not None:
            yield Dated(
                witnessed_interval(place.time),
                f"the commitment of {party.name} stood in the log {place.origin}, "
                f"entry {place.index:,}",
                "a quorum of its witnesses",
            )
    if party.existed is not None:
        yield Dated(
            party.existed,
            f"commitment and labels of {party.name} existed by then",
            "those whom the judge trusts, together",
        )


def persons(party: FoundParty, people: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each key of a party, by its fingerprint, whose it is; no rule rests on it."""
    return tuple((one.key, tuple(person_lines(one, people))) for one in party.keys)


def matrix(verdict: DisputeVerdict) -> tuple[tuple[FoundParty, tuple[Cell, ...]], ...]:
    """For each party a cell for each model, in the order of the models."""
    claims = {(one.mark, one.model): one for one in verdict.found.claims}
    return tuple(
        (
            party,
            tuple(
                _cell(verdict, party.name, model.published_by, claims.get((party.name, model.name)))
                for model in verdict.found.models
            ),
        )
        for party in verdict.found.parties
    )


def _cell(verdict: DisputeVerdict, party: str, by: str, claim: FoundClaim | None) -> Cell:
    """A cell; where nobody claimed there is none."""
    if claim is None:
        return Cell("own product" if party == by else "not asked", "", None)
    worth = verdict.standing(claim)
    return Cell(SHORT[worth], on_claim(claim), worth)


def applied(verdict: DisputeVerdict) -> tuple[Applied, ...]:
    """Each rule that was applied, by its number, with every place where it was."""
    where: dict[str, list[str]] = {}
    for one in verdict.found.claims:
        worth = verdict.standing(one)
        place = f"mark of {one.mark} in {one.model}"
        where.setdefault(SECTIONS[worth], []).append(f"{place}: {STANDINGS[worth]}")
        for item in one.objections:
            where.setdefault(item.section, []).append(f"{place}: {item.words}")
    for item in verdict.remarks:
        where.setdefault(item.section, []).append(item.words)
    where.setdefault(verdict.decision.section, []).append(f"the outcome: {verdict.reason}")
    ranks = {section: rank for rank, section in enumerate(ORDER_OF_RULES)}
    return tuple(
        Applied(section, RULES.get(section, ""), tuple(places))
        for section, places in sorted(
            where.items(), key=lambda item: ranks.get(item[0], len(ranks))
        )
    )


def _second(seconds: int) -> Interval:
    """One second as an interval."""
    return Interval(seconds * _MICRO, seconds * _MICRO + _MICRO - 1)
