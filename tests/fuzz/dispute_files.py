"""Disputes: CASE.yaml, and signed verdicts on them that are shown or verified (SPEC.md 28)."""

from __future__ import annotations

import json
from random import Random

from tests.fuzz.byte_changes import chosen, headed, mixed
from tests.fuzz.cbor_changes import change_cbor
from tests.fuzz.disk import from_disk
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.text_changes import change_lines, change_yaml
from tests.support.stored_vectors import vectors
from zkwm.disputes.case_file import read_case
from zkwm.disputes.page import render_dispute_page
from zkwm.disputes.text import render_dispute_text
from zkwm.disputes.verdict import DisputeVerdict
from zkwm_protocols.errors import CouldNotCheck, InvalidSignature, Malformed
from zkwm_protocols.keys import JudgePublic

_CASE = {
    "schema": "zkwm/dispute-case/v1", "title": "Acme v. Doe", "trust": "trust",
    "judges": ["judge.key.pub"],
    "parties": [
        {"name": "acme", "called": "Acme Inc.", "commitment": "acme.commitment"},
        {"name": "doe", "commitment": "doe.commitment"},
    ],
    "models": [
        {"name": "suspect", "file": "s.onnx", "published_by": "doe", "published": "2026-03-01",
         "source": "a page", "contested": "true"},
        {"name": "service", "endpoint": "https://a.example", "published_by": "doe"},
    ],
    "claims": [
        {"mark": "acme", "model": "suspect", "archive": "a.zip"},
        {"mark": "acme", "model": "service", "verdict": "a.verdict"},
        {"mark": "doe", "model": "suspect", "challenge": "a.challenge", "proof": "a.proof"},
    ],
    "earlier_openings": [{"challenge": "b.challenge", "proof": "b.proof"}],
    "statements": ["a.tlog-proof"], "checkpoints": ["a.checkpoint"], "equivocations": ["a.eq"],
}  # fmt: skip


def case_kind() -> Kind:
    """A case, as YAML that was changed as a tree, or line by line."""

    def change(data: bytes, random: Random) -> bytes:
        if random.random() < 0.7:
            return change_yaml(data, random)
        return change_lines(data, random)

    return Kind("case of a dispute", mixed(chosen([json.dumps(_CASE).encode()]), change),
                from_disk("CASE.yaml", read_case), (Malformed, CouldNotCheck))  # fmt: skip


def verdict_kinds() -> list[Kind]:
    """A verdict on a dispute: shown unverified, as text, page and JSON, or verified."""
    stored = [
        bytes.fromhex(case["file"]) for case in vectors("dispute")["cases"] if not case["check"]
    ]
    public = JudgePublic.from_bytes(bytes.fromhex(vectors("dispute")["judge"]["public"]))

    def shown(data: bytes) -> DisputeVerdict:
        verdict = DisputeVerdict.from_unverified(data)
        verdict.to_json()
        render_dispute_text(verdict)
        render_dispute_page(verdict)
        return verdict

    def verified(data: bytes) -> bytes:
        DisputeVerdict.from_bytes(data, public)
        return data

    return [
        Kind("dispute's verdict, unverified", mixed(chosen(stored), headed(change_cbor)), shown,
             note="shown as text, page and JSON"),
        Kind("dispute's signed verdict", mixed(chosen(stored[:1]), headed(change_cbor)), verified,
             (*DOCUMENT_ERRORS, InvalidSignature), again=lambda data: data),
    ]  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [case_kind(), *verdict_kinds()]
