"""``zkwm quantize``: the integer network of a suspect's file, for zero-knowledge proofs."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import OutputOptions, naming, print_result
from zkwm_cli.options import option, options, read_shape
from zkwm_cli.suspect_options import PreprocessingOptions, output_name_option
from zkwm_cli.terminal import note

if TYPE_CHECKING:
    from zkwm.quantizer import Agreement, QuantizedNetwork
    from zkwm_protocols.integer_network.model import IntegerNetwork
    from zkwm_protocols.suspect_identity import Preprocessing


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
    output_name=output_name_option(),
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
    output_name: str,
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
    target = output.target(model, calibration, preprocessing.preprocessor_config)
    note(f"reading {model} and making its integer network")

    from zkwm.data.images import load_images
    from zkwm.files import read_limited
    from zkwm.quantizer.limited_quantizer import declared_shape_limited, quantize_limited
    from zkwm.quantizer.quantized import FILE_LIMIT
    from zkwm_protocols.integer_network import codec
    from zkwm_protocols.suspect_identity import Preprocessing

    data = read_limited(model, FILE_LIMIT)
    layout = Preprocessing(layout=preprocessing.layout)
    with naming(model):
        shape = shape or declared_shape_limited(data, layout, output=output_name)
    if shape is None:
        raise click.UsageError("the file leaves the size of its images open; give --shape C,H,W")
    fed = preprocessing.read(shape)
    images = None if calibration is None else load_images(calibration, shape=shape, fit=None)
    with naming(model):
        result = quantize_limited(
            data, shape=shape, preprocessing=fed, calibration=images, output=output_name
        )
    agreements = _agreements(result.network, model, fed, output_name)
    target.write(codec.to_bytes(result.network))
    _print(result, agreements, output)


def _print(
    result: QuantizedNetwork, agreements: tuple[Agreement, ...], output: OutputOptions
) -> None:
    """Layers, cost and agreement with the model, and the same in JSON."""
    from zkwm.quantizer import facts
    from zkwm_cli.terminal import table

    shown = facts(result.network)
    layers = (layer.partition(" ") for layer in shown["layers"])
    table([(number, description) for number, _, description in layers])
    for left_out in result.notes:
        note(left_out)
    note(
        f"{shown['lookups_per_image']:,} lookups per image, {shown['table_rows']:,} table rows, "
        f"calibrated on {result.calibration_count} images"
    )
    for one in agreements:
        note(one.words())
    refusal = _refusal(agreements)
    note(f"no argument: {refusal}" if refusal else "close enough to the model for an argument")
    note(f"network {shown['digest']}")
    print_result(
        output.as_json,
        "quantize",
        path=output.output,
        **shown,
        calibration_images=result.calibration_count,
        calibration_digest=result.calibration_digest.hex(),
        agreement=[one.to_json() for one in agreements],
        refusal=refusal,
        notes=list(result.notes),
    )


def _agreements(
    network: IntegerNetwork, model: str, preprocessing: Preprocessing, output: str
) -> tuple[Agreement, ...]:
    """How closely the network agrees with the model, on images drawn afresh."""
    from zkwm.quantizer import measure_agreement
    from zkwm.suspects import open_suspect
    from zkwm_protocols.challenge_body import NONCE_BYTES

    suspect = open_suspect(model, shape=network.shape, outputs=network.outputs, output=output)
    with closing(suspect):
        return measure_agreement(
            network, suspect, preprocessing, nonce=secrets.token_bytes(NONCE_BYTES)
        )


def _refusal(agreements: tuple[Agreement, ...]) -> str:
    """Why a judge would issue no challenge for an argument; empty where they would."""
    from zkwm.quantizer.agreement_bounds import require_agreement, require_translation
    from zkwm_protocols.errors import SuspectUnusable

    try:
        require_translation(agreements)
        require_agreement(agreements)
    except SuspectUnusable as error:
        return error.message
    return ""
