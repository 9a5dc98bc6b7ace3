"""Make zkwm/data/fashion_mnist_small.npz.xz from the whole of Fashion-MNIST.

800 training and 200 test images of each class are drawn with numpy's default generator and the seed
2018, and keep their order. The same numpy and liblzma give the same bytes; a test of ``zkwm.data``
holds the digest of the arrays. Run once, kept for the record:

    python benchmarks/make_bundled_data.py FASHION_MNIST_NPZ OUTPUT
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
SEED = 2018


def main(source: Path, output: Path) -> None:
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
    plain = io.BytesIO()
    np.savez(plain, allow_pickle=False, **arrays)
    packed = lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    output.write_bytes(packed)
    sizes = {part: len(arrays[f"x_{part}"]) for part in PER_CLASS}
    measure.report("bundled data", output=output.name, bytes=len(packed), images=sizes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
