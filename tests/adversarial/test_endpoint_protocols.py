"""Endpoints that speak other protocols: an honest case passes by each, and none is exchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import CLASSES, Claimant, hashed_answers, refused
from tests.support.endpoint_dispute import (
    SHUFFLED,
    Serve,
    asked,
    kserve_route,
    stolen,
    table_of,
    template,
    template_route,
)
from tests.support.http_services import huggingface, torchserve
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Outcome
from zkwm.suspects import HttpSettings
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, NotProven, UsageError


@pytest.mark.parametrize(
    ("adapter", "make", "statistic"),
    [
        ("kserve", kserve_route, "matches"),
        ("kserve", kserve_route, "ranks"),
        ("torchserve", lambda scores: torchserve(scores, names=SHUFFLED, best=None), "ranks"),
        ("torchserve", lambda scores: torchserve(scores, names=SHUFFLED, best=5), "matches"),
        ("huggingface", lambda scores: huggingface(scores, names=SHUFFLED), "ranks"),
        ("template", template_route, "matches"),
    ],
)
def test_a_marked_model_behind_an_endpoint_is_proven(
    judge: Judge,
    named_owner: Claimant,
    serve: Serve,
    tmp_path: Path,
    adapter: str,
    make: Any,
    statistic: str,
) -> None:
    """Challenge and verdict name the protocol; verification takes it from the challenge."""
    url = serve(make(stolen(named_owner)))
    file = template(tmp_path) if adapter == "template" else None
    # a template's list of scores has no names in it, and kserve's outputs have numbers
    suspect = asked(url, adapter, template=file, output_names=SHUFFLED)
    challenge = judge.challenge(
        named_owner.commitment, suspect, reveal=50, statistic=statistic, suspect_classes=SHUFFLED
    )
    assert challenge.map_bits(named_owner.commitment) == 0
    proof = named_owner.answer(challenge, [0])
    http = HttpSettings(attempts=1, template=file)
    verdict = judge.verify(named_owner.commitment, url, challenge, proof, http=http)
    assert verdict.outcome == Outcome.PROVEN
    told = verdict.to_json()["suspect"]
    assert told["adapter"] == adapter
    assert (told["template"] is not None) == (adapter == "template")


def test_a_server_that_has_the_mark_by_one_protocol_alone(
    judge: Judge, owner: Claimant, serve: Serve
) -> None:
    table, rule = table_of(owner), hashed_answers("an innocent's model")

    def marked(image: np.ndarray) -> list[float]:
        label = table.get(image.tobytes(), rule(image))
        return [float(one == label) for one in range(CLASSES)]

    by_tensor = kserve_route(marked)

    def route(handler: Any, body: bytes) -> Any:
        if handler.command == "GET" or handler.path.endswith("/infer"):
            return by_tensor(handler, body)
        return rule(np.frombuffer(body, np.uint8))  # a picture: TorchServe's protocol

    url = serve(route)
    innocent = asked(url, "torchserve", outputs=CLASSES)
    challenge = judge.challenge(owner.commitment, innocent, reveal=50)
    proof = owner.answer(challenge, [0])
    with refused(InvalidOpening, "challenge.suspect") as caught:
        judge.verify(owner.commitment, asked(url, "kserve"), challenge, proof)
    assert "kserve" in caught.value.message
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, url, challenge, proof)
    # honest: the same two steps by the protocol that the service documents
    challenge = judge.challenge(owner.commitment, asked(url, "kserve"), reveal=50)
    assert judge.verify(owner.commitment, url, challenge, owner.answer(challenge, [0])).proven


def test_another_template_than_the_challenges(
    judge: Judge, owner: Claimant, serve: Serve, tmp_path: Path
) -> None:
    url = serve(template_route(stolen(owner, tuple(range(CLASSES)))))
    right, other = template(tmp_path), template(tmp_path, "other.json", "/other")
    innocent = asked(url, "template", template=other)
    challenge = judge.challenge(owner.commitment, innocent, reveal=50)
    proof = owner.answer(challenge, [0])
    for settings, told in (
        (HttpSettings(attempts=1, template=right), "another template"),
        (HttpSettings(attempts=1), "needs a template"),
    ):
        with pytest.raises(CouldNotCheck if "another" in told else UsageError) as caught:
            judge.verify(owner.commitment, url, challenge, proof, http=settings)
        assert caught.value.check == "challenge.suspect"
        assert told in caught.value.message
        assert "`template`" in caught.value.hint
    with pytest.raises(NotProven):
        judge.verify(
            owner.commitment, url, challenge, proof, http=HttpSettings(attempts=1, template=other)
        )
