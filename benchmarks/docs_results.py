"""Write docs/results.md with its figures of grids, and README's six, from benchmarks/results.

``--check`` changes nothing and fails when a page is not what the results say; a test runs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean, median
from typing import Any

import docs_results_argument
import docs_results_cifar10
import docs_results_commands
import docs_results_fair
import docs_results_gate
import docs_results_grid
import docs_results_grids
import docs_results_marks
import docs_results_owner_first
import docs_results_peers
import docs_results_perturbed
import docs_results_relearning
import docs_results_statistics
import measure

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- begin figures -->", "<!-- end figures -->"
INTRODUCTION = (
    "# Results",
    "",
    "<!-- Written by benchmarks/docs_results.py: change the script or the results instead. -->",
    "",
    "Every figure comes from a line in `benchmarks/results`, which the named script appended.",
    "Bits are -log2 of the exact chance that a model unrelated to the commitment does as well,",
    "before the judge's allowances unless a table says otherwise (SPEC.md 8).",
    "",
)


def main() -> None:
    """Rewrite the two pages, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a page is out of date")
    check = parser.parse_args().check
    readme = README.read_text()
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    table = "\n".join(figures())
    pages = {
        README: f"{before}{BEGIN}\n{table}\n{END}{after}",
        PAGE: "\n".join((*INTRODUCTION, tables())) + "\n",
    }
    cells = {grid.name: _lines(grid.file) for grid in docs_results_grids.GRIDS}
    pages |= {RESULTS / name: svg for name, svg in docs_results_fair.figures(cells)}
    for path, text in pages.items():
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path.name} is out of date: run python benchmarks/docs_results.py")


def figures() -> Iterator[str]:
    """README's six figures, each with the file that it comes from."""
    nulls = _lines("null_models.jsonl")
    speed = {line["benchmark"]: line for line in _lines("speed.jsonl")}
    yield "| figure | measured | from |"
    yield "|---|---|---|"
    fair = docs_results_fair.in_short(_lines("grid_fair.jsonl"))
    rows = [
        *(fair or docs_results_marks.in_short(_lines("survival.jsonl"))),
        (
            "innocent models that a false claim convicts (Liu et al., budget 64)",
            docs_results_marks.false_claims(nulls, budget=64),
            "null_models",
        ),
        (
            "the argument alone, about 100 triggers on LeNet-5, 2 cores",
            docs_results_argument.in_short(_lines("argument.jsonl"), "lenet5", 100),
            "argument",
        ),
        (
            "`zkwm verify` of an opening, whole command",
            f"{speed['command line']['verify_seconds']:.1f} s",
            "speed",
        ),
    ]
    for what, value, name in rows:
        yield f"| {what} | {value} | [{name}.jsonl](benchmarks/results/{name}.jsonl) |"


def tables() -> str:
    """All tables as Markdown."""
    speed = {line["benchmark"]: line for line in _lines("speed.jsonl")}
    openings = [line for line in _lines("speed.jsonl") if line["benchmark"] == "opening"]
    fashion, cifar = _lines("fashion_mnist.jsonl"), _lines("cifar10.jsonl")
    return "\n".join(
        (
            "## What a mark costs",
            "",
            *_fashion(fashion),
            "",
            *_cifar(cifar),
            "",
            *docs_results_cifar10.arms(
                *map(_lines, ("cifar10_arms.jsonl", "cifar10_epoch.jsonl", "cifar10_proof.jsonl"))
            ),
            *docs_results_cifar10.attacks(_lines("cifar10_attacks.jsonl")),
            *_marks(),
            "## Speed",
            "",
            *_speed(speed, openings),
            *_marketplace(),
            *_argument(),
        )
    )


def _marks() -> Iterable[str]:
    survival, nulls, answers, grid = (
        _lines(f"{name}.jsonl") for name in ("survival", "null_models", "answers", "grid")
    )
    if survival:
        yield from ("## What survives", "", *docs_results_marks.survival(survival))
        yield from docs_results_marks.fresh(_lines("survival_fresh.jsonl"))
    yield from _grids("Trigger sets on equal terms", docs_results_grids.GRIDS)
    yield from _grids("In the settings of papers", docs_results_grids.PAPERS)
    tried = _lines("owner_first.jsonl")
    if tried:
        yield from ("## What could survive the strongest attacks", "")
        yield from docs_results_owner_first.owner_first(tried)
        yield from docs_results_perturbed.perturbed(_lines("perturbed_weights.jsonl"))
    statistics = _lines("three_statistics.jsonl")
    if statistics:
        yield from ("## Three statistics", "")
        yield from docs_results_statistics.three_statistics(statistics, _lines("null_scores.jsonl"))
    relearned = _lines("relearning.jsonl")
    if relearned:
        claims = [one for one in _lines("null_relearning.jsonl") if one["suspect"] != "all"]
        yield from ("## Relearning", "")
        yield from docs_results_relearning.relearning(relearned, claims)
    if grid:
        yield from ("## Every watermark under every attack", "", *docs_results_grid.grid(grid))
        yield from docs_results_grid.residual(_lines("grid_resnet8.jsonl"))
        yield from docs_results_grid.shares(_lines("grid_shares.jsonl"))
    if nulls:
        yield from ("## Why labels are derived", "", *docs_results_marks.null_models(nulls))
    if answers:
        yield from ("## Marks in answers", "", *docs_results_marks.answers(answers))


def _grids(title: str, grids: Iterable[docs_results_grids.FairGrid]) -> Iterable[str]:
    """A section of the grids that have run; none where none has."""
    parts = [part for grid in grids for part in docs_results_fair.fair(_lines(grid.file), grid)]
    return (f"## {title}", "", *parts) if parts else ()


def _argument() -> Iterable[str]:
    lines = _lines("argument.jsonl")
    if not lines:
        return
    yield from ("", "## The zero-knowledge argument", "")
    yield from docs_results_argument.argument(lines)
    yield from docs_results_argument.laws(_lines("argument_laws.jsonl"))
    yield from docs_results_peers.peers(_lines("peers.jsonl"))
    gate = _lines("gate.jsonl")
    if gate:
        yield from ("## Files and their integer networks", "", *docs_results_gate.gate(gate))


def _marketplace() -> Iterable[str]:
    lines = _lines("marketplace.jsonl")
    if lines:
        yield from ("", "## A marketplace", "", *docs_results_commands.marketplace(lines))


def _fashion(lines: list[dict[str, Any]]) -> Iterable[str]:
    unmarked = {line["seed"]: line for line in lines if line["kind"] == "unmarked"}
    seeds = len(unmarked)
    yield (
        f"LeNet-5 on all of Fashion-MNIST, family `secret`, {seeds} seeds (`benchmarks/"
        f"fashion_mnist.py`, one line per training in `benchmarks/results`). Unmarked: "
        f"{_percent(line['test_accuracy'] for line in unmarked.values())} test accuracy. The "
        "learning rate was chosen by the test accuracy of the first seed; there is no validation "
        "split."
    )
    yield ""
    yield "| triggers | training | test accuracy | lost, mean (worst) | matched | unmarked match |"
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
        f"chance gives {line['expected_mean']:.0f}; overall "
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
            "minutes. A run this short says little. The authors' 60 epochs on all images (their "
            "93.8 % and 100 of 100) need a GPU and have not been run."
        )


def _speed(speed: dict[str, dict[str, Any]], openings: list[dict[str, Any]]) -> Iterable[str]:
    commitment = speed["commitment"]
    shown = [speed[name] for name in ("commitment", "opening", "command line")]
    yield f"{_machines(shown)} (`make bench`)."
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
    yield from docs_results_commands.commands(speed["command line"])
    yield from _embedding(_lines("embedding.jsonl"))


def _embedding(lines: list[dict[str, Any]]) -> Iterator[str]:
    """What embedding costs in time; the robust method's runs for each setting and threads."""
    robust: dict[tuple[str, str, int, int], list[dict[str, Any]]] = {}
    for line in lines:
        if line.get("figure") == "robust":
            batch, threads = line["settings"]["batch_size"], line["machine"]["threads"]
            key = (line["architecture"], line["data"], batch, threads)
            robust.setdefault(key, []).append(line)
            continue
        yield (
            f"| training with {line['triggers']} triggers / without, {line['data']} "
            f"| {line['seconds_ratio']:.2f} times | 1.15 times |"
        )
    for (architecture, data, batch, threads), runs in sorted(robust.items()):
        clock, processor = (
            sorted(run[f"{name}_ratio"] for run in runs)
            for name in ("seconds", "processor_seconds")
        )
        between = f" ({clock[0]:.2f} to {clock[-1]:.2f})" if len(runs) > 1 else ""
        yield (
            f"| robust / plain training, {architecture}, {data}, as many triggers a batch and "
            f"epochs, batches of {batch}, {threads} thread{'s' * (threads > 1)}, {len(runs)} "
            f"run{'s' * (len(runs) > 1)} | {median(clock):.2f} times{between}; processor time "
            f"{median(processor):.2f} times | {runs[0]['bar']} times |"
        )


def _machines(lines: Iterable[dict[str, Any]]) -> str:
    """The machines of these lines; where there are several, what was measured on which."""
    measured: dict[str, list[str]] = {}
    for line in lines:
        machine, versions = line["machine"], line["versions"]
        text = (
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
            f"Python {versions['python']}, torch {versions['torch']}"
        )
        measured.setdefault(text, []).append(line["benchmark"])
    if len(measured) == 1:
        return next(iter(measured))
    return ". ".join(f"{', '.join(names)}: {text}" for text, names in measured.items())


def _lines(name: str) -> list[dict[str, Any]]:
    return measure.lines(RESULTS / name)


def _percent(shares: Iterable[float]) -> str:
    return f"{100 * mean(shares):.2f} %"


if __name__ == "__main__":
    main()
