"""What a verdict's own numbers decide, counted again as SPEC.md 10.4 and 8 say, from fractions.

Ranks and points are added up and their tails counted.
"""

from __future__ import annotations

from typing import Any

from tests.reference import evidence as sums
from tests.reference.cbor import RejectedError, read
from tests.reference.commitment import MIB, names_digest
from tests.reference.judge import BY_NAME
from tests.reference.points import most, term, total
from tests.reference.points import tail as points_tail
from tests.reference.ranks import tail as rank_tail
from tests.reference.ranks import weight
from tests.reference.signatures import fingerprint as spelled

BAD = ("wrong leaf", "missing leaf")
LEFT = ("could not be checked", "trust material missing")


def recount(body: dict[str, Any], challenge: dict[str, Any] | None, status: dict[str, str]) -> None:
    """Raises `RejectedError` where the numbers contradict each other."""
    head = None if body["header"] is None else read(body["header"], 32 * MIB)
    declared = head is not None and head["label_mode"] == "declared"
    excused = ("commitment.timestamp", "opening.leaves")
    if body["outcome"] in LEFT:
        _demand(any(one != "passed" for name, one in status.items() if name not in excused))
    if body["class_names"] is not None:
        _demand(head is not None and head["class_names"] == names_digest(body["class_names"]))
    _demand(declared or not body["declared_labels_accepted"])
    evidence = body["evidence"]
    _recount_dates(body, head, challenge, status["commitment.timestamp"])
    if evidence is None:
        return
    if head is None or challenge is None or body["functions_tried"] is None:
        raise RejectedError("evidence about nothing")
    _recount_blocks(body["blocks"], head, challenge)
    _recount_question(body, head, challenge)
    matches = challenge.get("least_matches")
    if matches is None:
        matches = _recount_triggers(body, head, challenge, status)
    else:
        _demand(not body["triggers"])
    _recount_sum(body, head, challenge, matches)
    count = not declared or body["declared_labels_accepted"]
    labels = status["opening.labels" if body["argued"] is None else "argument.labels"]
    _demand(count == (labels == "passed"))
    threshold = status.get("evidence.threshold", "skipped")
    reached = sum(row[1] for row in evidence["terms"]) >= 100 * evidence["threshold_bits"]
    _demand(threshold == "skipped" or reached == (threshold == "passed"))


def _existed(dates: dict[str, Any] | None) -> tuple[int, int] | None:
    """When the commitment existed (8.5)."""
    if dates is None:
        return None
    known = []
    if len(dates["dated"]) >= dates["needed"]:
        bounds = [sorted(row[place] for row in dates["dated"]) for place in (1, 2)]
        known.append(tuple(bound[dates["needed"] - 1] for bound in bounds))
    if dates["log_dates"]:
        seen = [tuple(row[5]) for row in dates["logged"] if row[5] is not None]
        known += sorted(seen, key=lambda one: (one[1], one[0]))[:1]
    if not known:
        return None
    first, last = min(known, key=lambda one: one[1])
    if not dates["named"]:
        return first, last
    labels = dates["beacon"]
    return None if labels is None else (max(first, labels[0]), max(last, labels[1]))


def _recount_dates(
    body: dict[str, Any], head: dict[str, Any] | None, challenge: dict[str, Any] | None, check: str
) -> None:
    dates = body["dates"]
    names = [] if dates is None else [row[0] for row in dates["dated"]]
    _demand(names == sorted(set(names)))
    existed = _existed(dates)
    _demand(check == "failed" or (existed is not None) == (check == "passed"))
    if dates is not None:
        _recount_logged(dates["logged"], head)
        keys = [] if head is None else [spelled("zkwm-key-1", key) for key in head["owner_keys"]]
        _demand([row[0] for row in dates["owner_keys"]] == keys)
        _demand(dates["named"] == (head is not None and head["timestamp_authority"] is not None))
        labels = dates["beacon"]
        early = labels is not None and any(row[2] <= labels[1] for row in dates["dated"])
        _demand(labels is None or (dates["named"] and early))
    if body["evidence"] is None or head is None or challenge is None:
        return
    _demand(challenge["trust"] in (None, dates and dates["trust"]))
    if challenge["policy"]["trusted_beacon"]:
        _demand(dates is not None and dates["beacon"] is not None)
    published = challenge["published"]
    known = existed is not None and published is not None
    older = known and existed[1] < published["earliest"]
    demanded = challenge["policy"]["older"]
    _demand((demanded and known and not older) or check != "failed")
    _demand(older or not demanded or body["outcome"] != "proven")


def _recount_logged(logged: list[Any], head: dict[str, Any] | None) -> None:
    places = [(row[0], row[1]) for row in logged]
    _demand(places == sorted(set(places)))
    owners = [] if head is None else [spelled("zkwm-key-1", key) for key in head["owner_keys"]]
    for _, index, size, _, key, seen, witnesses in logged:
        _demand(index < size and key in owners and witnesses == sorted(set(witnesses)))
        _demand(seen is None or bool(witnesses))


def _recount_blocks(blocks: list[int], head: dict[str, Any], challenge: dict[str, Any]) -> None:
    _demand(len(set(blocks)) == len(blocks) == challenge["block_count"])
    _demand(max(blocks) < head["leaf_count"] // head["block_size"])
    _demand(not set(blocks) & set(challenge["excluded_blocks"]))
    again = challenge["reopened_blocks"]
    _demand(not again or set(blocks) == set(again))


def _recount_question(
    body: dict[str, Any], head: dict[str, Any], challenge: dict[str, Any]
) -> None:
    """C different outputs below K; scores only of derived labels, with no bad leaf."""
    outputs, suspect = challenge["class_map"], challenge["suspect"]
    _demand(len(outputs) == len(set(outputs)) == head["class_count"])
    _demand(max(outputs) < suspect["outputs"])
    if challenge.get("statistic", "matches") == "matches":
        return
    _demand(head["label_mode"] == "derived")
    if challenge["statistic"] == "relearning":
        _demand(suspect["kind"] == "safetensors")
    _demand(suspect["outputs"] <= 1000 and suspect["kind"] != "extraction")
    _demand(not any(row[2] in BAD for row in body["triggers"]))


def _recount_triggers(
    body: dict[str, Any], head: dict[str, Any], challenge: dict[str, Any], status: dict[str, str]
) -> int:
    """The number of matches."""
    size, matches, bad = head["block_size"], 0, False
    places = sorted((row[0], row[1]) for row in body["triggers"])
    _demand(places == sorted((b, b * size + i) for b in body["blocks"] for i in range(size)))
    for _, _, found, label, expected, answer, place, _ in body["triggers"]:
        if found in BAD:
            bad = True
            _demand(label is expected is answer is place is None)
            continue
        _demand(label is not None and label < len(challenge["class_map"]))
        _demand(expected == challenge["class_map"][label])
        right = "no answer" if answer is None else "match" if answer == expected else "no match"
        _demand(found == right)
        matches += found == "match"
    _demand(bad == (status["opening.leaves"] == "failed"))
    return matches


def _recount_sum(
    body: dict[str, Any], head: dict[str, Any], challenge: dict[str, Any], matches: int
) -> None:
    """The sum of section 8, with the larger j."""
    evidence, policy = body["evidence"], challenge["policy"]
    classes, size = head["class_count"], head["block_size"]
    blocks, opened = head["leaf_count"] // size, challenge["block_count"]
    _demand(evidence["class_count"] == classes and evidence["trials"] == size * opened)
    _demand(evidence["matches"] == matches)
    _demand(evidence["threshold_bits"] == policy["threshold_bits"])
    statistic = challenge.get("statistic", "matches")
    _demand((evidence["rank_sum"] is not None) == (statistic != "matches"))
    scored = [row for row in body["triggers"] if isinstance(row[6], bytes)]
    answered = [row for row in body["triggers"] if row[2] in ("match", "no match")]
    _demand(scored == (answered if statistic == "scores" else []))
    places = [row for row in body["triggers"] if isinstance(row[6], int)]
    _demand(places == (answered if statistic in ("ranks", "relearning") else []))
    if statistic == "scores":
        _demand(size * opened <= 2000 and size * opened * classes <= 2**20)
    _demand(all(len(row[6]) == classes and max(row[6]) <= most(classes) for row in scored))
    if statistic in ("ranks", "relearning"):
        ranks = [row[6] for row in body["triggers"] if row[6] is not None]
        _demand(all(rank < classes for rank in ranks))
        _demand(evidence["rank_sum"][0] == sum(weight(rank, classes) for rank in ranks))
    tried = max(policy["functions_tried"], body["functions_tried"])
    allowed = sums.allowance(
        blocks, opened, tried, policy["owner_choice_bits"], _map_bits(head, challenge),
        40 if policy["trusted_beacon"] else 48,
    )  # fmt: skip
    if statistic in ("ranks", "relearning"):
        _recount_ranks(evidence, size * opened, classes, allowed, policy["threshold_bits"])
        return
    if statistic == "scores":
        _recount_points(body, classes, allowed, policy["threshold_bits"])
        return
    found = sums.hundredths_below(1 / sums.tail(size * opened, classes, matches)) - allowed
    _demand(found == sum(row[1] for row in evidence["terms"]))
    enough = (
        count
        for count in range(size * opened + 1)
        if sums.hundredths_below(1 / sums.tail(size * opened, classes, count)) - allowed
        >= 100 * policy["threshold_bits"]
    )
    _demand(evidence["needed_matches"] == next(enough, None))


def _recount_ranks(
    evidence: dict[str, Any], trials: int, classes: int, allowed: int, threshold: int
) -> None:
    """The sum of section 8.4, and the least weight that suffices."""
    value, largest, needed = evidence["rank_sum"]

    def bits(reached: int) -> int:
        return sums.hundredths_below(1 / rank_tail(trials, classes, reached)) - allowed

    _demand(largest == trials * weight(0, classes))
    _demand(evidence["needed_matches"] is None)
    _demand(bits(value) == sum(row[1] for row in evidence["terms"]))
    needed = largest + 1 if needed is None else needed
    _demand(needed > largest or bits(needed) >= 100 * threshold)
    _demand(needed == 0 or bits(needed - 1) < 100 * threshold)


def _recount_points(body: dict[str, Any], classes: int, allowed: int, threshold: int) -> None:
    """The sum of section 8.6, and the least that suffices."""
    evidence = body["evidence"]
    value, largest, needed = evidence["rank_sum"]
    rows = [None if row[6] is None else list(row[6]) for row in body["triggers"]]

    def bits(reached: int) -> int:
        return term(points_tail(rows, classes, reached)) - allowed

    _demand(value == total(rows, [row[3] for row in body["triggers"]]))
    _demand(largest == sum(most(classes) if row is None else max(row) for row in rows))
    _demand(evidence["needed_matches"] is None)
    _demand(bits(value) == sum(row[1] for row in evidence["terms"]))
    needed = largest + 1 if needed is None else needed
    _demand(needed > largest or bits(needed) >= 100 * threshold)
    _demand(needed == 0 or bits(needed - 1) < 100 * threshold)


def _map_bits(head: dict[str, Any], challenge: dict[str, Any]) -> int:
    """What the class map costs (8.2)."""
    suspect, names, chosen = (challenge[key] for key in ("suspect", "suspect_classes", "class_map"))
    if names is not None and head["class_names"] is not None:
        return 0
    unnumbered = names is not None and suspect["adapter"] in BY_NAME
    if chosen == list(range(suspect["outputs"])) and not unnumbered:
        return 0
    return sums.class_map_bits(suspect["outputs"], len(chosen))


def _demand(condition: bool) -> None:
    if not condition:
        raise RejectedError("a verdict that contradicts itself")
