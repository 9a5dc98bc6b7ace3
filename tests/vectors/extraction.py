"""Writes `extraction.json` of SPEC.md section 15: ``python -m tests.vectors.extraction``.

Every value is the reference implementation's (`tests/reference`), from inputs that are fixed here:
made again, it is the same.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.reference import commitment, extraction
from tests.reference.extraction import Tensor
from tests.vectors.aligned_networks import CLASSES, SHAPE, network_vectors
from tests.vectors.build import hexadecimal, pixels
from tests.vectors.extracted_bits import (
    SCHEMES,
    deepsigns_vectors,
    dynamarks_vectors,
    key_of,
    neuralmark_vectors,
    tartaglione_vectors,
    uchida_vectors,
)
from tests.vectors.folded_networks import folding_vectors
from tests.vectors.generate import FOLDER

KEY_SHAPE = [1, 1, 32]
TOLERANCE = 1e-6
"""Of tensors in unit form and aligned: how far a number may be off, times the tensor's largest."""
SKIPPING = 61_859_132
"""Found by trying: word 45 of this seed's stream is past the last multiple of 2^32 - 65535."""


def scheme_vectors() -> list[dict[str, Any]]:
    """What stands in every key of a scheme."""
    return [
        {
            "scheme": scheme,
            "parameters": parameters,
            "described": extraction.described(parameters),
            "digest": extraction.scheme_digest(scheme, parameters),
        }
        for scheme, parameters in SCHEMES
    ]


def key_vectors() -> list[dict[str, Any]]:
    """Keys and their leaves (5.1)."""
    found = []
    for number, layer in enumerate((0, 3, 65_535)):
        one = key_of("uchida", layer, number)
        salt = pixels(f"key salt {number}", 32)
        found.append(
            {
                "layer": layer, "scheme": one[2:18], "secret": one[18:], "key": one,
                "seed": one[2:], "salt": salt,
                "leaf": commitment.leaf(KEY_SHAPE, None, salt, one),
            }
        )  # fmt: skip
    return found


def stream_vectors() -> dict[str, Any]:
    """Streams, and what is read from them."""
    seed = key_of("uchida", 0, 0)[2:]
    skipping = hashlib.sha256(b"zkwm-scheme-1").digest()[:16] + SKIPPING.to_bytes(14, "big")
    purposes = ("row", "position", "wrong answers", "answers", "a" * 255)
    return {
        "seed": seed,
        "streams": [
            {"purpose": purpose, "bytes": extraction.stream(seed, purpose, 150)}
            for purpose in purposes
        ],
        "signs": {"purpose": "row", "values": extraction.signs(seed, "row", 20)},
        "normals": {
            "purpose": "row",
            "values": [float(value) for value in extraction.normals(seed, "row", 8)],
        },
        "choices": [
            {"seed": own, "purpose": purpose, "count": count, "below": below,
             "values": extraction.choices(own, purpose, count, below)}
            for own, purpose, count, below in (
                (seed, "position", 1, 224), (seed, "position", 5, 10**9),
                (seed, "position", 12, 12), (seed, "position", 4, 2**32 - 1),
                (seed, "position", 0, 0), (skipping, "places", 46, 2**32 - 65535),
            )
        ],
    }  # fmt: skip


def suspect_vectors(networks: list[dict[str, Any]]) -> dict[str, Any]:
    """Digests of networks, and of suspects under a scheme."""
    residual = networks[1]
    models = [
        {"architecture": "resnet8", "shape": SHAPE, "classes": CLASSES, "network": "residual",
         "suspect": suspect, "digest": extraction.model_digest("resnet8", SHAPE, CLASSES, tensors)}
        for suspect, tensors in (
            (None, residual["reference"]),
            (residual["suspects"][1]["name"], residual["suspects"][1]["tensors"]),
        )
    ]  # fmt: skip
    reference, model = (one["digest"] for one in models)
    probes: Tensor = ("uint8", [2, 3, 2, 2], pixels("probes", 24))
    found = [
        {
            "scheme": scheme, "parameters": dict(SCHEMES)[scheme], "model": model,
            "reference": named, "probes": shown,
            "digest": extraction.suspect_digest(
                scheme, dict(SCHEMES)[scheme], model, named, shown
            ),
        }
        for scheme, named, shown in (
            ("uchida", reference, None),
            ("tartaglione", None, None),
            ("deepsigns", reference, probes),
            ("example", None, probes),
        )
    ]  # fmt: skip
    drawn = [
        {"nonce": nonce, "images": images, "numbers": extraction.drawn_probes(nonce, images)}
        for nonce, images in ((bytes(32), 3), (bytes(range(32)), 700))
    ]
    return {"models": models, "suspects": found, "probes": drawn}


def generate() -> dict[str, Any]:
    """The file as a JSON value."""
    networks = network_vectors()
    made: dict[str, Any] = {
        "tolerance": TOLERANCE,
        "schemes": scheme_vectors(),
        "keys": key_vectors(),
        "streams": stream_vectors(),
        **suspect_vectors(networks),
        "uchida": uchida_vectors(),
        "tartaglione": tartaglione_vectors(networks),
        "neuralmark": neuralmark_vectors(networks),
        "deepsigns": deepsigns_vectors(),
        "dynamarks": dynamarks_vectors(),
        "networks": networks,
        "folding": folding_vectors(),
    }
    return {name: hexadecimal(value) for name, value in made.items()}


def main() -> None:
    """Write the file."""
    text = json.dumps(generate(), indent=1, ensure_ascii=False) + "\n"
    (FOLDER / "extraction.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
