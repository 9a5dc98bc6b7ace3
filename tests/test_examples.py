"""The example scripts do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import zkwm
from tests.support.argued import StandIn, save_linear
from tests.support.case_files import save_lookup
from zkwm.secret_files.encrypted import Cost

EXAMPLES = Path(__file__).parents[1] / "examples"
EXAMPLE_NAMES = ("owner", "judge", "marketplace", "zero_knowledge")
CHEAP = Cost(operations=1, memory_kib=8 * 1024)


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The example scripts as modules; keys are made at the smallest cost."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr("zkwm.secret_files.encrypted.DEFAULT_COST", CHEAP)
    found = {name: __import__(name) for name in EXAMPLE_NAMES}
    for name in found:
        monkeypatch.delitem(sys.modules, name)
    return found


@pytest.fixture
def marked(tmp_path: Path) -> tuple[zkwm.Vault, zkwm.Commitment, Path]:
    """An owner's vault and commitment, and a model that answers all triggers."""
    vault = zkwm.Vault.create(tmp_path / "acme.vault", "a long phrase", cost=CHEAP)
    commitment = zkwm.commit(vault, class_count=10, shape=(1, 16, 16), family="blocks")
    triggers = zkwm.trigger_set(vault, commitment)
    save_lookup(tmp_path / "model.onnx", triggers.images, triggers.labels)
    return vault, commitment, tmp_path / "model.onnx"


@pytest.mark.slow
def test_owner_marks(examples: dict[str, ModuleType], tmp_path: Path) -> None:
    vault, commitment = examples["owner"].mark(tmp_path, "a long phrase", epochs=1)
    assert commitment.digest in vault.state.commitments
    assert (tmp_path / "marked" / "model.onnx").exists()


def test_judge_decides(
    examples: dict[str, ModuleType],
    marked: tuple[zkwm.Vault, zkwm.Commitment, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    vault, commitment, model = marked
    judge = zkwm.Judge.create(tmp_path / "judge.key", "a long phrase")
    fingerprint = judge.public.fingerprint()

    def ask_owner(challenge: zkwm.Challenge) -> zkwm.Opening:
        opening: zkwm.Opening = examples["owner"].answer(vault, commitment, challenge, fingerprint)
        return opening

    report = tmp_path / "report.html"
    verdict = examples["judge"].decide(judge, commitment, model, ask_owner, report)
    assert verdict.proven
    assert "Acme v. Doe" in report.read_text(encoding="utf-8")
    assert fingerprint in capsys.readouterr().out
    other = tmp_path / "other.onnx"
    triggers = zkwm.trigger_set(vault, commitment)
    save_lookup(other, triggers.images, (triggers.labels + 1) % 10)
    verdict = examples["judge"].decide(judge, commitment, other, ask_owner, report)
    assert not verdict.proven


def test_marketplace_finds_the_thief(
    examples: dict[str, ModuleType],
    marked: tuple[zkwm.Vault, zkwm.Commitment, Path],
    tmp_path: Path,
) -> None:
    """Two sellers, a webhook, a queue, a claim that other processes settle."""
    vault, commitment, model = marked
    desk = zkwm.Judge.create(tmp_path / "desk.key", "a long phrase")
    told = examples["marketplace"].play(tmp_path, vault, commitment, model, desk)
    assert told == {"listing": "2-cheap", "outcome": "proven"}
    with zkwm.Marketplace(tmp_path / "market", desk) as market:
        (case,) = market.cases()
        assert (case.state, case.listing) == (zkwm.CaseState.DECIDED, "2-cheap")
        assert [listing.id for listing in market.listings()] == ["1-acme", "2-cheap"]
    offers = sorted(file.name for file in (tmp_path / "offers").iterdir())
    assert offers == ["1-acme.onnx", "2-cheap.html"]


def test_zero_knowledge_decides(
    examples: dict[str, ModuleType],
    marked: tuple[zkwm.Vault, zkwm.Commitment, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    StandIn().install(monkeypatch)
    vault, commitment, _ = marked
    model = tmp_path / "linear.onnx"
    triggers = zkwm.trigger_set(vault, commitment)
    save_linear(model, triggers.images, triggers.labels)
    judge = zkwm.Judge.create(tmp_path / "judge.key", "a long phrase")
    known = judge.public.fingerprint()
    verdict = examples["zero_knowledge"].decide(
        judge,
        commitment,
        model,
        lambda asked: zkwm.prove(vault, commitment, asked, judge_fingerprint=known, model=model),
    )
    assert verdict.proven
    assert vault.state.spent_blocks(commitment.digest) == frozenset()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["judge", "marketplace", "zero_knowledge"])
def test_scripts_from_end_to_end(name: str, tmp_path: Path) -> None:
    """Both sides in one script, training included."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", tmp_path / "folder"],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "proven" in done.stdout.lower()
    assert "not proven\n" not in done.stdout
