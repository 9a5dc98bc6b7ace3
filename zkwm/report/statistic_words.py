"""What was counted more finely than matches, in a sentence for people."""

from __future__ import annotations

from zkwm.judge.verdict import Verdict
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.ranks import Statistic

_RANKED = (
    " The judge counted more finely: how high the model's own scores rank the label of each image "
    "among all classes, after subtracting each class's typical (median) score."
)
_SCORED = (
    " The judge counted more finely: for each image every class got points, for its place among "
    "the model's own scores and for its distance from what is typical of the class; the labels "
    "were looked at only then, and their points added up."
)
_RELEARNED = (
    " The judge counted what the model still remembers: copies of it were trained on some of the "
    "images with their labels, so was a regression on what its neurons give, and only then were "
    "they asked the others; counted is how high their scores rank the label of each image among "
    "all classes before it was trained on, after subtracting each class's typical (median) score."
)
_COUNTED = {
    Statistic.RANKS: "ranks of the labels among the model's own scores, beside matches",
    Statistic.SCORES: "points of the labels by the model's own scores, for place and distance, "
    "beside matches",
    Statistic.RELEARNING: "relearning: ranks of the labels as told from other triggers by copies "
    "of the model that were trained on these, and by a regression on its neurons; matches are "
    "those of the model itself",
}


def counted_in_short(challenge: Challenge) -> str:
    """What is counted, in a phrase; empty for matches, which every verdict speaks of."""
    return _COUNTED.get(challenge.statistic, "")


def counted_more_finely(verdict: Verdict) -> str:
    """The sentence on ranks or points, where they were counted; empty for matches."""
    evidence, challenge = verdict.evidence, verdict.challenge
    if evidence is None or challenge is None:
        return ""
    if evidence.rank_sum is not None:
        return _RELEARNED if challenge.statistic == Statistic.RELEARNING else _RANKED
    return _SCORED if evidence.score_sum is not None else ""
