"""A log that asks its clients to come later: they do, and no longer than they are willing to."""

from __future__ import annotations

import socket
import time

import pytest

from tests.support.witnessed_log import POLICY
from tests.zkwm.transparency_log.test_http_client import Speak, speaking
from zkwm.transparency_log.client import LogClient
from zkwm_protocols.errors import CouldNotCheck


def saying(*replies: tuple[int, str]) -> tuple[Speak, list[bytes]]:
    """One reply after the other, the last one again and again; and the requests that came."""
    seen: list[bytes] = []

    def speak(accepted: socket.socket) -> None:
        seen.append(accepted.recv(65_536))
        status, later = replies[min(len(seen), len(replies)) - 1]
        header = f"Retry-After: {later}\r\n" if later else ""
        rest = "Content-Length: 0\r\nConnection: close\r\n\r\n"
        accepted.sendall(f"HTTP/1.1 {status} Said\r\n{header}{rest}".encode())

    return speak, seen


def refused(*replies: tuple[int, str], patience: float) -> tuple[CouldNotCheck, int, float]:
    """The error of a client with so much patience, the requests, and the seconds."""
    speak, seen = saying(*replies)
    begun = time.monotonic()
    with speaking(speak) as url:
        client = LogClient(url.removesuffix("/x"), POLICY, patience=patience)
        with pytest.raises(CouldNotCheck) as caught:
            client.proof_of(b"a statement")
        client.close()
    return caught.value, len(seen), time.monotonic() - begun


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_told_to_come_later_does(status: int) -> None:
    error, requests, _ = refused((status, "0"), (status, "0"), (404, ""), patience=60)
    assert ("answers 404" in error.message, requests) == (True, 3)


@pytest.mark.parametrize("later", ["3600", "999999999"])
def test_nobody_waits_longer_than_they_are_willing_to(later: str) -> None:
    error, requests, seconds = refused((503, later), patience=5)
    assert (requests, seconds < 4) == (1, True)
    assert "answers 503" in error.message
    assert f"ask again in {int(later):,} seconds" in error.hint


def test_a_log_that_puts_off_for_ever_is_left() -> None:
    error, requests, _ = refused((429, "0"), patience=0.5)
    assert "answers 429" in error.message
    assert 2 <= requests <= 3


@pytest.mark.parametrize(
    ("status", "later"),
    [(429, ""), (503, "soon"), (503, "-1"), (503, "Wed, 21 Oct 2026 07:28:00 GMT"), (507, "0")],
)
def test_who_is_not_told_when_does_not_wait(status: int, later: str) -> None:
    error, requests, _ = refused((status, later), patience=60)
    assert (f"answers {status}" in error.message, requests) == (True, 1)
