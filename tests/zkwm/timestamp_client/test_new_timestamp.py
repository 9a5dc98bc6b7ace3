"""``zkwm.timestamp_client.obtain``: what is missing, and what does not verify."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.timestamp_authority import LocalAuthority, needs_openssl
from tests.support.timestamp_tokens import DIGEST, NONCE, TokenMaker
from zkwm.timestamp_client import new_timestamp, obtain
from zkwm.timestamp_client.addresses import locate
from zkwm.timestamp_client.ask import Answer, ask
from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing
from zkwm_protocols.trust import Trust

MAKER = TokenMaker.new()
COMMITMENT: Any = SimpleNamespace(digest=DIGEST)


def answering(monkeypatch: pytest.MonkeyPatch, maker: TokenMaker) -> None:
    """An authority that gives this token, without a network."""
    chain = (maker.signer.der, maker.issuer.der)
    answer = Answer(maker.token(), NONCE, maker.policy, chain, "93.184.216.34")
    monkeypatch.setattr(new_timestamp, "ask", lambda *_, **__: answer)


@pytest.mark.parametrize(
    ("trust", "check"),
    [
        (None, "timestamp.chain"),  # the token does not carry its root
        (Trust((MAKER.trusted(name="a", demand_revocation=True),)), "timestamp.revocation"),
        (Trust((MAKER.trusted(name="a", policies=("1.2.3",)),)), "timestamp.policy"),
    ],
)
def test_missing_trust_material_is_told_as_such(
    trust: Trust | None, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, MAKER)
    with pytest.raises(TrustMaterialMissing, match=r"tsa\.example") as caught:
        obtain(COMMITMENT, "http://tsa.example/", trust=trust)
    assert caught.value.check == check
    assert caught.value.hint
    assert ("demand_revocation" in caught.value.hint) == (check == "timestamp.revocation")


def test_a_token_with_a_changed_signature_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, MAKER.but(change_signature=lambda data: data[:-1] + b"\0"))
    with pytest.raises(CouldNotCheck, match="does not verify"):
        obtain(COMMITMENT, "http://tsa.example/", trust=Trust((MAKER.trusted(name="a"),)))


@needs_openssl
def test_the_address_that_answered_is_known(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path / "tsa", intermediate=False)
    with authority.serving() as url:
        assert ask(locate(url), DIGEST).address == "127.0.0.1"
