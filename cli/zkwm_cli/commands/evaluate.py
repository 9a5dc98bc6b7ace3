"""``zkwm evaluate``: every watermark under every attack of a grid, and the report."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.exits import Exit
from zkwm_cli.layout import fit
from zkwm_cli.options import data_set_option, json_option, option, options

if TYPE_CHECKING:
    from collections.abc import Callable

    from zkwm.evaluation.plan.grid import Grid
    from zkwm.evaluation.results.outcome import GridResult
    from zkwm.evaluation.run.executors import Executor
    from zkwm.evaluation.run.runner import GridProgress
    from zkwm_cli.terminal import ProgressLine

SHOWN_ERRORS = 10


@click.command("evaluate", short_help="Research: watermarks under attack, measured.")
@click.argument("grid", type=click.Path(), required=False, metavar="[GRID.yaml]")
@options(
    output=option(
        "-o",
        "--output",
        type=click.Path(),
        metavar="FOLDER",
        help="Folder for results, tables, figures and report.html; what it holds is kept.",
    ),
    workers=option(
        "--workers",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        metavar="N",
        help="Processes on this machine, one thread each.",
    ),
    ray=option("--ray", is_flag=True, help="Run on a Ray cluster instead (RAY_ADDRESS)."),
    gpus=option(
        "--gpus",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        help="With --ray: GPUs for each task, 0.25 for a quarter of one  [default: 1].",
    ),
    data=data_set_option(
        "--data",
        help="Use this data, not the grid's.",
    ),
    seeds=option(
        "--seeds",
        type=click.IntRange(1, 10_000),
        metavar="N",
        help="Only the first N seeds; more can follow.  [default: all]",
    ),
    dry_run=option("--dry-run", is_flag=True, help="Price what is missing; measure nothing."),
    listed=option("--list", is_flag=True, help="Name all watermarks, attacks and claims."),
    as_json=json_option(),
)
def command(
    grid: str | None,
    output: str | None,
    workers: int,
    ray: bool,
    gpus: float | None,
    data: str | None,
    seeds: int | None,
    dry_run: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Measure what is left of each watermark after each attack, from one YAML file.

    After an interruption the same command resumes; seed by seed, so that --seeds 1 makes whole
    tables first. Vaults in FOLDER have a passphrase that
    everybody knows: they belong to an experiment. Exit code 3 means that some cells failed.

    \b
        zkwm evaluate examples/grids/smoke.yaml -o grid/ --workers 2
        zkwm evaluate --list
    """
    if listed:
        if grid is not None:
            raise click.UsageError("--list takes no grid")
        _list(as_json)
        return
    if grid is None or output is None:
        raise click.UsageError("give a grid and an --output folder (or --list)")
    if ray and workers != 1:
        raise click.UsageError("--workers is for this machine; with --ray the cluster decides")
    if gpus is not None and not ray:
        raise click.UsageError("--gpus is for a Ray cluster: give --ray too")
    read = partial(_read, grid, data, seeds)
    if dry_run:
        _price(read, output, as_json=as_json)
        return
    executor = partial(_executor, workers, ray=ray, gpus=gpus or 1.0)
    _evaluate(grid, output, executor, read, as_json=as_json)


def _read(name: str, data: str | None, seeds: int | None) -> Grid:
    """The grid of a file, with what the command line changes."""
    from zkwm.evaluation.plan.grid_file import read_grid

    grid = read_grid(name)
    if data is not None:
        grid = grid.with_data(data)
    return grid if seeds is None else grid.with_seeds(seeds)


def _evaluate(
    name: str,
    output: str,
    executor: Callable[[], Executor],
    read: Callable[[], Grid],
    *,
    as_json: bool,
) -> None:
    """Run the grid, write its report, print the counts; exit code 3 where cells failed."""
    from zkwm.extras import require
    from zkwm_cli.terminal import ProgressLine, duration, note, warn

    note(f"measuring what {name} asks for; results go to {output}")
    require("matplotlib")
    from zkwm.evaluation.results.report import write_report
    from zkwm.evaluation.run.runner import run_grid

    execute = executor()
    grid = read()
    line = ProgressLine()
    try:
        outcome = run_grid(
            grid, output, execute=execute, progress=lambda progress: _show(line, progress)
        )
    finally:
        line.end()
    page = write_report(outcome, output)
    for error in outcome.errors[:SHOWN_ERRORS]:
        warn(error)
    if len(outcome.errors) > SHOWN_ERRORS:
        warn(f"and {len(outcome.errors) - SHOWN_ERRORS} more; the report lists them")
    counts = _counts(outcome)
    note(
        f"{counts['measured']} of {sum(counts.values())} cells measured in "
        f"{duration(outcome.seconds)}; wrote {page}"
    )
    print_result(
        as_json,
        "evaluate",
        path=output,
        report=str(page),
        cells=counts,
        seconds=outcome.seconds,
        errors=list(outcome.errors),
    )
    if outcome.errors:
        raise click.exceptions.Exit(Exit.COULD_NOT_CHECK)


def _price(read: Callable[[], Grid], output: str, *, as_json: bool) -> None:
    """Print what the folder lacks of a grid, and what that costs by what it has."""
    from zkwm.evaluation.plan.experiment import Experiment
    from zkwm.evaluation.run.price import price, total
    from zkwm_cli.terminal import duration, note

    lines = price(Experiment(read(), output))
    seconds, unknown = total(lines)
    print_result(
        as_json,
        "evaluate-price",
        path=output,
        processor_seconds=seconds,
        unknown=unknown,
        lines=[line.to_map() for line in lines],
    )
    if as_json:
        return
    for line in lines:
        each = "" if line.seconds is None else f", {line.seconds:.1f} s each"
        left = "unknown" if line.left is None else duration(line.left)
        text = f"{line.kind} {line.label}: {line.done} there, {line.missing} missing{each}: {left}"
        click.echo(fit(text, sys.stdout))
    known = duration(seconds) if seconds or not unknown else "unknown"
    beside = " for the lines that were measured here, and more for the others"
    click.echo(f"processor time of what is missing: {known}{beside if seconds and unknown else ''}")
    if unknown:
        note(f"{unknown} lines were never measured here: --seeds 1 measures each once")


def _executor(workers: int, *, ray: bool, gpus: float) -> Executor:
    """What runs the tasks: this process, several, or a Ray cluster."""
    from zkwm.evaluation.run.executors import in_processes, in_this_process, on_ray

    if ray:
        from zkwm.ray_cluster import load_ray

        load_ray()
        return on_ray(gpus)
    return in_this_process if workers == 1 else in_processes(workers)


def _counts(outcome: GridResult) -> dict[str, int]:
    """The number of cells of each status."""
    from zkwm.evaluation.results.cell import Status

    states = [cell.status for cell in outcome.cells]
    return {status.value: states.count(status) for status in Status}


def _show(line: ProgressLine, progress: GridProgress) -> None:
    """The stage, how many of its tasks are done, and the last one, on the progress line."""
    from zkwm_cli.terminal import duration

    done = f": {progress.done} of {progress.total}" if progress.total else ""
    last = f", {progress.last}" if progress.last else ""
    line.update(f"{progress.stage}{done}, {duration(progress.seconds)}{last}")


def _list(as_json: bool) -> None:
    """Print every watermark, attack and claim with its parameters."""
    from zkwm.evaluation.plan.catalogue import described

    catalogue = described()
    print_result(as_json, "evaluate-list", **catalogue)
    if as_json:
        return
    for kind, entries in catalogue.items():
        click.echo(f"{kind}:")
        for entry in entries:
            for line in (f"  {entry['name']}: {entry['summary']}", *_details(entry)):
                click.echo(fit(line, sys.stdout))


def _details(entry: dict[str, Any]) -> list[str]:
    """Paper and access or needs in one line, parameters with their defaults in another."""
    reach = entry.get("access") or entry.get("needs")
    first = ", ".join(filter(None, (entry["paper"], reach and f"by {reach}")))
    parameters = ", ".join(f"{name} {value}" for name, value in entry["parameters"].items())
    return [f"      {text}" for text in (first, parameters) if text]
