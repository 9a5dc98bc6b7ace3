"""The digest of a cell: everything that determines it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from zkwm.evaluation.plan.data_split import divide
from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.run import cache
from zkwm.evaluation.run.cache import Cache
from zkwm_protocols.errors import Malformed

Made = Callable[..., Grid]


def digest(grid: Grid, seed: int = 0) -> str:
    experiment = Experiment(grid, "nowhere")
    return experiment.cell(grid.watermarks[0], grid.attacks[0], seed)


def test_the_same_cell_has_the_same_digest(tiny: Made) -> None:
    first = digest(tiny())
    assert first == digest(tiny())
    assert first == digest(
        tiny(title="another", seeds=[0, 1], watermarks=[{"name": "fake", "label": "renamed"}])
    )
    assert first == digest(tiny(watermarks=[{"name": "fake", "count": 100}]))  # the default, said
    assert len(first) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"owner_images": 201},
        {"attacker_images": 101},
        {"test_images": 99},
        {"probes": 21},
        {"training": {"epochs": 2, "learning_rate": 0.05, "batch_size": 50}},
        {"watermarks": [{"name": "fake", "count": 40}]},
        {"watermarks": [{"name": "fake", "architecture": "dense"}]},
        {"watermarks": ["served"]},
        {"attacks": [{"name": "fade", "kept": 60}]},
        {"attacks": [{"name": "none", "attacker_images": 150}]},
        {"opened_block": False},
        {"architecture": "dense"},
    ],
)
def test_whatever_determines_a_cell_changes_its_digest(tiny: Made, changes: dict[str, Any]) -> None:
    assert digest(tiny()) != digest(tiny(**changes))


def test_seed_and_version_change_the_digest(tiny: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digest(tiny())
    assert first != digest(tiny(), seed=1)
    monkeypatch.setattr(cache, "package_versions", lambda: {"zkwm": "9"})
    assert first != digest(tiny())


def test_a_changed_scheme_is_measured_again(
    fakes: ModuleType, tiny: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Experiment(tiny(), tmp_path)
    digests = dict(before.input_digests)
    source = tmp_path / "changed.py"
    source.write_text(Path(str(fakes.__file__)).read_text() + "# changed\n")
    with monkeypatch.context() as patch:
        patch.setattr("inspect.getfile", lambda _: str(source))
        changed = Experiment(tiny(), tmp_path)
        assert changed.input_digests["watermarks/fake"] != digests["watermarks/fake"]
        entry = changed.grid.watermarks[0]
        assert changed.mark(entry, 0) != before.mark(entry, 0)
        # a worker that starts after the change still uses the digests from before
        assert Experiment(tiny(), tmp_path, digests).mark(entry, 0) == before.mark(entry, 0)


def test_shares_are_disjoint_and_do_not_depend_on_each_other(tiny: Made) -> None:
    experiment = Experiment(tiny(), "nowhere")
    shares = experiment.shares
    larger = divide(experiment.data, tiny(attacker_images=300))
    assert np.array_equal(shares.adversary(100).train_images, larger.adversary(100).train_images)
    assert np.array_equal(shares.probes, larger.probes)
    assert np.array_equal(shares.owner.train_images, larger.owner.train_images)
    parts = (larger.owner.train_images, larger.adversary(300).train_images, larger.probes)
    images = [image.tobytes() for part in parts for image in part]
    assert len(set(images)) == 200 + 300 + 20
    assert len(shares.owner.test_labels) == 100
    assert not {p.tobytes() for p in shares.probes} & {
        image.tobytes() for image in shares.bystander(500, 1).train_images
    }


def test_a_damaged_result_is_refused(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.put("ab", {"x": 1})
    assert kept.result("ab") == {"x": 1}
    assert kept.has("ab")
    kept.put("ab", {"error": "why"})
    assert not kept.has("ab")
    assert kept.exists("ab")
    (tmp_path / "cache" / "ab" / "ab.json").write_text("{")
    with pytest.raises(Malformed):
        kept.result("ab")
