"""Make the files zkwm/data/fashion_mnist_small_*.npz.xz from the whole of Fashion-MNIST.

800 training and 200 test images of each class are drawn with numpy's default generator and the seed
2018, and keep their order; every 8,000 / 192th training image stands in a file of its own, too. The
same numpy and liblzma give the same bytes; a test of ``zkwm.data`` holds the digest of the arrays.
Run once, kept for the record:

    python benchmarks/make_bundled_data.py FASHION_MNIST_NPZ FOLDER
"""

from __future__ import annotations

import io
import lzma
import sys
from pathlib import Path

import measure
import numpy as np

PER_CLASS = {"train": 800, "test": 200}
CLASSES = 10
SPREAD_COUNT = 192
SEED = 2018


def main(source: Path, folder: Path) -> None:
    """Draw, pack and write; print one JSON line."""
    generator = np.random.default_rng(SEED)
    whole = np.load(source, allow_pickle=False)
    arrays: dict[str, np.ndarray] = {}
    for part, count in PER_CLASS.items():
        images, labels = whole[f"x_{part}"], whole[f"y_{part}"]
        drawn = [
            generator.choice(np.flatnonzero(labels == label), count, replace=False)
            for label in range(CLASSES)
        ]
        chosen = np.sort(np.concatenate(drawn))
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images[chosen], labels[chosen]
    train = arrays["x_train"]
    arrays["x_spread"] = train[np.arange(SPREAD_COUNT) * len(train) // SPREAD_COUNT]
    written = {}
    for part in (*PER_CLASS, "spread"):
        of_part = {name: array for name, array in arrays.items() if name.endswith(part)}
        plain = io.BytesIO()
        np.savez(plain, allow_pickle=False, **of_part)
        packed = lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)
        (folder / f"fashion_mnist_small_{part}.npz.xz").write_bytes(packed)
        written[part] = len(packed)
    measure.report("bundled data", bytes=written)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
