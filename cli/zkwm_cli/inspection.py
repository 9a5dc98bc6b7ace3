"""Reads any zkwm file without a secret: kind, fields and the checks possible.

A file that passes them proves nothing yet; ``zkwm verify`` decides. Formats: SPEC.md 3 to 6, 18.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from zkwm.judge.date_demands import terms_values
from zkwm.judge.results import suspect_values
from zkwm.judge.verdict import Verdict
from zkwm.quantizer.summary import facts
from zkwm.secret_files.encrypted import Container
from zkwm_cli.inspected_commitment import commitment_fields, trust_fields
from zkwm_cli.inspected_evidence import evidence_fields
from zkwm_cli.log_inspection import LOG_KINDS, log_fields, log_kind
from zkwm_cli.reading import Reading
from zkwm_protocols import response_file as responses
from zkwm_protocols.argument_response import ArgumentResponse, read_response
from zkwm_protocols.challenge import ArgumentChallenge, Challenge
from zkwm_protocols.errors import Malformed, ZkwmError
from zkwm_protocols.integer_network import codec
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opened_triggers import opened_blocks
from zkwm_protocols.opening import Opening
from zkwm_protocols.trust import Trust

SCHEMA = "zkwm/inspect/v1"
FILE_LIMIT = responses.FILE_LIMIT


class State(StrEnum):
    """The outcome of one check."""

    VERIFIED = "verified"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Inspection:
    """The content of a file, as far as it can be read without a secret.

    Attributes:
        kind: the kind in its first line.
        sha256: digest of all its bytes.
        size: number of its bytes.
        fields: its content as JSON values, secrets left out.
        checks: check id to state.
        failure: the error of the first check that failed.
        advice: how the rest is checked.
        shown: rows for people instead of the fields, of a model or a verdict.
        lines: what people see instead of one field, by its name.
        verdict: the whole verdict, which people see below the rows.
    """

    kind: str
    sha256: bytes
    size: int
    fields: dict[str, Any]
    checks: dict[str, State]
    failure: ZkwmError | None
    advice: str
    shown: list[tuple[str, str]] = field(default_factory=list)
    verdict: Verdict | None = None
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, schema ``zkwm/inspect/v1``."""
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "sha256": self.sha256.hex(),
            "bytes": self.size,
            "fields": self.fields,
            "checks": self.checks,
            "problem": None if self.failure is None else self.failure.message,
            "advice": self.advice,
        }


def inspect_file(data: bytes, *, trust: Trust | None = None) -> Inspection:
    """Read any zkwm file; a commitment and evidence are checked by ``trust``.

    Raises Malformed or Unsupported where it cannot be read at all.
    """
    kind = kind_of(data) or log_kind(data)
    if kind in SIGNED_VERDICTS:
        return SIGNED_VERDICTS[kind](data, None)
    if data.startswith(b"PK"):
        raise Malformed(
            "this is a ZIP file, perhaps the archive of a case",
            hint="zkwm case check FILE reads such an archive and repeats the case",
        )
    if kind not in _READERS and kind not in _BY_TRUST and kind not in LOG_KINDS:
        kinds = sorted([*_READERS, *_BY_TRUST, *SIGNED_VERDICTS])
        raise Malformed(
            "this is not a zkwm file", hint=f"zkwm files are of the kinds {', '.join(kinds)}"
        )
    if kind in LOG_KINDS:
        reading = log_fields(kind, data, trust)
    elif kind in _BY_TRUST:
        reading = _BY_TRUST[kind](data, trust)
    else:
        reading = _READERS[kind](data)
    checks: dict[str, State] = {}
    failure: ZkwmError | None = None
    for name, test in reading.tests.items():
        checks[name] = State.NOT_CHECKED
        if test is None:
            continue
        try:
            test()
        except ZkwmError as error:
            checks[name] = State.FAILED
            failure = failure or error
        else:
            checks[name] = State.VERIFIED
    return Inspection(
        kind, hashlib.sha256(data).digest(), len(data), reading.fields, checks, failure,
        reading.advice, lines=reading.lines,
    )  # fmt: skip


def kind_of(data: bytes) -> str:
    """The kind in the first line of a zkwm file, empty where it is none."""
    first = data[: data.find(b"\n", 0, 64) + 1].decode("ascii", "replace")
    return first.removeprefix("zkwm-").partition("/")[0] if first.startswith("zkwm-") else ""


def inspect_verdict(data: bytes, judge: JudgePublic | str | None) -> Inspection:
    """A verdict's file, whose signature is checked where a judge is given (SPEC.md 10.4).

    Raises InvalidSignature where that judge did not sign it, Malformed or Unsupported.
    """
    from zkwm_protocols.verdict_file import FILE_LIMIT as VERDICT_LIMIT

    if len(data) > VERDICT_LIMIT + 64:
        raise Malformed("a verdict's file has at most 64 MiB")
    signer = "the judge"
    if judge is None:
        verdict = Verdict.from_unverified(data)
        state, signer = State.NOT_CHECKED, "UNVERIFIED; it names the judge"
        advice = (
            "the signature, with the judge's public key: zkwm inspect FILE --judge judge.key.pub; "
            "until then anybody could have written this"
        )
    else:
        verdict, state = Verdict.from_bytes(data, judge), State.VERIFIED
        advice = "compare the judge's fingerprint with the one that they published"
    named = "" if verdict.judge is None else verdict.judge.fingerprint()
    rows = [("outcome", str(verdict.outcome)), ("signed by", f"{signer} {named}")]
    return Inspection(
        "verdict",
        hashlib.sha256(data).digest(),
        len(data),
        {"signed_by": named, "verdict": verdict.to_json()},
        {"verdict.signature": state},
        None,
        advice,
        rows,
        verdict,
    )


def inspect_dispute(data: bytes, judge: JudgePublic | str | None) -> Inspection:
    """A verdict on a dispute, whose signature is checked where a judge is given (SPEC.md 28.7).

    Raises InvalidSignature where that judge did not sign it, Malformed.
    """
    from zkwm.disputes.verdict import DisputeVerdict

    if judge is None:
        verdict = DisputeVerdict.from_unverified(data)
        state, signer = State.NOT_CHECKED, "UNVERIFIED; it names the judge"
    else:
        verdict, state = DisputeVerdict.from_bytes(data, judge), State.VERIFIED
        signer = "the judge"
    named = "" if verdict.judge is None else verdict.judge.fingerprint()
    return Inspection(
        "dispute-verdict",
        hashlib.sha256(data).digest(),
        len(data),
        {"signed_by": named, "verdict": verdict.to_json()},
        {"dispute.signature": state},
        None,
        "compare the judge's fingerprint with the one that they published; the folder of the case "
        "decides it again: zkwm dispute CASE.yaml",
        [
            ("outcome", str(verdict.outcome)),
            ("reason", verdict.reason),
            ("signed by", f"{signer} {named}"),
        ],
    )


SIGNED_VERDICTS = {"verdict": inspect_verdict, "dispute-verdict": inspect_dispute}
"""Files that judges sign, with their readers."""


def _challenge(data: bytes) -> Reading:
    """The signature can be checked; whether it fits its commitment cannot."""
    challenge = Challenge.from_bytes(data)
    suspect, policy = challenge.suspect, challenge.policy
    fields = {
        "digest": challenge.digest.hex(),
        "commitment": challenge.commitment.hex(),
        "suspect": {**suspect_values(suspect), "shape": list(suspect.shape)},
        "preprocessing": challenge.preprocessing.to_map(),
        "class_map": list(challenge.class_map),
        "suspect_classes": None
        if challenge.suspect_classes is None
        else list(challenge.suspect_classes),
        "reopened_blocks": list(challenge.reopened_blocks),
        "test_accuracy": None
        if (tested := challenge.test_accuracy) is None
        else {"right": tested.right, "count": tested.count, "data": tested.data.hex()},
        "statistic": challenge.statistic,
        "judge": challenge.judge.fingerprint(),
        **(
            {
                "mode": challenge.mode,
                "network": challenge.network.hex(),
                "least_matches": challenge.least_matches,
                "blocks_to_argue_about": challenge.block_count,
            }
            if isinstance(challenge, ArgumentChallenge)
            else {"blocks_to_open": challenge.block_count}
        ),
        "excluded_blocks": list(challenge.excluded_blocks),
        "purpose": challenge.purpose,
        "issued": challenge.issued,
        "threshold_bits": policy.threshold_bits,
        "functions_tried": policy.functions_tried,
        "owner_choice_bits": policy.owner_choice_bits,
        "accept_declared_labels": policy.accept_declared_labels,
        **terms_values(challenge),
    }
    return Reading(
        fields,
        {"challenge.signature": challenge.verify_signature, "challenge.commitment": None},
        "compare the judge's fingerprint with the one they told you through another channel",
    )


def _proof(data: bytes) -> Reading:
    """Which kind of response it is; nothing can be checked without challenge and commitment."""
    response = read_response(data)
    fields: dict[str, Any] = {
        "digest": response.digest.hex(),
        "challenge": response.challenge.hex(),
        "commitment": response.commitment.hex(),
        "blocks": list(response.blocks),
        "signatures": len(response.signatures),
    }
    signature: dict[str, Callable[[], object] | None] = {"response.signature": None}
    if isinstance(response, Opening):
        fields["sealed_bytes"] = len(response.sealed)
        advice = "only the judge of its challenge can open it: zkwm verify"
        return Reading(fields, {**signature, "opening.sealed": None}, advice)
    if isinstance(response, ArgumentResponse):
        fields["declared_labels"] = response.labels is not None
        fields["argument_bytes"] = len(response.argument)
        advice = (
            "a zero-knowledge argument, which anybody checks with the public key of its "
            "challenge's judge: zkwm verify"
        )
        return Reading(fields, {**signature, "argument.proof": None}, advice)
    fields["unopened_blocks"] = response.unopened_blocks
    return Reading(fields, signature, "a refusal, which proves nothing: issue a smaller challenge")


def _judge_public(data: bytes) -> Reading:
    """The judge's fingerprint, for comparison."""
    judge = JudgePublic.from_bytes(data)
    fields = {
        "fingerprint": judge.fingerprint(),
        "signing_key": judge.signing.fingerprint(),
        "algorithm": judge.signing.algorithm,
    }
    return Reading(fields, {}, "compare the fingerprint with the one that the judge published")


def _network(data: bytes) -> Reading:
    """Sizes, layers and digest."""
    network = codec.from_bytes(data)
    return Reading(facts(network), {}, "zkwm quantize of the suspect's file gives the same digest")


def _opened(data: bytes) -> Reading:
    """Which blocks of triggers are in it; the triggers themselves are not shown."""
    challenge, blocks = opened_blocks(data)
    fields = {"challenge": challenge.hex(), "blocks": list(blocks)}
    advice = "it holds opened triggers: keep it secret; zkwm case check compares its leaves"
    return Reading(fields, {"opening.leaves": None}, advice)


def _secret(kind: str) -> Callable[[bytes], Reading]:
    """A reader of an encrypted file: only its key derivation is visible."""

    def read(data: bytes) -> Reading:
        container = Container.from_bytes(kind, data)
        fields = {
            "encryption": "XChaCha20-Poly1305",
            "key_derivation": "Argon2id",
            "passes": container.cost.operations,
            "memory_kib": container.cost.memory_kib,
            "encrypted_bytes": len(container.ciphertext),
        }
        advice = "its content can be read with the passphrase of its holder"
        return Reading(fields, {"content": None}, advice)

    return read


_READERS: dict[str, Callable[[bytes], Reading]] = {
    "challenge": _challenge,
    "proof": _proof,
    "judge-public": _judge_public,
    "network": _network,
    "opened-triggers": _opened,
    "trust": trust_fields,
    "vault": _secret("vault"),
    "judge-key": _secret("judge-key"),
    "log-key": _secret("log-key"),
    "witness-key": _secret("witness-key"),
}
_BY_TRUST: dict[str, Callable[[bytes, Trust | None], Reading]] = {
    "commitment": commitment_fields,
    "equivocation": evidence_fields,
}
