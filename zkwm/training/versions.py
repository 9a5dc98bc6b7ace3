"""The versions of what decides a training's result, for its record."""

from __future__ import annotations

import platform
from importlib import metadata

PACKAGES = ("zkwm", "torch", "numpy", "safetensors", "onnx", "onnxruntime")


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Python and those of ``packages`` that are installed, each with its version."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
