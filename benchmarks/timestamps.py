"""Verify tokens of the vectors with all that is carried: milliseconds of processor time. Bar: 5 ms.

python benchmarks/timestamps.py
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import measure

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.stored_vectors import vectors
from tests.support.timestamp_cases import authority_of, evidence_of
from zkwm_protocols.timestamps.verification import verify_token

RUNS = 200


def main() -> None:
    """Print one JSON line: the median and the 99th percentile of each accepted token."""
    figures = {}
    for case in vectors("timestamps")["accepted"]:
        evidence, authority = evidence_of(case), authority_of(case)
        digest = bytes.fromhex(case["digest"])
        times = []
        for _ in range(RUNS):
            start = time.process_time()
            verify_token(evidence, digest, authority)
            times.append(1000 * (time.process_time() - start))
        figures[case["name"]] = {
            "median_ms": round(statistics.median(times), 2),
            "p99_ms": round(statistics.quantiles(times, n=100)[98], 2),
        }
    measure.report("timestamps", runs=RUNS, tokens=figures)


if __name__ == "__main__":
    main()
