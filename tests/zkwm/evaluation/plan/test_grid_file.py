"""The YAML of a grid: strict, plain and limited; a message names the fault."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.zkwm.evaluation.conftest import TINY
from zkwm.evaluation.plan.catalogue import require_entries
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.plan.grid_file import LIMIT, parse, read_grid
from zkwm.training.settings import exposures_of, with_exposures
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

EXAMPLES = Path(__file__).parents[4] / "examples" / "grids"


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return path


def test_a_grid_is_read_with_its_defaults(fakes: ModuleType, tmp_path: Path) -> None:
    grid = read_grid(write(tmp_path, attacks=[{"name": "fade", "kept": 5, "attacker_images": 50}]))
    assert grid.seeds == (0,)
    assert grid.attacks[0].label == "fade kept=5"
    assert grid.attacks[0].parameters == {"kept": 5}
    assert grid.attacker_counts == (50, 100)
    assert Grid.from_map(grid.to_map()) == grid


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"owner_image": 5}, "no key 'owner_image'", "owner_images"),
        ({"training": {"epochs": 1, "learning_rat": 1}}, "no key 'learning_rat'", "learning_rate"),
        ({"training": {"epochs": 0, "learning_rate": 0.1}}, "epochs", ""),
        ({"training": {"epochs": 1}}, "learning_rate", ""),
        ({"training": 5}, "training is a map", ""),
        ({"watermarks": []}, "at least one watermark", ""),
        ({"watermarks": ["fake", "fake"]}, "are called 'fake'", "label"),
        ({"watermarks": ["fak"]}, "watermarks[0]: there is no watermark 'fak'", "fake"),
        ({"attacks": [{"name": "fade", "keep": 3}]}, "attacks[0]: the attack fade has no", "kept"),
        ({"attacks": [{"name": "fade", "kept": "x"}]}, "kept of fade is a int", ""),
        ({"attacks": [{"name": "fade", "kept": [1]}]}, "not a plain value", ""),
        ({"attacks": [{"label": "x"}]}, "says name", ""),
        ({"attacks": 3}, "attacks is a list", ""),
        ({"seeds": [1, 1]}, "different whole numbers", ""),
        ({"seeds": [True]}, "different whole numbers", ""),
        ({"seeds": 3}, "a list", ""),
        ({"architecture": "lenet"}, "no architecture 'lenet'", "lenet5"),
        ({"watermarks": [{"name": "fake", "architecture": "resnet"}]}, "'resnet'", "resnet"),
        ({"probes": 0}, "probes", ""),
        ({"probes": True}, "probes", ""),
        ({"opened_block": 1}, "opened_block", ""),
        ({"relearning": "often"}, "relearning is yes or no", ""),
        ({"attacks": [{"name": "fade", "watermarks": ["fak"]}]}, "no watermark's label", "fake"),
        ({"attacks": [{"name": "fade", "watermarks": "fake"}]}, "a list of labels", ""),
        ({"attacks": [{"name": "fade", "seeds": -1}]}, "seeds of fade", ""),
        ({"watermarks": [{"name": "fake", "seeds": True}]}, "seeds of fake", ""),
    ],
)
def test_a_message_names_the_fault(
    fakes: ModuleType, tmp_path: Path, changes: dict[str, Any], message: str, hint: str
) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(UsageError) as caught:
        read_grid(path)
    assert message in caught.value.message
    assert caught.value.message.startswith(f"{path}: ")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [0]\nseeds: [1]", "'seeds' occurs twice (line 2)"),
        ("training: {epochs: 1, epochs: 2}", "'epochs' occurs twice"),
        ("a: &x [1]\nb: *x", "no references"),
        ("a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        ("a: [", "line 1"),
        ("- 1", "a map of keys"),
        ("", "a map of keys"),
        ("? [1]\n: 2", "a key is a plain text (line 1)"),
        ("\x00", "not a file of text"),
        ("[" * 2000, "no YAML"),
    ],
)
def test_only_plain_yaml_is_read(text: str, message: str) -> None:
    with pytest.raises((UsageError, Malformed)) as caught:
        parse(text.encode())
    assert message in caught.value.message
    no_grid = message in ("a map of keys", "not a file of text")
    assert isinstance(caught.value, Malformed) is no_grid


def test_a_large_or_missing_file_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (LIMIT + 1))
    with pytest.raises(Malformed):
        read_grid(large)
    with pytest.raises(CouldNotCheck):
        read_grid(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_the_examples_can_be_run(name: str) -> None:
    grid = read_grid(EXAMPLES / f"{name}.yaml")
    assert grid.title
    assert len(grid.attacks) >= 5
    if name in ("laptop", "full"):
        assert grid.null_models >= 20
    if name in ("laptop", "fair", "full"):
        assert len(grid.seeds) >= 3


def test_the_fair_grid_gives_each_mark_the_same_budget() -> None:
    grid = read_grid(EXAMPLES / "fair.yaml")
    budgets = {
        entry.label: (entry.parameters["triggers"], entry.parameters["exposures"])
        for entry in grid.watermarks
    }
    assert budgets.pop("plain, 96 exposures") == (200, 96)
    assert set(budgets.values()) == {(200, 400)}
    for exposures in (96, 400):  # a whole number of triggers a batch, so that none gets more
        settings = with_exposures(grid.settings(0), exposures, grid.owner_images, 200)
        assert exposures_of(settings, grid.owner_images, 200) == exposures
    surrogates = [entry for entry in grid.attacks if entry.name == "extraction"]
    assert {entry.parameters["epochs"] for entry in surrogates} == {0}  # as long as the bar


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("fair_*.yaml")), ids=lambda path: path.stem)
def test_the_fair_grids_of_other_data_have_one_budget(path: Path) -> None:
    grid = read_grid(path)
    require_entries(grid)
    marks = [entry.parameters for entry in grid.watermarks]
    ((triggers, exposures),) = {(mark["triggers"], mark["exposures"]) for mark in marks}
    settings = with_exposures(grid.settings(0), exposures, grid.owner_images, triggers)
    assert exposures_of(settings, grid.owner_images, triggers) == exposures
    surrogates = [entry for entry in grid.attacks if entry.name == "extraction"]
    assert {entry.parameters["epochs"] for entry in surrogates} == {0}


@pytest.mark.parametrize(
    "text",
    [
        "a: !!bool foo",
        "a: !!int ''",
        "a: !!timestamp foo",
        "a: !!float x",
        "a: " + ":".join(["1"] * 80_000),
    ],
)
def test_values_that_do_not_fit_their_type_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text.encode())


@pytest.mark.parametrize("parameters", [["a"], "text", 3])
def test_parameters_are_a_map(parameters: object) -> None:
    entry = {"name": "x", "parameters": parameters}
    with pytest.raises(UsageError):
        Grid.from_map({**TINY, "watermarks": [entry]})


@pytest.mark.parametrize(
    "text",
    [
        f"title: {['long'] * 2_000}",
        f"title: a\nattacker_images: {[0] * 2_000}",
        f"title: a\nowner_images: 1\ntraining: {{epochs: {[0] * 2_000}}}",
        "!!int" + "'" * 9_000 + " a",
    ],
)
def test_a_message_stays_short_whatever_value_it_repeats(tmp_path: Path, text: str) -> None:
    """As fuzzing found: a list in the place of a number was repeated whole."""
    path = tmp_path / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_grid(path)
    assert str(path) in caught.value.message
    assert len(caught.value.message) < 1_000


@pytest.mark.parametrize("models", [0, 1, 2])
def test_false_claims_without_victims_are_refused_before_training(models: int) -> None:
    claims = {"claims": [{"name": "key_grinding"}]}
    with pytest.raises(UsageError, match="false claims need 3 null_models") as caught:
        Grid.from_map(TINY | claims | {"null_models": models})
    assert caught.value.hint == "set null_models to 3 or more, or leave out claims"
    assert Grid.from_map(TINY | claims | {"null_models": 3}).null_models == 3
