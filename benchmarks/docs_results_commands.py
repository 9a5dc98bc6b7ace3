"""Tables on whole commands and on a marketplace, each figure with its bar.

Lines of Markdown from benchmarks/results, none where there is no result; for ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]

COMMANDS = {
    "help_seconds": "`zkwm --help`",
    "verify_seconds": "`zkwm verify` of an opening, ONNX suspect, whole command",
    "verify_argument_seconds": (
        "`zkwm verify` of an argument, LeNet-5 and 100 triggers, whole command"
    ),
}
CHALLENGE_MS, BUYER_SECONDS = 20, 60
"""Bars of a marketplace: one more challenge on its desk; a buyer's check of a listing."""
QUIET = 3
"""The largest load that can be a benchmark's own, on two cores."""
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def commands(line: Line) -> Iterator[str]:
    """Rows of the table on speed, from the line of ``command_line.py``."""
    bars = line["bars"]
    for name, what in COMMANDS.items():
        digits = 2 if bars[name] < 1 else 1
        yield f"| {what} | {line[name]:.{digits}f} s{_missed(line[name], bars[name])} " + (
            f"| {bars[name]:g} s |"
        )
    yield (
        f"| the demo, including two trainings | {line['demo_seconds']:.0f} s, "
        f"{line['demo_peak_mib'] / 1024:.2f} GiB "
        f"| {bars['demo_seconds']:g} s, {bars['demo_peak_mib'] / 1024:g} GiB |"
    )


def marketplace(lines: list[Line]) -> Iterator[str]:
    """The table on a marketplace: the latest line of each kind, from ``marketplace.jsonl``."""
    if not lines:
        return
    machine = lines[-1]["machine"]
    yield (
        f"A marketplace on {machine['cores']} cores of {machine['processor']} "
        "(`benchmarks/marketplace.py`). A challenge is timed without asking the suspect: what the "
        "desk reads, counts, signs and keeps durably. Kills are SIGKILL at random under load, and "
        "a step is acknowledged once its call has returned."
    )
    yield ""
    yield "| what | measured | bar |"
    yield "|---|---|---|"
    for database, named in DATABASES.items():
        for line in _latest(lines, "marketplace", database):
            middle, slowest = line["one_more_challenge_ms"], line["slowest_of_40_ms"]
            yield (
                f"| one more challenge among {line['challenges']:,}, {named} | {middle:.1f} ms, "
                f"{slowest:.1f} ms the slowest of 40{_load(line)}{_missed(slowest, CHALLENGE_MS)} "
                f"| {CHALLENGE_MS} ms |"
            )
    for database, named in DATABASES.items():
        for line in _latest(lines, "marketplace_killed", database):
            lost, twice = len(line["lost"]), line["numbers_given_twice"]
            yield (
                f"| {line['processes']} processes on one desk, {line['kills']} kills in "
                f"{line['seconds']:.0f} s, {named} | {lost} of "
                f"{sum(line['acknowledged'].values()):,} acknowledged steps lost, {twice} numbers "
                f"given twice{_missed(lost + twice + len(line['faults']), 0)} | none |"
            )
    for line in _latest(lines, "marketplace_buyer"):
        yield (
            f"| a buyer checks an argument again, LeNet-5 and {line['triggers']} triggers, from "
            f"public files | {line['verify_seconds']:.1f} s{_load(line)}"
            f"{_missed(line['verify_seconds'], BUYER_SECONDS)} | {BUYER_SECONDS} s |"
        )
        yield (
            "| a buyer checks the marketplace's signed verdict "
            f"| {line['inspect_verdict_seconds']:.1f} s{_load(line)} | |"
        )


def _latest(lines: list[Line], name: str, database: str | None = None) -> list[Line]:
    """The last line of a benchmark, if there is one."""
    chosen = [
        line
        for line in lines
        if line["benchmark"] == name and database in (None, line.get("database"))
    ]
    return chosen[-1:]


def _load(line: Line) -> str:
    """The load of the machine, where others used it too."""
    load = line["load_average"]
    return f", at a load of {load:.0f}" if load > QUIET else ""


def _missed(measured: float, bar: float) -> str:
    return " (missed)" if measured > bar else ""
