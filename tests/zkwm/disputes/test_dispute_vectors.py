"""``spec/vectors/dispute.json``: each row of the rules, and what contradicts them (SPEC 28)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.spec_vectors import VECTORS
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.keys import JudgePublic

FILE: dict[str, Any] = json.loads((VECTORS / "dispute.json").read_text(encoding="utf-8"))
JUDGE = JudgePublic.from_bytes(bytes.fromhex(FILE["judge"]["public"]))


@pytest.mark.parametrize("case", FILE["cases"], ids=[case["name"] for case in FILE["cases"]])
def test_a_case_of_the_vectors(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["file"])
    if case["check"] is None:
        DisputeVerdict.from_bytes(data, JUDGE)
        return
    with pytest.raises(ZkwmError) as caught:
        DisputeVerdict.from_bytes(data, JUDGE)
    assert caught.value.check == case["check"]


def test_the_file_is_what_its_program_makes() -> None:
    from tests.vectors.build import hexadecimal
    from tests.vectors.dispute import generate

    assert json.loads(json.dumps(hexadecimal(generate()))) == FILE
