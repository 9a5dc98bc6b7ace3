"""The versions of what decides a training's result, for its record."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("zkwm", "torch", "numpy", "safetensors", "onnx", "onnxruntime")


def versions() -> dict[str, str]:
    """Python and the packages that are installed, each with its version."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
