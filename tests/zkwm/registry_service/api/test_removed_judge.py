"""A judge whose file the operator has taken away."""

from __future__ import annotations

import pytest

from tests.support.dispute import Claimant, TestJudge
from tests.support.registry_server import Served
from tests.zkwm.registry_service.api.test_parties import asked, decided, signed

pytestmark = pytest.mark.usefixtures("quick_labels")


def test_a_judge_who_is_trusted_no_more_decides_nothing(
    plain: Served, judge: TestJudge, owner: Claimant
) -> None:
    """The operator has taken their file away: what they asked before is not decided by them."""
    market = plain.caller("market.example")
    challenge, path = asked(plain, judge, owner, market)
    response = owner.answer(challenge, [0]).to_bytes()
    assert market.post(f"{path}/answer", response).status == 201
    body = signed(judge, owner, decided(judge, owner, challenge, response))
    size, trusted = market.get("/v1/log").json["size"], plain.registry.judges
    plain.registry.judges = ()
    try:
        assert market.post(f"{path}/verdict", body).status == 409
    finally:
        plain.registry.judges = trusted
    assert market.get("/v1/log").json["size"] == size
    assert market.post(f"{path}/verdict", body).status == 201
