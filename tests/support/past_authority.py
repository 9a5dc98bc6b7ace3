"""An RFC 3161 authority whose tokens are a month old, for disputes whose suspect is out by now.

Authorities of ``timestamp_authority`` tell the real time, and nothing is published after it.
"""

from __future__ import annotations

import datetime
from typing import Any

from asn1crypto import tsp

from tests.support.certificate_authority import DAY, now
from tests.support.timestamp_authority import LocalAuthority
from tests.support.timestamp_tokens import TokenMaker, generalized, integer, sequence

AGE = 30 * DAY


def days_ago(days: int) -> str:
    """A day as people write it."""
    return f"{now() - days * DAY:%Y-%m-%d}"


PUBLISHED = days_ago(7)
"""A day after the tokens of a ``PastAuthority``, and before today."""


class PastAuthority(LocalAuthority):
    """The same authority, whose clock is ``age`` slow; tokens are made by hand."""

    def __init__(self, *arguments: Any, age: datetime.timedelta = AGE, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._age = age

    def reply(self, query: bytes) -> bytes:
        """The response (TimeStampResp, DER) to a request (TimeStampReq, DER)."""
        asked = tsp.TimeStampReq.load(query)
        nonce = asked["nonce"].native
        maker = TokenMaker(
            self.root, self.issuer, self.signer,
            digest=asked["message_imprint"]["hashed_message"].native,
            nonce=nonce.to_bytes((nonce.bit_length() + 7) // 8, "big"),
            time=generalized(now() - self._age),
            certificates=(self.signer.der, *(one.der for one in self.intermediates)),
        )  # fmt: skip
        return sequence(sequence(integer(0)), maker.token())
