"""``zkwm prove --zero-knowledge`` compares file and integer network, and asks the file at need.

The twin is a marked file for which the quantizer is made to return an unmarked file's network, and
a judge who does not compare the two: no trick of a file is needed that a release may mend.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import PASSPHRASE, Command, Files
from zkwm.owner.vault import Vault
from zkwm.quantizer import derive
from zkwm.suspects import open_suspect
from zkwm_protocols.suspect_identity import Preprocessing


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


def spent(case: Files) -> int:
    return len(list(Vault.open(case.vault, PASSPHRASE).state.openings()))


def ask(case: Files, model: Path, output: Path) -> list[object]:
    return ["challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge",
            "--blocks", 3, "--judge", case.public, "--output", output]  # fmt: skip


def answer(case: Files, model: Path, challenge: Path) -> list[object]:
    return [*case.prove_options(challenge=challenge), "--zero-knowledge", "--model", model]


def mistake(patch: pytest.MonkeyPatch, shown: Path) -> None:
    """Let the quantizer take any file for ``shown``, and a judge issue challenges all the same."""
    quantized = derive._quantized
    other = shown.read_bytes()
    patch.setattr(derive, "_quantized", lambda _, *rest: quantized(other, *rest))
    skip_comparison(patch, "judge.frame")


def skip_comparison(patch: pytest.MonkeyPatch, module: str) -> None:
    for demand in ("translation", "agreement"):
        patch.setattr(f"zkwm.{module}.require_{demand}", lambda _: None)


def matches(case: Files, model: Path) -> int:
    """Triggers of the three unopened blocks that a file gives their labels."""
    images, labels = case.triggers()
    with closing(open_suspect(model, shape=images.shape[1:])) as suspect:
        answers = suspect.answer(images[50:], Preprocessing())
    return int((np.array([one.output for one in answers]) == labels[50:]).sum())


def test_a_twin_is_refused_in_the_same_words_whatever_is_asked(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: StandIn
) -> None:
    """A judge who lowers k* step by step learns nothing: their rules are checked first."""

    def reached(*_: object, **__: object) -> None:
        raise AssertionError("a trigger was looked at")

    _, unmarked = save_pair(case, tmp_path)
    images, labels = case.triggers()
    partly = tmp_path / "partly.onnx"
    save_linear(partly, images, np.where(np.arange(len(labels)) % 5, labels, (labels + 1) % 10))
    mistake(monkeypatch, unmarked)
    monkeypatch.setattr("zkwm.judge.frame.secrets", SimpleNamespace(token_bytes=bytes))
    for name in ("_declared_labels", "make_statement", "pixels_of", "require_file_below"):
        monkeypatch.setattr(f"zkwm.owner.prove_argument.{name}", reached)
    refusals = []
    for demanded in (100, 140):
        path = tmp_path / f"{demanded}.challenge"
        asked = zkwm(*ask(case, partly, path), "--least-matches", demanded)
        assert asked.code == 0, asked.stderr
        refused = zkwm(*answer(case, partly, path), "--json")
        assert refused.code == 3
        refusals.append(refused.json)
    assert 100 <= matches(case, partly) < 140
    assert refusals[0] == refusals[1]
    assert refusals[0]["check"] == "argument.agreement"
    assert "A judge who keeps the rules issues no such challenge" in refusals[0]["error"]
    assert "--reveal" in refusals[0]["hint"]
    assert (argument.proofs, bits(case)) == (0, 0)


def test_a_twin_on_triggers_alone_costs_no_bit_and_an_opening_proves(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: StandIn
) -> None:
    marked, unmarked = save_pair(case, tmp_path)
    mistake(monkeypatch, unmarked)
    # as if the two differed on triggers alone, which no comparison sees
    skip_comparison(monkeypatch, "owner.suspect_file")
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
    before = spent(case)
    for said in ("records it as a released bit", "nothing was computed or recorded again"):
        result = zkwm(*answer(case, unmarked, path), "--json")
        assert (result.code, result.json["exit_code"]) == (3, 3)  # 2 means that nothing was done
        assert said in result.json["hint"]
        assert "zkwm check says in private how many match" in result.json["hint"]
        assert (bits(case), spent(case)) == (1, before)
    assert not (case.folder / "new.proof").exists()


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
