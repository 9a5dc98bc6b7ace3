"""Tables of the argument beside other proof systems: measured here, and as others published them.

Lines of Markdown from results/peers.jsonl, none where there is no result; for ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs_results_argument import NAMES

Line = dict[str, Any]

PEERS = {"ezkl": "ezkl", "jstprove": "JSTprove"}
PROPERTIES = (
    ("", "zkwm", "ezkl", "JSTprove"),
    ("set-up", "none", "a trusted ceremony (KZG), and keys for each network",
     "none; a circuit for each network"),
    ("rests on", "hash functions (random oracle)", "pairings on BN254, a destroyed secret",
     "discrete logarithms on BN254 (Hyrax)"),
    ("hidden from the verifier", "images, salts, which triggers match",
     "the image; the network's weights where that is chosen",
     "nothing: `jst verify` reads input, output and the whole witness"),
    ("the secret image", "the commitment's own salted BLAKE2s leaf; pixels are bytes",
     "Poseidon hash, no salt; entries are not limited to the range of pixels", "given in clear"),
    ("the judge learns", "that k* or more match", "all scores, or the label at a higher cost",
     "all scores, and the image"),
    ("batch", "all triggers in one proof",
     "one image per proof here; its own batches help dense layers, not convolutions",
     "one image per proof; its batch command repeats that"),
    ("network", "weights of 17 bits, values of 8 or 12, by a public rule",
     "fixed point of 13 bits", "fixed point of its own default, 18 bits"),
)  # fmt: skip
PUBLISHED = (
    ("DeepProve", "CNN of 264,000 weights, CIFAR-10", "1.24 s; verified in 0.60 s",
     "none found in its sources",
     "[README](https://raw.githubusercontent.com/Lagrange-Labs/deep-prove/master/README.md)"),
    ("zkCNN", "VGG-16, 15 M weights, CIFAR-10", "88.3 s; 341 KB; verified in 59.3 ms",
     "none in the published code", "[ePrint 2021/673](https://eprint.iacr.org/2021/673)"),
    ("Mystique", "ResNet-101, public weights", "5 min",
     "yes, interactively, for one verifier who cannot show it to others",
     "[ePrint 2021/730](https://eprint.iacr.org/2021/730)"),
    ("ZKTorch", "several networks", "3 times smaller proofs than ZKML, up to 6 times faster",
     "the weights", "[arXiv 2507.07031](https://arxiv.org/html/2507.07031v2)"),
    ("Jolt Atlas", "nanoGPT", "14 s", "yes",
     "[summary of the paper](https://arxivlens.com/paperview/details/jolt-atlas-verifiable-"
     "inference-via-lookup-arguments-in-zero-knowledge-7401-d3a2888a)"),
    ("Bionetta", "a set-up for each network", "320 bytes, Groth16",
     "yes; weights are public",
     "[benchmark](https://rarimo.com/learning-hub/benchmarking-bionetta-61)"),
)  # fmt: skip


def peers(lines: list[Line]) -> Iterator[str]:
    """What was measured here, what each system shows, and what others published."""
    latest = {(line["system"], line["network"]): line for line in lines}
    networks = [network for network in NAMES if ("zkwm", network) in latest]
    if not networks:
        return
    count = latest["zkwm", networks[0]]["batch"]["triggers"]
    dates = {
        name: latest[system, networks[0]]["date"]
        for system, name in {"zkwm": "zkwm", **PEERS}.items()
        if (system, networks[0]) in latest
    }
    yield ""
    yield (
        "Beside peers from PyPI, the same shapes on this machine (`make bench-peer`; all cores for "
        "all). Processor seconds, which other work on the machine hardly changes, warm, without "
        "the start of Python. Measured "
        + ", ".join(f"{name} {date}" for name, date in dates.items())
        + "."
    )
    yield ""
    yield (
        "| network | system | prove | of zkwm's time a trigger | keys or circuit of the network "
        "| memory to prove | proof | verify |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for network in networks:
        ours = latest["zkwm", network]
        yield from _ours(NAMES[network], ours, count)
        for system in PEERS:
            if (system, network) in latest:
                yield _theirs(network, system, latest[system, network], ours)
    yield ""
    yield (
        "ezkl proves one private image with a public hash, fixed parameters and public scores, "
        "with enough columns to need 2^18 rows (its default needs 2^19); its reference string was "
        "generated locally and is not counted. JSTprove 2.1.0 is the newest that runs on Python "
        "3.11: 2.2 to 2.7 need 3.12, later wheels have another proof system (Remainder). It runs "
        "beside torch 2.13.0, not the 2.6.0 that it pins, and PyPI's Open MPI 4.1.8."
    )
    yield ""
    heading, *rows = PROPERTIES
    yield _row(heading)
    yield "|---" * len(heading) + "|"
    yield from map(_row, rows)
    yield ""
    yield (
        "As published by others, on other machines, so that no ratio follows; none is a proof of "
        "zero knowledge that a judge can check again, from hash functions alone."
    )
    yield ""
    yield "| system | network | one proof | zero knowledge | source |"
    yield "|---|---|---|---|---|"
    yield from map(_row, PUBLISHED)


def _row(cells: tuple[str, ...]) -> str:
    """A row of a table."""
    return "| " + " | ".join(cells) + " |"


def _ours(network: str, line: Line, count: int) -> Iterator[str]:
    """The rows of a batch and of one trigger."""
    per_trigger = _per_trigger(line)
    for triggers, figures in ((count, line["batch"]), (1, line["one"])):
        seconds = figures["prove_processor_seconds"]
        share = seconds / triggers
        yield _row(
            (
                network if triggers == count else "",
                f"zkwm, {triggers} trigger{'s' * (triggers > 1)} in one proof",
                f"{seconds:.2f} s, {share:.4f} s a trigger" if triggers > 1 else f"{seconds:.2f} s",
                f"{share / per_trigger:,.0f}",
                "none",
                f"{figures['peak_bytes'] / 2**30:.2f} GiB",
                f"{figures['proof_bytes'] / 2**20:.2f} MiB",
                f"{figures['verify_processor_seconds']:.2f} s",
            )
        )


def _theirs(network: str, system: str, line: Line, ours: Line) -> str:
    """The row of a peer, for one image."""
    steps, name = line["steps"], f"{PEERS[system]} {line['version']}, one image"
    if "verify" not in steps:
        return _row(("", name, f"none, {line['ended']}", *[""] * 5))
    seconds = steps["prove"]["processor_seconds"]
    made, size = (
        (steps["setup"], line["pk_bytes"]) if system == "ezkl"
        else (steps["compile"], line["circuit_bytes"])
    )  # fmt: skip
    return _row(
        (
            "",
            name,
            f"{seconds:.2f} s",
            f"**{seconds / _per_trigger(ours):,.0f} times**",
            f"{made['processor_seconds']:.0f} s, {size / 1e6:,.0f} MB",
            f"{steps['prove']['peak_bytes'] / 2**30:.2f} GiB",
            f"{line['proof_bytes'] / 1000:,.1f} kB",
            f"{steps['verify']['processor_seconds']:.2f} s",
        )
    )


def _per_trigger(line: Line) -> float:
    """Our processor seconds for one trigger of the batch."""
    return float(line["batch"]["prove_processor_seconds"] / line["batch"]["triggers"])
