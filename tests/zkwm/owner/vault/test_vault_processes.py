"""kill -9 at any instant, and several processes on one vault: nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zkwm.owner.vault import LedgerEntry, Vault


@pytest.fixture
def run(vault: Vault, entry: Callable[[int], LedgerEntry], passphrase: str) -> Callable[..., Any]:
    """Run a job of ``writers.py`` on a vault with one entry."""
    with vault.transaction() as state:
        state.ledger.append(entry(0))

    def job(name: str, *arguments: int) -> Any:
        script = Path(__file__).with_name("writers.py")
        done = subprocess.run(
            [sys.executable, script, name, vault.path, *map(str, arguments)],
            env={**os.environ, "ZKWM_PASSPHRASE": passphrase},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return job


@pytest.mark.slow
def test_kill_9_at_random_instants_loses_no_acknowledged_entry(run: Callable[..., Any]) -> None:
    rounds = 30
    result = run("random", rounds)
    assert result["lost"] == 0
    assert result["acknowledged"] >= rounds
    assert 0 <= result["unacknowledged"] <= rounds
    assert result["in_order"]
    assert result["most_leftovers"] <= 1
    assert result["leftovers"] == 0


@pytest.mark.slow
def test_kill_9_at_each_step_leaves_the_old_or_the_new_vault(run: Callable[..., Any]) -> None:
    results = run("steps")
    assert len(results) == 10
    for result in results:
        assert result["killed"], result
        assert result["kept"], result
        assert result["writable"], result
        assert result["stale"] == 0, result  # cleaned when the vault was opened to look at it
        assert result["leftovers"] == 0, result


@pytest.mark.slow
def test_processes_beside_each_other_lose_nothing(run: Callable[..., Any]) -> None:
    result = run("beside", 3, 20)
    assert result["statuses"] == [0, 0, 0]
    assert result["acknowledged"] == list(range(1, 61))
    assert result["found"] == list(range(61))
    assert result["leftovers"] == 0
