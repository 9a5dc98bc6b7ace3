"""Recount a verdict: do its evidence, triggers, blocks and names follow from each other?

SPEC.md 10.4. What a verdict's own numbers decide is computed again by whoever reads it, so that a
judge's signature does not stand under a sum that is none. What only the files decide, such as a
suspect's answers, rests on the judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from zkwm.judge.counted import Sums, impossible_points, sums_of
from zkwm.judge.dating import Dating, order_of
from zkwm.judge.log_dating import consistent_log
from zkwm.judge.owner_keys import are_of
from zkwm.judge.particulars import FileDigest, FileRole
from zkwm.judge.results import Argued, Check, CheckStatus, TriggerResult, TriggerStatus
from zkwm.suspects.onnx_parts import pinned_digest
from zkwm.suspects.suspect import SuspectFile
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.class_names import map_bits, names_digest
from zkwm_protocols.commitment import Header, LabelMode
from zkwm_protocols.dates import Order
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.statistic_rules import verify_statistic
from zkwm_protocols.suspect_identity import SuspectKind

_BAD_LEAVES = (TriggerStatus.WRONG_LEAF, TriggerStatus.MISSING_LEAF)


class _Verdict(Protocol):
    """The fields of ``zkwm.judge.verdict.Verdict`` that are recounted."""

    @property
    def checks(self) -> tuple[Check, ...]: ...

    @property
    def header(self) -> Header | None: ...

    @property
    def challenge(self) -> Challenge | None: ...

    @property
    def blocks(self) -> tuple[int, ...]: ...

    @property
    def triggers(self) -> tuple[TriggerResult, ...]: ...

    @property
    def evidence(self) -> Evidence | None: ...

    @property
    def declared_labels_accepted(self) -> bool: ...

    @property
    def argued(self) -> Argued | None: ...

    @property
    def functions_tried(self) -> int | None: ...

    @property
    def class_names(self) -> tuple[str, ...] | None: ...

    @property
    def dating(self) -> Dating | None: ...

    @property
    def outcome(self) -> str: ...

    @property
    def files(self) -> tuple[FileDigest, ...]: ...


def recounted(verdict: _Verdict) -> Iterator[str]:
    """What the numbers of a verdict say against each other, one by one (SPEC.md 10.4)."""
    header, challenge, evidence = verdict.header, verdict.challenge, verdict.evidence
    names = verdict.class_names
    if names is not None and (
        header is None
        or len(names) != header.class_count
        or header.class_names != names_digest(names)
    ):
        yield "its class names are not those that its header commits to"
    if verdict.declared_labels_accepted and (
        header is None or header.label_mode != LabelMode.DECLARED
    ):
        yield "it accepts declared labels where none were declared"
    status = {check.id: check.status for check in verdict.checks}
    yield from _wrong_dates(verdict, status)
    if challenge is not None and status["challenge.suspect"] == CheckStatus.PASSED:
        yield from _other_suspect(verdict, challenge)
    if evidence is None:
        return
    if header is None or challenge is None or verdict.functions_tried is None:
        yield "its evidence is about nothing"
        return
    yield from _wrong_blocks(verdict, header, challenge)
    yield from _wrong_question(verdict, header, challenge)
    yield from _wrong_triggers(verdict, header, challenge)
    yield from _wrong_sum(verdict, header, challenge, evidence)
    labels = status["argument.labels" if verdict.argued else "opening.labels"]
    count = header.label_mode != LabelMode.DECLARED or verdict.declared_labels_accepted
    if count != (labels == CheckStatus.PASSED):
        yield "its check of the labels is not what the header says of them"
    threshold = status.get("evidence.threshold", CheckStatus.SKIPPED)
    if threshold != CheckStatus.SKIPPED and evidence.reached != (threshold == CheckStatus.PASSED):
        yield "its evidence and the check of the threshold differ"


def _wrong_dates(verdict: _Verdict, status: Mapping[str, CheckStatus]) -> Iterator[str]:
    """What the check of the date says has to follow from the dates (SPEC.md 8.5, 10.4)."""
    dating, challenge, check = verdict.dating, verdict.challenge, status["commitment.timestamp"]
    names = [] if dating is None else [one.authority for one in dating.dated]
    if names != sorted(set(names)):
        yield "its authorities are out of order"
    if dating is not None and not consistent_log(dating.logged, verdict.header):
        yield "its entries of logs are out of order, or not those of an owner of its header"
    if dating is not None and not are_of(dating.owner_keys, verdict.header):
        yield "its owners' keys are not those of its header"
    existed = dating is not None and dating.existed is not None
    if check != CheckStatus.FAILED and existed != (check == CheckStatus.PASSED):
        yield "its dates and the check of the commitment's date differ"
    if dating is not None and not _consistent_beacon(dating, verdict.header):
        yield "its beacon is not one of an authority that its header names and that dates it"
    if challenge is None or verdict.evidence is None:
        return
    if challenge.trust is not None and (dating is None or dating.trust != challenge.trust):
        yield "its dates are not by whom its challenge trusts"
    if challenge.policy.trusted_beacon and (dating is None or dating.beacon is None):
        yield "its challenge trusts a beacon that nobody trusted has signed"
    found, older = order_of(dating, challenge), challenge.policy.older
    late = older and found in (Order.NOT_OLDER, Order.UNDECIDED)
    unproven = older and found != Order.OLDER and verdict.outcome == "proven"
    if unproven or (check == CheckStatus.FAILED and not late):
        yield "its dates and its outcome differ"


def _consistent_beacon(dating: Dating, header: Header | None) -> bool:
    """Whether a beacon is one of an authority that the header names, and that dates it as well.

    Of each authority the token with the least ``latest`` is listed, so that one of those that are
    listed is not later than the beacon's.
    """
    if dating.named != (header is not None and header.timestamp_authority is not None):
        return False
    beacon = dating.beacon
    if beacon is None:
        return True
    dated = any(one.interval.latest <= beacon.latest for one in dating.dated)
    return dating.named and dated


def _other_suspect(verdict: _Verdict, challenge: Challenge) -> Iterator[str]:
    """The files of an ONNX suspect have to be those that the challenge pins."""
    parts = tuple(
        SuspectFile(file.name, file.digest, file.size)
        for file in verdict.files
        if file.role == FileRole.SUSPECT
    )
    pinned = challenge.suspect
    if pinned.kind == SuspectKind.ONNX and parts and pinned_digest(parts) != pinned.digest:
        yield "the suspect's files that it lists are not those of its challenge"


def _wrong_blocks(verdict: _Verdict, header: Header, challenge: Challenge) -> Iterator[str]:
    """Exactly the demanded number of allowed, different blocks."""
    blocks = verdict.blocks
    if (
        len(set(blocks)) != len(blocks)
        or len(blocks) != challenge.block_count
        or any(block >= header.block_count for block in blocks)
        or set(blocks) & set(challenge.excluded_blocks)
        or (challenge.reopened_blocks and set(blocks) != set(challenge.reopened_blocks))
    ):
        yield "its blocks are not what its challenge asks for"


def _wrong_question(verdict: _Verdict, header: Header, challenge: Challenge) -> Iterator[str]:
    """What no judge asks: of other classes, or for scores that must not be read (SPEC.md 6.1, 8.4).

    ``Challenge.verify_against`` has refused it before a response was looked at.
    """
    outputs = challenge.class_map
    if len(outputs) != header.class_count or len(set(outputs)) != len(outputs):
        yield "its class map is not one of its classes"
    if max(outputs) >= challenge.suspect.outputs:
        yield "its class map names an output that its suspect does not have"
    try:
        verify_statistic(challenge.statistic, challenge.suspect, header)
    except InvalidOpening:
        yield "it reads scores of such a suspect, or of labels that the owner chose"
    bad = any(one.status in _BAD_LEAVES for one in verdict.triggers)
    if bad and challenge.statistic.reads_scores:
        yield "it reads scores beside a bad leaf"


def _wrong_triggers(verdict: _Verdict, header: Header, challenge: Challenge) -> Iterator[str]:
    """Every trigger of the opened blocks, once, each a match exactly where its numbers say so."""
    triggers = verdict.triggers
    if isinstance(challenge, ArgumentChallenge):
        if triggers:
            yield "it lists triggers of an argument, which opens none"
        return
    size = header.block_size
    places = [(block, block * size + i) for block in verdict.blocks for i in range(size)]
    if sorted((one.block, one.index) for one in triggers) != sorted(places):
        yield "its triggers are not those of its blocks"
    if not all(_possible(one, challenge) for one in triggers):
        yield "a trigger's status is not what its label and answer say"
    answered = (TriggerStatus.MATCH, TriggerStatus.NO_MATCH)
    ranked = challenge.statistic.counts_ranks
    if any((one.rank is not None) != (ranked and one.status in answered) for one in triggers):
        yield "a trigger without an answer has a rank, or one with an answer has none that counts"
    bad = any(one.status in _BAD_LEAVES for one in triggers)
    leaves = next(check.status for check in verdict.checks if check.id == "opening.leaves")
    if bad != (leaves == CheckStatus.FAILED):
        yield "its triggers and the check of their leaves differ"


def _possible(one: TriggerResult, challenge: Challenge) -> bool:
    """Whether status, label and answer of an opened trigger fit each other and the class map."""
    if one.status in _BAD_LEAVES:
        return (one.label, one.expected_output, one.answer, one.rank, one.points) == (None,) * 5
    if one.label is None or one.label >= len(challenge.class_map):
        return False
    if one.expected_output != challenge.class_map[one.label]:
        return False
    if one.answer is None:
        return one.status == TriggerStatus.NO_ANSWER
    match = one.answer == one.expected_output
    return one.status == (TriggerStatus.MATCH if match else TriggerStatus.NO_MATCH)


def _wrong_sum(
    verdict: _Verdict, header: Header, challenge: Challenge, evidence: Evidence
) -> Iterator[str]:
    """The sum of SPEC.md 8, computed again from what was counted."""
    if isinstance(challenge, ArgumentChallenge):
        matches = challenge.least_matches
    else:
        matches = sum(one.status == TriggerStatus.MATCH for one in verdict.triggers)
    if challenge.statistic.counts_ranks:
        ranks = [one.rank for one in verdict.triggers]
        if any(rank is not None and rank >= header.class_count for rank in ranks):
            yield "a rank is none of its classes"
            return
    if impossible_points(verdict.triggers, challenge.statistic, header.class_count):
        yield "its triggers have points that no answer gives"
        return
    sums = sums_of(verdict.triggers, challenge.statistic, header.class_count)
    ranks_given, points_given = evidence.rank_sum, evidence.score_sum
    counted = (
        matches, sums[0], sums[1] and sums[1][0], header.class_count,
        challenge.policy.threshold_bits,
    )  # fmt: skip
    if counted != (
        evidence.matches, ranks_given and ranks_given.value, points_given and points_given.value,
        evidence.class_count, evidence.threshold_bits,
    ):  # fmt: skip
        yield "its evidence does not count what it lists"
        return
    try:
        again = _assessed(verdict, header, challenge, matches, sums)
    except UsageError:
        yield "its evidence is about more than there is"
        return
    both = (
        (one.trials, one.needed_matches, one.rank_sum, one.score_sum, one.total_hundredths)
        for one in (again, evidence)
    )
    if next(both) != next(both):
        yield "its evidence is not what its numbers give"


def _assessed(
    verdict: _Verdict, header: Header, challenge: Challenge, matches: int, sums: Sums
) -> Evidence:
    """The evidence of the verdict's own numbers (SPEC.md 8.2, 8.4, 8.6). Raises UsageError."""
    names, suspect, policy = challenge.suspect_classes, challenge.suspect, challenge.policy
    return assess(
        matches,
        blocks_used=challenge.block_count,
        block_count=header.block_count,
        block_size=header.block_size,
        class_count=header.class_count,
        policy=replace(
            policy, functions_tried=max(policy.functions_tried, verdict.functions_tried or 1)
        ),
        map_bits=map_bits(
            challenge.class_map,
            suspect.outputs,
            by_names=header.class_names is not None and names is not None,
            numbered=names is None or not suspect.answers_by_name,
        ),
        rank_sum=sums[0],
        score_sum=sums[1],
    )
