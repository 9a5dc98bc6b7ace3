"""The fraction tree alone: nanoseconds a lookup on one core, and bytes a lookup, without pads.

The witness is a true one, so that table rows are hit as they are in proofs. One thread; processor
seconds of the process, system time included; the first tree touches new memory, the least of the
others does not. ``floor_ns`` is what the products of the protocol cost at one wide multiplication a
cycle (10.75 products in K a lookup, 35 multiplications of 8 lanes each, 3.7 GHz).

    python benchmarks/fraction_tree.py --network resnet18 --triggers 10 [--runs 3]
"""

from __future__ import annotations

import os

os.environ["NUMBA_NUM_THREADS"] = "1"

import argparse
import random
import time
from typing import Any

import argument_process
import measure
import numpy as np

from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.logup_gkr.prover import TreeProver
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.relation.witness import Witness, make_witness
from zkwm_protocols.field.kernels.native import LEVEL
from zkwm_protocols.field.scalar import Element, P

FLOOR_NS = 13


def element(source: random.Random) -> Element:
    """A random element of K."""
    a = [source.randrange(P) for _ in range(5)]
    return (a[0], a[1], a[2], a[3], a[4])


def witness_of(name: str, triggers: int) -> tuple[Layout, Witness]:
    """Layout and witness of the statement that ``argument.py`` proves.

    Args:
        name: Of ``integer_networks``.
        triggers: How many.
    """
    case = argument_process.case(name, triggers)
    relation = Relation(case.statement.network)
    layout = choose_layout(
        triggers=triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    return layout, make_witness(relation, case.statement, case.images, case.salts)


def seconds_of_tree(layout: Layout, witness: Witness, seed: int) -> list[float]:
    """Processor seconds of building, and of every level from the root.

    Args:
        layout: All sizes.
        witness: Its table rows are the lookups.
        seed: Of the table's d, the challenges and the points.
    """
    source = random.Random(seed)
    table = np.random.default_rng(seed).integers(0, P, (5, layout.table_rows), dtype=np.uint64)
    before = time.process_time()
    tree = TreeProver(
        witness.rows,
        table,
        witness.multiplicities(layout.table_rows),
        layout.tree_columns_log,
        layout.tree_rows_log,
    )
    seconds = [time.process_time() - before]
    point: list[Element] = []
    for number in range(layout.levels):
        before = time.process_time()
        level = tree.level(number, point, element(source))
        point = [element(source) for _ in point]
        for r in point:
            level.round()
            level.bind(r)
        level.children()
        point.insert(0, element(source))
        seconds.append(time.process_time() - before)
    return seconds


def figures(name: str, triggers: int, runs: int) -> dict[str, Any]:
    """All figures of one network.

    Args:
        name: Of ``integer_networks``.
        triggers: How many.
        runs: How many trees after the first.
    """
    layout, witness = witness_of(name, triggers)
    lookups = layout.triggers * layout.lookups
    argument_process.forget_peak()
    without = argument_process.peak_bytes()
    first, *later = [seconds_of_tree(layout, witness, seed) for seed in range(1 + runs)]
    peak = argument_process.peak_bytes() - without
    least = [1e9 / lookups * min(column) for column in zip(*later, strict=True)]
    return {
        "network": name,
        "triggers": triggers,
        "lookups": lookups,
        "kernels": LEVEL or "numba",
        "ns_a_lookup": {
            "build": round(least[0], 2),
            "prove": round(sum(least[1:]), 2),
            "all": round(sum(least), 2),
            "first_tree": round(1e9 / lookups * sum(first), 2),
            "last_levels": [round(one, 2) for one in least[-4:]],
        },
        "floor_ns": FLOOR_NS,
        "tree_bytes_a_lookup": round(peak / lookups, 2),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", required=True, help="of integer_networks, as resnet18")
    parser.add_argument("--triggers", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    measure.report("fraction_tree", **figures(chosen.network, chosen.triggers, chosen.runs))


if __name__ == "__main__":
    main()
