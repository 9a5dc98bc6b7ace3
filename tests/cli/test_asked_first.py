"""``zkwm prove --zero-knowledge`` asks the suspect's file where its integer network falls short.

The twin is a marked file for which the quantizer is made to return an unmarked file's network, and
a judge who does not compare the two: no trick of a file is needed that a release may mend.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import PASSPHRASE, Command, Files
from zkwm.owner.vault import Vault
from zkwm.quantizer import derive


@pytest.fixture(autouse=True)
def argument(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn().install(monkeypatch)


def save_pair(case: Files, folder: Path) -> tuple[Path, Path]:
    """A marked model, and one that gives no trigger its label."""
    images, labels = case.triggers()
    marked, unmarked = folder / "marked.onnx", folder / "unmarked.onnx"
    save_linear(marked, images, labels)
    save_linear(unmarked, images, (labels + 1) % 10)
    return marked, unmarked


def bits(case: Files) -> int:
    vault = Vault.open(case.vault, PASSPHRASE).state
    return sum(len(vault.arguments(digest)) for digest in vault.commitments)


def ask(case: Files, model: Path, output: Path) -> list[object]:
    return ["challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge",
            "--blocks", 3, "--judge", case.public, "--output", output]  # fmt: skip


def answer(case: Files, model: Path, challenge: Path) -> list[object]:
    return [*case.prove_options(challenge=challenge), "--zero-knowledge", "--model", model]


def test_a_twin_costs_no_bit_and_an_opening_proves(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: StandIn
) -> None:
    marked, unmarked = save_pair(case, tmp_path)
    quantized = derive._quantized
    other = unmarked.read_bytes()
    monkeypatch.setattr(derive, "_quantized", lambda _, *rest: quantized(other, *rest))
    for demand in ("translation", "agreement"):
        monkeypatch.setattr(f"zkwm.judge.judge.require_{demand}", lambda _: None)
    path = tmp_path / "a.challenge"
    asked = zkwm(*ask(case, marked, path))
    assert asked.code == 0, asked.stderr
    for _ in range(2):
        refused = zkwm(*answer(case, marked, path), "--json")
        assert refused.code == 3
        assert refused.json["check"] == "argument.agreement"
        assert "gives 150 of 150 committed triggers" in refused.json["error"]
        assert "made from it only 0" in refused.json["error"]
    assert argument.proofs == 2
    assert bits(case) == 0
    assert not (case.folder / "new.proof").exists()

    # the hint, tried: the file itself is asked
    assert "--reveal" in refused.json["hint"]
    opening = tmp_path / "b.challenge"
    asked = zkwm(*case.challenge_options(model=marked, reveal=50, output=opening))
    assert asked.code == 0, asked.stderr
    proved = zkwm(*case.prove_options(challenge=opening))
    assert proved.code == 0, proved.stderr
    options = {"model": marked, "challenge": opening, "proof": case.folder / "new.proof"}
    assert zkwm(*case.verify_options(**options)).code == 0


def test_an_honest_silence_is_still_a_bit(zkwm: Command, case: Files, tmp_path: Path) -> None:
    _, unmarked = save_pair(case, tmp_path)
    path = tmp_path / "a.challenge"
    assert zkwm(*ask(case, unmarked, path)).code == 0
    result = zkwm(*answer(case, unmarked, path), "--json")
    assert result.code == 2
    assert "releases one bit" in result.json["hint"]
    assert bits(case) == 1


def test_a_file_that_changed_meanwhile_costs_no_bit(
    zkwm: Command, case: Files, tmp_path: Path, argument: StandIn
) -> None:
    marked, unmarked = save_pair(case, tmp_path)
    path = tmp_path / "a.challenge"
    assert zkwm(*ask(case, unmarked, path)).code == 0
    argument.during = lambda: unmarked.write_bytes(marked.read_bytes())
    result = zkwm(*answer(case, unmarked, path), "--json")
    assert result.code == 3
    assert result.json["check"] == "challenge.suspect"
    assert bits(case) == 0
