"""``zkwm embed``: train a built-in network with the triggers of a commitment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.options import force_option, json_option, option, options
from zkwm_cli.training_options import MarkOptions, TrainingOptions

if TYPE_CHECKING:
    from zkwm.training import EmbedResult, Progress
    from zkwm_cli.terminal import ProgressLine
    from zkwm_protocols.commitment import Commitment


@click.command("embed", short_help="Owner: train a model that carries the mark.")
@options(
    mark=MarkOptions,
    training=TrainingOptions,
    output=option(
        "-o",
        "--output",
        required=True,
        type=click.Path(),
        metavar="FOLDER",
        help="Folder for model.onnx, model.safetensors, record.json and, for a built-in network, "
        "config.json.",
    ),
    force=force_option(),
    as_json=json_option(),
)
def command(
    mark: MarkOptions, training: TrainingOptions, output: str, force: bool, as_json: bool
) -> None:
    """Train a network on your data with the triggers of your commitment in every batch.

    --architecture names a built-in network, --model-from one of your own.

    After an interruption the same command resumes the training (FOLDER.checkpoint holds its
    state). Several GPUs or processes: torchrun --nproc-per-node 2 -m zkwm_cli embed ...

    \b
        zkwm embed --vault acme.vault --commitment acme.commitment \\
            --architecture lenet5 --data fashion.npz --output marked/
        zkwm embed --vault acme.vault --commitment acme.commitment \\
            --model-from mynet:build --data fashion.npz --output marked/
    """
    mark.require_consistent()
    training.require_one_network(mark.watermark)
    if not force and Path(output).exists() and _first_process():
        raise click.UsageError(f"{output} exists; choose another name, or use --force")

    if _first_process():
        _announce(training)
    from zkwm.training.saved_model import save_model

    if mark.watermark is not None:
        from zkwm_cli.schemes import embed_under

        committed: Commitment | None
        committed, result = embed_under(mark, training)
    else:
        committed, result = _train(mark, training, Path(f"{output.rstrip('/')}.checkpoint"))
    from zkwm_protocols.opened_words import holds_keys

    evidence = None if committed is None else _evidence(committed, result)
    save_model(output, result, evidence=evidence, overwrite=force)
    if _first_process():
        keys = committed is not None and holds_keys(committed.header)
        _print(result, evidence, output, keys=keys, as_json=as_json)


def _announce(training: TrainingOptions) -> None:
    """Say what is begun, before PyTorch is loaded."""
    from zkwm_cli.terminal import note

    note(f"training {training.architecture or training.model_from} on {training.data}")


def _train(
    mark: MarkOptions, training: TrainingOptions, checkpoint: Path
) -> tuple[Commitment | None, EmbedResult]:
    """Train with the triggers of the commitment, or unmarked; resumes from the checkpoint."""
    from zkwm.data import load_data
    from zkwm.owner.commit import trigger_set
    from zkwm.training import default_settings, embed
    from zkwm_cli.terminal import ProgressLine, note

    data = load_data(training.data)
    # the owner's own code runs before the vault is open
    model = training.model(data, training.seed or 0)
    commitment, triggers = None, None
    if not mark.unmarked:
        commitment = mark.read_commitment()
        triggers = trigger_set(mark.open_vault(), commitment)
    settings = default_settings(
        training.architecture,
        pretrained=training.start is not None,
        images=len(data.train_labels),
        triggers=0 if triggers is None else len(triggers.labels),
        **training.settings(),
    )
    if checkpoint.exists() and _first_process():
        note(f"resuming from {checkpoint}")
    line = ProgressLine(silent=not _first_process())
    try:
        return commitment, embed(
            model,
            data,
            triggers,
            settings=settings,
            checkpoint=checkpoint,
            progress=lambda progress: _show(line, progress),
        )
    finally:
        line.end()


def _print(
    result: EmbedResult,
    evidence: dict[str, Any] | None,
    output: str,
    *,
    keys: bool,
    as_json: bool,
) -> None:
    """What was measured, and the same in JSON; ``keys``: bits are embedded, and no triggers."""
    from zkwm_cli.terminal import duration, note

    note(
        f"trained in {duration(result.seconds)} on {result.device}; test accuracy "
        f"{100 * result.test_accuracy:.2f} % of {result.test_count}"
    )
    if result.trigger_matches is not None:
        counted = "bits of the mark are as committed" if keys else "triggers get their label"
        note(f"{result.trigger_matches} of {result.trigger_count} {counted}")
    note(f"wrote {output}")
    if _half_learned(result) or (
        evidence is not None and evidence["total_bits"] < evidence["threshold_bits"]
    ):
        note(
            "the mark is not learned whole: more --epochs teach the rest; zkwm check --model "
            f"{output} says what a judge would be left with"
        )
    print_result(
        as_json,
        "embed",
        path=output,
        test_accuracy=result.test_accuracy,
        trigger_matches=result.trigger_matches,
        trigger_count=result.trigger_count,
        evidence=evidence,
        seconds=result.seconds,
        device=result.device,
        model_digest=result.model_digest.hex(),
    )


def _half_learned(result: EmbedResult) -> bool:
    """Whether more than a tenth of the triggers do not get their label."""
    matches = result.trigger_matches
    return matches is not None and 10 * matches < 9 * result.trigger_count


def _evidence(commitment: Commitment, result: EmbedResult) -> dict[str, Any] | None:
    """What the matches would be worth with every block opened, under a judge's usual policy."""
    from zkwm_protocols.commitment import LabelMode
    from zkwm_protocols.evidence import MAXIMUM_TRIALS, assess
    from zkwm_protocols.policy import Policy

    header = commitment.header
    stated = header.label_mode == LabelMode.DERIVED and header.leaf_count <= MAXIMUM_TRIALS
    if result.trigger_matches is None or not stated:
        return None
    evidence = assess(
        result.trigger_matches,
        blocks_used=header.block_count,
        block_count=header.block_count,
        block_size=header.block_size,
        class_count=header.class_count,
        policy=Policy(),
    )
    return {
        "commitment": commitment.digest.hex(),
        "blocks_used": header.block_count,
        "matches": evidence.matches,
        "trials": evidence.trials,
        "total_bits": evidence.total_bits,
        "threshold_bits": evidence.threshold_bits,
    }


def _first_process() -> bool:
    """Whether this is the only process, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") in ("", "0")


def _show(line: ProgressLine, progress: Progress) -> None:
    """Epoch, speed, loss and time left on the progress line."""
    from zkwm.training.result import Phase
    from zkwm_cli.terminal import duration

    if progress.phase is Phase.EPOCH:
        place = f"epoch {progress.epoch}/{progress.epochs} done"
    else:
        place = (
            f"epoch {progress.epoch + 1}/{progress.epochs} step {progress.step}/{progress.steps}"
        )
    text = f"{place}, {progress.images_per_second:,.0f} images/s, loss {progress.loss:.3f}"
    if progress.test_accuracy is not None:
        text += f", test {100 * progress.test_accuracy:.1f} %"
    if progress.trigger_matches is not None:
        text += f", triggers {progress.trigger_matches}"
    line.update(f"{text}, {duration(progress.seconds_left)} left")
