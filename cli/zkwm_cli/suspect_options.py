"""Options about the suspect: where it is, how it is asked, what its images look like."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli import completions
from zkwm_cli.options import data_set_option, option, parameter_option, read_decimals, usage_errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zkwm_protocols.suspect_identity import Preprocessing

HEADERS_LIMIT = 64 * 1024


def timeout_option() -> Any:  # noqa: ANN401
    """--timeout"""
    return option("--timeout", type=float, metavar="S", help="Seconds to wait for one answer (30).")


@dataclass(frozen=True)
class FileOptions:
    """A suspect that the owner has as a file."""

    model: str = option(
        "--model",
        required=True,
        type=click.Path(),
        metavar="MODEL",
        help="The suspect: an .onnx file, or a folder or .safetensors made by embed.",
    )
    timeout: float | None = timeout_option()

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``zkwm.suspects.open_suspect``."""
        from zkwm.suspects import OnnxLimits

        return {} if self.timeout is None else {"onnx": OnnxLimits(image_seconds=self.timeout)}


@dataclass(frozen=True)
class SuspectOptions:
    """The suspect and the way to reach it."""

    model: str = option(
        "--model",
        required=True,
        type=click.Path(),
        metavar="MODEL",
        help="The suspect: an .onnx file, a folder or .safetensors made by embed, or an http(s) "
        "URL.",
    )
    timeout: float | None = timeout_option()
    rate: float | None = option(
        "--rate", type=float, metavar="R", help="At most R requests a second to an endpoint."
    )
    header_file: str | None = option(
        "--header-file",
        type=click.Path(),
        metavar="FILE",
        help="HTTP headers for an endpoint, one 'Name: value' a line (for authentication).",
    )

    template: str | None = option(
        "--template",
        type=click.Path(),
        metavar="FILE",
        help="With --adapter template, and at verification: the JSON template by which the "
        "endpoint is asked.",
    )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``zkwm.suspects.open_suspect``."""
        from zkwm.suspects import HttpSettings, OnnxLimits

        template = None if self.template is None else Path(self.template)
        settings: dict[str, Any] = {
            "http": HttpSettings(requests_per_second=self.rate, template=template)
        }
        if self.timeout is not None:
            settings["http"] = replace(settings["http"], request_seconds=self.timeout)
            settings["onnx"] = OnnxLimits(image_seconds=self.timeout)
        if self.header_file is not None:
            settings["headers"] = _read_headers(self.header_file)
        return settings


def output_name_option() -> str:
    """The option --output-name."""
    name: str = option(
        "--output-name",
        default="",
        metavar="NAME",
        help="The output that is asked, where the ONNX file (or the model of a kserve endpoint) "
        "has several.",
    )
    return name


def adapter_option() -> str | None:
    """The option --adapter. The names are those of ``zkwm.suspects.http_adapter``."""
    name: str | None = option(
        "--adapter",
        type=click.Choice(["zkwm", "kserve", "torchserve", "huggingface", "template"]),
        help="The protocol that an endpoint speaks (default zkwm, that is zkwm/query/v1): kserve "
        "is the Open Inference Protocol, also of Triton; template is a JSON template (--template).",
    )
    return name


@dataclass(frozen=True)
class ExtractionOptions:
    """The scheme whose mark is extracted from the suspect, where the commitment is to keys."""

    watermark: str | None = option(
        "--watermark",
        shell_complete=completions.extracted_watermarks,
        metavar="NAME",
        help="The commitment is to keys of this scheme (uchida, tartaglione, deepsigns, ...): "
        "extract their bits from the suspect's weights, activations or soft answers.",
    )
    parameter: tuple[str, ...] = parameter_option(
        "With --watermark: a parameter of the scheme that extraction depends on."
    )
    reference: str | None = option(
        "--reference",
        type=click.Path(),
        metavar="MODEL",
        help="With --watermark: the unmarked model that the commitment names. The suspect's "
        "neurons are aligned with it, against permutation and rescaling.",
    )
    probes: str | None = data_set_option(
        "--probes",
        help="With --watermark, for schemes that need probes: the data set that the commitment "
        "names, or fashion-mnist-small where it names none. Your challenge draws 500 images of it.",
    )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``zkwm.suspects.open_suspect``; none without --watermark."""
        if self.watermark is None:
            if self.parameter or self.reference is not None or self.probes is not None:
                raise click.UsageError("--parameter, --reference and --probes go with --watermark")
            return {}
        from zkwm.named_classes import read_parameters
        from zkwm.suspects import ExtractionSettings
        from zkwm.watermarks import WATERMARKS

        return {
            "extraction": ExtractionSettings(
                watermark=self.watermark,
                parameters=read_parameters(WATERMARKS, "watermark", self.watermark, self.parameter),
                reference=self.reference,
                probes=None if self.probes is None else _read_probes(self.probes),
            )
        }


@dataclass(frozen=True)
class PreprocessingOptions:
    """What the suspect expects its images to look like."""

    layout: str = option(
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        default="nchw",
        show_default=True,
        help="Order of the axes of the suspect's input.",
    )
    scale: str = option(
        "--scale",
        type=click.Choice(["unit", "raw"]),
        default="unit",
        show_default=True,
        help="Pixels as 0 to 1, or as 0 to 255.",
    )
    mean: tuple[str, ...] = option(
        "--mean", callback=read_decimals, metavar="X,...", help="Subtracted from each channel."
    )
    std: tuple[str, ...] = option(
        "--std", callback=read_decimals, metavar="X,...", help="Divides each channel."
    )
    channels: str = option(
        "--channels",
        type=click.Choice(["rgb", "bgr"]),
        default="rgb",
        show_default=True,
        help="Order in which the suspect takes the channels (bgr: OpenCV, Caffe).",
    )
    preprocessor_config: str | None = option(
        "--preprocessor-config",
        type=click.Path(),
        metavar="FILE",
        help="Read scale, mean, std and channels from the suspect's preprocessor_config.json "
        "(Hugging Face) or config.json (timm) instead.",
    )

    def read(self, shape: tuple[int, int, int]) -> Preprocessing:
        """The same as a value of the protocols, for images of this shape.

        Raises UsageError, and for the file named what ``read_preprocessor_config`` raises.
        """
        from zkwm_protocols.suspect_identity import Preprocessing

        if self.preprocessor_config is not None:
            from zkwm.suspects import read_preprocessor_config

            if _given("scale", "mean", "std", "channels"):
                raise click.UsageError(
                    "--preprocessor-config says what --scale, --mean, --std and --channels would"
                )
            return read_preprocessor_config(self.preprocessor_config, shape, self.layout)
        with usage_errors():
            return Preprocessing(
                layout=self.layout,
                scale=self.scale,
                mean=self.mean,
                std=self.std,
                channels=self.channels,
            )


def _given(*names: str) -> bool:
    """Whether somebody typed one of these options of the running command."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return any(context.get_parameter_source(name) != default for name in names)


def _read_probes(location: str) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w) at a path, or the test images bundled with zkwm."""
    from zkwm.data import BUNDLED, load_data
    from zkwm.data.images import load_images

    if location == BUNDLED:
        return load_data(location).test_images
    return load_images(location, fit=None)


def _read_headers(name: str) -> dict[str, str]:
    """Names and values of ``Name: value`` lines. Raises UsageError, which shows no value."""
    from zkwm.files import read_limited
    from zkwm_protocols.errors import UsageError

    headers: dict[str, str] = {}
    seen: set[str] = set()
    text = read_limited(name, HEADERS_LIMIT).removeprefix(codecs.BOM_UTF8).decode("latin-1")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        header, colon, value = line.partition(":")
        if not colon or not header.strip() or header.strip().lower() in seen:
            raise UsageError(
                f"line {number} of {name} is not a header, or repeats an earlier one",
                hint="write one 'Name: value' a line",
            )
        headers[header.strip()] = value.strip()
        seen.add(header.strip().lower())
    return headers
