"""Options of ``zkwm commit``: triggers generated or given, or drawn by a scheme."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import click

from zkwm_cli import completions
from zkwm_cli.options import FILE, data_set_option, option, parameter_option, read_shape

if TYPE_CHECKING:
    from zkwm.data.images import Fit


@dataclass(frozen=True)
class TriggerOptions:
    """Where the triggers come from, and how many classes their labels have."""

    generate: int | None = option(
        "--generate", type=int, metavar="N", help="Draw N triggers, a multiple of the block (50)."
    )
    family: str | None = option(
        "--family",
        type=click.Choice(["secret", "blocks", "abstract", "mixture"]),
        help="How generated triggers look: secret (default), blocks (easiest to learn, hardest to "
        "erase), abstract, or mixture (of your own --data).",
    )
    shape: tuple[int, int, int] | None = option(
        "--shape",
        callback=read_shape,
        metavar="C,H,W",
        help="Channels, height, width of a trigger. Needed with --generate.",
    )
    data: str | None = data_set_option(
        "--data",
        help="The data set that --family mixture mixes, or that a --watermark is trained with.",
    )
    images: str | None = option(
        "--images",
        type=click.Path(),
        metavar="PATH",
        help="Your own triggers instead: .npz, .npy, or a folder of images.",
    )
    labels: str | None = option(
        "--labels",
        type=click.Path(),
        metavar="FILE",
        help="Labels that you choose for --images. They prove much less than derived ones.",
    )
    fit: Fit | None = option(  # noqa: RUF009 - a literal, as the others are
        "--fit",
        type=click.Choice(["exact", "crop", "resize"]),
        help="What to do with --images of another size than --shape.",
    )
    class_names: str | None = option(
        "--class-names",
        type=FILE,
        metavar="FILE",
        help="Names of the classes: lines, a JSON list, or a config.json with id2label. With them "
        "a judge maps labels to a suspect's outputs by equal names, at no cost in evidence.",
    )
    classes: int | None = option(
        "--classes",
        type=click.IntRange(2, 65_535),
        metavar="C",
        help="Number of classes of the model. Needed unless there is a --watermark.",
    )

    def require_one_source(self) -> None:
        """Raise a usage error unless triggers are either generated or given, and complete."""
        if (self.generate is None) == (self.images is None):
            raise click.UsageError("give either --generate N or --images PATH")
        if self.generate is None:
            foreign, other = {"--family": self.family, "--data": self.data}, "--generate"
        else:
            foreign, other = {"--labels": self.labels, "--fit": self.fit}, "--images"
        for name, value in foreign.items():
            if value is not None:
                raise click.UsageError(f"{name} goes with {other}")
        if self.generate is not None:
            self.trigger_shape()
        if (self.family == "mixture") != (self.data is not None):
            raise click.UsageError("--family mixture and --data go together")
        self.class_count()

    def require_none(self) -> None:
        """Raise a usage error for options that say which triggers or labels there are."""
        given = {one.name for one in fields(self) if getattr(self, one.name) is not None}
        if given - {"data", "class_names"}:
            raise click.UsageError(
                "--watermark draws what it commits to: it goes with --parameter, --data, "
                "--class-names, --owner-model and --architecture"
            )

    def trigger_shape(self) -> tuple[int, int, int]:
        """--shape, which --generate needs."""
        if self.shape is None:
            raise click.UsageError("--generate needs --shape, such as --shape 3,32,32")
        return self.shape

    def read_class_names(self) -> tuple[str, ...] | None:
        """The names in --class-names, or None.

        Raises UsageError unless there is one for each class, where --classes is given.
        """
        from zkwm.data.class_names import read_class_names

        if self.class_names is None:
            return None
        names = read_class_names(self.class_names)
        if self.classes is not None and len(names) != self.classes:
            raise click.UsageError(
                f"--class-names has {len(names)} names, and --classes says {self.classes}"
            )
        return names

    def class_count(self) -> int:
        """--classes, which everything but --watermark needs."""
        if self.classes is None:
            raise click.UsageError("give --classes, the number of classes of the model")
        return self.classes


@dataclass(frozen=True)
class SchemeOptions:
    """A watermarking scheme that draws what it commits to."""

    watermark: str | None = option(
        "--watermark",
        shell_complete=completions.watermarks,
        metavar="NAME",
        help="Commit under this scheme (uchida, tartaglione, deepsigns, ...) instead: to keys or "
        "triggers that it draws. Needs --data, and --owner-model or --architecture.",
    )
    parameter: tuple[str, ...] = parameter_option("With --watermark: a parameter of the scheme.")
    owner_model: str | None = option(
        "--owner-model",
        type=click.Path(),
        metavar="MODEL",
        help="With --watermark: your trained, unmarked model. The commitment names it, so that a "
        "suspect's neurons can be aligned with it; keep it.",
    )
    architecture: str | None = option(
        "--architecture",
        type=click.Choice(
            ["lenet5", "dense", "cnn2", "cnn3", "cnn", "resnet8", "resnet18", "airbench"]
        ),
        help="With --watermark: the network, where there is no --owner-model.",
    )

    def require_none(self) -> None:
        """Raise a usage error for options that only a scheme has."""
        if self.parameter or self.owner_model is not None or self.architecture is not None:
            raise click.UsageError(
                "--parameter, --owner-model and --architecture go with --watermark"
            )
