"""Tables on the zero-knowledge argument: figures, their bars, and how they grow.

Lines of Markdown from benchmarks/results, none where there is no result; for ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from argument_laws import latest

Line = dict[str, Any]

BARS: dict[tuple[str, int], tuple[float | None, ...]] = {
    ("dense", 100): (4.0, 0.5, 1.75, 1.5),
    ("lenet5", 100): (0.8, 0.5, 0.65, 2.0),
    ("lenet5", 1000): (7.0, 0.7, 5.0, 8.0),
    ("cifar", 100): (6.0, 3.0, 1.0, 8.0),
    ("resnet18", 100): (15.0, 0.4, 1.4, 5.0),
    ("resnet18-224", 50): (300.0, None, None, 20.0),
    ("resnet50-224", 10): (None, None, None, 20.0),
}
"""Seconds to prove and to verify, MiB of the proof, GiB of memory; None for no bar."""
NAMES = {
    "dense": "dense 784-512-512-10",
    "lenet5": "LeNet-5, 28x28",
    "cifar": "CNN 32C3-32C3-MP2-64C3-64C3-MP2-512-10, 3x32x32",
    "resnet18": "ResNet-18, 3x32x32",
    "resnet18-224": "ResNet-18 of torchvision, 3x224x224",
    "resnet50-224": "ResNet-50 of torchvision, 3x224x224",
}


def argument(lines: list[Line]) -> Iterator[str]:
    """The table of figures and bars, from ``argument.jsonl``."""
    latest = {(line["network"], line["triggers"]): line for line in lines if "network" in line}
    rows = [latest[key] | {"bars": bars} for key, bars in BARS.items() if key in latest]
    if not rows:
        return
    least = min(row["soundness_bits"] for row in rows)
    machine = rows[0]["machine"]
    yield (
        f"Warm, {machine['cores']} cores of {machine['processor']}, random weights and images "
        "(`benchmarks/argument.py`; shapes alone decide the cost); Argon2id for the labels comes "
        f"on top, for prover and verifier. Bars in parentheses. Soundness: at least "
        f"{least:.1f} bits, proven bounds only. The verifier needs NumPy, no compiler. This is the "
        "argument alone: `zkwm prove` and `zkwm verify` also make the network from the file and "
        "compare the two; the whole command `zkwm verify` stands under Speed."
    )
    yield ""
    yield "| network | triggers | prove | verify | proof | prover's memory |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        prove, verify, proof, memory = row["bars"]
        yield (
            f"| {NAMES[row['network']]} | {row['triggers']:,} "
            f"| {row['prove_seconds']:.1f} s{_bar(prove, 's')} "
            f"| {row['verify_seconds']:.2f} s{_bar(verify, 's')} "
            f"| {row['proof_bytes'] / 2**20:.2f} MiB{_bar(proof, 'MiB')} "
            f"| {row['peak_bytes'] / 2**30:.2f} GiB{_bar(memory, 'GiB')} |"
        )
    first = [line for line in lines if line["benchmark"] == "argument, first call"]
    if first:
        yield ""
        yield (
            f"The first proof after an installation, of a tiny network, takes "
            f"{first[-1]['first_seconds']:.2f} s of processor time, the next one "
            f"{first[-1]['second_seconds']:.2f} s (bar: 3 s more): the kernels were compiled with "
            "the package. Without a C compiler Numba compiles them then, once, for some 20 s."
        )


def _bar(most: float | None, unit: str) -> str:
    """A bar in parentheses, if there is one."""
    return "" if most is None else f" ({most:g} {unit})"


def in_short(lines: list[Line], network: str, triggers: int) -> str:
    """Time to prove and to verify, and size of the proof, of one network."""
    rows = [
        line for line in lines if (line.get("network"), line.get("triggers")) == (network, triggers)
    ]
    row = rows[-1]
    return (
        f"prove {row['prove_seconds']:.1f} s, verify {row['verify_seconds']:.2f} s, "
        f"{row['proof_bytes'] / 2**20:.2f} MiB"
    )


def laws(lines: list[Line]) -> Iterator[str]:
    """The figure and what is seen in it, from ``argument_laws.jsonl``."""
    measured = list(latest(lines).values())
    if not measured:
        return
    loads = [line["load_average"] for line in measured]
    runs = min(line["runs"] for line in measured)
    yield ""
    yield (
        "How the costs grow (`benchmarks/argument_laws.py`): the prover's memory and time grow "
        "with triggers and activations, and little with weights, with which the network has only "
        "to be run. The proof grows with the logarithm of the witness, the verifier's time with "
        "the work of one image. Processor seconds, the fastest of all runs of a measurement "
        f"({runs} at least); other work on the "
        f"machine can only add to them (its load was {min(loads):.0f} to {max(loads):.0f})."
    )
    yield ""
    yield "![costs against triggers, activations, weights](../benchmarks/results/argument_laws.svg)"
