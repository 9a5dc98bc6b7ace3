"""One Ray cluster for a session's tests: starting it takes seconds. Skips without Ray."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

CPUS, GPUS = 4, 2
"""What it says it has; the machine need not."""


def small_cluster() -> Iterator[Any]:
    """The module ``ray``, connected to a cluster with made-up resources; it ends with the tests."""
    ray = pytest.importorskip("ray")
    before = dict(os.environ)
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_IGNORE_UNHANDLED_ERRORS": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    }
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)  # empty in CI: Ray would refuse made-up ones
    try:
        _start(ray)
        yield ray
    finally:
        with warnings.catch_warnings():  # Ray waits for none of the processes that it ends
            warnings.simplefilter("ignore", ResourceWarning)
            ray.shutdown()
            gc.collect()
        os.environ.clear()
        os.environ.update(before)


def _start(ray: Any) -> None:
    """Connect; once more where the cluster did not start within the 30 seconds that Ray waits."""
    for last in (False, True):
        try:
            ray.init(
                address="local", num_cpus=CPUS, num_gpus=GPUS, include_dashboard=False,
                object_store_memory=200 << 20, log_to_driver=False, logging_level="ERROR",
            )  # fmt: skip
        except Exception:
            if last:
                raise
            ray.shutdown()
        else:
            return
