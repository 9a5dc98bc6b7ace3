"""challenge --statistic ranks or scores, and verify: a judge who reads scores."""

from __future__ import annotations

import json

import pytest

from tests.support.case_files import Command, Endpoint, Files, dispute_over
from tests.support.trained_suspect import memorize


@pytest.mark.slow
def test_a_case_by_ranks(zkwm: Command, case: Files) -> None:
    result = zkwm(*dispute_over(zkwm, case, statistic="ranks"))
    assert result.code == 0, result.stderr
    first = " ".join(result.stdout.splitlines()[:2])
    assert first.startswith(
        "PROVEN: 50 of 50 triggers match, the ranks of their labels weigh 300 of 300: 93.09 bits"
    )
    inspected = zkwm("inspect", case.folder / "new.challenge", "--json").json
    assert "ranks" in str(inspected)


def test_a_case_by_scores(zkwm: Command, case: Files) -> None:
    result = zkwm(*dispute_over(zkwm, case, statistic="scores"))
    assert result.code == 0, result.stderr
    first = " ".join(result.stdout.splitlines()[:2])
    assert first.startswith("PROVEN: 50 of 50 triggers match, their labels have ")
    assert "Points of labels" in result.stdout
    assert "Counted           points of the labels" in result.stdout
    inspected = zkwm("inspect", case.folder / "new.challenge", "--json").json
    assert "scores" in str(inspected)


def test_an_innocent_model_by_scores(zkwm: Command, case: Files) -> None:
    options = dispute_over(zkwm, case, model=case.innocent, statistic="scores")
    result = zkwm(*options, "--json")
    assert result.code == 10
    assert result.json["statistic"] == "scores"
    assert result.json["points"]["value"] < result.json["points"]["needed"]


def test_an_innocent_model_by_ranks(zkwm: Command, case: Files) -> None:
    options = dispute_over(zkwm, case, model=case.innocent, statistic="ranks")
    result = zkwm(*options, "--json")
    assert result.code == 10
    assert result.json["statistic"] == "ranks"
    assert result.json["ranks"]["value"] < result.json["ranks"]["needed"]


@pytest.mark.parametrize("statistic", ["ranks", "scores", "relearning"])
def test_scores_and_zero_knowledge_do_not_go_together(
    zkwm: Command, case: Files, statistic: str
) -> None:
    options = list(case.challenge_options(statistic=statistic))
    position = options.index("--reveal")
    options[position : position + 2] = ["--zero-knowledge"]
    result = zkwm(*options)
    assert result.code == 2
    assert "an argument shows matches" in result.stderr


def test_no_ranks_are_asked_of_a_suspect_without_scores(
    zkwm: Command, case: Files, endpoint: Endpoint
) -> None:
    """Refused before a challenge goes out; the hint leads to a proof by matches."""
    endpoint.reply = lambda output: json.dumps({"label": output}).encode()
    options = {"model": endpoint.url, "outputs": 10}
    refused = zkwm(*case.challenge_options(**options, statistic="ranks"))
    assert refused.code == 3
    assert "[suspect.answers]" in refused.stderr
    assert "labels without scores to 16 of 16 images" in refused.stderr
    assert "leave --statistic ranks out" in refused.stderr
    assert not (case.folder / "new.challenge").exists()
    assert zkwm(*dispute_over(zkwm, case, **options)).code == 0


def test_a_case_by_relearning(zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that know triggers and began to learn other labels, trained by limited processes."""
    from zkwm.nn.architectures import build_model
    from zkwm.nn.model_file import save_classifier

    images, labels = case.triggers()
    model = build_model("cnn2", shape=(1, 16, 16), class_count=10, mean=(0.5,), std=(0.5,))
    memorize(model, images, labels, 60)
    memorize(model, images, (labels + 3) % 10, 3)  # after six, luck decided: 149 to 249 of 300
    folder = case.folder / "weights"
    folder.mkdir()
    save_classifier(folder, model)
    options = {"model": folder, "statistic": "relearning"}
    with monkeypatch.context() as patched:  # what a judge is told; processes have an hour as ever
        patched.setattr("zkwm.suspects.OnnxLimits.total_seconds", 1e-3)
        made = zkwm(*case.challenge_options(**options), "--json")
    assert made.code == 0, made.stderr
    assert made.json["relearning_seconds"] > 0
    assert "it stops after 0 seconds" in made.stderr
    assert "zkwm verify will train 14 copies of the model: at most 36,200 gradients" in made.stderr
    challenge = case.folder / "new.challenge"
    assert zkwm(*case.prove_options(challenge=challenge), "--again").code == 0
    proof = case.folder / "new.proof"
    given = case.verify_options(challenge=challenge, proof=proof, model=folder)
    result = zkwm(*given, "--json", "--verdict", case.folder / "case.verdict")
    assert result.json["statistic"] == "relearning"
    shown = zkwm("inspect", case.folder / "case.verdict", "--judge", case.public).stdout
    assert "Counted           relearning: ranks of the labels" in shown
    assert result.json["ranks"]["value"] > 150  # by luck 95 of 300
