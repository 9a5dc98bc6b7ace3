"""The attacks of the survival benchmark, with bars and goals in bits.

Rates are multiples of ``RATE``, at which the owner trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OWNER, TENTH, HUNDREDTH, AS_MANY = 20_000, 6_000, 600, 20_000
"""Images of the owner, and of adversaries."""

RATE = 0.05


@dataclass(frozen=True)
class Trial:
    """One attack of the table.

    Args:
        row: Of the requirement.
        bar: Bits by ranks that must be left.
        goal: Bits by ranks that were hoped for.
        name: Of the attack.
        parameters: Of the attack.
        images: Of the adversary.
        held_out: Whether the embedding was not tuned on it.
    """

    row: str
    bar: float
    goal: float
    name: str
    parameters: dict[str, Any]
    images: int = TENTH
    held_out: bool = False


def _tuned(which: str, factor: float, **more: object) -> dict[str, object]:
    """Parameters of fine-tuning at ``factor`` times the owner's rate."""
    return {"which": which, "rate": factor * RATE, "schedule": "cosine", **more}


TRIALS = {
    "FTAL, twice the rate": Trial("FTAL", 256, 500, "fine_tuning", _tuned("FTAL", 2)),
    "RTAL, the rate": Trial("RTAL", 500, 600, "fine_tuning", _tuned("RTAL", 1)),
    "RTAL, twice the rate": Trial("RTAL x2", 256, 400, "fine_tuning", _tuned("RTAL", 2)),
    "RTAL, twice the rate, 30 epochs": Trial(
        "30 epochs", 96, 128, "fine_tuning", _tuned("RTAL", 2, epochs=30)
    ),
    "RTAL, AdamW 1e-3": Trial(
        "AdamW", 64, 128, "fine_tuning", _tuned("RTAL", 0.02, optimizer="adamw")
    ),
    "RTAL, AdamW 3e-3": Trial(
        "AdamW", 64, 128, "fine_tuning", _tuned("RTAL", 0.06, optimizer="adamw"), held_out=True
    ),
    "RTAL, twice the rate, 20,000 images": Trial(
        "as much data", 128, 200, "fine_tuning", _tuned("RTAL", 2, epochs=6), AS_MANY, held_out=True
    ),
    "REFIT-like, 10 epochs": Trial(
        "REFIT", 128, 200, "refit", {"rate": RATE, "epochs": 10}, held_out=True
    ),
    "pruning 90 %": Trial("pruning", 600, 640, "pruning", {"share": 0.9}),
    "pruning 90 %, fine-tuned": Trial(
        "pruning", 600, 640, "pruning", {"share": 0.9, "epochs": 2, "rate": 0.02}
    ),
    "4 bits": Trial("pruning", 600, 640, "quantisation", {"bits": 4}),
    "fine-pruning 96 %": Trial("fine-pruning", 128, 200, "fine_pruning", {}, held_out=True),
    "laundering, 1 %": Trial(
        "laundering 1 %", 64, 128, "laundering", {"rate": 0.02}, HUNDREDTH, held_out=True
    ),
    "laundering, 10 %": Trial("laundering 10 %", 40, 128, "laundering", {}),
    "fakes of noise, uniform": Trial("fakes, other", 200, 300, "unlearning", {"kind": "noise"}),
    "fakes of blocks, random": Trial(
        "fakes, other", 200, 300, "unlearning", {"kind": "blocks", "labels": "random"}
    ),
    "fakes of fields, uniform": Trial("fakes, other", 200, 300, "unlearning", {"kind": "abstract"}),
    "fakes of an opened block, random": Trial(
        "fakes, same", 40, 128, "unlearning", {"kind": "opened", "labels": "random"}
    ),
    "fakes of an opened block, uniform": Trial(
        "fakes, same", 40, 128, "unlearning", {"kind": "opened"}
    ),
    "fakes that the network is sure of": Trial("fakes, sought", 40, 128, "seeking", {}),
    "fakes that it is sure of, from an opened block": Trial(
        "fakes, sought", 40, 128, "seeking", {"kind": "opened"}, held_out=True
    ),
    "fakes inverted class by class": Trial(
        "fakes, sought",
        40,
        128,
        "dehydra",
        {"labels": "uniform", "images": 50, "steps": 50},
        held_out=True,
    ),
    "WRK": Trial("fakes, sought", 40, 128, "wrk", {}, held_out=True),
}
