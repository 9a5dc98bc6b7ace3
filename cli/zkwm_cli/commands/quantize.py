"""``zkwm quantize``: the integer network of a suspect's file, for zero-knowledge proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import OutputOptions, print_result
from zkwm_cli.options import option, options, read_shape
from zkwm_cli.suspect_options import PreprocessingOptions

if TYPE_CHECKING:
    from zkwm.quantizer import QuantizedNetwork
    from zkwm_protocols.integer_network.model import IntegerNetwork
    from zkwm_protocols.suspect_identity import Preprocessing

COMPARED = 500


@click.command("quantize", short_help="Make the integer network of a model's ONNX file.")
@click.argument("model", type=click.Path())
@options(
    shape=option(
        "--shape",
        callback=read_shape,
        metavar="C,H,W",
        help="Channels, height, width of the images (else as the file says).",
    ),
    preprocessing=PreprocessingOptions,
    calibration=option(
        "--calibration",
        type=click.Path(),
        metavar="PATH",
        help="Images to choose scales on instead of the public ones: .npz, .npy or a folder.",
    ),
    output=OutputOptions,
)
def command(
    model: str,
    shape: tuple[int, int, int] | None,
    preprocessing: PreprocessingOptions,
    calibration: str | None,
    output: OutputOptions,
) -> None:
    """Turn an ONNX classifier into an integer network, identical bit for bit on any machine.

    Zero-knowledge proofs are about this network. It is compared with the model itself on images
    that no scale was chosen on. For a model that cannot be turned, zkwm challenge --reveal still
    asks the model itself.

    \b
        zkwm quantize marked/model.onnx --output suspect.zknet
    """
    target = output.target(model, calibration)

    from zkwm.data.images import load_images
    from zkwm.files import read_limited
    from zkwm.quantizer import declared_shape, quantize
    from zkwm.quantizer.onnx_file import FILE_LIMIT
    from zkwm_protocols.integer_network import codec

    fed = preprocessing.read()
    data = read_limited(model, FILE_LIMIT)
    shape = shape or declared_shape(data, preprocessing.layout)
    if shape is None:
        raise click.UsageError("the file leaves the size of its images open; give --shape C,H,W")
    images = None if calibration is None else load_images(calibration, shape=shape, fit="exact")
    result = quantize(data, shape=shape, preprocessing=fed, calibration=images)
    agreement = _agreement(result.network, model, fed)
    target.write(codec.to_bytes(result.network))
    _print(result, agreement, output)


def _print(result: QuantizedNetwork, agreement: dict[str, float], output: OutputOptions) -> None:
    """Layers, cost and agreement with the model, and the same in JSON."""
    from zkwm.quantizer import facts
    from zkwm_cli.terminal import note, table

    shown = facts(result.network)
    layers = (layer.partition(" ") for layer in shown["layers"])
    table([(number, description) for number, _, description in layers])
    for left_out in result.notes:
        note(left_out)
    note(
        f"{shown['lookups_per_image']:,} lookups per image, {shown['table_rows']:,} table rows, "
        f"calibrated on {result.calibration_count} images"
    )
    for name, share in agreement.items():
        note(f"same label as the model on {100 * share:.1f} % of {COMPARED} {name} images")
    note(f"network {shown['digest']}")
    print_result(
        output.as_json,
        "quantize",
        path=output.output,
        **shown,
        calibration_images=result.calibration_count,
        calibration_digest=result.calibration_digest.hex(),
        agreement=agreement,
        notes=list(result.notes),
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
