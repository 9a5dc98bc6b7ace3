"""The marks that a judge can extract, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.registry import load_class, make
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.extraction.reader import MarkReader

READERS = {
    "uchida": "zkwm.extraction.uchida:UchidaReader",
    "deepsigns": "zkwm.extraction.deepsigns:DeepSignsReader",
    "tartaglione": "zkwm.extraction.tartaglione:TartaglioneReader",
    "dynamarks": "zkwm.extraction.dynamarks:DynaMarksReader",
}
"""Each scheme's name and where its reader is."""

IN_ANSWERS = frozenset(
    {
        "adi",
        "robust",
        "parametric_perturbation",
        "zhang",
        "le_merrer",
        "deepsigns_black_box",
        "dawn",
    }
)
"""The schemes without a reader: a test holds that these are all the others."""


def make_reader(name: str, **parameters: object) -> MarkReader:
    """A reader with its judged parameters. Raises UsageError for an unknown name or parameter."""
    made: MarkReader = make(READERS, "watermark", name, parameters)
    return made


def reader_class(name: str) -> type[MarkReader]:
    """The class of a reader. Raises UsageError for a name that is not extracted."""
    if name in IN_ANSWERS:
        raise UsageError(
            f"{name} is a mark in the answers to trigger images, and is not extracted",
            hint="ask the suspect itself, without a watermark's name",
        )
    found: type[MarkReader] = load_class(READERS, "watermark", name)
    return found
