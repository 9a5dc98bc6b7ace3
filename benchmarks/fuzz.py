"""Read changed documents of every kind, and print what came of them: one JSON line a kind.

Readers and documents are in ``tests/fuzz``. A failure names its number, by which it is repeated:

    python benchmarks/fuzz.py                                   # 100,000 documents of every kind
    python benchmarks/fuzz.py --kind challenge --first 42 --count 1
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

import measure

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.fuzz.harness import run
from tests.fuzz.kinds import all_kinds

COUNT = 100_000
MEMORY = 8 << 30


def main() -> None:
    """Run the kinds that are named, or all."""
    kinds = all_kinds()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", choices=list(kinds), help="one of the kinds")
    parser.add_argument("--first", type=int, default=0, help="number of the first document")
    parser.add_argument("--count", type=int, default=COUNT, help="documents of every kind")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for name in asked.kind or kinds:
        tally = run(kinds[name], asked.first, asked.count)
        measure.report("fuzz", **tally.line(kinds[name]), first=asked.first)


if __name__ == "__main__":
    main()
