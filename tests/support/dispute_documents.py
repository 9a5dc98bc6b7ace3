"""The verdict of a dispute as the code writes it, with its rules of spec/formats.cddl."""

from __future__ import annotations

from tests.support.spec_documents import Document, framed, value_of
from tests.support.witnessed_log import two_histories
from zkwm.disputes.results import (
    Basis,
    Found,
    FoundClaim,
    FoundModel,
    FoundParty,
    LogPlace,
    Objection,
)
from zkwm.disputes.rules import decide
from zkwm.disputes.verdict import CaseFileDigest, DisputeVerdict
from zkwm.judge.judge import Judge
from zkwm.judge.owner_keys import OwnerKey, StatedPerson
from zkwm.judge.verdict import Outcome
from zkwm_protocols.dates import Interval, Published
from zkwm_protocols.dispute_verdict_file import DisputeVerdictFile


def found(key: str) -> Found:
    """A party whose mark stands in another's product, and a claim that meets an objection."""
    person = StatedPerson("ACME Ltd", "state", 9, None, "log.example/1", 2, 8, "")
    keys = (OwnerKey(key, (person,), "lost", 7, "", contested=True),)
    party = FoundParty(
        "acme", "Acme Inc.", b"D" * 32, keys, Interval(1, 2), (("tsa", Interval(1, 2)),),
        (LogPlace("log.example/1", 3, 4),), "",
    )  # fmt: skip
    published = Published(Interval(10, 20), "a page")
    models = tuple(
        FoundModel(name, "doe", "onnx", b"m" * 32, published, name == "suspect", "")
        for name in ("suspect", "other")
    )
    claim = FoundClaim(
        "acme", "suspect", Outcome.PROVEN, Basis.REPEATED, "found", 4_200, 50, 50, key, b"c" * 32,
        b"p" * 32, 30, (0, 1),
    )  # fmt: skip
    objected = FoundClaim(
        "acme", "other", Outcome.PROVEN, Basis.JUDGES_WORD, "",
        objections=(Objection("28.5.1", "labels"),),
    )  # fmt: skip
    return Found((party,), models, (claim, objected))


def dispute_documents(judge: Judge) -> dict[str, Document]:
    """A signed verdict on a dispute, and its body."""
    facts = found(judge.public.signing.fingerprint())
    verdict = DisputeVerdict(
        "Acme v. Doe", decide(facts), "because", 5, bytes(32), facts,
        (Objection("28.3.2", "older"),), ("something",), (two_histories(),),
        (CaseFileDigest("case", "CASE.yaml", bytes(32), 7),), {"zkwm": "1"},
        people=("state",),
    )  # fmt: skip
    data = verdict.signed_by(judge.secret_key.signing, judge.public)
    return {
        "dispute's verdict file": Document(
            "DisputeVerdictFile",
            value_of(data),
            framed("dispute-verdict", lambda file: DisputeVerdict.from_bytes(file, judge.public)),
        ),
        "dispute's verdict": Document(
            "DisputeVerdictBody",
            DisputeVerdictFile.from_bytes(data).body,
            lambda body: DisputeVerdict.from_unverified(
                DisputeVerdictFile(body, bytes(64)).to_bytes()
            ),
        ),
    }
