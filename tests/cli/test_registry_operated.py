"""A registry as a process, as its operator sees it: health, metrics, log lines, a graceful end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from tests.support.case_files import Command

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("service", [False, True])
def test_an_operator_sees_how_a_registry_is_doing(
    zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, service: bool
) -> None:
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", "a long phrase")
    folder = tmp_path / "log"
    more = ("--service",) if service else ()
    assert zkwm("registry", "init", folder, "--origin", "log.example/1", *more).code == 0
    command = [sys.executable, "-m", "zkwm_cli", "registry", "serve", str(folder),
               "--listen", "127.0.0.1:0", "--json"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
            assert lines[-1]
        url = json.loads("".join(lines))["url"]
        with urllib3.PoolManager(retries=False, timeout=20) as pool:
            assert pool.request("GET", f"{url}/healthz").data == b"ok\n"
            assert pool.request("GET", f"{url}/readyz").status == 200
            assert pool.request("POST", f"{url}/v1/entries", body=b"none").status == 400
            assert pool.request("GET", f"{url}/checkpoint").status == 200
            found = pool.request("GET", f"{url}/metrics").data.decode().splitlines()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0
    assert 'zkwm_http_requests_total{method="POST",route="/v1/entries",status="400"} 1' in found
    assert 'zkwm_http_requests_total{method="GET",route="/checkpoint",status="200"} 1' in found
    assert {"zkwm_log_tree_size 0", "zkwm_log_writing 1", "zkwm_log_waiting 0"} <= set(found)
    assert ("zkwm_deliveries_waiting 0" in found) == service
    logged = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    requests = [value for value in logged if value["message"] == "request"]
    assert [(one["route"], one["status"]) for one in requests] == [("/v1/entries", 400)]
