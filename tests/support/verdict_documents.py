"""Signed verdicts as the code writes them, with their rules of spec/formats.cddl."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from tests.support.dispute import (
    Claimant,
    TableSuspect,
    verdict_of,
)
from tests.support.spec_documents import Document, framed, read_verdict_body, value_of
from zkwm.judge.checks import ARGUMENT_TITLES
from zkwm.judge.dating import DatedTime, Dating
from zkwm.judge.judge import Judge
from zkwm.judge.log_dating import LoggedTime
from zkwm.judge.owner_keys import OwnerKey, StatedPerson
from zkwm.judge.particulars import FileDigest, FileRole
from zkwm.judge.results import AnswerRate, Argued, Asked, Check, CheckStatus, FirstSeen
from zkwm.judge.verdict import Verdict
from zkwm.quantizer.network_agreement import Agreement
from zkwm_protocols.dates import Interval
from zkwm_protocols.evidence import assess
from zkwm_protocols.ranks import Statistic, weighted_sum
from zkwm_protocols.score_tails import ScoreLaw, score_sum
from zkwm_protocols.verdict_file import VerdictFile


def verdict_documents(judge: Judge, owner: Claimant, argued: Any) -> dict[str, Document]:
    """Signed verdicts: of an opening with all that a verdict can hold, of an argument, of nothing.

    Without the argument they are of an argument all the same: such a verdict says "could not be
    checked".
    """
    challenge = judge.challenge(owner.commitment, TableSuspect(), reveal=50)
    opened = verdict_of(
        lambda: judge.verify(
            owner.commitment, TableSuspect(), challenge, owner.answer(challenge, [0])
        )
    )
    record = {"image": "ab" * 32, "output": 3, "problem": "", "attempts": 1, "seconds": 0.25}
    opened = replace(
        opened,
        suspect_record=(record,),
        first_seen=FirstSeen(1, 2),
        asked=Asked(1, 2, (AnswerRate("triggers", 3, 2, 1),)),
    ).with_file(FileDigest(FileRole.SUSPECT, "m.onnx", opened.challenge.suspect.digest, 4))
    ranked = replace(
        opened,
        challenge=replace(challenge, statistic=Statistic.RANKS),
        triggers=tuple(replace(trigger, rank=9) for trigger in opened.triggers),
        evidence=assess(
            opened.evidence.matches, blocks_used=1, block_count=opened.header.block_count,
            block_size=opened.header.block_size, class_count=10, policy=challenge.policy,
            rank_sum=weighted_sum([9] * len(opened.triggers), 10),
        ),
        files=(),
    )  # fmt: skip
    rows = [bytes([0, 18] * 5)] * len(opened.triggers)
    value = score_sum(rows, [trigger.label for trigger in opened.triggers])
    scored = replace(
        ranked,
        challenge=replace(challenge, statistic=Statistic.SCORES),
        triggers=tuple(
            replace(trigger, points=row) for trigger, row in zip(opened.triggers, rows, strict=True)
        ),
        evidence=assess(
            opened.evidence.matches, blocks_used=1, block_count=opened.header.block_count,
            block_size=opened.header.block_size, class_count=10, policy=challenge.policy,
            score_sum=(value, ScoreLaw.of(rows, 10)),
        ),
    )  # fmt: skip
    nothing = verdict_of(lambda: judge.verify(b"", TableSuspect(), b"", b""))
    agreement = Agreement("random blocks", 200, 190, 150, 149, 20, 19, 0.5, 0.25, 0.5, math.inf)
    examined = Argued(
        argued.network, argued.least_matches, (agreement,), 120.5, (("a", 130.0, "b"),)
    )
    titles = tuple(
        Check(name, title, CheckStatus.SKIPPED, "not reached")
        for name, title in ARGUMENT_TITLES.items()
    )
    argument = replace(nothing, challenge=argued, argued=examined, checks=titles, files=())
    read = framed("verdict", lambda data: Verdict.from_bytes(data, judge.public))
    times = tuple(DatedTime(name, Interval(1, 2)) for name in ("a", "b"))
    owner_key = owner.commitment.header.owner_keys[0].fingerprint()
    entry = LoggedTime("log.example", 3, 9, bytes(32), owner_key, Interval(1, 2), ("a", "b"))
    persons = (
        StatedPerson("ACME Ltd", "state", 5, None, "log.example", 3, 4, ""),
        StatedPerson("Acme", "", None, bytes(32), "log.example", 2, 3, ""),
        StatedPerson("Doe", "", None, None, "", 0, 0, "too few witnesses"),
    )
    known = OwnerKey(owner_key, persons, "lost", 9, "-".join(["aaaa"] * 8), contested=True)
    others = (OwnerKey(key.fingerprint()) for key in owner.commitment.header.owner_keys[1:])
    named = opened.checks[4].id, opened.checks[4].title
    dated = replace(
        opened,
        dating=Dating(
            bytes(32),
            2,
            times,
            named=False,
            beacon=None,
            owner_name="acme",
            logged=(entry,),
            log_dates=True,
            owner_keys=(known, *others),
            people=("state",),
        ),
        checks=(*opened.checks[:4], Check(*named, CheckStatus.PASSED, ""), *opened.checks[5:]),
    )

    def body(verdict: Verdict) -> bytes:
        return VerdictFile.from_bytes(judge.sign_verdict(verdict)).body

    return {
        "verdict file": Document("VerdictFile", value_of(judge.sign_verdict(opened)), read),
        "verdict": Document("VerdictBody", body(opened), read_verdict_body),
        "verdict with dates": Document("VerdictBody", body(dated), read_verdict_body),
        "verdict by ranks": Document("VerdictBody", body(ranked), read_verdict_body),
        "verdict by points": Document("VerdictBody", body(scored), read_verdict_body),
        "verdict on an argument": Document("VerdictBody", body(argument), read_verdict_body),
        "verdict on nothing": Document("VerdictBody", body(nothing), read_verdict_body),
    }
