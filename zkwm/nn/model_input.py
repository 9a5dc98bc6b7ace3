"""Convert uint8 images to a network's input in torch, as a judge's preprocessing states it.

The same steps as ``zkwm.suspects.preprocessing`` takes (SPEC.md 4.3): a mark has to be trained in
the scale in which a judge will ask for it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zkwm_protocols.errors import UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def model_input(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Images uint8 (n, c, h, w) as float32 input, in the layout that the preprocessing names.

    Raises UsageError without one mean and std for each channel (or none), or for the order bgr of
    other than three channels.
    """
    require_channels(preprocessing, images.shape[1])
    # NumPy's path is float64 with one rounding; GPUs without it would differ in the last bit
    values = images.double()
    if preprocessing.scale == "unit":
        values = values / 255
    if preprocessing.mean:
        mean, std = (
            torch.tensor([float(text) for text in part], dtype=torch.float64, device=images.device)
            for part in (preprocessing.mean, preprocessing.std)
        )
        values = (values - mean[:, None, None]) / std[:, None, None]
    values = values.float()
    if preprocessing.channels == "bgr":
        values = values.flip(1)
    return values.permute(0, 2, 3, 1) if preprocessing.layout == "nhwc" else values


def require_channels(preprocessing: Preprocessing, channels: int) -> None:
    """Raise UsageError for a preprocessing of other than ``channels`` channels."""
    if misfit := preprocessing.misfit(channels):
        raise UsageError(misfit[0], hint=misfit[1])
