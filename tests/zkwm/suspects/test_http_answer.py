"""Replies of an endpoint: the two forms, and everything else refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.suspects import Answer
from zkwm.suspects.http_adapter import AdapterSettings, answer_from_reply, make_adapter
from zkwm.suspects.http_json import ReplyError

ADAPTER = make_adapter("zkwm", AdapterSettings("", (1, 2, 2), "", None, None, bytes))
UNREADABLE = "its reply is not the JSON of the protocol"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"scores": [0.1, 0.7, 0.2]}', Answer(1)),
        (b'{"scores": [3, 1e2, -5]}', Answer(1)),
        (b'{"scores": [1, 1, 1]}', Answer(0)),
        (b'{"label": 2}', Answer(2)),
        (b' {"label":0}\n', Answer(0)),
        (b'{"label": 3}', Answer(None, "its label is not in 0 to 2")),
        (b'{"label": -1}', Answer(None, "its label is not in 0 to 2")),
        (b'{"label": true}', Answer(None, "its label is not an integer")),
        (b'{"label": 1.0}', Answer(None, "its label is not an integer")),
        (b'{"label": "1"}', Answer(None, "its label is not an integer")),
        (b'{"label": null}', Answer(None, "its label is not an integer")),
        (b'{"scores": [1, 2]}', Answer(None, "2 outputs instead of 3")),
        (b'{"scores": [1, 2, 3, 4]}', Answer(None, "4 outputs instead of 3")),
        (b'{"scores": []}', Answer(None, "0 outputs instead of 3")),
        (b'{"scores": [1, 2, 1e999]}', Answer(None, "not finite")),
        (b'{"scores": [1, 2, 1' + b"0" * 400 + b"]}", Answer(None, "not finite")),
        (b'{"scores": [1, 2, NaN]}', Answer(None, UNREADABLE)),
        (b'{"scores": [1, 2, -Infinity]}', Answer(None, UNREADABLE)),
        (b'{"scores": [1, 2, 1' + b"0" * 9000 + b"]}", Answer(None, UNREADABLE)),
        (b'{"scores": [1, 2, true]}', Answer(None, "its scores are not a list of numbers")),
        (b'{"scores": [1, 2, null]}', Answer(None, "its scores are not a list of numbers")),
        (b'{"scores": [[1, 2, 3]]}', Answer(None, "its scores are not a list of numbers")),
        (b'{"scores": {"0": 1}}', Answer(None, "its scores are not a list of numbers")),
        (b'{"scores": "123"}', Answer(None, "its scores are not a list of numbers")),
        (b'{"label": 1, "label": 2}', Answer(None, UNREADABLE)),
        (b'{"label": 1, "scores": [1, 2, 3]}', Answer(None, UNREADABLE)),
        (b'{"label": 1, "note": ""}', Answer(None, UNREADABLE)),
        (b'{"answer": 1}', Answer(None, UNREADABLE)),
        (b"{}", Answer(None, UNREADABLE)),
        (b"[1, 2, 3]", Answer(None, UNREADABLE)),
        (b"1", Answer(None, UNREADABLE)),
        (b"", Answer(None, UNREADABLE)),
        (b"<html>", Answer(None, UNREADABLE)),
        (b'{"label": 1} x', Answer(None, UNREADABLE)),
        (b"\xff\xfe", Answer(None, UNREADABLE)),
        (b'{"scores": ' + b"[" * 100_000, Answer(None, UNREADABLE)),
        (b'{"a":' * 100_000, Answer(None, UNREADABLE)),
    ],
)
def test_replies(body: bytes, answer: Answer) -> None:
    assert answer_from_reply(ADAPTER, body, 3) == answer


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    answer_from_reply(ADAPTER, body, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["label", "scores", "x"]), JSON) | JSON)
def test_any_json(value: object) -> None:
    """Only the two forms of the protocol are read as answers."""
    try:
        reply = ADAPTER.read(json.dumps(value).encode(), 3)
    except ReplyError:
        return
    assert isinstance(value, dict)
    assert value in ({"label": reply}, {"scores": reply})


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=9))
def test_the_largest_score_wins_and_the_first_of_equals(scores: list[float]) -> None:
    answer = answer_from_reply(ADAPTER, json.dumps({"scores": scores}).encode(), len(scores))
    assert answer == Answer(scores.index(max(scores)))
