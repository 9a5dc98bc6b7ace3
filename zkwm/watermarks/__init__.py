"""Watermarking schemes behind one interface: ``make_watermark("adi", triggers=500)``.

Folders, after the taxonomy of Lukas et al. 2022: ``trigger_sets`` (marks in the answers to secret
images), ``parameter_encoding`` (marks in weights or activations) and ``active`` (marks in served
answers). One file is one paper; read ``watermark`` first. Importing this package does not import
torch; a scheme's module is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.named_classes import load_class, make

if TYPE_CHECKING:
    from zkwm.watermarks.watermark import Watermark

WATERMARKS = {
    "adi": "zkwm.watermarks.trigger_sets.adi:Adi",
    "robust": "zkwm.watermarks.trigger_sets.robust:Robust",
    "parametric_perturbation": (
        "zkwm.watermarks.trigger_sets.parametric_perturbation:ParametricPerturbation"
    ),
    "zhang": "zkwm.watermarks.trigger_sets.zhang:Zhang",
    "le_merrer": "zkwm.watermarks.trigger_sets.le_merrer:LeMerrer",
    "deepsigns_black_box": "zkwm.watermarks.trigger_sets.deepsigns_black_box:DeepSignsBlackBox",
    "uchida": "zkwm.watermarks.parameter_encoding.uchida:Uchida",
    "deepsigns": "zkwm.watermarks.parameter_encoding.deepsigns:DeepSigns",
    "tartaglione": "zkwm.watermarks.parameter_encoding.tartaglione:Tartaglione",
    "neuralmark": "zkwm.watermarks.parameter_encoding.neuralmark:NeuralMark",
    "dynamarks": "zkwm.watermarks.active.dynamarks:DynaMarks",
    "dawn": "zkwm.watermarks.active.dawn:Dawn",
}
"""Each scheme's name, and its class as ``module:Class``."""

__all__ = ["WATERMARKS", "make_watermark", "watermark_class"]


def make_watermark(name: str, **parameters: object) -> Watermark:
    """Make a scheme by name. Raises UsageError for an unknown name or parameter."""
    made: Watermark = make(WATERMARKS, "watermark", name, parameters)
    return made


def watermark_class(name: str) -> type[Watermark]:
    """The class of a scheme. Raises UsageError for an unknown name."""
    found: type[Watermark] = load_class(WATERMARKS, "watermark", name)
    return found
