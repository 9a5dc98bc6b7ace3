"""Extracted marks: everything that an accuser could choose late is refused (SPEC.md 19)."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.dispute import failed, recast, refused, status, verdict_of
from tests.support.extraction_case import (
    COUNT,
    LAYER,
    WEIGHT,
    ExtractionCase,
    network,
    new_case,
)
from zkwm.data.bundled import load_bundled
from zkwm.extraction.keys import ExtractionKey, scheme_tag
from zkwm.extraction.reader import JudgeView
from zkwm.extraction.schemes import make_reader
from zkwm.judge.judge import Judge
from zkwm.owner.vault import Vault
from zkwm.suspects import Answer, Suspect
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys
from zkwm.watermarks.parameter_encoding.tartaglione import Tartaglione
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, Unsupported, UsageError
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.opening import OpenedBlock, Opening, make_opening
from zkwm_protocols.suspect_identity import Preprocessing

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def case(tmp_path: Path) -> ExtractionCase:
    return new_case(tmp_path)


def test_keys_of_another_scheme_are_refused(tmp_path: Path, judge: Judge) -> None:
    case = new_case(tmp_path)
    suspect = case.suspect(tmp_path / "marked", watermark="tartaglione")
    challenge = judge.challenge(case.commitment, suspect, reveal=COUNT)
    proof = case.answered(judge, challenge)
    verdict = verdict_of(lambda: judge.verify(case.commitment, suspect, challenge, proof))
    assert failed(verdict) == ["suspect.answers"]
    assert status(verdict, "evidence.threshold") == "skipped"


def test_one_foreign_key_among_many_is_found(case: ExtractionCase) -> None:
    mixed = case.keys.copy()
    mixed[5] = draw_keys(case.vault, Tartaglione(), 1, (LAYER,))
    with refused(InvalidOpening, "suspect.answers"):
        case.suspect(case.folder / "marked").answer(mixed, Preprocessing())


def test_other_probes_or_another_scheme_are_another_suspect(
    case: ExtractionCase, judge: Judge
) -> None:
    path = case.folder / "marked"
    suspect = case.suspect(path)
    challenge = judge.challenge(case.commitment, suspect, reveal=COUNT)
    proof = case.answered(judge, challenge)
    assert judge.verify(case.commitment, suspect, challenge, proof).outcome == "proven"
    probes = np.zeros((1, 1, 28, 28), np.uint8)
    for other in (
        case.suspect(path, probes=probes),
        case.suspect(path, watermark="tartaglione"),
        case.suspect(case.folder / "unmarked"),
    ):
        verdict = verdict_of(partial(judge.verify, case.commitment, other, challenge, proof))
        assert failed(verdict) == ["challenge.suspect"]


@pytest.mark.parametrize("scheme", ["uchida", "tartaglione", "deepsigns", "dynamarks"])
def test_what_is_not_finite_is_no_answer(case: ExtractionCase, scheme: str) -> None:
    """One weight of 1e37, or NaN: could not be checked, where all bits were 0 before."""
    broken = copy.deepcopy(case.marked)
    with torch.no_grad():
        broken.get_parameter(WEIGHT).view(-1)[:40] = 1e37
    if scheme in ("uchida", "tartaglione"):
        with torch.no_grad():
            broken.get_parameter(WEIGHT).view(-1)[0] = math.nan
    reader = make_reader(scheme)
    secrets = np.random.default_rng(0).integers(0, 256, (20, 14), dtype=np.uint8)
    keys = np.stack(
        [ExtractionKey(LAYER, scheme_tag(reader), secret.tobytes()).to_leaf() for secret in secrets]
    )
    reference = case.unmarked if scheme == "dynamarks" else None
    view = JudgeView(reference, load_bundled().test_images[:20])
    with pytest.raises(UsageError, match="finite"):
        reader.extract(broken, keys, view)


def test_no_key_may_be_left_out(
    case: ExtractionCase, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The owner knows the labels; where bits are read jointly (dynamarks), a key that is not there
    # changes those of others.
    suspect = case.suspect(case.folder / "marked")
    challenge = judge.challenge(case.commitment, suspect, reveal=COUNT)

    def without_one(
        commitment: Commitment,
        challenge: Challenge,
        blocks: tuple[OpenedBlock, ...],
        signers: tuple[SigningKey, ...],
    ) -> Opening:
        first = replace(blocks[0], triggers=(None, *blocks[0].triggers[1:]))
        return make_opening(commitment, challenge, (first, *blocks[1:]), signers)

    monkeypatch.setattr("zkwm.owner.prove.make_opening", without_one)
    proof = case.answered(judge, challenge)
    verdict = verdict_of(lambda: judge.verify(case.commitment, suspect, challenge, proof))
    assert failed(verdict) == ["opening.leaves"]
    assert verdict.outcome == "could not be checked"


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"class_map": (1, 0)}, "challenge.class_map"),
        ({"statistic": "ranks"}, "challenge.suspect"),
    ],
)
def test_a_judge_is_not_talked_into_another_question(
    case: ExtractionCase, judge: Judge, options: dict[str, Any], check: str
) -> None:
    suspect = case.suspect(case.folder / "marked")
    with refused(InvalidOpening, check):
        judge.challenge(case.commitment, suspect, reveal=COUNT, **options)


def test_an_owner_answers_no_challenge_with_a_preprocessing(
    case: ExtractionCase, judge: Judge
) -> None:
    suspect = case.suspect(case.folder / "marked")
    good = judge.challenge(case.commitment, suspect, reveal=COUNT)
    other = replace(good, preprocessing=Preprocessing(scale="raw"))
    with refused(InvalidOpening, "challenge.suspect"):
        other.verify_against(case.commitment)


def test_zero_knowledge_about_an_extracted_mark_is_unsupported(
    case: ExtractionCase, judge: Judge
) -> None:
    suspect = case.suspect(case.folder / "marked")
    with refused(Unsupported, "challenge.network") as caught:
        judge.challenge_argument(case.commitment, suspect)
    assert "`Judge.challenge`" in caught.value.hint
    good = judge.challenge(case.commitment, suspect, reveal=COUNT)
    argued = recast(good, ArgumentChallenge, network=bytes(32), least_matches=COUNT)
    with refused(InvalidOpening, "challenge.suspect"):
        argued.verify_against(case.commitment)


class Impostor(Suspect):
    """A suspect that says that it is an extraction, with bits and a digest of its own making."""

    def __init__(self, suspect: Suspect) -> None:
        self.identity = suspect.identity

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Takes anything."""

    def answer(self, images: Any, preprocessing: Preprocessing, *, progress: Any = None) -> Any:
        """All bits are 1."""
        return tuple(Answer(1) for _ in images)


def test_only_our_own_extraction_is_judged(case: ExtractionCase, judge: Judge) -> None:
    impostor: Any = Impostor(case.suspect(case.folder / "marked"))
    with refused(Unsupported, "challenge.suspect"):
        judge.challenge(case.commitment, impostor, reveal=COUNT)


def test_innocent_bits_are_fair_coins_whatever_the_network(
    tmp_path: Path, quick_labels: None
) -> None:
    """Over many commitments, for networks that are as lopsided as can be."""
    lopsided = network(5)
    with torch.no_grad():
        for parameter in lopsided.parameters():
            parameter.abs_()
    vault = Vault.open(new_case(tmp_path).vault.path, "five random words are enough")
    found = []
    for scheme, layers in ((Uchida(), (1,)), (Tartaglione(), (0,))):
        for _ in range(5):
            keys = draw_keys(vault, scheme, 200, layers)
            labels = commit_keys(vault, keys).labels()
            found.append(
                int((scheme.reader().extract(lopsided, keys, JudgeView()) == labels).sum())
            )
    total = sum(found)
    assert abs(total - 1000) < 6 * np.sqrt(2000 * 0.25)
    assert min(found) > 60
    assert max(found) < 140
