"""Options that say which model is asked and how, for challenge and verify alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zkwm_cli.options import parameter_option, read_decimals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])

HEADERS_LIMIT = 64 * 1024
EMBEDDED_PROBES = 500


def suspect_options(function: Function) -> Function:
    """--model, --timeout, --rate and --header-file."""
    for option in (
        click.option(
            "--header-file",
            type=click.Path(),
            metavar="FILE",
            help="HTTP headers for an endpoint, one 'Name: value' a line (for authentication).",
        ),
        click.option(
            "--rate", type=float, metavar="R", help="At most R requests a second to an endpoint."
        ),
        click.option(
            "--timeout", type=float, metavar="S", help="Seconds to wait for one answer (30)."
        ),
        click.option(
            "--model",
            required=True,
            type=click.Path(),
            metavar="MODEL",
            help="The suspect: an .onnx file, a folder or .safetensors made by embed, or an "
            "http(s) URL.",
        ),
    ):
        function = option(function)
    return function


def extraction_options(function: Function) -> Function:
    """--watermark, --parameter, --reference and --probes."""
    for option in (
        click.option(
            "--probes",
            type=click.Path(),
            metavar="PATH",
            help="With --watermark: public images, of your own choice, on which activations or "
            "answers are taken (.npz, .npy, a folder, or fashion-mnist-small), for the schemes "
            "that need them.",
        ),
        click.option(
            "--reference",
            type=click.Path(),
            metavar="MODEL",
            help="With --watermark: the unmarked model that the commitment names. The suspect's "
            "neurons are aligned with it, against permutation and rescaling.",
        ),
        parameter_option("With --watermark: a parameter of the scheme that extraction depends on."),
        click.option(
            "--watermark",
            metavar="NAME",
            help="The commitment is to keys of this scheme (uchida, tartaglione, deepsigns, ...): "
            "extract their bits from the suspect's weights, activations or soft answers.",
        ),
    ):
        function = option(function)
    return function


def preprocessing_options(function: Function) -> Function:
    """--layout, --scale, --mean and --std."""
    for option in (
        click.option(
            "--std", callback=read_decimals, metavar="X,...", help="Divides each channel."
        ),
        click.option(
            "--mean", callback=read_decimals, metavar="X,...", help="Subtracted from each channel."
        ),
        click.option(
            "--scale",
            type=click.Choice(["unit", "raw"]),
            default="unit",
            show_default=True,
            help="Pixels as 0 to 1, or as 0 to 255.",
        ),
        click.option(
            "--layout",
            type=click.Choice(["nchw", "nhwc"]),
            default="nchw",
            show_default=True,
            help="Order of the axes of the suspect's input.",
        ),
    ):
        function = option(function)
    return function


def extracting(
    watermark: str | None, parameter: tuple[str, ...], reference: str | None, probes: str | None
) -> dict[str, Any]:
    """The keyword argument for ``zkwm.open_suspect`` that these options stand for, or none."""
    if watermark is None:
        if parameter or reference is not None or probes is not None:
            raise click.UsageError("--parameter, --reference and --probes go with --watermark")
        return {}
    from zkwm.registry import read_parameters
    from zkwm.suspects import ExtractionSettings
    from zkwm.watermarks import WATERMARKS

    return {
        "extraction": ExtractionSettings(
            watermark=watermark,
            parameters=read_parameters(WATERMARKS, "watermark", watermark, parameter),
            reference=reference,
            probes=None if probes is None else _probes(probes),
        )
    }


def _probes(location: str) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w): those at a path, or the first 500 test images within zkwm."""
    from zkwm.data import EMBEDDED, load_data
    from zkwm.data.images import load_images

    if location == EMBEDDED:
        return load_data(location).test_images[:EMBEDDED_PROBES]
    return load_images(location)


def asking(timeout: float | None, rate: float | None, header_file: str | None) -> dict[str, Any]:
    """The keyword arguments for ``zkwm.open_suspect`` that these options stand for."""
    from zkwm.suspects import HttpSettings, OnnxLimits

    options: dict[str, Any] = {"http": HttpSettings(requests_per_second=rate)}
    if timeout is not None:
        options["http"] = replace(options["http"], request_seconds=timeout)
        options["onnx"] = OnnxLimits(image_seconds=timeout)
    if header_file is not None:
        options["headers"] = _read_headers(header_file)
    return options


def _read_headers(name: str) -> dict[str, str]:
    """Names and values of ``Name: value`` lines. Raises UsageError; shows no value."""
    from zkwm.files import read_limited
    from zkwm_protocols.errors import UsageError

    headers: dict[str, str] = {}
    text = read_limited(name, HEADERS_LIMIT).decode("latin-1")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        header, colon, value = line.partition(":")
        if not colon or not header.strip() or header.strip() in headers:
            raise UsageError(
                f"line {number} of {name} is no header, or one that was there before",
                hint="write one 'Name: value' a line",
            )
        headers[header.strip()] = value.strip()
    return headers
