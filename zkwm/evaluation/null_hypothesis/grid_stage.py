"""The last stage of a grid: read each mark from innocent models, and make each false claim.

``matches`` and ``claims`` measure; here they get the grid's models, and their results go to the
cache and become tables. Where a false claim is made, a third of the innocent models, ten at most,
are the accuser's and the others are the victims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from zkwm.attacks.attack import Adversary
from zkwm.evaluation.null_hypothesis.claims import ClaimRow, examine_claims
from zkwm.evaluation.null_hypothesis.matches import TriggerTest, examine_null
from zkwm.evaluation.plan.catalogue import entry_object
from zkwm.evaluation.plan.grid import LEAST_NULL_MODELS
from zkwm.evaluation.results.outcome import Table
from zkwm.evaluation.run.attack_mark import ADVERSARY_SEED, error_line
from zkwm.evaluation.run.cache import digest_of, source_digest
from zkwm.evaluation.run.watermarked import open_commitment
from zkwm.watermarks.watermark import DERIVED
from zkwm_protocols.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from zkwm.evaluation.plan.experiment import Experiment
    from zkwm.evaluation.plan.grid import Entry, WatermarkEntry

NULL_TABLE, CLAIMS_TABLE = "null_models", "false_claims"
MOST_ACCUSER_MODELS = 10
Row = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """One row of a table: where the cache keeps it, and how it is measured."""

    table: str
    label: str
    digest: str
    measure: Callable[[], Row]


def null_tables(
    experiment: Experiment, report: Callable[[str], None]
) -> tuple[dict[str, Table], tuple[str, ...]]:
    """The tables of null models and of claims that are not empty, and what failed.

    Marks are those of the first seed. Results in the cache are not measured again. ``report`` gets
    the label of each row before it is measured. Raises Cancelled.
    """
    grid, errors = experiment.grid, list[str]()
    if not grid.null_models:
        return {}, ()
    rows: dict[str, list[Row]] = {NULL_TABLE: [], CLAIMS_TABLE: []}
    for part in _parts(experiment):
        report(part.label)
        row = _result(experiment, part)
        if row.get("error"):
            errors.append(f"{part.label}, innocent models: {row['error']}")
        elif not row.get("void"):
            rows[part.table].append({**row, "label": part.label})
    tables = {
        NULL_TABLE: _null_table(rows[NULL_TABLE], grid.null_models),
        CLAIMS_TABLE: _claims_table(rows[CLAIMS_TABLE]),
    }
    return {name: table for name, table in tables.items() if table.rows}, tuple(errors)


def _parts(experiment: Experiment) -> list[_Part]:
    """All rows of both tables, marks before claims."""
    grid = experiment.grid
    marks = (
        (NULL_TABLE, entry.label, _null_digest(experiment, entry), _null(experiment, entry))
        for entry in grid.watermarks
    )
    claims = (
        (CLAIMS_TABLE, entry.label, _claim_digest(experiment, entry), _claim(experiment, entry))
        for entry in grid.claims
    )
    return [_Part(*part) for part in (*marks, *claims)]


def _result(experiment: Experiment, part: _Part) -> Row:
    """The row of a part, measured unless the cache has it. Raises Cancelled."""
    if not experiment.cache.has(part.digest):
        try:
            row = part.measure()
        except Cancelled:
            raise
        except Exception as error:
            row = {"error": error_line(error)}
        experiment.cache.put(part.digest, row)
    return experiment.cache.result(part.digest) or {}


def _models(experiment: Experiment) -> list[nn.Module]:
    """The innocent models that could be trained."""
    models = (
        experiment.cache.model(experiment.null(experiment.grid.architecture, number))
        for number in range(experiment.grid.null_models)
    )
    return [model for model in models if model is not None]


def _null_digest(experiment: Experiment, entry: WatermarkEntry) -> str:
    """The digest of a mark's row."""
    mark = experiment.mark(entry, experiment.grid.seeds[0])
    return digest_of(
        {
            "what": "null row",
            "mark": mark,
            "models": _model_digests(experiment),
            "source": source_digest(TriggerTest),
        }
    )


def _claim_digest(experiment: Experiment, entry: Entry) -> str:
    """The digest of a claim's row."""
    input_digest = experiment.input_digests[f"claims/{entry.name}"]
    return digest_of(
        {
            "what": "claim row",
            "claim": entry.name,
            "parameters": asdict(entry_object("claims", entry)),
            "images": experiment.grid.attacker_images,
            "models": _model_digests(experiment),
            "source": input_digest + source_digest(ClaimRow),
        }
    )


def _model_digests(experiment: Experiment) -> list[Any]:
    """The digests of the innocent models that the cache has."""
    architecture, count = experiment.grid.architecture, experiment.grid.null_models
    results = (experiment.cache.result(experiment.null(architecture, i)) for i in range(count))
    return [result.get("model") for result in results if result]


def _null(experiment: Experiment, entry: WatermarkEntry) -> Callable[[], Row]:
    """A function that measures a mark on the innocent models."""

    def measure() -> Row:
        committed = open_commitment(experiment, entry, experiment.grid.seeds[0])
        triggers, scheme = committed.triggers(), committed.scheme

        def extract(model: nn.Module) -> NDArray[np.int64]:
            return scheme.reader().extract(model, triggers.images.copy(), committed.view)

        test = TriggerTest(entry.name, triggers, scheme.labels == DERIVED, extract)
        try:
            return asdict(examine_null(_models(experiment), [test])[0])
        except UsageError as error:
            return {"void": error.message}

    return measure


def _claim(experiment: Experiment, entry: Entry) -> Callable[[], Row]:
    """A function that makes a false claim and measures it on the victims."""

    def measure() -> Row:
        models = _models(experiment)
        if len(models) < LEAST_NULL_MODELS:
            raise UsageError(f"no victims: only {len(models)} innocent models could be trained")
        count = min(max(len(models) // 3, 2), MOST_ACCUSER_MODELS)
        accuser = Adversary(
            data=experiment.shares.adversary(experiment.grid.attacker_images),
            seed=ADVERSARY_SEED,
            device=experiment.device,
        )
        claim = entry_object("claims", entry)
        classes = experiment.data.class_count
        for model in models:
            model.to(experiment.device)
        return asdict(examine_claims(claim, models[count:], models[:count], accuser, classes))

    return measure


def _null_table(rows: list[Row], count: int) -> Table:
    """The table of all marks on ``count`` innocent models."""
    return Table(
        title=f"What each scheme says of {count} innocent models",
        meaning="matches of models that carry no mark; bits by chance of the luckiest (before the "
        "judge's allowances); models that reach a judge's usual threshold; p values of the sum and "
        "of the spread of matches over fresh labels, which are exactly binomial where labels are "
        "derived; labels that an owner chose follow no law",
        head=("watermark", "labels", "leaves", "classes", "expected", "mean", "most",
              "bits of luckiest", "reach the threshold", "p, sum", "p, spread"),
        rows=tuple(_null_row(row) for row in rows),
    )  # fmt: skip


def _null_row(row: Row) -> tuple[str, ...]:
    """The texts of one mark."""
    matches, fresh = row["matches"], row["fresh"]
    return (
        row["label"],
        "derived" if row["derived"] else "declared",
        str(row["trials"]),
        str(row["class_count"]),
        f"{row['trials'] / row['class_count']:.1f}",
        f"{mean(matches):.1f}",
        str(max(matches)),
        f"{row['most_bits']:.1f}",
        f"{round(row['reached'] * len(matches))} of {len(matches)}",
        f"{fresh['p_value']:.3f}" if fresh else "no law",
        f"{fresh['spread_p_value']:.3f}" if fresh else "no law",
    )


def _claims_table(rows: list[Row]) -> Table:
    """The table of all false claims."""
    return Table(
        title="False claims against innocent models",
        meaning="an accuser makes triggers from models of their own, without seeing the victims'; "
        "matches with labels that the accuser chose, and with labels derived from the commitment "
        "(the best of all tries); how many victims reach a judge's usual threshold",
        head=("claim", "tries", "triggers", "needed", "declared: mean", "declared: most",
              "declared: victims", "derived: mean", "derived: most", "derived: victims"),
        rows=tuple(
            (
                row["label"],
                f"{row['tries']:,}",
                str(row["trials"]),
                "" if row["needed_matches"] is None else str(row["needed_matches"]),
                *_matches_and_reached(row, "declared"),
                *_matches_and_reached(row, "derived"),
            )
            for row in rows
        ),
    )  # fmt: skip


def _matches_and_reached(row: Row, labels: str) -> tuple[str, str, str]:
    """Mean and most matches, and how many victims reach the threshold."""
    matches, share = row[f"{labels}_matches"], row[f"{labels}_reached"]
    reached = f"{round(share * len(matches))} of {len(matches)}"
    return f"{mean(matches):.1f}", str(max(matches)), reached
