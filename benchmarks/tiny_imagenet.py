"""Ten classes of Tiny ImageNet, from a zip of JPEG files and labels.csv to one .npz file.

labels.csv has a line for each file: file, label, and two names. Files below train/ are training
images, all others test images; grey ones become color images.

    python benchmarks/tiny_imagenet.py tiny-imagenet-10.zip tiny-imagenet-10.npz
"""

from __future__ import annotations

import argparse
import csv
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    """Write the arrays x_train, y_train, x_test and y_test: uint8, images n, h, w, 3."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("output", type=Path)
    chosen = parser.parse_args()
    parts: dict[str, list[tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], int]]] = {
        "train": [],
        "test": [],
    }
    with zipfile.ZipFile(chosen.archive) as archive:
        for row in csv.DictReader(io.StringIO(archive.read("labels.csv").decode())):
            image = Image.open(io.BytesIO(archive.read(row["file"]))).convert("RGB")
            part = "train" if row["file"].startswith("train/") else "test"
            parts[part].append((np.asarray(image, np.uint8), int(row["label"])))
    arrays = {}
    for part, pairs in parts.items():
        arrays[f"x_{part}"] = np.stack([pixels for pixels, _ in pairs])
        arrays[f"y_{part}"] = np.array([label for _, label in pairs], np.uint8)
    np.savez(chosen.output, **arrays)
    print(f"{len(arrays['y_train'])} training and {len(arrays['y_test'])} test images")


if __name__ == "__main__":
    main()
