"""The public calls about model cards: make a claim, write it, find the claims about a model."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zkwm
from tests.support.cards import claim_map
from tests.support.case_files import save_lookup
from tests.support.dispute import Claimant, random_images
from tests.support.logged_commitment import INDEX, log_proof, stated
from tests.support.statements import P256_KEY
from tests.support.witnessed_log import ORIGIN
from zkwm.model_card.claim import CardClaim

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def owner() -> Claimant:
    return Claimant(random_images(200))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = random_images(20)
    save_lookup(tmp_path / "model.onnx", images, np.arange(20) % 10, shape=SHAPE)
    return tmp_path


def test_from_claim_to_finding(folder: Path, owner: Claimant) -> None:
    file = folder / "acme.commitment"
    file.write_bytes(owner.commitment.to_bytes())
    claim = zkwm.card_claim(file.read_bytes(), folder / "model.onnx", url="https://a.example/c")
    assert claim.commitment == owner.commitment.digest
    (folder / "README.md").write_text("# A model\n", encoding="utf-8")
    zkwm.write_claim(folder / "README.md", claim)
    assert (folder / "README.md").read_text(encoding="utf-8").endswith("---\n# A model\n")
    found = zkwm.find_claims(folder)
    assert found.agrees
    assert [finding.claim for finding in found.ours] == [claim]
    assert found.card == folder / "README.md"
    assert {one.outcome for one in found.ours[0].comparisons} == {"agrees"}


def test_a_card_names_the_entries_of_logs(folder: Path, owner: Claimant) -> None:
    """Those of an owner alone; what is at hand is compared, and proves or differs."""
    own = log_proof(stated(owner.commitment.digest, owner.keys[0]))
    foreign = log_proof(stated(owner.commitment.digest, P256_KEY))
    logged = replace(owner.commitment, log_proofs=(foreign, own))
    file = folder / "acme.commitment"
    file.write_bytes(logged.to_bytes())
    claim = zkwm.card_claim(logged, folder)
    digest = hashlib.sha256(own.statement.to_bytes()).digest()
    assert claim.logs == (zkwm.ClaimedEntry(ORIGIN, INDEX, digest),)
    zkwm.write_claim(folder / "README.md", claim)
    for proofs, outcome, agrees in (
        ((own,), "agrees", True), ((), "not checked", True), ((foreign,), "not checked", True),
    ):  # fmt: skip
        file.write_bytes(replace(logged, log_proofs=proofs).to_bytes())
        found = zkwm.find_claims(folder)
        assert found.agrees == agrees
        assert [c.outcome for c in found.ours[0].comparisons if c.subject == "log"] == [outcome]
    other = replace(claim.logs[0], statement=bytes(32))
    zkwm.write_claim(folder / "README.md", replace(claim, logs=(other,)))
    file.write_bytes(logged.to_bytes())
    assert not zkwm.find_claims(folder).agrees


@pytest.mark.parametrize(
    "logs",
    [
        {}, [{}], [{"log": "a", "index": 1, "statement": "00" * 32}], ["a"],
        [{"log": "a", "index": "01", "statement": "00" * 32}],
        [{"log": "", "index": "1", "statement": "00" * 32}],
        [{"log": "a", "index": "1", "statement": "00"}],
        [{"log": "a", "index": "1", "statement": "00" * 32}] * 17,
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_entries_of_logs_that_are_none(logs: object) -> None:
    with pytest.raises(zkwm.Malformed):
        CardClaim.from_map(claim_map(logs=logs))


def test_a_model_that_was_exchanged(folder: Path, owner: Claimant) -> None:
    zkwm.write_claim(folder / "README.md", zkwm.card_claim(owner.commitment, folder))
    save_lookup(folder / "model.onnx", random_images(20), np.zeros(20, int), shape=SHAPE)
    found = zkwm.find_claims(folder / "model.onnx")
    assert (found.agrees, found.ours) == (False, ())
    assert "differs" in {one.outcome for one in found.findings[0].comparisons}


def test_what_is_refused(folder: Path, owner: Claimant) -> None:
    with pytest.raises(zkwm.UsageError, match="is no model"):
        zkwm.card_claim(owner.commitment, folder / "nothing")
    with pytest.raises(zkwm.UsageError, match="http"):
        zkwm.card_claim(owner.commitment, folder, url="ftp://a.example")
    forged = owner.commitment.to_bytes()[:-1] + b"\0"
    with pytest.raises(zkwm.CouldNotCheck):
        zkwm.card_claim(forged, folder)
    with pytest.raises(zkwm.CouldNotCheck, match="there is no"):
        zkwm.find_claims(folder)
    card = folder / "README.md"
    card.write_text("---\n{a: b}\n---\n", encoding="utf-8")
    with pytest.raises(zkwm.UsageError, match=r"README\.md"):
        zkwm.write_claim(card, zkwm.card_claim(owner.commitment, folder))
    assert card.read_text(encoding="utf-8") == "---\n{a: b}\n---\n"
