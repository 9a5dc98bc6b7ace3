"""The CIFAR-10 networks of ``cifar10_arms`` and the attacks on them; for ``docs_results``."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean
from typing import Any

from docs_results_fair import attack_table, published

Line = dict[str, Any]

AUTHORS = {"unmarked": 93.42, "plain": 93.81, "pretrained": 93.65}
"""Test accuracy in the table of Adi et al. 2018 (authors' slides): unmarked, from scratch,
pre-trained."""
ARMS = {
    "unmarked": "no mark",
    "plain": "plain, the authors' triggers",
    "pretrained": "plain from the unmarked network, the authors' triggers",
    "robust": "robust, the authors' triggers",
    "plain-derived": "plain, derived labels",
    "pretrained-derived": "plain from the unmarked network, derived labels",
    "robust-derived": "robust, derived labels",
}


def arms(lines: list[Line], epochs: list[Line], proofs: list[Line]) -> Iterator[str]:
    """Each arm: accuracy, what the mark costs, triggers, processor time; a network proven."""
    if not lines:
        return
    first = lines[0]
    yield (
        f"CIFAR-10, network `{first['architecture']}` (Jordan 2024), {first['settings']['epochs']} "
        f"epochs on {first['data']}, {first['device']} and {first['precision']} "
        "(`benchmarks/cifar10_arms.py`). Test accuracy of the network alone, without averages over "
        "changed images; points lost against the unmarked network of the same seed; processor "
        "hours of the training with all its interruptions. Authors: Adi et al. 2018, ResNet-18, "
        "their 100 of 100 triggers."
    )
    yield "\n| arm | seeds | accuracy | authors' | points lost, worst | triggers | hours |"
    yield "|---|---|---|---|---|---|---|"
    unmarked = {line["seed"]: line for line in lines if line["arm"] == "unmarked"}
    for arm, words in ARMS.items():
        rows = [line for line in lines if line["arm"] == arm]
        if rows:
            yield _row(arm, words, rows, unmarked)
    for line in epochs:
        seconds = line["training_seconds"] / line["settings"]["epochs"]
        hours = first["settings"]["epochs"] * seconds / 3600
        yield (
            f"\nAn epoch ({line['arm']}) takes {seconds:.0f} s on a quiet machine of two cores, "
            f"with as many threads: {60 * hours:.0f} minutes for all. The trainings above had a "
            "thread each, beside other work."
        )
    for line in proofs:
        yield (
            f"\nThe network {ARMS[line['arm']]}, seed {line['seed']}, in zero knowledge, "
            f"{line['triggers']} triggers (`benchmarks/cifar10_proof.py`, whole commands, the "
            "comparison of file and integer network included): `zkwm prove` "
            f"{line['prove_seconds']:.0f} s and {line['prove_peak_mib'] / 1024:.1f} GiB, a proof "
            f"of {line['proof_bytes'] / 1024:.0f} KiB, `zkwm verify` "
            f"{line['verify_seconds']:.0f} s; {line['outcome']}."
        )
    yield ""


def _row(arm: str, words: str, rows: list[Line], unmarked: dict[int, Line]) -> str:
    """The texts of one arm."""
    lost = [
        100 * (unmarked[row["seed"]]["test_accuracy"] - row["test_accuracy"])
        for row in rows
        if row["seed"] in unmarked and arm != "unmarked"
    ]
    theirs = f"{AUTHORS[arm]:.2f} %" if arm in AUTHORS else ""
    points = f"{mean(lost):.2f}, {max(lost):.2f}" if lost else ""
    found = ", ".join(f"{row['matches']} of {row['triggers']}" for row in rows if row["triggers"])
    accurate = ", ".join(f"{100 * row['test_accuracy']:.2f} %" for row in rows)
    hours = mean(row["cpu_seconds"] for row in rows) / 3600
    seeds = ", ".join(str(row["seed"]) for row in rows)
    return f"| {words} | {seeds} | {accurate} | {theirs} | {points} | {found} | {hours:.1f} |"


def attacks(lines: list[Line]) -> Iterator[str]:
    """What each attack leaves of each arm, and published rows beside it."""
    if not lines:
        return
    known = [{**line, "watermark": ARMS[line["watermark"]]} for line in lines]
    marks = [words for words in ARMS.values() if any(line["watermark"] == words for line in known)]
    yield (
        "Attacks on these networks (`benchmarks/cifar10_attacks.py`). The owner trained on all "
        "50,000 images, so the adversary's are among the owner's, as in published attacks on this "
        "data set; nobody trained on the test images."
    )
    yield from attack_table(marks, known)
    yield from published(known)
