"""A Ray cluster, for proofs and evaluations that are shared among machines (extra ``distributed``).

Ray has no tasks of zkwm's own: whoever can reach a cluster can run any code on its machines, and a
machine of it can run code here. So a cluster is one's own, on a network of one's own. Ray reports
to its maker what it is used for; a cluster that is started here does not.
"""

from __future__ import annotations

import os
from typing import Any

from zkwm.extras import require
from zkwm_protocols.errors import CouldNotCheck

ADDRESS = "RAY_ADDRESS"
"""The environment variable with a cluster's address; without it one is started here."""
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # what Ray would report to its maker
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # one error of a crew is raised; the others are not printed
}


def load_ray() -> Any:  # noqa: ANN401
    """The module ``ray``. Raises UsageError where it is not installed."""
    require("ray")
    import ray

    return ray


def connect() -> Any:  # noqa: ANN401
    """The module ``ray``, connected to the cluster of ``RAY_ADDRESS`` or to one started here.

    One that is started here never writes its objects to disk. It ends with this process.

    Raises:
        UsageError: Ray is not installed.
        CouldNotCheck: there is no cluster at that address.
    """
    ray = load_ray()
    if ray.is_initialized():
        return ray
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    address = os.environ.get(ADDRESS, "")
    options: dict[str, Any] = {"address": address}
    if not address:
        options = {
            "address": "local",
            "include_dashboard": False,
            "_system_config": {"automatic_object_spilling_enabled": False},
        }
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    except Exception as error:  # Ray raises bare ones too, where a node does not start in time
        raise CouldNotCheck(
            f"no Ray cluster could be reached or started: {type(error).__name__}",
            hint=f"look at {ADDRESS}, which is now {address or 'not set'}; `ray status` says what "
            "runs there",
        ) from error
    return ray
