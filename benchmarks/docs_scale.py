"""Write docs/scale.md: unit costs from benchmarks/results, and what follows for many users.

``--check`` changes nothing and fails when the page is not what the results say; a test runs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "scale.md"

COMMITMENTS = 1_000_000
LISTINGS_A_DAY = 100_000
CLAIMS_A_DAY = 1_000
REGISTRATIONS_A_DAY = 10_000
DAY = 86_400


def main() -> None:
    """Rewrite the page, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when the page is out of date")
    text = "\n".join(page()) + "\n"
    if not parser.parse_args().check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit(f"{PAGE.name} is out of date: run python benchmarks/docs_scale.py")


def newest(file: str, name: str, **wanted: object) -> dict[str, Any]:
    """The newest line of a benchmark whose fields have these values."""
    found = [
        line
        for line in measure.lines(RESULTS / file)
        if line["benchmark"] == name and all(line.get(key) == wanted[key] for key in wanted)
    ]
    return found[-1]


def page() -> Iterator[str]:
    """The lines of the page."""
    log = newest("scale.jsonl", "scale_log")
    market = newest("scale.jsonl", "scale_marketplace")
    writes = newest("registry.jsonl", "registry_register", database="sqlite")
    large = newest("registry.jsonl", "registry_large")
    reads = newest("registry.jsonl", "registry_read", path="tile/0/001")
    proof = newest("registry.jsonl", "registry_verify")
    desk = newest("marketplace.jsonl", "marketplace", database="sqlite")
    commands = newest("speed.jsonl", "command line")
    yield from HEAD
    yield "| what | costs | measured by |"
    yield "|---|---|---|"
    yield (
        f"| a registration, durable | {writes['server_cpu_ms']} ms of a core; "
        f"{writes['per_second']:.0f} a second, p99 {writes['p99_ms']:.0f} ms | `registry.py` |"
    )
    public = log["entry_bytes_in_bundles"] + log["tile_bytes_of_an_entry"]
    yield (
        f"| an entry on disk | {public:.0f} bytes that all can read, "
        f"{log['index_bytes_of_an_entry']:.0f} of index | `scale.py` |"
    )
    yield (
        f"| a start with 10^6 entries | {large['start_seconds']} s, {large['memory_mib']} MiB "
        "| `registry.py` |"
    )
    yield (
        f"| a tile, read from the log itself | {reads['per_second']:.0f} a second | `registry.py` |"
    )
    yield (
        f"| a tree, cosigned by a witness | {log['witness_cpu_ms_of_a_tree']} ms of its core, "
        f"{log['witness_bytes_of_a_tree']} bytes on the wire | `scale.py` |"
    )
    yield (
        f"| a proof with {proof['witnesses']} witnesses and consistency, offline | "
        f"{proof['median_ms']} ms, {proof['proof_bytes']} bytes | `registry.py` |"
    )
    yield (
        f"| a commitment at a marketplace | {market['database_bytes_of_a_commitment']} bytes "
        "of database | `scale.py` |"
    )
    per_commitment = market["screen_cpu_us_of_a_commitment"]
    yield (
        f"| one commitment, screened for one listing | {per_commitment} µs of a core | `scale.py` |"
    )
    yield (
        f"| a challenge, after 10^5 others | {desk['one_more_challenge_cpu_ms']} ms of a core "
        "| `marketplace.py` |"
    )
    opening = commands["verify_processor_seconds"]
    argued = commands["verify_argument_processor_seconds"]
    yield (
        f"| a verdict, small network | {opening} s of a core by openings, {argued} s by argument "
        "| `command_line.py` |"
    )
    yield ""
    yield "## One machine"
    yield ""
    yield (
        f"- **Log.** {COMMITMENTS:,} commitments are registered in "
        f"{COMMITMENTS / writes['per_second'] / 60:.0f} minutes, and take "
        f"{COMMITMENTS * public / 1e9:.2f} GB of files and "
        f"{COMMITMENTS * log['index_bytes_of_an_entry'] / 1e9:.2f} GB of index."
    )
    yield (
        f"  {REGISTRATIONS_A_DAY:,} a day use "
        f"{100 * REGISTRATIONS_A_DAY * writes['server_cpu_ms'] / 1000 / DAY:.3f} % of a core."
    )
    yield (
        f"- **Mirror.** It copies {COMMITMENTS * public / 1e6:.0f} MB once, then "
        f"{REGISTRATIONS_A_DAY * public / 1e6:.1f} MB a day; any web server can hand it out."
    )
    yield (
        f"- **Witness.** At the most one tree a second: "
        f"{100 * log['witness_cpu_ms_of_a_tree'] / 1000:.1f} % of a core and "
        f"{DAY * log['witness_bytes_of_a_tree'] / 1e6:.0f} MB a day; "
        "one witness can serve many logs."
    )
    yield (
        f"- **Desk of a marketplace.** {COMMITMENTS:,} commitments take "
        f"{COMMITMENTS * market['database_bytes_of_a_commitment'] / 1e9:.1f} GB; "
        f"{CLAIMS_A_DAY:,} claims a day use "
        f"{CLAIMS_A_DAY * desk['one_more_challenge_cpu_ms'] / 1000:.0f} s of a core for challenges "
        f"and {CLAIMS_A_DAY * argued / 60:.0f} minutes for verdicts by arguments."
    )
    each = COMMITMENTS * per_commitment / 1e6
    yield (
        f"- **Screening.** If all {COMMITMENTS:,} commitments take images of one shape, a listing "
        f"takes {each:.0f} s of a core, and {LISTINGS_A_DAY:,} listings a day keep "
        f"{each * LISTINGS_A_DAY / DAY:.0f} cores busy."
    )
    yield from TAIL
    yield from _shared_proof()
    yield from NOT_MEASURED


def _shared_proof() -> Iterator[str]:
    """One proof by several workers of a Ray cluster."""
    found = [newest("proof_on_ray.jsonl", "proof_on_ray", workers=n) for n in (0, 1, 2)]
    yield ""
    yield "## One proof on many machines"
    yield ""
    yield (
        "`zkwm prove --zero-knowledge --ray` shares a proof by triggers "
        "([how](owner.md#6b-or-prove-in-zero-knowledge), [why so](design-notes.md#the-argument)); "
        "the bytes are those of one prover."
    )
    yield (
        f"LeNet-5 x {found[0]['triggers']:,}, one thread a process, all on one busy machine, so "
        "processor time and not the clock (`proof_on_ray.py`):"
    )
    yield ""
    yield (
        "| workers | processor time: prover | each worker | all | sent: to each machine | to all "
        "workers | back | memory: prover | a worker |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for line in found:
        own = line["prover_processor_seconds"]
        memory = f"{line['prover_peak_bytes'] / 2**20:.0f} MiB"
        if not line["workers"]:
            yield f"| none | {own:.1f} s | | {own:.1f} s | | | | {memory} | |"
            continue
        theirs = line["worker_processor_seconds"]
        sent = (
            f"{line[name] / 1e6:.0f} MB"
            for name in ("bytes_to_each_machine", "bytes_to_workers", "bytes_from_workers")
        )
        yield (
            f"| {line['workers']} | {own:.1f} s | {max(theirs):.1f} s | "
            f"{own + sum(theirs):.1f} s | {' | '.join(sent)} | {memory} | "
            f"{line['worker_peak_bytes'] / 2**20:.0f} MiB |"
        )
    last = found[-1]
    yield ""
    yield (
        "Memory is the most that was resident, with what a process maps of Ray's shared memory, "
        "where the tableau is once a machine. "
        f"A proof takes {last['calls'] // last['workers']} calls of each worker, one after the "
        "other."
    )
    yield (
        "What stays with the prover: transcript and masks, the tables' rows of the tree and the "
        "joined row above, the sumcheck over one trigger's cells, the combined rows and their "
        "opening, and verifying the proof before it leaves."
    )
    yield (
        "So more machines shorten the workers' part alone, and a worker that is lost costs its "
        "part once more, up to where the proof was."
    )
    yield "No cluster of several machines has been measured."


HEAD = (
    "# At scale",
    "",
    "<!-- Written by benchmarks/docs_scale.py: change the script or the results instead. -->",
    "",
    f"A plan on paper: {COMMITMENTS:,} commitments, {LISTINGS_A_DAY:,} new listings a day, "
    "mirrors and witnesses run by others.",
    "The unit costs are measured, on 2 cores; everything else here is arithmetic with them, "
    "and assumptions that are named as such.",
    "Nobody has run this at that size.",
    "",
    f"Assumed: {REGISTRATIONS_A_DAY:,} registrations and {CLAIMS_A_DAY:,} claims a day "
    "(one listing in a hundred).",
    "",
    "## Unit costs",
    "",
)

TAIL = (
    "",
    "So do not screen every listing: owners follow the feed of listings, ask their own vault "
    "(`zkwm check`), and claim.",
    "Then a desk pays for claims alone, and screening is for a listing that somebody doubts.",
    "",
    "## Many machines",
    "",
    "| part | grows by | what stays single |",
    "|---|---|---|",
    "| reading the log | mirrors and caches: tiles are static and never change | nothing |",
    "| writing the log | another log for each year, region or marketplace; "
    "a judge's policy may name several | one writer a log |",
    "| witnesses | others run them; a policy says which and how many | nothing |",
    "| desks | several on one PostgreSQL ([marketplace](marketplace.md)) | the database |",
    "| verdicts | workers: each claim runs in a process of its own; the judge's keys go to no "
    "other machine, so several machines are several desks | nothing |",
    "| a proof | workers of the owner's own Ray cluster, by triggers | its prover |",
    "| dates | authorities of others, two or more | nothing |",
    "",
    "A log's writer, not its readers, is the bottleneck: it is one process, "
    "and at the measured rate its processor is busy.",
    "If it is down, nobody can register; every proof that was handed out stays valid, offline.",
    "If a database of a marketplace is lost, the log and the owners' files still prove what was "
    "registered, but deadlines, first sights and counters are only in its backup.",
)

NOT_MEASURED = (
    "",
    "## Not measured",
    "",
    "Networks between machines, PostgreSQL with replicas, large suspects, mirrors of others, "
    "and years of growth.",
)


if __name__ == "__main__":
    main()
