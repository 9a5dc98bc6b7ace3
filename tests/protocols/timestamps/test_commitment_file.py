"""Timestamps in a commitment file: carried outside of D, within limits (SPEC.md 5.5, 22.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.protocols.test_commitment import HEADER, read_by_both, written
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import Malformed, TrustMaterialMissing, Unsupported

TIMESTAMP = {
    "token": b"a token", "nonce": b"\x01", "certificates": [b"a"], "crls": [], "ocsp_responses": [],
}  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        None, [None], [TIMESTAMP] * 9,
        [{**TIMESTAMP, "nonce": b""}],
        [{**TIMESTAMP, "token": bytes(65_537)}],
        [{**TIMESTAMP, "crls": [bytes(2**19)], "ocsp_responses": [bytes(2**20)]}],
        [{**TIMESTAMP, "certificates": [bytes(16_385)]}],
        [{**TIMESTAMP, "more": 1}],
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_timestamps_that_are_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        read_by_both(written(timestamps=value))


@pytest.mark.parametrize("timestamps", [[], [TIMESTAMP]])
def test_an_authority_needs_its_token(timestamps: list[dict[str, Any]]) -> None:
    header = {**HEADER, "timestamp_authority": bytes(32)}
    commitment = Commitment.from_bytes(written(header, timestamps=timestamps))
    for use in (commitment.verify, commitment.beacon, commitment.labels):
        with pytest.raises(TrustMaterialMissing) as caught:
            use()
        assert caught.value.check == "commitment.timestamp"
        assert caught.value.hint


def test_timestamps_are_carried_and_enter_no_digest() -> None:
    plain = read_by_both(written())
    carried = read_by_both(written(timestamps=[TIMESTAMP] * 8))
    assert [one.to_map() for one in carried.timestamps] == [TIMESTAMP] * 8
    assert carried.digest == plain.digest
    assert Commitment.from_bytes(carried.to_bytes()) == carried
    with pytest.raises(Malformed, match="at most 8 timestamps"):
        replace(plain, timestamps=carried.timestamps * 2)


def test_files_of_the_versions_before_are_refused_by_name() -> None:
    for number in (b"1", b"2"):
        before = written().replace(b"zkwm-commitment/3", b"zkwm-commitment/" + number, 1)
        with pytest.raises(
            Unsupported, match=f"of version {int(number)}, and this release reads version 3"
        ):
            Commitment.from_bytes(before)
