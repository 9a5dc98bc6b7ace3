"""All watermarks behind one interface, by name: ``make_watermark("adi", triggers=500)``.

Importing this package does not import torch; a scheme's module is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.plugins import load_class, make

if TYPE_CHECKING:
    from zkwm.watermarks.watermark import Watermark

WATERMARKS = {
    "adi": "zkwm.watermarks.adi:Adi",
    "robust": "zkwm.watermarks.robust:Robust",
    "parametric_perturbation": "zkwm.watermarks.parametric_perturbation:ParametricPerturbation",
    "zhang": "zkwm.watermarks.zhang:Zhang",
    "le_merrer": "zkwm.watermarks.le_merrer:LeMerrer",
    "deepsigns_black_box": "zkwm.watermarks.deepsigns_black_box:DeepSignsBlackBox",
    "uchida": "zkwm.watermarks.uchida:Uchida",
    "deepsigns": "zkwm.watermarks.deepsigns:DeepSigns",
    "tartaglione": "zkwm.watermarks.tartaglione:Tartaglione",
    "dynamarks": "zkwm.watermarks.dynamarks:DynaMarks",
    "dawn": "zkwm.watermarks.dawn:Dawn",
}
"""Each scheme's name and where its class is."""

__all__ = ["WATERMARKS", "make_watermark", "watermark_class"]


def make_watermark(name: str, **parameters: object) -> Watermark:
    """A scheme with its parameters. Raises UsageError for an unknown name or parameter."""
    made: Watermark = make(WATERMARKS, "watermark", name, parameters)
    return made


def watermark_class(name: str) -> type[Watermark]:
    """The class of a scheme. Raises UsageError for an unknown name."""
    found: type[Watermark] = load_class(WATERMARKS, "watermark", name)
    return found
