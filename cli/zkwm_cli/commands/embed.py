"""``zkwm embed``: train a built-in network with the triggers of a commitment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import read_parsed, require_one_stdin, tell_result
from zkwm_cli.options import FILE, force_option, json_option, parameter_option, passphrase_option

if TYPE_CHECKING:
    from zkwm.training import EmbedResult, Progress
    from zkwm.triggers import TriggerSet
    from zkwm_cli.terminal import ProgressLine
    from zkwm_protocols.commitment import Commitment


@click.command("embed", short_help="Owner: train a model that carries the mark.")
@click.option("--vault", type=click.Path(), metavar="FILE", help="The owner's vault.")
@click.option("--commitment", type=FILE, metavar="FILE", help="The commitment; - is stdin.")
@click.option(
    "--unmarked",
    is_flag=True,
    help="Train without triggers instead: for comparison, or as a --start.",
)
@click.option(
    "--architecture",
    required=True,
    type=click.Choice(["lenet5", "dense", "cnn2", "cnn3", "cnn", "resnet8", "resnet18"]),
    help="The network.",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(),
    metavar="PATH",
    help="Data to train on: .npz, a folder, or fashion-mnist-small (inside zkwm).",
)
@click.option(
    "--start",
    type=click.Path(),
    metavar="MODEL",
    help="Mark this trained model instead of a new one (model.safetensors or its folder).",
)
@click.option(
    "--watermark",
    metavar="NAME",
    help="Train in the mark of this scheme, under which the commitment was made.",
)
@parameter_option("With --watermark: a parameter of the scheme.")
@click.option(
    "--method",
    type=click.Choice(["robust", "plain"]),
    default="robust",
    show_default=True,
    help="Train triggers in so that they survive attacks, or plainly (Adi et al. 2018): faster.",
)
@click.option("--epochs", type=int, metavar="N", help="Passes over the data.")
@click.option("--batch-size", type=int, metavar="N", help="Training images in a batch.")
@click.option("--triggers-per-batch", type=int, metavar="K", help="Triggers added to each batch.")
@click.option("--learning-rate", type=float, metavar="R", help="Learning rate at the start.")
@click.option("--seed", type=int, metavar="N", help="Seed of weights and order.")
@click.option(
    "--device", default="auto", show_default=True, metavar="D", help="auto, cpu, cuda or cuda:N."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(),
    metavar="FOLDER",
    help="Folder for model.onnx, model.safetensors, config.json and record.json.",
)
@force_option
@passphrase_option
@json_option
def command(
    vault: str | None,
    commitment: str | None,
    unmarked: bool,
    architecture: str,
    data: str,
    start: str | None,
    watermark: str | None,
    parameter: tuple[str, ...],
    output: str,
    force: bool,
    passphrase_file: str | None,
    as_json: bool,
    **settings: Any,  # noqa: ANN401
) -> None:
    """Train a network on your data with the triggers of your commitment in every batch.

    After an interruption the same command goes on where it was (FOLDER.checkpoint holds the
    state). Several GPUs or processes: torchrun --nproc-per-node 2 -m zkwm_cli embed ...

    \b
        zkwm embed --vault acme.vault --commitment acme.commitment \\
            --architecture lenet5 --data fashion.npz --output marked/
    """
    require_one_stdin(commitment=commitment, passphrase_file=passphrase_file)
    _require_sources(vault, commitment, output, unmarked=unmarked, force=force)
    _require_passphrase_for_all(passphrase_file, unmarked=unmarked)

    if watermark is not None or parameter:
        if watermark is None or vault is None or commitment is None:
            raise click.UsageError("--parameter goes with --watermark, which is no --unmarked")
        from zkwm_cli.schemes import embed_under

        marked, result = embed_under(
            watermark,
            parameter,
            vault=vault,
            passphrase_file=passphrase_file,
            commitment=commitment,
            data=data,
            architecture=architecture,
            start=start,
            settings={name: value for name, value in settings.items() if value is not None},
        )
        _finish(output, marked, result, force=force, as_json=as_json)
        return

    from zkwm.data import load_data
    from zkwm.nn.architectures import build_model, channel_statistics
    from zkwm.nn.model_file import load_model
    from zkwm.training import default_settings, embed
    from zkwm_cli.terminal import ProgressLine, note
    from zkwm_protocols.errors import UsageError

    chosen = {name: value for name, value in settings.items() if value is not None}
    examples = load_data(data)
    committed, triggers = (None, None)
    if not unmarked:
        committed, triggers = _triggers(str(vault), str(commitment), passphrase_file)
    plan = default_settings(
        architecture,
        pretrained=start is not None,
        images=len(examples.train_labels),
        triggers=0 if triggers is None else len(triggers.labels),
        **chosen,
    )
    if start is not None:
        model = load_model(start)
        if model.config.architecture != architecture:
            raise UsageError(
                f"{start} is a {model.config.architecture}, not a {architecture}",
                hint=f"say --architecture {model.config.architecture}",
            )
    else:
        channels, height, width = examples.train_images.shape[1:]
        mean, std = channel_statistics(examples.train_images)
        model = build_model(
            architecture,
            shape=(channels, height, width),
            class_count=examples.class_count,
            mean=mean,
            std=std,
            seed=plan.seed,
        )
    other = not _first_process()
    checkpoint = Path(f"{output.rstrip('/')}.checkpoint")
    if checkpoint.exists() and not other:
        note(f"going on from {checkpoint}")
    line = ProgressLine(silent=other)
    try:
        result = embed(
            model,
            examples,
            triggers,
            settings=plan,
            checkpoint=checkpoint,
            progress=lambda progress: _show(line, progress),
        )
    finally:
        line.end()
    _finish(output, committed, result, force=force, as_json=as_json)


def _finish(
    output: str,
    committed: Commitment | None,
    result: EmbedResult,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Write the folder, and tell what was measured; in the first process only."""
    from zkwm.training.saved_model import save_model as save
    from zkwm_cli.terminal import duration, note

    evidence = _evidence(committed, result)
    save(output, result, evidence=evidence, overwrite=force)
    if not _first_process():
        return
    note(
        f"trained in {duration(result.seconds)} on {result.device}; test accuracy "
        f"{100 * result.test_accuracy:.2f} % of {result.test_count}"
    )
    if result.trigger_matches is not None:
        note(f"{result.trigger_matches} of {result.trigger_count} triggers get their label")
    note(f"wrote {output}")
    tell_result(
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


def _require_sources(
    vault: str | None, commitment: str | None, output: str, *, unmarked: bool, force: bool
) -> None:
    """Raise a usage error unless the triggers' source and the output make sense."""
    if unmarked and (vault or commitment):
        raise click.UsageError("--unmarked takes neither --vault nor --commitment")
    if not unmarked and not (vault and commitment):
        raise click.UsageError("say --vault and --commitment (or --unmarked, for no mark at all)")
    if not force and Path(output).exists() and _first_process():
        raise click.UsageError(f"{output} exists; choose another name, or say --force")


def _require_passphrase_for_all(passphrase_file: str | None, *, unmarked: bool) -> None:
    """Raise a usage error where several processes would ask one person for one passphrase."""
    from zkwm_cli.passphrases import VARIABLE

    several = os.environ.get("WORLD_SIZE", "1") not in ("", "1")
    if several and not unmarked and passphrase_file in (None, "-") and VARIABLE not in os.environ:
        raise click.UsageError(f"under torchrun, say --passphrase-file FILE or set {VARIABLE}")


def _triggers(
    vault: str, commitment: str, passphrase_file: str | None
) -> tuple[Commitment, TriggerSet]:
    """The commitment and its triggers with their labels."""
    from zkwm.owner.commit import trigger_set
    from zkwm.owner.vault import Vault
    from zkwm_cli.passphrases import passphrase
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment

    committed = read_parsed(commitment, FILE_LIMIT, Commitment.from_bytes)
    own = Vault.open(vault, passphrase(passphrase_file, of=vault))
    return committed, trigger_set(own, committed)


def _evidence(committed: Commitment | None, result: EmbedResult) -> dict[str, Any] | None:
    """What the matches would be worth with every block opened, under a judge's usual policy."""
    from zkwm_protocols.commitment import DERIVED
    from zkwm_protocols.evidence import MAXIMUM_TRIALS, Policy, assess

    if committed is None or result.trigger_matches is None:
        return None
    header = committed.header
    if header.label_mode != DERIVED or header.leaf_count > MAXIMUM_TRIALS:
        return None
    found = assess(
        result.trigger_matches,
        blocks_used=header.block_count,
        block_count=header.block_count,
        block_size=header.block_size,
        class_count=header.class_count,
        policy=Policy(),
    )
    return {
        "commitment": committed.digest.hex(),
        "blocks_used": header.block_count,
        "matches": found.matches,
        "trials": found.trials,
        "total_bits": found.total_bits,
        "threshold_bits": found.threshold_bits,
    }


def _first_process() -> bool:
    """Whether this is the only process, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") in ("", "0")


def _show(line: ProgressLine, progress: Progress) -> None:
    from zkwm_cli.terminal import duration

    if progress.phase == "epoch":
        where = f"epoch {progress.epoch}/{progress.epochs} done"
    else:
        where = (
            f"epoch {progress.epoch + 1}/{progress.epochs} step {progress.step}/{progress.steps}"
        )
    text = f"{where}, {progress.images_per_second:,.0f} images/s, loss {progress.loss:.3f}"
    if progress.test_accuracy is not None:
        text += f", test {100 * progress.test_accuracy:.1f} %"
    if progress.trigger_matches is not None:
        text += f", triggers {progress.trigger_matches}"
    line.update(f"{text}, {duration(progress.seconds_left)} left")
