"""Claims in the metadata of a card: read strictly, written without touching anything else."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.support.cards import CLAIM, FINGERPRINT, claim_map
from zkwm.model_card.claim import LONGEST_URL, CardClaim
from zkwm.model_card.front_matter import (
    FRONT_MATTER_LIMIT,
    MOST_CLAIMS,
    read_claims,
    section,
    with_claim,
)
from zkwm_protocols.errors import Malformed, UsageError

OTHER = CardClaim.from_map(claim_map(commitment="ab" * 32, url="https://example.org/b"))
REST = "license: mit  # mine\ntags: [a, 'b']\n# between\nmodel-index:\n- name: x\n  results: []"
CARDS = {
    "without metadata": "# A model\n\ntext\n---\nmore",
    "empty": "",
    "metadata": f"---\n{REST}\n---\n# A model\n",
    "Windows": f"---\n{REST}\n---\n# A model\n".replace("\n", "\r\n"),
    "empty metadata": "---\n\n---\n# A model\n",
    "a mark first": "\ufeff---\nlicense: mit\n---\ntext",
    "a mark alone": "\ufefftext",
    "own part first": f"---\n{section([OTHER])}# about the license\nlicense: mit\n---\ntext",
    "own part in the middle": f"---\na: 1\n{section([OTHER, CLAIM])}b: |\n  zkwm: x\n---\n",
    "own part last, with a comment": f"---\na: 1\n{section([CLAIM])}# the end\n---\n",
    "own part in braces": f"---\nzkwm: {json.dumps([claim_map()])}\na: 1\n---\n",
    "an empty own part": "---\nzkwm: []\na: 1\n---\n",
    "quoted": f"---\n'zkwm': {json.dumps([claim_map()])}\n\"a\": 1\n---\n",
    "a rule is no metadata": "---\nno: end\n",
    "other line ends in texts": "---\na: 'x\u2028 y'\nzkwm: []\nb: 1\n---\n",
    "a name twice is the hub's affair": "---\na: 1\na: 2\n---\n",
    "references elsewhere": "---\na: &x [1]\nb: *x\n---\n",
}


def metadata(card: bytes) -> dict[str, object]:
    """The metadata without our key."""
    found = ModelCard(card.decode("utf-8-sig")).data.to_dict()
    found.pop("zkwm", None)
    return found


@pytest.mark.parametrize("text", CARDS.values(), ids=CARDS)
def test_a_claim_is_added_and_nothing_else_changes(text: str) -> None:
    old = text.encode()
    new = with_claim(old, CLAIM)
    before = {claim.commitment: claim for claim in read_claims(old)}
    assert {one.commitment: one for one in read_claims(new)} == before | {CLAIM.commitment: CLAIM}
    own = {line.strip() for line in section([CLAIM, OTHER]).splitlines()} | {"---", ""}
    kept = [line for line in text.split("\n") if "zkwm" not in line and line.strip() not in own]
    for line in kept:
        assert line.removeprefix("\ufeff") in new.decode()
    assert with_claim(new, CLAIM) == new
    if text.startswith(("---", "\ufeff---")) and "end" not in text[:12]:
        assert metadata(new) == metadata(old)
    body = text[text.find("\n---") :] if "\n---" in text else text.removeprefix("\ufeff")
    assert new.decode().endswith(body.removeprefix("\n"))


def test_one_long_line_of_metadata_takes_no_longer_than_many() -> None:
    """18,000 characters in the last line took two seconds, and as many as there may be minutes."""
    card = b"---\nlicense: " + b"a" * 200_000 + b"\n---\ntext"
    started = time.process_time()
    assert read_claims(with_claim(card, CLAIM)) == (CLAIM,)
    assert time.process_time() - started < 20


def test_the_lines_of_the_card_are_kept_byte_for_byte() -> None:
    card = CARDS["Windows"].encode()
    new = with_claim(card, CLAIM)
    block = section([CLAIM], "\r\n").encode()
    assert new == card.replace(b"\r\n---\r\n# A", b"\r\n" + block + b"---\r\n# A")
    middle = CARDS["own part in the middle"].encode()
    newer = CardClaim.from_map(claim_map(version="0.2.0"))
    expected = section([OTHER, newer]).encode()
    assert with_claim(middle, newer) == middle.replace(section([OTHER, CLAIM]).encode(), expected)


def test_hugging_face_reads_and_keeps_it(tmp_path: Path) -> None:
    """``ModelCard.load`` has the claim, and ``ModelCard.save`` does not lose it."""
    path = tmp_path / "README.md"
    numbers = CardClaim.from_map(claim_map(commitment="0123456789" * 6 + "0123"))
    path.write_bytes(with_claim(CARDS["metadata"].encode(), numbers))
    card = ModelCard.load(path)
    assert card.data.to_dict()["zkwm"] == [numbers.to_map()]
    card.data.tags = ["changed"]
    card.save(path)
    assert read_claims(path.read_bytes()) == (numbers,)
    assert ModelCard.load(path).text == ModelCard(CARDS["metadata"]).text
    again = with_claim(path.read_bytes(), CLAIM)
    assert ModelCard(again.decode()).data.tags == ["changed"]
    assert yaml.safe_load(section([CLAIM])) == {"zkwm": [CLAIM.to_map()]}


BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(12))
REFUSED = {
    "not UTF-8": b"---\na: \xff\n---\n",
    "no YAML": b"---\na: [\n---\n",
    "no map": b"---\n- a\n---\n",
    "two documents": b"---\na: 1\n--- \nb: 2\n---\n".replace(b"--- \n", b"...\nb: 1\n"),
    "too large": b"---\na: " + b"x" * FRONT_MATTER_LIMIT + b"\n---\n",
    "nested too deeply": b"---\na: " + b"[" * 2000 + b"\n---\n",
    "the key twice": b"---\nzkwm: []\nzkwm: []\n---\n",
    "references in our part": b"---\na: &x []\nzkwm: *x\nb: &y [*y]\nzkwm2: 1\n---\n".replace(
        b"zkwm: *x", b"zkwm: [*x, *x]"
    ),
    "references that expand": f"---\n{BOMB}zkwm: *a11\n---\n".encode(),
    "no list": b"---\nzkwm: yes\n---\n",
    "too many": f"---\nzkwm: {json.dumps([claim_map()] * (MOST_CLAIMS + 1))}\n---\n".encode(),
    "one commitment twice": f"---\nzkwm: {json.dumps([claim_map()] * 2)}\n---\n".encode(),
    "a key twice inside": b"---\nzkwm: [{schema: a, schema: a}]\n---\n",
    "a key that is no text": b"---\nzkwm: [{[a]: b}]\n---\n",
}


@pytest.mark.parametrize("card", REFUSED.values(), ids=REFUSED)
def test_what_is_no_card_is_refused(card: bytes) -> None:
    for attempt in (read_claims, lambda data: with_claim(data, CLAIM)):
        with pytest.raises(Malformed):
            attempt(card)


@pytest.mark.parametrize("text", ["---\n{a: 1}\n---\n", "---\n  a: 1\n  b: 2\n---\n"])
def test_metadata_in_braces_is_read_and_not_changed(text: str) -> None:
    assert read_claims(text.encode()) == ()
    with pytest.raises(UsageError):
        with_claim(text.encode(), CLAIM)


def test_what_would_change_more_is_refused() -> None:
    """A document's end before ours: the new key would stand in another document."""
    with pytest.raises(UsageError):
        with_claim(b"---\na: 1\n...\n---\n", CLAIM)


MODEL = {"file": "m", "kind": "onnx", "digest": "02" * 32}


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "zkwm/claim/v2"}, {"schema": None}, {"more": "x"}, {"version": None},
        {"commitment": "01" * 31}, {"commitment": "AB" * 32}, {"commitment": ["01" * 32]},
        {"owner": []}, {"owner": [FINGERPRINT] * 5}, {"owner": FINGERPRINT}, {"owner": ["x"]},
        {"models": []}, {"models": [MODEL] * 21}, {"models": ["m"]}, {"models": [MODEL | {"a": 1}]},
        {"models": [MODEL | {"kind": "http"}]}, {"models": [MODEL | {"file": ""}]},
        {"models": [MODEL | {"file": "a\nb"}]}, {"models": [MODEL | {"digest": "no"}]},
        {"url": "ftp://example.org/a"}, {"url": "https://"}, {"url": "https://a b.org/"},
        {"url": "https://name:secret@example.org/"}, {"url": "javascript:alert(1)"},
        {"url": "https://example.org/" + "a" * LONGEST_URL}, {"url": "http://[::1"},
        {"url": "https://ex\u00e4mple.org/"}, {"version": "a\x1bb"}, {"version": "x" * 101},
    ],
)  # fmt: skip
def test_a_claim_of_another_form_is_refused(changes: dict[str, object]) -> None:
    card = f"---\nzkwm: {json.dumps([claim_map(**changes)])}\n---\n"
    with pytest.raises(Malformed):
        read_claims(card.encode())
