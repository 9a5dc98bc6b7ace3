"""A true argument is proven, and what its verdict says: as a value, as text, as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.argued import StandIn
from tests.support.dispute import Claimant
from zkwm.judge.checks import ARGUMENT_TITLES
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm.report import render_report, render_text
from zkwm.suspects import Suspect
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import Challenge


@pytest.mark.slow
def test_a_true_argument_is_proven(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    verdict = judge.verify(owner.commitment, suspect, challenge, proof)
    assert verdict.proven
    assert [check.id for check in verdict.checks] == list(ARGUMENT_TITLES)
    assert [check.id for check in verdict.checks if check.status != "passed"] == [
        "commitment.timestamp"
    ]
    assert verdict.reason.startswith("at least 60 of 100 triggers match in the integer network")
    assert verdict.triggers == ()
    assert verdict.argued is not None
    assert verdict.argued.network == challenge.network
    assert verdict.argued.soundness_bits == 121.5
    assert [one.kind for one in verdict.argued.agreements] == [
        "random blocks",
        "public images",
        "images of the family secret",
        "images of the family blocks",
        "images of the family abstract",
    ]
    value = json.loads(json.dumps(verdict.to_json()))
    assert value["mode"] == "argument"
    assert value["matches"] == value["argument"]["least_matches"] == 60
    assert value["matches_are"] == "at least"
    assert (value["triggers_opened"], value["triggers_counted"]) == (0, 100)
    assert value["argument"]["network"] == challenge.network.hex()
    assert value["argument"]["agreement"][0]["asked"] == 200
    assert value["evidence"]["reached"]


@pytest.mark.slow
def test_files_and_a_path_do_as_well(
    judge: Judge,
    owner: Claimant,
    model: Path,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> None:
    verdict = judge.verify(
        owner.commitment.to_bytes(), model, challenge.to_bytes(), proof.to_bytes()
    )
    assert verdict.proven


@pytest.fixture
def proven(
    judge: Judge,
    owner: Claimant,
    suspect: Suspect,
    challenge: Challenge,
    proof: ArgumentResponse,
    argument: StandIn,
) -> Verdict:
    return judge.verify(owner.commitment, suspect, challenge, proof)


@pytest.mark.slow
def test_the_text_says_what_was_proven_and_what_stays_hidden(proven: Verdict) -> None:
    shown = " ".join(render_text(proven).split())
    for expected in (
        "PROVEN: at least 60 of 100 triggers match",
        "Matches at least 60 of 100",
        "Claim in the integer network made from the file at least 60 triggers match",
        "Stays hidden images, salts, answers, which triggers match, and how many more",
        "of 200 public images",
        "at most 2^-121.5",
        "Nothing was opened.",
    ):
        assert expected in shown
    assert "Opened triggers" not in shown


@pytest.mark.slow
def test_the_page_says_so_too(proven: Verdict) -> None:
    page = render_report(proven)
    for expected in (
        "matches, at least",
        "For this case the owner showed no image",
        "Which ones, and how many more, stays hidden",
        "at least: 60 matches",
        "is sealed to nobody",
        "The integer network",
        "Argument (in zero knowledge)",
    ):
        assert expected in page
    assert "The opened triggers" not in page
    assert "sealed to the judge's secret key" not in page
