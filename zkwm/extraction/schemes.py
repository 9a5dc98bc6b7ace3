"""The readers of all marks that are extracted (SPEC.md 19.5), by the scheme's name.

The table is complete: every other watermark is in the answers to trigger images, and a judge
queries the suspect for those instead of reading a mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.named_classes import load_class, make
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.extraction.reader import MarkReader

READERS = {
    "uchida": "zkwm.extraction.uchida:UchidaReader",
    "deepsigns": "zkwm.extraction.deepsigns:DeepSignsReader",
    "tartaglione": "zkwm.extraction.tartaglione:TartaglioneReader",
    "neuralmark": "zkwm.extraction.neuralmark:NeuralMarkReader",
    "dynamarks": "zkwm.extraction.dynamarks:DynaMarksReader",
}
"""The module and class of each scheme's reader."""


def make_reader(name: str, **parameters: object) -> MarkReader:
    """A reader with its judged parameters. Raises UsageError for an unknown name or parameter."""
    reader: MarkReader = make(READERS, "watermark", name, parameters)
    return reader


def reader_class(name: str) -> type[MarkReader]:
    """The class of a reader. Raises UsageError for a scheme whose mark is not extracted."""
    if name not in READERS:
        raise UsageError(
            f"the mark of a watermark {name[:80]!r} is not extracted",
            hint=f"marks are extracted for {', '.join(READERS)}; where a mark is in the answers to "
            "trigger images, ask the suspect itself, without a watermark's name",
        )
    reader: type[MarkReader] = load_class(READERS, "watermark", name)
    return reader
