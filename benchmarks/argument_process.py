"""One side of the argument in a process of its own: prove or verify, and print raw figures.

So its peak memory is that side's alone; torch and the rest of the product are not imported.
``argument.py`` starts it, and adds machine and versions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import integer_networks
import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.evidence import needed_matches
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.leaves import DERIVED_LABEL_FIELD, leaf
from zkwm_protocols.policy import Policy

NOT_MATCHING = 10
"""Every tenth trigger has another label than the network gives."""


@dataclass(frozen=True)
class Case:
    """A statement and its secrets, drawn from a fixed number: for measuring only."""

    statement: Statement
    images: NDArray[np.uint8]
    salts: tuple[bytes, ...]


def case(network_name: str, triggers: int) -> Case:
    """Random images, nine in ten of which match, against the judge's threshold of 40 bits."""
    network = integer_networks.network(network_name)
    random = np.random.default_rng(triggers)
    images = random.integers(0, 256, (triggers, *network.shape), dtype=np.uint8)
    salts = tuple(random.bytes(32) for _ in range(triggers))
    outputs = labels(network, images)
    others = slice(NOT_MATCHING - 1, None, NOT_MATCHING)
    outputs[others] = (outputs[others] + 1) % network.outputs
    matching = triggers - len(outputs[others])
    needed = needed_matches(
        blocks_used=1,
        block_count=1,
        block_size=triggers,
        class_count=network.outputs,
        policy=Policy(),
    )
    statement = Statement(
        context=b"benchmark",
        network=network,
        leaves=tuple(leaf(x, salt, None) for x, salt in zip(images, salts, strict=True)),
        label_fields=(DERIVED_LABEL_FIELD,) * triggers,
        outputs=tuple(int(output) for output in outputs),
        least_matches=min(needed or matching, matching),
    )
    return Case(statement, images, salts)


def prove_runs(network_name: str, triggers: int, runs: int, file: Path) -> dict[str, Any]:
    """Prove after a warm-up, and measure seconds in all and by step.

    Args:
        network_name: Of ``integer_networks``.
        triggers: How many.
        runs: How many proofs.
        file: Gets the last proof.
    """
    from zkwm_protocols.argument.prover import prove

    started = time.perf_counter()
    _prove_once(case("tiny", 4), prove)
    warming = time.perf_counter() - started
    chosen = case(network_name, triggers)
    seconds, busy, steps = [], [], []
    for _ in range(runs):
        before = time.process_time()
        proof, marks, ended = _prove_once(chosen, prove)
        busy.append(time.process_time() - before)
        seconds.append(ended - marks[0][1])
        steps.append(_by_step(marks, ended))
        _tell(f"proved {network_name} with {triggers} triggers in {seconds[-1]:.2f} s")
    file.write_bytes(proof)
    return {
        "first_tiny_proof_seconds": round(warming, 2),
        "seconds": seconds,
        "processor_seconds": busy,
        "steps": steps,
        "proof_bytes": len(proof),
    } | _sizes(chosen.statement.network)


def verify_runs(network_name: str, triggers: int, runs: int, file: Path) -> dict[str, Any]:
    """Verify a proof, each time from its bytes.

    Args:
        network_name: Of ``integer_networks``.
        triggers: How many.
        runs: How many verifications.
        file: The proof.
    """
    statement, proof = case(network_name, triggers).statement, file.read_bytes()
    seconds, busy = [], []
    for _ in range(runs):
        start, before = time.perf_counter(), time.process_time()
        layout = verify(statement, proof)
        seconds.append(time.perf_counter() - start)
        busy.append(time.process_time() - before)
    return {
        "seconds": seconds,
        "processor_seconds": busy,
        "soundness_bits": layout.soundness_bits,
        "lookups": layout.lookups,
        "cells": layout.cells,
        "fractions": layout.fractions,
        "row_length": layout.row_length,
        "code_length": layout.code_length,
        "columns": layout.columns,
        "compiled": sorted({"numba", "torch"} & set(sys.modules)),
    }


def peak_bytes() -> int:
    """The largest resident memory of this process so far: VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def forget_peak() -> None:
    """Let ``peak_bytes`` begin with what is resident now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def _prove_once(chosen: Case, prove: Any) -> tuple[bytes, list[tuple[str, float]], float]:  # noqa: ANN401
    """A proof, the times at which its steps began, and when it ended."""
    marks: list[tuple[str, float]] = [("", time.perf_counter())]
    proof = prove(
        chosen.statement,
        chosen.images,
        chosen.salts,
        secret=bytes(32),
        release="benchmark",
        progress=lambda step, part: marks.append((step, time.perf_counter())),
    )
    return proof, marks, time.perf_counter()


def _by_step(marks: list[tuple[str, float]], ended: float) -> dict[str, float]:
    """Seconds of each step: from each mark to the next, marks of one name summed."""
    seconds: dict[str, float] = {}
    following = [*(at for _, at in marks[1:]), ended]
    for (step, at), until in zip(marks, following, strict=True):
        if step:
            seconds[step] = seconds.get(step, 0.0) + until - at
    return seconds


def _sizes(network: Any) -> dict[str, int]:  # noqa: ANN401
    """The sizes of a network that costs depend on."""
    return {
        "activations": integer_networks.activations(network),
        "weights": integer_networks.weights(network),
        "products": integer_networks.products(network),
        "table_rows": Relation(network).tables.total_rows,
    }


def _tell(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=("prove", "verify"))
    parser.add_argument("network")
    parser.add_argument("triggers", type=int)
    parser.add_argument("runs", type=int)
    parser.add_argument("file", type=Path, help="the proof")
    chosen = parser.parse_args()
    run = prove_runs if chosen.side == "prove" else verify_runs
    figures = run(chosen.network, chosen.triggers, chosen.runs, chosen.file)
    print(json.dumps(figures | {"peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
