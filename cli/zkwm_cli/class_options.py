"""Options that judge and owner share: a suspect's outputs and classes, the evidence demanded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from zkwm_cli.artifacts import read_artifact
from zkwm_cli.options import FILE, option
from zkwm_cli.suspect_options import output_name_option

CLASS_MAP_LIMIT = 2**20


def threshold_option() -> Any:  # noqa: ANN401
    """--threshold-bits"""
    return option(
        "--threshold-bits",
        type=click.IntRange(1, 10_000),
        default=40,
        show_default=True,
        metavar="BITS",
        help="Evidence that must be left for 'proven'.",
    )


def tried_option(explanation: str, default: int | None = 1) -> Any:  # noqa: ANN401
    """--functions-tried"""
    return option(
        "--functions-tried",
        type=click.IntRange(1, 1_000_000_000),
        default=default,
        show_default=True,
        metavar="J",
        help=explanation,
    )


def outputs_option() -> Any:  # noqa: ANN401
    """--outputs"""
    return option(
        "--outputs",
        type=click.IntRange(2, 1_000_000),
        metavar="K",
        help="Number of the suspect's outputs (else counted).",
    )


def class_map_option() -> Any:  # noqa: ANN401
    """--class-map"""
    return option(
        "--class-map",
        type=FILE,
        metavar="FILE",
        help="JSON list: the suspect's output for class 0, 1, 2, ... (default: that of the same "
        "name, or the same numbers). What choosing it could gain is deducted.",
    )


def suspect_classes_option() -> Any:  # noqa: ANN401
    """--suspect-classes"""
    return option(
        "--suspect-classes",
        type=FILE,
        metavar="FILE",
        help="Names of the suspect's outputs, from the suspect itself: lines, a JSON list, or a "
        "config.json with id2label (default: what its file or folder says). Equal names are the "
        "class map where the commitment names its classes.",
    )


class NamedOutputs:
    """Reads the files of --class-map and --suspect-classes."""

    class_map: str | None
    suspect_classes: str | None

    def read_suspect_classes(self, model: str) -> tuple[str, ...] | None:
        """The names of the suspect's outputs: of the file named, or as the suspect tells them.

        A class map says that the judge maps by other means: then only a file named counts.
        """
        from zkwm.data.class_names import names_beside, read_class_names

        if self.suspect_classes is not None:
            return read_class_names(self.suspect_classes)
        return None if self.class_map is not None else names_beside(model)

    def read_class_map(self) -> tuple[int, ...] | None:
        """The class map in the file named, or None. Raises Malformed or CouldNotCheck."""
        from zkwm_protocols.errors import Malformed

        if self.class_map is None:
            return None
        try:
            values = json.loads(read_artifact(self.class_map, CLASS_MAP_LIMIT))
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, list) or not all(type(value) is int for value in values):
            raise Malformed(
                f"{self.class_map} is not a class map",
                hint="write a JSON list with the suspect's output for each class, such as "
                "[0, 2, 1]",
            )
        return tuple(values)


@dataclass(frozen=True)
class OutputTerms(NamedOutputs):
    """Which outputs of a file are asked, and what they stand for."""

    outputs: int | None = outputs_option()
    output_name: str = output_name_option()
    class_map: str | None = class_map_option()
    suspect_classes: str | None = suspect_classes_option()
