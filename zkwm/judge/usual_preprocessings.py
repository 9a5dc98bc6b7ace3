"""Preprocessings that trainers commonly use, to compare a judge's choice with (SPEC.md 6.1).

Most published classifiers were trained with one of these; whoever forgets it, or mistypes it, asks
another function than the one that is in use.
"""

from __future__ import annotations

from zkwm_protocols.suspect_identity import Preprocessing

_HALF = "0.5"
_COLOR = (  # scale, mean, std
    ("unit", (), ()),
    ("unit", ("0.485", "0.456", "0.406"), ("0.229", "0.224", "0.225")),  # ImageNet
    ("unit", ("0.4914", "0.4822", "0.4465"), ("0.2470", "0.2435", "0.2616")),  # CIFAR-10
    ("unit", (_HALF,) * 3, (_HALF,) * 3),  # -1 to 1
    ("raw", (), ()),
)
_CAFFE = ("raw", ("123.68", "116.779", "103.939"), ("1", "1", "1"))  # ImageNet, in the order bgr
_GRAY = (
    ("unit", (), ()),
    ("unit", ("0.1307",), ("0.3081",)),  # MNIST
    ("unit", ("0.2860",), ("0.3530",)),  # Fashion-MNIST
    ("unit", (_HALF,), (_HALF,)),
    ("raw", (), ()),
)


def usual_preprocessings(chosen: Preprocessing, channels: int) -> tuple[Preprocessing, ...]:
    """Usual ways to feed images of so many channels, without the one that was chosen.

    Each keeps the layout that was chosen; one more has the other layout, and for three channels one
    the other order.
    """
    layout, other = chosen.layout, "nchw" if chosen.layout == "nhwc" else "nhwc"
    found = [
        Preprocessing(layout, scale, mean, std, chosen.channels)
        for scale, mean, std in (_COLOR if channels == 3 else _GRAY)
    ]
    if channels == 3:
        found.append(Preprocessing(layout, *_CAFFE, channels="bgr"))
        swapped = "rgb" if chosen.channels == "bgr" else "bgr"
        found.append(_like(chosen, layout, swapped))
    found.append(_like(chosen, other, chosen.channels))
    return tuple(one for one in dict.fromkeys(found) if one != chosen)


def as_arguments(preprocessing: Preprocessing) -> str:
    """The arguments of ``Preprocessing`` that say the same, each as a hint names it."""
    words = []
    if preprocessing.layout != "nchw":
        words.append(f"`layout='{preprocessing.layout}'`")
    if preprocessing.scale != "unit":
        words.append(f"`scale='{preprocessing.scale}'`")
    if preprocessing.mean:
        words.append(f"`mean={preprocessing.mean}`")
        words.append(f"`std={preprocessing.std}`")
    if preprocessing.channels != "rgb":
        words.append(f"`channels='{preprocessing.channels}'`")
    return " ".join(words) or "`scale='unit'`, without `mean` and `std`"


def _like(chosen: Preprocessing, layout: str, channels: str) -> Preprocessing:
    """The preprocessing that was chosen, in another layout or order of channels."""
    return Preprocessing(layout, chosen.scale, chosen.mean, chosen.std, channels)
