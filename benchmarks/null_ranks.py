"""Rank sums (SPEC.md 8.4) of the unmarked networks of null_models.py, against their exact law.

For each scheme of trigger images with derived labels, 1,000 fresh label sets for every network: how
many have p-values of at most 2^-1, 2^-5 and 2^-10, and a chi-square test of all rank sums. One JSON
line for each scheme, and one for all schemes together.

    python benchmarks/null_ranks.py --data fashion-mnist.npz --models FOLDER --output LINES
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from null_models import SCHEMES, prepare, report
from numpy.typing import NDArray
from torch import nn

from zkwm.evaluation.null_hypothesis.ranks import examine_ranks
from zkwm.evaluation.null_hypothesis.significance import together
from zkwm.extraction.reader import BLACK_BOX
from zkwm.watermarks import make_watermark
from zkwm.watermarks.watermark import DERIVED, Watermark


def main() -> None:
    """Print one JSON line for each scheme, and one for all."""
    networks, output = prepare(str(__doc__).splitlines()[0])
    spreads = []
    with tempfile.TemporaryDirectory() as folder:
        owner = networks.owner(Path(folder))
        for name, parameters in SCHEMES:
            scheme = make_watermark(name, **parameters)
            if scheme.access != BLACK_BOX or scheme.labels != DERIVED:
                continue
            triggers = scheme.trigger_set(owner, scheme.commit(owner))
            row = examine_ranks(
                networks.all_innocent,
                " ".join([name, *map(str, parameters.values())]),
                triggers,
                partial(_scores, scheme, triggers.images),
            )
            spreads.append(row.spread)
            figures = networks.shared | {"parameters": parameters} | asdict(row) | {"scheme": name}
            report(output, "null ranks", figures)
    report(output, "null ranks together", networks.shared | asdict(together(spreads)))


def _scores(scheme: Watermark, images: NDArray[np.uint8], model: nn.Module) -> NDArray[np.float64]:
    """The scores of a model for the trigger images, float64 (n, C)."""
    scores = scheme.scores(model, images)
    assert scores is not None  # a black-box mark has scores
    return scores


if __name__ == "__main__":
    main()
