"""Write the tables of README.md from the lines in benchmarks/results.

Everything between the two marks in README is replaced; ``--check`` changes nothing and fails when
README is not what the results say (a test does that). Not a benchmark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import measure
import readme_argument
import readme_grid
import readme_marks

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- begin benchmarks -->", "<!-- end benchmarks -->"


def main() -> None:
    """Rewrite README, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when README is out of date")
    check = parser.parse_args().check
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    wanted = f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"
    if check:
        if wanted != text:
            sys.exit("README.md is out of date: run python benchmarks/readme.py")
        return
    readme.write_text(wanted)


def tables() -> str:
    """All tables as Markdown."""
    speed = {line["benchmark"]: line for line in _lines("speed.jsonl")}
    openings = [line for line in _lines("speed.jsonl") if line["benchmark"] == "opening"]
    fashion, cifar = _lines("fashion_mnist.jsonl"), _lines("cifar10.jsonl")
    return "\n".join(
        (
            "### What a mark costs",
            "",
            *_fashion(fashion),
            "",
            *_cifar(cifar),
            "",
            *_marks(),
            "### Speed",
            "",
            *_speed(speed, openings),
            *_argument(),
        )
    )


def _marks() -> Iterable[str]:
    survival, nulls, answers, grid = (
        _lines(f"{name}.jsonl") for name in ("survival", "null_models", "answers", "grid")
    )
    if survival:
        yield from ("### What survives", "", *readme_marks.survival(survival))
        yield from readme_marks.fresh(_lines("survival_fresh.jsonl"))
    if grid:
        yield from ("### Every watermark under every attack", "", *readme_grid.grid(grid))
        yield from readme_grid.residual(_lines("grid_resnet8.jsonl"))
        yield from readme_grid.shares(_lines("grid_shares.jsonl"))
    if nulls:
        yield from ("### Why labels are derived", "", *readme_marks.null_models(nulls))
    if answers:
        yield from ("### Marks in answers", "", *readme_marks.answers(answers))


def _argument() -> Iterable[str]:
    lines = _lines("argument.jsonl")
    if not lines:
        return
    yield from ("", "### The zero-knowledge argument", "")
    yield from readme_argument.argument(lines)
    yield from readme_argument.laws(_lines("argument_laws.jsonl"))
    yield from readme_argument.peer(_lines("peer_ezkl.jsonl"))


def _fashion(lines: list[dict[str, Any]]) -> Iterable[str]:
    unmarked = {line["seed"]: line for line in lines if line["kind"] == "unmarked"}
    seeds = len(unmarked)
    yield (
        f"LeNet-5 on all of Fashion-MNIST, family `secret`, {seeds} seeds (`benchmarks/"
        f"fashion_mnist.py`, one line a training in `benchmarks/results`). Unmarked: "
        f"{_percent(line['test_accuracy'] for line in unmarked.values())} test accuracy. The "
        "learning rate was chosen by the test accuracy of the first seed; there is no third part "
        "of the data."
    )
    yield ""
    yield "| triggers | way | test accuracy | lost, mean (worst seed) | matched | unmarked match |"
    yield "|---|---|---|---|---|---|"
    rows = sorted({(line["triggers"], line["kind"]) for line in lines if line["triggers"]})
    for count, kind in rows:
        chosen = [line for line in lines if (line["triggers"], line["kind"]) == (count, kind)]
        lost = [
            100 * (unmarked[line["seed"]]["test_accuracy"] - line["test_accuracy"])
            for line in chosen
        ]
        null = [found["matches"] for line in chosen for found in line["unmarked"]]
        way = "from scratch" if kind == "scratch" else "pre-trained"
        yield (
            f"| {count} | {way} | {_percent(line['test_accuracy'] for line in chosen)} "
            f"| {mean(lost):.2f} ({max(lost):.2f}) points "
            f"| {', '.join(str(line['matches']) for line in chosen)} "
            f"| {min(null)} to {max(null)}, mean {mean(null):.1f} (chance: {count / 10:.0f}) |"
        )
    yield ""
    yield " ".join(
        (
            *map(_chance, _lines("chance.jsonl")),
            "A larger run begins with the commitments of the smaller. The rows of the table share "
            "networks and labels, so their counts are not independent of each other.",
        )
    )


def _chance(line: dict[str, Any]) -> str:
    means = ", ".join(f"{value:.2f}" for value in line["means"])
    return (
        f"{line['networks']} unmarked networks against {line['commitments']} fresh commitments of "
        f"{line['triggers']} triggers (`benchmarks/chance.py`): {means} matches on average where "
        f"chance gives {line['expected_mean']:.0f}; all together "
        f"{line['standard_deviations_off']:+.2f} standard deviations off."
    )


def _cifar(lines: list[dict[str, Any]]) -> Iterable[str]:
    for line in lines:
        settings = line["settings"]
        yield (
            f"CIFAR-10, ResNet-18 of the authors, {line['triggers']} triggers: a short run of "
            f"{settings['epochs']} epochs on {line['data']} ({line['device']}, "
            f"{line['precision']}) reached {100 * line['test_accuracy']:.1f} % and "
            f"{line['matches']} of {line['triggers']} triggers in {line['seconds'] / 60:.0f} "
            "minutes. So short a run says little. The authors' 60 epochs on all images (their "
            "93.8 % and 100 of 100) need a GPU, and that run is still open."
        )


def _speed(speed: dict[str, dict[str, Any]], openings: list[dict[str, Any]]) -> Iterable[str]:
    commitment, line = speed["commitment"], speed["command line"]
    machine = commitment["machine"]
    yield (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; Python "
        f"{commitment['versions']['python']}, torch {commitment['versions']['torch']} "
        "(`make bench`)."
    )
    yield ""
    yield "| what | measured | bar |"
    yield "|---|---|---|"
    yield f"| commit to 1,000 images of 3x32x32 | {commitment['commit_seconds']:.3f} s | 1 s |"
    yield f"| Argon2id for the labels of a commitment | {commitment['argon2id_seconds']:.2f} s | |"
    for opening in openings:
        shape = "x".join(map(str, opening["shape"]))
        yield (
            f"| check an opening of 50, {shape}, proof of {opening['proof_bytes'] // 1000} kB "
            f"| {opening['check_seconds']:.3f} s ({opening['check_with_argon2id_seconds']:.2f} s "
            "with Argon2id) | 0.3 s |"
        )
    yield f"| `zkwm --help` | {line['help_seconds']:.2f} s | 0.3 s |"
    yield f"| `zkwm verify` of an ONNX suspect, all in | {line['verify_seconds']:.1f} s | |"
    yield (
        f"| the demo, two trainings included | {line['demo_seconds']:.0f} s, "
        f"{line['demo_peak_mib'] / 1024:.2f} GiB | 180 s, 2 GiB |"
    )
    for embedding in _lines("embedding.jsonl"):
        yield (
            f"| training with {embedding['triggers']} triggers / without, {embedding['data']} "
            f"| {embedding['seconds_ratio']:.2f} times | 1.15 times |"
        )


def _lines(name: str) -> list[dict[str, Any]]:
    return measure.lines(RESULTS / name)


def _percent(shares: Iterable[float]) -> str:
    return f"{100 * mean(shares):.2f} %"


if __name__ == "__main__":
    main()
