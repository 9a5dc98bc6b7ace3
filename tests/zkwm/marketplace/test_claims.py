"""What a claim takes along to the process that settles it: marks, decoys, images of the task."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import TestJudge, random_images
from tests.support.extraction_case import COUNT, new_case
from zkwm.marketplace import Claim, Marketplace
from zkwm.marketplace.claims import pack_claim, unpack_claim
from zkwm.marketplace.label_seeds import known_seed
from zkwm.marketplace.worker import settle
from zkwm.suspects import ExtractionSettings, HttpSettings
from zkwm.suspects.onnx_frames import read_frame, write_frame
from zkwm_protocols.errors import UsageError


def sent(claim: Claim) -> Claim:
    """The claim as the other process reads it."""
    pipe = BytesIO()
    for frame in pack_claim(claim):
        write_frame(pipe, frame)
    pipe.seek(0)
    read = unpack_claim(lambda: read_frame(pipe, 1 << 30))
    assert pipe.read() == b""
    return read


def test_options_go_through_the_pipe(tmp_path: Path) -> None:
    http = HttpSettings(attempts=7, template=tmp_path / "t.json")
    options = {"http": http, "output_names": ("a", "b"), "headers": {"Authorization": "x"}}
    claim = Claim("0" * 64, "https://a.example/m", b"proof", options)
    read = sent(claim)
    assert (read.case, read.suspect, read.proof) == (claim.case, claim.suspect, claim.proof)
    assert read.options == options
    assert read.decoys is read.images is None
    assert "Authorization" not in repr(claim)


def test_decoys_images_and_probes_reach_the_one_who_settles(tmp_path: Path) -> None:
    decoys, images, probes = (random_images(3 + n, n, (3, 4, 5)) for n in range(3))
    settings = ExtractionSettings("deepsigns", {"floor": 0.1}, tmp_path / "unmarked", probes)
    claim = Claim("0" * 64, tmp_path, None, {"extraction": settings}, decoys, images[:, :, ::-1])
    given: dict[str, Any] = {}

    class Desk(Marketplace):
        def __init__(self) -> None: ...

        def settle(self, suspect: Any, case: Any, proof: Any = None, **options: Any) -> Any:
            given.update(options, suspect=suspect, proof=proof)

        def case(self, case: Any) -> Any:
            return SimpleNamespace(outcome="proven")

    settle(Desk(), sent(claim))
    assert given["suspect"] == str(tmp_path)
    assert given["proof"] is None
    np.testing.assert_array_equal(given["decoys"], decoys)
    np.testing.assert_array_equal(given["images"], images[:, :, ::-1])
    read = given["extraction"]
    assert (read.watermark, read.parameters) == ("deepsigns", {"floor": 0.1})
    assert read.reference == str(tmp_path / "unmarked")
    np.testing.assert_array_equal(read.probes, probes)


def test_one_array_of_many_claims_is_not_copied() -> None:
    decoys = random_images(5)
    frames = [pack_claim(Claim("0" * 64, "a.onnx", decoys=decoys))[3] for _ in range(3)]
    assert all(np.shares_memory(np.asarray(frame), decoys) for frame in frames)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"decoys": np.zeros((2, 1, 8, 8))}, "decoys of a claim"),
        ({"images": np.zeros((2, 8), np.uint8)}, "images of a claim"),
        ({"images": [[1]]}, "images of a claim"),
        ({"images": np.broadcast_to(np.uint8(0), (1 << 20, 3, 64, 64))}, "at most 2 GiB"),
        (
            {"options": {"extraction": ExtractionSettings("uchida", {"a": object()})}},
            "number or text",
        ),
        ({"options": {"extraction": {"watermark": "uchida"}}}, "has no option"),
    ],
)
def test_what_cannot_be_sent_is_refused(claim: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        pack_claim(Claim("0" * 64, "a.onnx", **claim))


@pytest.fixture
def desk(tmp_path: Path, judge: TestJudge, quick_labels: None) -> Iterator[Marketplace]:
    with Marketplace(tmp_path / "market", judge) as market:
        yield market


def test_extracted_marks_are_settled_by_other_processes(
    desk: Marketplace, judge: TestJudge, tmp_path: Path
) -> None:
    case = new_case(tmp_path)
    name = desk.register(case.commitment)
    with known_seed(desk._database, judge.key, case.commitment):
        pass  # kept: the other process derives none
    model = case.folder / "marked"
    with case.suspect(model) as suspect:
        challenge = desk.challenge(name, suspect, reveal=COUNT)
    desk.answer(challenge, case.answered(judge, challenge))
    named = ExtractionSettings("uchida", {}, tmp_path / "unmarked")
    unaligned = ExtractionSettings("uchida")
    claims = [Claim(challenge, model, options={"extraction": one}) for one in (unaligned, named)]
    with desk.verify_many(claims, processes=1) as run:
        first, second = run
    assert first.error is not None
    assert first.error.check == "challenge.suspect"
    assert (second.outcome, second.error) == ("proven", None)
