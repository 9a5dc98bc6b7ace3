"""A dispute on a mark that is extracted from weights: by verdict, by archive, and by neither."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.dispute import verdict_of
from tests.support.dispute_folder import DisputeFolder, Forger
from tests.support.extraction_case import COUNT, ExtractionCase, new_case
from tests.support.past_authority import days_ago
from zkwm.case_archive.pack import pack_case
from zkwm.disputes.results import Basis, DisputeOutcome, FoundClaim, Standing
from zkwm.disputes.verdict import DisputeVerdict
from zkwm.judge.verdict import Verdict
from zkwm.suspects import ExtractionSettings


@dataclass
class Extracted:
    """Acme, whose key bits stand in the weights that Doe sells, and a judge's verdict on that."""

    folder: DisputeFolder
    case: ExtractionCase
    challenge: bytes
    proof: bytes
    verdict: Verdict

    def settle(self, **evidence: str) -> tuple[DisputeVerdict, FoundClaim]:
        """The dispute by this evidence of Acme's claim."""
        self.folder.case["claims"] = [{"mark": "acme", "model": "suspect", **evidence}]
        verdict = self.folder.settle()
        (claim,) = verdict.found.claims
        return verdict, claim

    def put(self, name: str, data: bytes) -> str:
        """A file of the case."""
        (self.folder.folder / name).write_bytes(data)
        return name

    def archive(self, file: str, *, triggers: bool = True) -> str:
        """The archive of the case, with what the judge unsealed or without."""
        names = ("acme.commitment", "a.challenge", "a.proof", "a.verdict", "judge.key.pub")
        self.folder.write()
        self.put("a.challenge", self.challenge)
        self.put("a.proof", self.proof)
        self.put("a.verdict", self.folder.judge.sign_verdict(self.verdict))
        root = self.folder.folder
        data = pack_case(
            [*(root / name for name in names), self.case.folder / "marked", root / "trust"],
            triggers=self.folder.judge.key if triggers else None,
            extraction=ExtractionSettings("uchida", {}, self.case.folder / "unmarked"),
        )[0]
        return self.put(file, data)


@pytest.fixture
def extracted(
    folder: DisputeFolder, forger: Forger, tmp_path_factory: pytest.TempPathFactory
) -> Extracted:
    case, judge, trust = new_case(tmp_path_factory.mktemp("case")), folder.judge, folder.trust
    acme = folder.party("acme", days=None)
    acme.commitment = case.commitment
    forger.dated(acme, 30)
    shutil.copytree(case.folder / "marked", folder.folder / "doe")
    folder.case["models"].append(
        {"name": "suspect", "published_by": "doe", "file": "doe/model.safetensors",
         "published": days_ago(7), "source": "https://hub.example", "contested": "true"}
    )  # fmt: skip
    commitment = replace(acme.commitment, authorities=trust.authorities)
    with case.suspect(case.folder / "marked") as suspect:
        challenge = judge.challenge(commitment, suspect, reveal=COUNT, trust=trust)
        proof = case.answered(judge, challenge)
        verdict = verdict_of(
            lambda: judge.verify(commitment, suspect, challenge, proof, trust=trust)
        )
    return Extracted(folder, case, challenge.to_bytes(), proof, verdict)


def weights(case: ExtractionCase, name: str) -> bytes:
    """The file of a network's weights."""
    data: bytes = (case.folder / name / "model.safetensors").read_bytes()
    return data


def test_an_extracted_mark_counts_by_verdict_and_by_archive(extracted: Extracted) -> None:
    """With the keys that the judge unsealed, its bits are extracted again from the archive."""
    name = extracted.put("a.verdict", extracted.folder.judge.sign_verdict(extracted.verdict))
    whole, short = extracted.archive("a.zip"), extracted.archive("b.zip", triggers=False)
    for evidence, basis in (
        ({"verdict": name}, Basis.JUDGES_WORD),
        ({"archive": whole}, Basis.REPEATED),
        ({"archive": short}, Basis.JUDGES_WORD),
    ):
        verdict, claim = extracted.settle(**evidence)
        assert (claim.basis, claim.bits is None) == (basis, False), claim.detail
        assert verdict.standing(claim) == Standing.COUNTS
        assert (verdict.outcome, verdict.decision.party) == (DisputeOutcome.SUPPORTED, "acme")
    names = {
        "challenge": extracted.put("a.challenge", extracted.challenge),
        "proof": extracted.put("a.proof", extracted.proof),
    }
    _, claim = extracted.settle(**names)
    assert (claim.basis, "how this mark is extracted" in claim.detail) == (Basis.NOTHING, True)
    path: Path = extracted.folder.folder / "doe/model.safetensors"
    path.write_bytes(weights(extracted.case, "unmarked"))  # what Doe sells is another model
    for evidence in ({"verdict": name}, {"archive": whole}):
        verdict, claim = extracted.settle(**evidence)
        assert verdict.outcome != DisputeOutcome.SUPPORTED
        assert (claim.basis, verdict.standing(claim)) == (Basis.NOTHING, Standing.NOT_CHECKED)
        assert "another model than the one at hand" in claim.detail
