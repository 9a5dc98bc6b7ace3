"""``zkwm quantize``: the integer network of a suspect's file, for zero-knowledge proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import Output, tell_result
from zkwm_cli.options import as_typed, force_option, json_option, output_option, read_shape
from zkwm_cli.suspect_options import preprocessing_options

if TYPE_CHECKING:
    from zkwm_protocols.integer_network.model import IntegerNetwork
    from zkwm_protocols.suspect_identity import Preprocessing

COMPARED = 500


@click.command("quantize", short_help="Make the integer network of a model's ONNX file.")
@click.argument("model", type=click.Path())
@click.option(
    "--shape",
    callback=read_shape,
    metavar="C,H,W",
    help="Channels, height, width of the images (else as the file says).",
)
@preprocessing_options
@click.option(
    "--calibration",
    type=click.Path(),
    metavar="PATH",
    help="Images to choose scales on instead of the public ones: .npz, .npy or a folder.",
)
@output_option("FILE", "The network")
@force_option
@json_option
def command(
    model: str,
    shape: tuple[int, int, int] | None,
    layout: str,
    scale: str,
    mean: tuple[str, ...],
    std: tuple[str, ...],
    calibration: str | None,
    output: str,
    force: bool,
    as_json: bool,
) -> None:
    """Turn an ONNX classifier into a network over integers, bit for bit alike on any machine.

    Zero-knowledge proofs are about this network. It is compared with the model itself on images
    that no scale was chosen on. Where a model cannot be turned, zkwm challenge --reveal still asks
    it as it is.

    \b
        zkwm quantize marked/model.onnx --output suspect.zknet
    """
    target = Output(output, force=force, as_json=as_json, inputs=(model, calibration))

    from zkwm.data.images import load_images
    from zkwm.files import read_limited
    from zkwm.quantizer import declared_shape, facts, quantize
    from zkwm.quantizer.onnx_file import FILE_LIMIT
    from zkwm_cli.terminal import note, table
    from zkwm_protocols.integer_network import codec
    from zkwm_protocols.suspect_identity import Preprocessing

    with as_typed():
        preprocessing = Preprocessing(layout=layout, scale=scale, mean=mean, std=std)
    data = read_limited(model, FILE_LIMIT)
    shape = shape or declared_shape(data, layout)
    if shape is None:
        raise click.UsageError("the file leaves the size of its images open; say --shape C,H,W")
    images = None if calibration is None else load_images(calibration, shape=shape, fit="exact")
    made = quantize(data, shape=shape, preprocessing=preprocessing, calibration=images)
    found = facts(made.network)
    agreeing = _agreement(made.network, model, preprocessing)
    target.write(codec.to_bytes(made.network))
    table([(number, rest) for number, _, rest in (x.partition(" ") for x in found["layers"])])
    for left_out in made.notes:
        note(left_out)
    note(
        f"{found['lookups_per_image']:,} look-ups an image, {found['table_rows']:,} table rows, "
        f"calibrated on {made.calibration_count} images"
    )
    for name, share in agreeing.items():
        note(f"same label as the model on {100 * share:.1f} % of {COMPARED} {name} images")
    note(f"network {found['digest']}")
    tell_result(
        as_json,
        "quantize",
        path=output,
        **found,
        calibration_images=made.calibration_count,
        calibration_digest=made.calibration_digest.hex(),
        agreement=agreeing,
        notes=list(made.notes),
    )


def _agreement(
    network: IntegerNetwork, model: str, preprocessing: Preprocessing
) -> dict[str, float]:
    """The share of public and of random images with the model's own label, 0 to 1."""
    from zkwm.quantizer import agreement, public_images, random_images
    from zkwm.suspects import open_suspect

    arguments: dict[str, Any] = {"shape": network.shape, "outputs": network.outputs}
    suspect = open_suspect(model, **arguments)
    try:
        return {
            name: agreement(network, suspect, images, preprocessing=preprocessing).share
            for name, images in (
                ("public", public_images(network.shape, COMPARED, test=True)),
                ("random", random_images(network.shape, COMPARED, b"agreement")),
            )
        }
    finally:
        suspect.close()
