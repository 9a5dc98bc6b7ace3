"""Claims for tests of model cards. Not a test."""

from __future__ import annotations

from typing import Any

from zkwm.model_card.claim import SCHEMA, CardClaim

FINGERPRINT = "abcd-efgh-ijkl-mnop-qrst-uvwx-yz23-4567"


def claim_map(**changes: Any) -> dict[str, Any]:
    """A claim as it stands in a card; None leaves a key out."""
    value = {
        "schema": SCHEMA,
        "commitment": "01" * 32,
        "owner": [FINGERPRINT],
        "models": [{"file": "model.onnx", "kind": "onnx", "digest": "02" * 32}],
        "version": "0.1.0",
    }
    return {name: one for name, one in (value | changes).items() if one is not None}


CLAIM = CardClaim.from_map(claim_map())
