"""A dispute about a model behind an endpoint that speaks a published protocol."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.dispute import CLASSES, SHAPE, Claimant, hashed_answers
from tests.support.http_services import Route, kserve, pixels_of
from zkwm.suspects import HttpSettings, Suspect, open_suspect

NAMES = tuple(f"class {number}" for number in range(CLASSES))

ORDER = tuple(int(number) for number in np.random.default_rng(5).permutation(CLASSES))

SHUFFLED = tuple(NAMES[number] for number in ORDER)
"""The suspect's outputs are the classes in another order, and it says so."""

Serve = Callable[..., str]


def table_of(owner: Claimant) -> dict[bytes, int]:
    pairs = zip(owner.images, owner.labels, strict=True)
    return {image.tobytes(): int(label) for image, label in pairs}


def stolen(owner: Claimant, order: tuple[int, ...] = ORDER) -> Callable[[np.ndarray], list[float]]:
    """Scores of a model that carries the mark: 1 for its class, smaller ones for the others."""
    table, rule = table_of(owner), hashed_answers("a thief's model")

    def scores(image: np.ndarray) -> list[float]:
        label = table.get(image.tobytes(), rule(image))
        small = np.random.default_rng(list(image.tobytes()[:8])).random(CLASSES) / 2
        return [1.0 if one == label else float(small[one]) for one in order]

    return scores


def asked(url: str, adapter: str, **options: Any) -> Suspect:
    http = HttpSettings(attempts=1, template=options.pop("template", None))
    return open_suspect(url, shape=SHAPE, adapter=adapter, http=http, **options)


def template(tmp_path: Path, name: str = "template.json", pointer: str = "/answer") -> Path:
    path = tmp_path / name
    text = {
        "schema": "zkwm/template/v1",
        "request": {"picture": "{{png}}"},
        "reply": {"scores": pointer},
    }
    path.write_text(json.dumps(text), encoding="utf-8")
    return path


def kserve_route(scores: Any) -> Route:
    return kserve(scores, shape=(-1, *SHAPE), decode=lambda values: np.rint(values[0] * 255))


def template_route(scores: Any) -> Route:
    def route(_: Any, body: bytes) -> Any:
        image = pixels_of(base64.b64decode(json.loads(body)["picture"]))
        other = hashed_answers("an innocent's model")(image)
        return {"answer": scores(image), "other": [float(one == other) for one in range(CLASSES)]}

    return route
