"""An accuser who knows the triggers and makes the file moves an argument, and no opening.

SPEC.md 18.1 says so: no bound on images that others draw sees a unit that only triggers reach. So
an argument never says more than that it is about the integer network, and names the way out; the
opening asks the file itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.support import known_triggers, twins
from tests.support.argued import StandIn, argue
from tests.support.dispute import Claimant, TestJudge, verdict_of
from zkwm.data.bundled import load_bundled
from zkwm.quantizer.derive import network_of
from zkwm.report.text import render_text
from zkwm.suspects import open_suspect
from zkwm.triggers.families import generate
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 28, 28)
TRIGGERS = 100


@pytest.fixture(autouse=True)
def quick_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "zkwm_protocols.labels.label_seed", lambda digest, _: hashlib.sha256(digest).digest()
    )


@pytest.mark.parametrize("made", [known_triggers.clipped, known_triggers.rounded])
def test_a_file_that_answers_no_trigger_is_freed_by_an_opening_and_not_by_an_argument(
    judge: TestJudge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[..., bytes],
) -> None:
    StandIn().install(monkeypatch)
    triggers = generate("secret", TRIGGERS, SHAPE, key=bytes(32), block_size=25).images
    accuser = Claimant(triggers, block_size=25)
    data, wanted = load_bundled(), accuser.labels
    marked = twins.dense_model(
        np.concatenate([data.train_images[:600], *[triggers] * 3]),
        np.concatenate([data.train_labels[:600], *[wanted] * 3]),
        10,
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(made(marked, triggers, wanted, 10))
    with closing(open_suspect(path, shape=SHAPE)) as suspect:
        given = [answer.output for answer in suspect.answer(triggers, Preprocessing())]
        assert int((np.array(given) == wanted).sum()) <= 2
        assert int((labels(network_of(suspect, Preprocessing()), triggers) == wanted).sum()) >= 98
        challenge = judge.challenge_argument(accuser.commitment, suspect)  # no bound sees it
        verdict = judge.verify(
            accuser.commitment, suspect, challenge, argue(accuser, challenge, path)
        )
        assert verdict.proven
        told = " ".join(render_text(verdict).split())
        assert "The integer network made from the examined file carries the mark" in told
        assert "its origin is disputed, ask for an opening" in told
        asked = judge.challenge(accuser.commitment, suspect, reveal=TRIGGERS)
        opening = accuser.answer(asked, range(TRIGGERS // 25))
        verdict = verdict_of(lambda: judge.verify(accuser.commitment, suspect, asked, opening))
        assert verdict.outcome == "not proven"
