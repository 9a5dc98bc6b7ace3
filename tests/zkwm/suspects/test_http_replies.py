"""Any JSON by any protocol: a problem, or an answer that a slow, obvious reading gives too."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.suspects import Answer
from zkwm.suspects.http_adapter import AdapterSettings, answer_from_reply, make_adapter
from zkwm.suspects.json_pointer import follow_pointer, parse_pointer
from zkwm_protocols.errors import Malformed

NAMES = ("cat", "dog", "eel")
DESCRIPTION = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1, 2, 2]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}],
}
TEMPLATE = {
    "schema": "zkwm/template/v1",
    "request": "{{png}}",
    "reply": {"entries": "/results", "name": "label", "score": "score"},
}


def adapter(name: str, names: tuple[str, ...] | None = NAMES) -> Any:
    template = json.dumps(TEMPLATE).encode() if name == "template" else None
    described = json.dumps(DESCRIPTION).encode()
    url = "https://suspect.example/v2/models/m"
    return make_adapter(
        name, AdapterSettings(url, (1, 2, 2), "", names, template, lambda: described)
    )


def obvious(pairs: list[tuple[Any, Any]]) -> Answer | None:
    """The answer in pairs of names and scores; None where they are no answer."""
    scores = {}
    for name, score in pairs:
        known = isinstance(name, str) and name.strip().lower() in NAMES
        if not known or type(score) not in (int, float) or not math.isfinite(float(score)):
            return None
        if name.strip().lower() in scores:
            return None
        scores[name.strip().lower()] = float(score)
    if not scores:
        return None
    best = max(scores.values())
    return Answer(next(place for place, name in enumerate(NAMES) if scores.get(name) == best))


SCORES = (
    st.floats(allow_nan=False) | st.integers(-5, 5) | st.sampled_from([True, None, "1", [1], 1e999])
)
FINITE = st.floats(-10, 10)
LABELS = st.sampled_from([*NAMES, " Cat", "DOG", "ant", "0", "", 1, None])
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), FINITE), max_size=4) | st.lists(
    st.tuples(LABELS, SCORES), max_size=4
)


@settings(deadline=None)
@given(PAIRS)
def test_names_and_scores(pairs: list[tuple[Any, Any]]) -> None:
    expected = obvious(pairs)
    entries = [{"label": name, "score": score} for name, score in pairs]
    for name, value in (
        ("huggingface", entries),
        ("template", {"results": entries}),
        ("torchserve", [{"class": one, "probability": score} for one, score in pairs]),
    ):
        answer = answer_from_reply(adapter(name), json.dumps(value).encode(), 3)
        if expected is None and not (name == "torchserve" and not pairs):
            assert answer.output is None, name
        elif expected is not None:
            assert answer == expected, name
            assert (answer.scores is not None) == (len(pairs) == 3)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["0", "1", "2", "3", "01", "-1", "x"]), FINITE, max_size=4))
def test_numbers_for_names(scores: dict[str, float]) -> None:
    answer = answer_from_reply(adapter("torchserve", None), json.dumps(scores).encode(), 3)
    if not scores or not scores.keys() <= {"0", "1", "2"}:
        assert answer.output is None
        return
    best = max(scores.values())
    assert answer == Answer(min(int(name) for name in scores if scores[name] == best))


SIZES = st.integers(0, 4) | st.sampled_from([-1, 3, 1, True, 2**40, "3"])


@settings(deadline=None)
@given(
    st.lists(SIZES, max_size=4),
    st.sampled_from(["FP32", "FP64", "INT64", "UINT8", "BOOL", "BYTES", "fp32", None]),
    st.lists(SCORES, max_size=4) | st.lists(FINITE, min_size=3, max_size=3),
    st.integers(0, 2),
)
def test_tensors(shape: list[Any], datatype: Any, data: list[Any], nested: int) -> None:
    """An answer has three finite scores and a shape of one axis of 3 beside axes of 1."""
    for _ in range(nested):
        data = [data]
    tensor = {"name": "y", "shape": shape, "datatype": datatype, "data": data}
    answer = answer_from_reply(adapter("kserve"), json.dumps({"outputs": [tensor]}).encode(), 3)
    flat = data
    while flat and isinstance(flat[0], list):
        flat = flat[0]
    if answer.output is None:
        return
    if answer.scores is None:
        assert datatype in ("INT64", "UINT8")
        assert flat == [answer.output]
        return
    assert datatype in ("FP32", "FP64", "INT64", "UINT8")
    assert [size for size in shape if size != 1] == [3]
    assert len(shape) == 1 or shape[0] == 1
    assert list(answer.scores) == [float(score) for score in flat]
    assert not any(type(score) is bool for score in flat)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["outputs", "label", "score", "class", "cat", "results", "data"]), inner
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", ["kserve", "torchserve", "huggingface", "template"])
def test_any_json_and_any_bytes(name: str) -> None:
    asked = adapter(name)

    @settings(max_examples=60, deadline=None)
    @given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40))
    def read(body: bytes) -> None:
        answer = answer_from_reply(asked, body, 3)
        assert answer.output in (None, 0, 1, 2)

    read()


# RFC 6901, section 5
POINTED = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6,
    " ": 7, "m~n": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", POINTED), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1),
        ("/c%d", 2), ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_json_pointers(pointer: str, value: Any) -> None:
    assert follow_pointer(POINTED, parse_pointer(pointer)) == value


@pytest.mark.parametrize("pointer", ["foo", "/a~", "/a~2", "x" * 1001, "/" * 33, 5, None])
def test_no_json_pointers(pointer: Any) -> None:
    with pytest.raises(Malformed):
        parse_pointer(pointer)


@pytest.mark.parametrize("pointer", ["/bar", "/foo/2", "/foo/-", "/foo/01", "/foo/-1", "//0"])
def test_json_pointers_that_lead_nowhere(pointer: str) -> None:
    with pytest.raises(LookupError):
        follow_pointer(POINTED, parse_pointer(pointer))
