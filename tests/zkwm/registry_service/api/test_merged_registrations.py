"""A commitment that several holders register: each has a part in the dates of its file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.dispute import Claimant, random_images
from tests.support.registry_server import Served, registration, text
from tests.support.timestamp_tokens import TokenMaker
from zkwm_protocols.commitment import Commitment

pytestmark = pytest.mark.usefixtures("quick_labels")


def test_no_first_registrant_keeps_the_dates_of_others_out(registry: Served) -> None:
    """Two holders, and an operator who trusts no authority: they take turns."""
    own = Claimant(random_images(50, seed=99), salt_seed=99)
    digest = own.commitment.digest
    fakes = [TokenMaker.new(intermediate=False).but(digest=digest).evidence() for _ in range(10)]
    bodies = []
    for part in (fakes[:8], fakes[8:]):
        file = replace(own.commitment, timestamps=tuple(part))
        bodies.append(registration(own) | {"commitment": text(file.to_bytes())})
    holders = [registry.caller(name) for name in ("first.example", "second.example")]
    statuses = [
        caller.post("/v1/commitments", body).status
        for caller, body in (*zip(holders, bodies, strict=True), (holders[0], bodies[0]))
    ]
    assert statuses == [201, 200, 200]
    kept = Commitment.from_bytes(holders[0].get(f"/v1/commitments/{digest.hex()}/file").body)
    wanted = [fakes[number] for number in (0, 8, 1, 9, 2, 3, 4, 5)]
    assert list(kept.timestamps) == wanted
    events = holders[0].get(f"/v1/events?subject={digest.hex()}").json["events"]
    assert [one["kind"] for one in events] == ["commitment.registered", "commitment.replaced"]
