"""The signed verdict of a dispute: its reader decides again (SPEC 28.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.dispute import new_judge
from tests.support.dispute_folder import DisputeFolder
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.dispute_verdict_file import DisputeVerdictFile
from zkwm_protocols.errors import InvalidSignature, Malformed, ZkwmError


@pytest.fixture
def decided(folder: DisputeFolder) -> tuple[DisputeFolder, DisputeVerdict]:
    acme = folder.party("acme", days=30)
    folder.party("doe", days=3)
    folder.model("suspect", "doe", acme, contested=True)
    folder.claim("acme", "suspect")
    folder.claim("doe", "suspect")
    return folder, folder.settle()


def changed(folder: DisputeFolder, verdict: DisputeVerdict, change: Callable[[Any], None]) -> bytes:
    """The verdict's file with another body, signed by the very judge."""
    key, public = folder.judge.key.signing, folder.judge.public
    signed = DisputeVerdictFile.from_bytes(verdict.signed_by(key, public))
    fields = signed.fields()
    change(fields)
    rest = {
        name: value for name, value in fields.items() if name not in ("type", "version", "judge")
    }
    return DisputeVerdictFile.signed(rest, public, key).to_bytes()


def _supported(fields: Any) -> None:
    fields["supported"] = "doe"


def _nobody(fields: Any) -> None:
    fields.update(outcome="not supported", supported="", rule="28.6.6")


def _other_rule(fields: Any) -> None:
    fields["rule"] = "28.6.2"


def _own_product(fields: Any) -> None:
    fields["models"][0]["published_by"] = "acme"


def _later(fields: Any) -> None:
    fields["parties"][0]["existed"] = [2**51, 2**51]


def _objected(fields: Any) -> None:
    fields["claims"][0]["objections"] = [["28.5.1", "because"]]


def _twice(fields: Any) -> None:
    fields["claims"].append(fields["claims"][0])


def _nameless(fields: Any) -> None:
    fields["claims"][0]["mark"] = "nobody"


def _evidence(fields: Any) -> None:
    fields["equivocations"] = [b"junk"]


@pytest.mark.parametrize(
    "change",
    [
        _supported, _nobody, _other_rule, _own_product, _later, _objected, _twice, _nameless,
        _evidence,
    ],
)  # fmt: skip
def test_a_signed_verdict_whose_facts_give_another_outcome_is_refused(
    decided: tuple[DisputeFolder, DisputeVerdict], change: Callable[[Any], None]
) -> None:
    folder, verdict = decided
    data = changed(folder, verdict, change)
    with pytest.raises(ZkwmError) as caught:
        DisputeVerdict.from_bytes(data, folder.judge.public)
    assert caught.value.check == "dispute.format"


def test_another_judge_and_an_altered_file(decided: tuple[DisputeFolder, DisputeVerdict]) -> None:
    folder, verdict = decided
    data = verdict.signed_by(folder.judge.key.signing, folder.judge.public)
    with pytest.raises(InvalidSignature) as caught:
        DisputeVerdict.from_bytes(data, new_judge().public)
    assert caught.value.check == "dispute.judge"
    signed = DisputeVerdictFile.from_bytes(data)
    altered = replace(signed, signature=bytes(64)).to_bytes()
    with pytest.raises(InvalidSignature) as caught:
        DisputeVerdict.from_bytes(altered, folder.judge.public)
    assert caught.value.check == "dispute.signature"
    assert DisputeVerdict.from_unverified(altered) == verdict


def test_a_judge_signs_no_verdict_that_nobody_could_read(
    decided: tuple[DisputeFolder, DisputeVerdict],
) -> None:
    folder, verdict = decided
    lie = replace(verdict, decision=replace(verdict.decision, party="doe"))
    with pytest.raises(Malformed):
        lie.signed_by(folder.judge.key.signing, folder.judge.public)


def test_a_signature_for_a_claim_is_none_for_a_dispute(
    decided: tuple[DisputeFolder, DisputeVerdict],
) -> None:
    folder, verdict = decided
    key, public = folder.judge.key.signing, folder.judge.public
    signed = DisputeVerdictFile.from_bytes(verdict.signed_by(key, public))
    other = key.sign("verdict", hashlib.sha256(signed.body).digest())
    with pytest.raises(InvalidSignature):
        DisputeVerdict.from_bytes(replace(signed, signature=other).to_bytes(), public)
