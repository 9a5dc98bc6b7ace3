"""A suspect behind a service that speaks a published protocol, and the scores it must get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zkwm.suspects import HttpSettings, Suspect, open_suspect
from zkwm_protocols.suspect_identity import Preprocessing

COLOR, GRAY = (3, 4, 6), (1, 4, 6)

CLASSES = 7

NAMES = tuple(f"class {number}" for number in range(CLASSES))

QUICK = {"attempts": 1, "backoff_seconds": 0.01}

RAW = Preprocessing(scale="raw")


def images(shape: tuple[int, int, int], count: int = 5) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, *shape), dtype=np.uint8)


def scores_of(image: np.ndarray) -> list[float]:
    """Scores that depend on every pixel and its place."""
    weights = np.random.default_rng(image.size).normal(size=(CLASSES, image.size))
    return [float(score) for score in weights @ (image.reshape(-1) / 255)]


@contextmanager
def opened(url: str, shape: tuple[int, int, int], **options: Any) -> Iterator[Suspect]:
    http = HttpSettings(**{**QUICK, **options.pop("http", {})})
    suspect = open_suspect(url, shape=shape, http=http, **options)
    try:
        yield suspect
    finally:
        suspect.close()


def require_right(suspect: Suspect, asked: np.ndarray, fed: Preprocessing) -> None:
    """Every answer has the service's scores, to the precision of its input's type."""
    suspect.try_out(fed)
    answers = suspect.answer(asked, fed)
    for image, answer in zip(asked, answers, strict=True):
        assert answer.scores is not None, answer.problem
        np.testing.assert_allclose(answer.scores, scores_of(image), rtol=0, atol=1e-9)


def template(tmp_path: Path, request: Any, reply: dict[str, str]) -> Path:
    path = tmp_path / "template.json"
    value = {"schema": "zkwm/template/v1", "request": request, "reply": reply}
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def whole_pixels(values: np.ndarray) -> np.ndarray:
    """The pixels (c, h, w) of a batch of one, in the scale from 0 to 1."""
    return np.rint(values[0] * 255)
