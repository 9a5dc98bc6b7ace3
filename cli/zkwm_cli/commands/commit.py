"""``zkwm commit``: a commitment to trigger images, before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import Output, tell_result
from zkwm_cli.options import (
    as_typed,
    force_option,
    json_option,
    output_option,
    parameter_option,
    passphrase_option,
    read_shape,
    vault_option,
)

if TYPE_CHECKING:
    from zkwm.data.images import Fit


@click.command("commit", short_help="Commit to trigger images, your own or generated ones.")
@vault_option
@click.option(
    "--generate", type=int, metavar="N", help="Draw N triggers, a multiple of the block (50)."
)
@click.option(
    "--family",
    type=click.Choice(["secret", "blocks", "abstract", "mixture"]),
    help="How generated triggers look: secret (default), blocks (easiest to learn, hardest to "
    "erase), abstract, or mixture (of your own --data).",
)
@click.option(
    "--shape",
    callback=read_shape,
    metavar="C,H,W",
    help="Channels, height, width of a trigger. Needed with --generate.",
)
@click.option(
    "--data",
    type=click.Path(),
    metavar="PATH",
    help="The data set that --family mixture mixes, or that a --watermark is trained with.",
)
@click.option(
    "--images",
    type=click.Path(),
    metavar="PATH",
    help="Your own triggers instead: .npz, .npy, or a folder of images.",
)
@click.option(
    "--labels",
    type=click.Path(),
    metavar="FILE",
    help="Labels that you choose for --images. They prove much less than derived ones.",
)
@click.option(
    "--fit",
    type=click.Choice(["exact", "crop", "resize"]),
    help="What to do with --images of another size than --shape.",
)
@click.option(
    "--classes",
    type=click.IntRange(2, 65_535),
    metavar="C",
    help="Number of classes of the model. Needed but with --watermark.",
)
@click.option(
    "--watermark",
    metavar="NAME",
    help="Commit under this scheme (uchida, tartaglione, deepsigns, ...) instead: to keys or "
    "triggers that it draws. Needs --data, and --owner-model or --architecture.",
)
@parameter_option("With --watermark: a parameter of the scheme.")
@click.option(
    "--owner-model",
    type=click.Path(),
    metavar="MODEL",
    help="With --watermark: your trained, unmarked model. The commitment names it, so that a "
    "suspect's neurons can be aligned with it; keep it.",
)
@click.option(
    "--architecture",
    type=click.Choice(["lenet5", "dense", "cnn2", "cnn3", "cnn", "resnet8", "resnet18"]),
    help="With --watermark: the network, where there is no --owner-model.",
)
@output_option("FILE", "The public commitment")
@force_option
@passphrase_option
@json_option
def command(
    vault: str,
    generate: int | None,
    family: str | None,
    shape: tuple[int, int, int] | None,
    data: str | None,
    images: str | None,
    labels: str | None,
    fit: Fit | None,
    classes: int | None,
    watermark: str | None,
    parameter: tuple[str, ...],
    owner_model: str | None,
    architecture: str | None,
    output: str,
    force: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Commit to trigger images: the secrets go into the vault, the commitment to the public.

    Their labels follow from the commitment itself, so that nobody, you included, can choose them.
    Commit first and train afterwards: a mark is what a model learns from a commitment that exists.

    \b
        zkwm commit --vault acme.vault --generate 200 --shape 1,28,28 \\
            --classes 10 --output acme.commitment
    """
    if watermark is None:
        _require_one_source(generate, family, shape, data, images, labels, fit)
        _require_no_scheme(classes, parameter, owner_model, architecture)
    else:
        _require_no_triggers(generate, family, shape, images, labels, fit, classes)
    target = Output(output, force=force, as_json=as_json, inputs=(vault, labels))

    from zkwm.data import load_data
    from zkwm.data.images import load_images, load_labels
    from zkwm.owner.commit import commit
    from zkwm.owner.vault import Vault
    from zkwm_cli.passphrases import passphrase
    from zkwm_cli.terminal import note, warn

    if watermark is not None:
        if data is None:
            raise click.UsageError("--watermark needs --data, that the mark will be trained with")
        from zkwm_cli.schemes import commit_under

        commitment = commit_under(
            watermark,
            parameter,
            vault=vault,
            passphrase_file=passphrase_file,
            data=data,
            architecture=architecture,
            owner_model=owner_model,
        )
    elif images is not None:
        assert classes is not None
        given = load_images(images, shape=shape, fit=fit or "exact")
        declared = None if labels is None else load_labels(labels, len(given))
        if declared is not None:
            warn(
                "labels that an owner chooses prove little, since adversarial images would match "
                "as well: verdicts on this commitment state no bits, and are 'not proven' unless "
                "the judge accepts declared labels; leave out --labels to have them derived"
            )
        own = Vault.open(vault, passphrase(passphrase_file, of=vault))
        with as_typed():
            commitment = commit(own, given, class_count=classes, declared_labels=declared)
    else:
        assert generate is not None
        assert classes is not None
        assert shape is not None
        mixed = None if data is None else load_data(data).train_images
        own = Vault.open(vault, passphrase(passphrase_file, of=vault))
        commitment = commit(
            own,
            class_count=classes,
            generate_count=generate,
            family=family or "secret",
            shape=shape,
            data=mixed,
        )
    target.write(commitment.to_bytes())
    header = commitment.header
    note(
        f"committed to {header.leaf_count} triggers in {header.block_count} blocks of "
        f"{header.block_size}, {header.label_mode} labels; digest {commitment.digest.hex()}"
    )
    tell_result(
        as_json,
        "commit",
        path=output,
        digest=commitment.digest.hex(),
        triggers=header.leaf_count,
        blocks=header.block_count,
        block_size=header.block_size,
        classes=header.class_count,
        shape=list(header.shape),
        label_mode=header.label_mode,
    )


def _require_no_scheme(
    classes: int | None,
    parameter: tuple[str, ...],
    owner_model: str | None,
    architecture: str | None,
) -> None:
    """Raise a usage error for options that only a scheme has."""
    if parameter or owner_model is not None or architecture is not None:
        raise click.UsageError("--parameter, --owner-model and --architecture go with --watermark")
    if classes is None:
        raise click.UsageError("say --classes, the number of classes of the model")


def _require_no_triggers(*values: object) -> None:
    """Raise a usage error for options that say which triggers or labels there are."""
    if any(value is not None for value in values):
        raise click.UsageError(
            "--watermark draws what it commits to: it goes with --parameter, --data, "
            "--owner-model and --architecture"
        )


def _require_one_source(
    generate: int | None,
    family: str | None,
    shape: tuple[int, int, int] | None,
    data: str | None,
    images: str | None,
    labels: str | None,
    fit: str | None,
) -> None:
    """Raise a usage error unless triggers are either generated or given."""
    if (generate is None) == (images is None):
        raise click.UsageError("say either --generate N or --images PATH")
    foreign = (
        {"--labels": labels, "--fit": fit}
        if generate is not None
        else {"--family": family, "--data": data}
    )
    for name, value in foreign.items():
        if value is not None:
            other = "--images" if generate is not None else "--generate"
            raise click.UsageError(f"{name} goes with {other}")
    if generate is not None and shape is None:
        raise click.UsageError("--generate needs --shape, such as --shape 3,32,32")
    if (family == "mixture") != (data is not None):
        raise click.UsageError("--family mixture and --data go together")
