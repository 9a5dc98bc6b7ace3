"""Names of the built-in architectures, readable without torch."""

from __future__ import annotations

ARCHITECTURES = ("lenet5", "dense", "cnn2", "cnn3", "cnn", "resnet8", "resnet18", "airbench")
"""The built-in classifiers that ``build_model`` makes."""
