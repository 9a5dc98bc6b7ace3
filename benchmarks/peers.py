"""zkwm, ezkl and JSTprove on the same networks, one after the other on one machine.

ezkl and JSTprove prove one image, zkwm a batch of triggers, and one trigger for comparison; what
each shows and hides is in docs/results.md. One JSON line a system and network is printed and
appended to results/peers.jsonl; a figure of docs/results.md comes from the latest. Steps that
exceed the limits of time and memory are ended, and the line says so.

    python benchmarks/peers.py [--systems zkwm ezkl jstprove] [--networks dense lenet5]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import measure
import peer_ezkl
import peer_jstprove
import peer_process
from argument import measured

SYSTEMS = ("zkwm", "jstprove", "ezkl")
NETWORKS = ("dense", "lenet5")
RESULTS = Path(__file__).parent / "results" / "peers.jsonl"


def figures(system: str, network: str, triggers: int, limits: peer_process.Limits) -> Any:  # noqa: ANN401
    """What one system takes for one network: ours for a batch and for one trigger."""
    if system == "zkwm":
        return {"batch": measured(network, triggers, 3), "one": measured(network, 1, 3)}
    peer = {"ezkl": peer_ezkl, "jstprove": peer_jstprove}[system]
    return peer.figures(network, limits)


def main() -> None:
    """Print one JSON line a system and network, and append it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--triggers", type=int, default=100, help="of our batch")
    parser.add_argument("--seconds", type=float, default=600, help="the most for a peer's step")
    parser.add_argument("--gibibytes", type=float, default=12, help="the most for a peer's step")
    chosen = parser.parse_args()
    limits = peer_process.Limits(chosen.seconds, chosen.gibibytes)
    for network in chosen.networks:
        for system in chosen.systems:
            found = figures(system, network, chosen.triggers, limits)
            result = measure.report("peers", system=system, network=network, **found)
            measure.append(RESULTS, result)


if __name__ == "__main__":
    main()
