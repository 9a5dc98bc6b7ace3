"""README's part on marks: null models and false claims, what survives, marks in answers, the grid.

Lines of Markdown from benchmarks/results; nothing where no result is. ``readme`` puts them in.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

Line = dict[str, Any]


def null_models(lines: list[Line]) -> Iterator[str]:
    """What schemes say of unmarked models, and how far false claims get."""
    nulls = [line for line in lines if line["benchmark"] == "null models"]
    claims = [line for line in lines if line["benchmark"] == "false claims"]
    if nulls:
        count = max(len(line["matches"]) for line in nulls)
        yield (
            f"{count} unmarked networks (`benchmarks/null_models.py`), {nulls[0]['data']}. For derived "
            "labels the counts are binomial: the last column is the p-value of the exact two-sided "
            "test of all matches with fresh labels. For declared labels no law holds."
        )
        yield from (
            "",
            "| scheme | labels | matches of unmarked networks | chance | reach 40 bits | p, fresh labels |",
            "|---|---|---|---|---|---|",
        )
        for line in nulls:
            matches, fresh = line["matches"], line.get("fresh")
            yield (
                f"| {_named(line)} | {'derived' if line['derived'] else 'declared'} "
                f"| {min(matches)} to {max(matches)} of {line['trials']} "
                f"| {line['trials'] / line['class_count']:.1f} | {100 * line['reached']:.0f} % "
                f"| {'' if fresh is None else format(fresh['p_value'], '.2f')} |"
            )
    if claims:
        yield from (
            "",
            "False claims (Liu et al., USENIX Security 2024) against the same networks: an accuser makes "
            "adversarial images that carry over from his own models, before he has seen the victim's. The "
            "same images, once with the labels that he wishes and once with those that a commitment gives:",
            "",
            "| claim | declared: matches (median) | succeeds against | derived: matches (median) | succeeds against |",
            "|---|---|---|---|---|",
        )
        for line in claims:
            yield (
                f"| {_claim(line)} | {median(line['declared_matches']):.0f} of {line['trials']} "
                f"| {100 * line['declared_reached']:.0f} % of innocent models "
                f"| {median(line['derived_matches']):.0f} of {line['trials']} "
                f"| {100 * line['derived_reached']:.0f} % |"
            )
        yield ""


def survival(lines: list[Line]) -> Iterator[str]:
    """The robust embedding beside the plain one, the worst of the seeds."""
    if not lines:
        return
    robust = [line for line in lines if line["kind"] == "robust"]
    first = robust[0]
    seeds = len({line["seed"] for line in robust})
    lost = [_lost(lines, kind) for kind in ("robust", "plain")]
    yield (
        f"{first['architecture']} on Fashion-MNIST, {first['triggers']} triggers of the family `secret`, "
        f"{seeds} seeds, the worst one shown (`benchmarks/survival.py`): bits before the judge's allowances "
        "(71 where all four blocks are opened), by ranks and by matches. The owner has 20,000 images, the "
        "attacker 6,000 others unless said. Held out: never looked at while the embedding was chosen. "
        "An attack counts only if it ends a point above a network trained on the attacker's images alone; "
        f"accuracy is the attacked robust model's mean. Embedding costs {lost[0]} (plain: {lost[1]})."
    )
    yield from (
        "",
        "| attack | accuracy | robust, by ranks | robust, by matches | plain, by ranks | plain, by matches | bar | goal |",
        "|---|---|---|---|---|---|---|---|",
    )
    for trial in dict.fromkeys(line["trial"] for line in robust if line["trial"] != "none"):
        rows = {
            kind: [line for line in lines if (line["trial"], line["kind"]) == (trial, kind)]
            for kind in ("robust", "plain")
        }
        example = rows["robust"][0]
        cells = [
            _worst(rows[kind], name)
            for kind in ("robust", "plain")
            for name in ("bits_by_ranks", "bits_by_matches")
        ]
        mean = sum(line["accuracy"] for line in rows["robust"]) / len(rows["robust"])
        held_out = " (held out)" if example["held_out"] else ""
        moot = "" if all(line["counts"] for line in rows["robust"]) else " *"
        yield (
            f"| {trial}{held_out} | {100 * mean:.1f} %{moot} | **{cells[0]}** | {' | '.join(cells[1:])} "
            f"| {example['bar']:.0f} | {example['goal']:.0f} |"
        )
    yield from ("", "\\* in at least one seed the attack ends too low to count.", "")


def answers(lines: list[Line]) -> Iterator[str]:
    """DynaMarks beside DAWN."""
    if not lines:
        return
    yield from (
        "A LeNet-5 behind an API; a thief trains a surrogate on the answers to 6,000 images of his own, 30 "
        "epochs (`benchmarks/answers.py`). Bits by the exact test for DynaMarks; DAWN's test trusts the "
        "owner's log, so its bits are nominal.",
        "",
        "| service, and how the thief learns | answers with another top class | surrogate's accuracy | matches | bits | after fine-tuning on true labels |",
        "|---|---|---|---|---|---|",
    )
    for line in {line["row"]: line for line in lines}.values():
        found, later = line["found"], line.get("fine_tuned")
        yield (
            f"| {line['service']}, {line['how']} | {100 * line['changed']:.1f} % "
            f"| {100 * line['accuracy']:.1f} % | {found['matches']} of {found['trials']} "
            f"| {found['bits']:.0f}{'' if line['exact'] else ' (nominal)'} "
            f"| {'' if later is None else format(later['bits'], '.0f')} |"
        )
    yield ""


def _named(line: Line) -> str:
    told = ", ".join(str(value) for value in line["parameters"].values() if value != "declared")
    return f"{line['scheme']}{f' ({told})' if told else ''}"


def _claim(line: Line) -> str:
    told = ", ".join(f"{name} {value}" for name, value in line["parameters"].items())
    return f"{line['claim']}{f' ({told})' if told else ''}"


def _worst(rows: list[Line], name: str) -> str:
    return f"{min(line[name] for line in rows):.0f}" if rows else ""


def _lost(lines: list[Line], kind: str) -> str:
    rows = [line for line in lines if (line["trial"], line["kind"]) == ("none", kind)]
    lost = [100 * (line["unmarked_accuracy"] - line["accuracy"]) for line in rows]
    if not lost:
        return "nothing measured"
    return f"{sum(lost) / len(lost):.2f} points of accuracy on average, {max(lost):.2f} at worst"
