"""A suspect behind an endpoint on 127.0.0.1 for tests: how to open it, ask it, and reply."""

from __future__ import annotations

from typing import Any

import numpy as np

from zkwm.suspects import Answer, HttpSettings, open_suspect
from zkwm.suspects.http_suspect import HttpSuspect
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 2, 2)


PLAIN = Preprocessing()


IMAGES = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), dtype=np.uint8)


PATIENT = HttpSettings(attempts=2, backoff_seconds=0.01)


def send(handler: Any, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def open_endpoint(url: str, outputs: int | None = 4, **options: Any) -> HttpSuspect:
    suspect = open_suspect(url, shape=SHAPE, outputs=outputs, **{"http": PATIENT, **options})
    assert isinstance(suspect, HttpSuspect)
    return suspect


def first_answer(url: str, **options: Any) -> Answer:
    suspect = open_endpoint(url, **options)
    try:
        return suspect.answer(IMAGES[:1], PLAIN)[0]
    finally:
        suspect.close()
