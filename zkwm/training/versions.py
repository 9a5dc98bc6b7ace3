"""The versions of everything that can change a training's result, for its record."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("zkwm", "torch", "numpy", "safetensors", "onnx", "onnxruntime")


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """The versions of Python and of the installed ones among ``packages``."""
    installed = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed
