"""``zkwm.service_client``: files to a registry's service; what is sent where, and to whom."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest

from tests.support.dispute import Claimant, TableSuspect, new_judge, random_images
from tests.support.hostile_server import says, serving
from tests.support.statements import ED_KEY, SUSPECT, D
from zkwm.service_client.outgoing import Outgoing, SentKind, outgoing
from zkwm.service_client.send import TRIES, read_api_key, send
from zkwm.transparency_log.http_client import Patience
from zkwm_protocols.cose.contents import (
    CommitmentStatement,
    DisputeEvent,
    DisputeStatement,
    VerdictStatement,
)
from zkwm_protocols.cose.statement import Content, sign_statement
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, ZkwmError

pytestmark = pytest.mark.usefixtures("quick_labels")
KEY = f"zkwm_{'0a' * 8}_{'k' * 43}"
OWNER = Claimant(random_images(100))
MADE = Outgoing(SentKind.ANSWER, "claims/ab/answer", b"an answer", "application/octet-stream", "ab")
TAKEN = json.dumps({"challenge": "ab", "state": "answered"}).encode()


def stated(content: Content) -> bytes:
    return sign_statement(content, ED_KEY).to_bytes()


def challenge_file() -> bytes:
    """A challenge about the owner's commitment."""
    return new_judge().challenge(OWNER.commitment, TableSuspect(name="a"), reveal=50).to_bytes()


def status(line: str, body: bytes = b"", *headers: str) -> Callable[[socket.socket], None]:
    """A server that says this."""
    return says(f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", *headers, body=body)


class Replies:
    """A server that gives one reply after the other, and keeps what it was asked."""

    def __init__(self, *replies: Callable[[socket.socket], None]) -> None:
        self.replies = list(replies)
        self.count = 0

    def __call__(self, client: socket.socket) -> None:
        self.count += 1
        self.replies.pop(0)(client)


def closes(client: socket.socket) -> None:
    """A connection that ends before any answer."""


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a client would have waited."""
    waits: list[float] = []
    monkeypatch.setattr("zkwm.transparency_log.http_client.time.sleep", waits.append)
    return waits


def test_each_file_says_where_it_goes() -> None:
    file = challenge_file()
    found = outgoing(OWNER.commitment.to_bytes())
    assert (found.kind, found.path) == (SentKind.COMMITMENT, "commitments")
    assert found.about == OWNER.commitment.digest.hex()
    asked = outgoing(file, answer_within=60, listing="offer 1&x=2")
    assert asked.path == "claims?answer_within=60&listing=offer+1%26x%3D2"
    assert outgoing(file).path == "claims"


WRONG: dict[str, tuple[Callable[[], Outgoing], str]] = {
    "a vault": (lambda: outgoing(b"zkwm-vault/1\n\xa0"), "a vault goes to no service"),
    "a judge's secret key": (lambda: outgoing(b"zkwm-judge-key/1\n\xa0"), "goes to no service"),
    "a picture": (lambda: outgoing(b"\x89PNG"), "neither a file of zkwm's nor a signed statement"),
    "a commitment's statement alone": (
        lambda: outgoing(stated(CommitmentStatement(D))), "the statement of a commitment",
    ),
    "a verdict's statement alone": (
        lambda: outgoing(stated(VerdictStatement(D, D))), "the statement of a verdict",
    ),
    "a statement for the log": (
        lambda: outgoing(stated(DisputeStatement(D, SUSPECT, DisputeEvent.ASKED, D))), "log alone",
    ),
    "a withdrawal without its challenge": (
        lambda: outgoing(stated(DisputeStatement(D, SUSPECT, DisputeEvent.WITHDRAWN, D))),
        "with the challenge of its claim",
    ),
    "a withdrawal of another claim": (
        lambda: outgoing(
            stated(DisputeStatement(D, SUSPECT, DisputeEvent.WITHDRAWN, D)),
            challenge=challenge_file(),
        ),
        "about another challenge",
    ),
    "a commitment with a listing": (
        lambda: outgoing(OWNER.commitment.to_bytes(), listing="x"), "sent without a listing",
    ),
    "a commitment with a statement about another": (
        lambda: outgoing(OWNER.commitment.to_bytes(), statement=stated(CommitmentStatement(D))),
        "not about this commitment",
    ),
    "a challenge with a statement": (
        lambda: outgoing(challenge_file(), statement=b""), "sent without a statement",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "words"), WRONG.values(), ids=WRONG)
def test_nothing_else_is_sent(wrong: Callable[[], Outgoing], words: str) -> None:
    """Secrets above all."""
    with pytest.raises(UsageError) as caught:
        wrong()
    assert words in caught.value.message


def test_a_foreign_file_is_told_in_the_users_words() -> None:
    """Which files are taken, and the command that makes each."""
    with pytest.raises(UsageError) as caught:
        outgoing(b'{"schema": "zkwm/verify/v1"}')
    assert "COSE" not in caught.value.message
    for one in ("commit", "challenge", "prove", "verify", "registry state-withdrawal"):
        assert f"zkwm {one}" in caught.value.hint


def test_a_cut_commitment_is_not_sent() -> None:
    with pytest.raises(Malformed):
        outgoing(OWNER.commitment.to_bytes()[:-1])


def test_the_key_is_read_alone_or_as_curl_takes_it() -> None:
    for text in (KEY, f"{KEY}\n", f"Authorization: Bearer {KEY}\r\n"):
        assert read_api_key(text) == KEY
    for text in ("", KEY[:-1], f"{KEY}\n{KEY}", f"X-Key: {KEY}", f"{KEY}\r\nX-Other: 1"):
        with pytest.raises(UsageError) as caught:
            read_api_key(text)
        assert KEY not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize("url", ["http://registry.example", "http://127.0.0.1.example/x"])
def test_a_key_goes_over_https_alone(url: str) -> None:
    with pytest.raises(UsageError, match="over https"):
        send(MADE, url, KEY)


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "https://a.example/?x=1", "https://u:p@a.example", "a.example"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        send(MADE, url, KEY)


def test_who_gets_no_answer_sends_it_again(no_waits: list[float]) -> None:
    told: list[str] = []
    server = Replies(closes, closes, status("200 OK", TAKEN))
    with serving(server) as url:
        taken = send(MADE, url, KEY, say=told.append)
    assert (taken.new, taken.state, server.count) == (False, "answered", 3)
    assert sum("sending it again" in one for one in told) == 2
    assert len(no_waits) == 2


def test_nobody_is_asked_for_ever() -> None:
    server = Replies(*[closes] * 10)
    with serving(server) as url, pytest.raises(CouldNotCheck, match="cannot be asked"):
        send(MADE, url, KEY)
    assert server.count == TRIES


def test_who_is_told_to_come_later_does(no_waits: list[float]) -> None:
    told: list[str] = []
    busy = status("429 Too Many", b"{}", "Retry-After: 7")
    with serving(Replies(busy, busy, status("201 Created", TAKEN))) as url:
        assert send(MADE, url, KEY, say=told.append).new
    assert no_waits == [7, 7]
    assert any("ask again in 7 s" in one for one in told)
    server = Replies(busy)
    with serving(server) as url, pytest.raises(CouldNotCheck, match="answers 429"):
        send(MADE, url, KEY, patience=Patience(1))
    assert server.count == 1


def test_a_redirect_is_not_followed() -> None:
    """The key stays with whom it was given."""
    elsewhere = status("302 Found", b"", "Location: http://127.0.0.1:9/")
    with serving(elsewhere) as url, pytest.raises(CouldNotCheck, match="answers 302"):
        send(MADE, url, KEY)


ANSWERS = {
    "no JSON": b"<html>", "a list": b"[]", "another claim": TAKEN.replace(b'"ab"', b'"cd"'),
    "no state": b'{"challenge": "ab"}', "a state with a control character":
        b'{"challenge": "ab", "state": "answered\\u001b[2J"}',
    "a number": b'{"challenge": "ab", "state": 7}', "nested": b"[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_is_not_believed(body: bytes) -> None:
    with serving(status("201 Created", body)) as url, pytest.raises(Malformed):
        send(MADE, url, KEY)


def test_words_of_a_hostile_service_are_cut_and_visible() -> None:
    problem = json.dumps({"detail": "no\x1b[2J\n" + "x" * 9_000, "hint": "\x07" * 50}).encode()
    with serving(status("409 Conflict", problem)) as url, pytest.raises(ZkwmError) as caught:
        send(MADE, url, KEY)
    said = f"{caught.value.message}{caught.value.hint}"
    assert said.isprintable()
    assert len(said) < 700
    assert KEY not in said
