"""The type of all suspects: what a subclass does not declare is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.dispute import Claimant, TableSuspect, random_images
from tests.support.http_endpoint import IMAGES, PLAIN, open_endpoint
from tests.support.onnx_case import SHAPE, WEIGHTS
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.errors import Unsupported


@pytest.mark.parametrize("kind", ["http", "safetensors", "onnx", "extraction"])
def test_a_suspect_without_a_network_file_says_so(kind: str) -> None:
    shape = (1, 1, 32) if kind == "extraction" else (1, 4, 4)
    suspect = TableSuspect(kind=kind, shape=shape, outputs=2)
    with pytest.raises(Unsupported) as caught:
        suspect.network_file()
    assert caught.value.check == "challenge.network"
    assert caught.value.hint


def test_an_onnx_file_is_its_own_network_file(graphs: Any) -> None:
    path: Path = graphs.linear(WEIGHTS)
    suspect = open_suspect(path, shape=SHAPE)
    suspect.close()
    assert suspect.network_file() == path
    assert suspect.records == ()


def test_only_an_extraction_has_to_say_its_reference() -> None:
    header = Claimant(random_images(50)).commitment.header
    for kind in ("http", "safetensors", "onnx"):
        TableSuspect(kind=kind).check_committed(header)
    with pytest.raises(Unsupported) as caught:
        TableSuspect(kind="extraction", shape=(1, 1, 32), outputs=2).check_committed(header)
    assert caught.value.check == "challenge.suspect"


def test_an_endpoint_has_records(serve: Any) -> None:
    suspect: Suspect = open_endpoint(serve(lambda *_: {"label": 1}).url)
    assert suspect.records == ()
    suspect.answer(IMAGES[:2], PLAIN)
    suspect.close()
    assert [record.attempts for record in suspect.records] == [1, 1]
