"""zkwm: prove to a judge that a neural network carries the mark that you committed to.

This module is the whole public API; everything else may change without notice. Names are loaded on
first use, so that a judge never imports torch.

An owner uses ``Vault``, ``commit``, ``trigger_set``, ``embed``, ``disclosure`` and ``prove``; a
judge ``Judge``, ``open_suspect``, ``render_text`` and ``render_report``; a marketplace
``Marketplace``; a court ``check_case``, a buyer ``find_claims``. SPEC.md says what each of them
must do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_ERRORS = (
    "Cancelled", "CouldNotCheck", "InvalidLogProof", "InvalidOpening", "InvalidSignature",
    "Malformed", "NotEnoughMatches", "NotProven", "SuspectUnusable", "TrustMaterialMissing",
    "Unsupported", "UsageError", "VaultUnusable", "ZkwmError",
)  # fmt: skip
_HOMES = {
    **dict.fromkeys(_ERRORS, "zkwm_protocols.errors"),
    "ARCHITECTURES": "zkwm.nn.architecture_names",
    "Account": "zkwm_protocols.suspect_identity",
    "Agreement": "zkwm.quantizer.network_agreement",
    "Alternative": "zkwm.judge.task_accuracy",
    "Answer": "zkwm.suspects.suspect",
    "AnswerRate": "zkwm.judge.results",
    "ArchiveRole": "zkwm.case_archive.manifest",
    "ArchivedFile": "zkwm.case_archive.manifest",
    "Argued": "zkwm.judge.results",
    "ArgumentChallenge": "zkwm_protocols.challenge",
    "ArgumentCheck": "zkwm.owner.suspect_check",
    "ArgumentDisclosure": "zkwm.owner.disclosure",
    "ArgumentEntry": "zkwm.owner.vault.ledger",
    "ArgumentOutcome": "zkwm.owner.vault.ledger",
    "ArgumentProgress": "zkwm.owner.prove_argument",
    "ArgumentResponse": "zkwm_protocols.argument_response",
    "Asked": "zkwm.judge.results",
    "BlockCheck": "zkwm.owner.suspect_check",
    "BoxPublicKey": "zkwm_protocols.keys",
    "CardClaim": "zkwm.model_card.claim",
    "Case": "zkwm.marketplace",
    "CaseDocuments": "zkwm.case_archive.documents",
    "CaseManifest": "zkwm.case_archive.manifest",
    "CaseParticulars": "zkwm.judge.particulars",
    "CaseState": "zkwm.marketplace",
    "Challenge": "zkwm_protocols.challenge",
    "Check": "zkwm.judge.results",
    "CheckStatus": "zkwm.judge.results",
    "CheckedBy": "zkwm.judge.verdict",
    "Claim": "zkwm.marketplace",
    "ClaimAgreement": "zkwm.model_card.find",
    "ClaimComparison": "zkwm.model_card.find",
    "ClaimFinding": "zkwm.model_card.find",
    "ClaimedEntry": "zkwm.model_card.claim",
    "ClaimedModel": "zkwm.model_card.claim",
    "Classifier": "zkwm.nn.architectures",
    "Commitment": "zkwm_protocols.commitment",
    "CommitmentOverview": "zkwm.owner.overview",
    "Consent": "zkwm.owner.consent",
    "Cost": "zkwm.secret_files.encrypted",
    "Criterion": "zkwm.training.embed_loss",
    "Data": "zkwm.nn.image_source",
    "DatedBy": "zkwm_protocols.timestamps.authority",
    "DatedTime": "zkwm.judge.dating",
    "Dating": "zkwm.judge.dating",
    "DerivedNetwork": "zkwm.owner.suspect_file",
    "Disclosure": "zkwm.owner.disclosure",
    "EmbedLoss": "zkwm.training",
    "EmbedResult": "zkwm.training",
    "EmbedSettings": "zkwm.training",
    "Epoch": "zkwm.training.result",
    "Estimate": "zkwm_protocols.argument.cost_estimate",
    "Evidence": "zkwm_protocols.evidence",
    "ExtractedMark": "zkwm.case_archive.extracted_mark",
    "ExtractionSettings": "zkwm.suspects",
    "FAMILIES": "zkwm.triggers",
    "FileDigest": "zkwm.judge.particulars",
    "FileRole": "zkwm.judge.particulars",
    "FirstSeen": "zkwm.judge.results",
    "Fit": "zkwm.data.images",
    "FoundClaims": "zkwm.model_card.card",
    "Header": "zkwm_protocols.commitment",
    "HttpSettings": "zkwm.suspects",
    "ImageData": "zkwm.data",
    "IntegerNetwork": "zkwm_protocols.integer_network.model",
    "Interval": "zkwm_protocols.dates",
    "Judge": "zkwm.judge.judge",
    "JudgeKey": "zkwm.judge.key_file",
    "JudgeLedger": "zkwm.judge.ledger",
    "JudgePublic": "zkwm_protocols.keys",
    "LabelMode": "zkwm_protocols.commitment",
    "LabeledImages": "zkwm.data",
    "LeafKind": "zkwm_protocols.commitment",
    "LedgerEntry": "zkwm.owner.vault.ledger",
    "LightningEmbedCallback": "zkwm.training",
    "Listing": "zkwm.marketplace",
    "LogPolicy": "zkwm_protocols.transparency.policy",
    "LoggedStatement": "zkwm_protocols.cose.logged_statement",
    "LoggedTime": "zkwm.judge.log_dating",
    "Marketplace": "zkwm.marketplace",
    "Mode": "zkwm_protocols.challenge",
    "ModelDigest": "zkwm.suspects.model_digests",
    "NoStanding": "zkwm.marketplace.screening",
    "Obtained": "zkwm.timestamp_client",
    "OlderCopyEntry": "zkwm.owner.vault.ledger",
    "OnnxLimits": "zkwm.suspects.limits",
    "OpenedBlock": "zkwm_protocols.opening",
    "OpenedTrigger": "zkwm_protocols.opening",
    "Opening": "zkwm_protocols.opening",
    "OpeningChallenge": "zkwm_protocols.challenge",
    "OpeningCheck": "zkwm.owner.suspect_check",
    "Order": "zkwm_protocols.dates",
    "Outcome": "zkwm.judge.verdict",
    "OwnerKey": "zkwm.judge.owner_keys",
    "PersonAuthority": "zkwm_protocols.person_authority",
    "Phase": "zkwm.training.result",
    "Policy": "zkwm_protocols.policy",
    "Preprocessing": "zkwm_protocols.suspect_identity",
    "Progress": "zkwm.training",
    "PublicKey": "zkwm_protocols.keys",
    "Published": "zkwm_protocols.dates",
    "QueryRecord": "zkwm.suspects.suspect",
    "RankSum": "zkwm_protocols.evidence",
    "Refusal": "zkwm_protocols.argument_response",
    "RegisteredEntry": "zkwm.owner.register_in_log",
    "Registration": "zkwm.owner.register",
    "Replay": "zkwm.case_archive.replay",
    "ReplayState": "zkwm.case_archive.steps",
    "ReplayStep": "zkwm.case_archive.steps",
    "Response": "zkwm_protocols.argument_response",
    "Revocation": "zkwm_protocols.timestamps.authority",
    "ScoreSum": "zkwm_protocols.evidence",
    "Screening": "zkwm.marketplace",
    "Settled": "zkwm.marketplace",
    "Settling": "zkwm.marketplace.many",
    "Shape": "zkwm.data.images",
    "SigningKey": "zkwm_protocols.keys",
    "Standing": "zkwm.marketplace.screening",
    "StatedPerson": "zkwm.judge.owner_keys",
    "Statistic": "zkwm_protocols.ranks",
    "Suspect": "zkwm.suspects",
    "SuspectCheck": "zkwm.owner.suspect_check",
    "SuspectFile": "zkwm.suspects.suspect",
    "SuspectIdentity": "zkwm_protocols.suspect_identity",
    "SuspectKind": "zkwm_protocols.suspect_identity",
    "TaskAccuracy": "zkwm.judge.task_accuracy",
    "TaskData": "zkwm.judge.task_accuracy",
    "Term": "zkwm_protocols.allowances",
    "TestAccuracy": "zkwm_protocols.suspect_identity",
    "TimestampAuthority": "zkwm_protocols.timestamps.authority",
    "TimestampEvidence": "zkwm_protocols.timestamps.evidence",
    "TrainerEmbedCallback": "zkwm.training",
    "TriggerBatches": "zkwm.training",
    "TriggerDataset": "zkwm.training",
    "TriggerResult": "zkwm.judge.results",
    "TriggerSet": "zkwm.triggers",
    "TriggerStatus": "zkwm.judge.results",
    "Trust": "zkwm_protocols.trust",
    "Vault": "zkwm.owner.vault",
    "VaultOverview": "zkwm.owner.overview",
    "VaultState": "zkwm.owner.vault.state",
    "Verdict": "zkwm.judge.verdict",
    "build_model": "zkwm.nn.architectures",
    "card_claim": "zkwm.model_card.card",
    "check": "zkwm.owner.check",
    "check_case": "zkwm.case_archive.replay",
    "commit": "zkwm.owner.commit",
    "default_settings": "zkwm.training",
    "disclosure": "zkwm.owner.prove",
    "embed": "zkwm.training",
    "export_triggers": "zkwm.owner.export_triggers",
    "find_claims": "zkwm.model_card.card",
    "json_schema": "zkwm.json_schemas",
    "load_data": "zkwm.data",
    "load_images": "zkwm.data.images",
    "load_labels": "zkwm.data.images",
    "load_model": "zkwm.nn.model_file",
    "load_test_data": "zkwm.data",
    "open_suspect": "zkwm.suspects",
    "overview": "zkwm.owner.overview",
    "pack_case": "zkwm.case_archive.pack",
    "prove": "zkwm.owner.prove",
    "read_date": "zkwm.written_dates",
    "read_preprocessor_config": "zkwm.suspects",
    "read_trust": "zkwm.trust_folder",
    "register": "zkwm.owner.register",
    "render_report": "zkwm.report",
    "render_text": "zkwm.report",
    "save_model": "zkwm.training.saved_model",
    "to_onnx": "zkwm.nn.onnx_export",
    "trigger_set": "zkwm.owner.commit",
    "verify_argument": "zkwm.judge.verification",
    "write_claim": "zkwm.model_card.card",
}

__all__ = sorted(_HOMES)

if TYPE_CHECKING:
    from zkwm.case_archive.documents import CaseDocuments
    from zkwm.case_archive.extracted_mark import ExtractedMark
    from zkwm.case_archive.manifest import ArchivedFile, ArchiveRole, CaseManifest
    from zkwm.case_archive.pack import pack_case
    from zkwm.case_archive.replay import Replay, check_case
    from zkwm.case_archive.steps import ReplayState, ReplayStep
    from zkwm.data import ImageData, LabeledImages, load_data, load_test_data
    from zkwm.data.images import Fit, Shape, load_images, load_labels
    from zkwm.json_schemas import json_schema
    from zkwm.judge.dating import DatedTime, Dating
    from zkwm.judge.judge import Judge
    from zkwm.judge.key_file import JudgeKey
    from zkwm.judge.ledger import JudgeLedger
    from zkwm.judge.log_dating import LoggedTime
    from zkwm.judge.owner_keys import OwnerKey, StatedPerson
    from zkwm.judge.particulars import CaseParticulars, FileDigest, FileRole
    from zkwm.judge.results import (
        AnswerRate,
        Argued,
        Asked,
        Check,
        CheckStatus,
        FirstSeen,
        TriggerResult,
        TriggerStatus,
    )
    from zkwm.judge.task_accuracy import Alternative, TaskAccuracy, TaskData
    from zkwm.judge.verdict import CheckedBy, Outcome, Verdict
    from zkwm.judge.verification import verify_argument
    from zkwm.marketplace import Case, CaseState, Claim, Listing, Marketplace, Screening, Settled
    from zkwm.marketplace.many import Settling
    from zkwm.marketplace.screening import NoStanding, Standing
    from zkwm.model_card.card import FoundClaims, card_claim, find_claims, write_claim
    from zkwm.model_card.claim import CardClaim, ClaimedEntry, ClaimedModel
    from zkwm.model_card.find import ClaimAgreement, ClaimComparison, ClaimFinding
    from zkwm.nn.architecture_names import ARCHITECTURES
    from zkwm.nn.architectures import Classifier, build_model
    from zkwm.nn.image_source import Data
    from zkwm.nn.model_file import load_model
    from zkwm.nn.onnx_export import to_onnx
    from zkwm.owner.check import check
    from zkwm.owner.commit import commit, trigger_set
    from zkwm.owner.consent import Consent
    from zkwm.owner.disclosure import ArgumentDisclosure, Disclosure
    from zkwm.owner.export_triggers import export_triggers
    from zkwm.owner.overview import CommitmentOverview, VaultOverview, overview
    from zkwm.owner.prove import disclosure, prove
    from zkwm.owner.prove_argument import ArgumentProgress
    from zkwm.owner.register import Registration, register
    from zkwm.owner.register_in_log import RegisteredEntry
    from zkwm.owner.suspect_check import ArgumentCheck, BlockCheck, OpeningCheck, SuspectCheck
    from zkwm.owner.suspect_file import DerivedNetwork
    from zkwm.owner.vault import Vault
    from zkwm.owner.vault.ledger import ArgumentEntry, ArgumentOutcome, LedgerEntry, OlderCopyEntry
    from zkwm.owner.vault.state import VaultState
    from zkwm.quantizer.network_agreement import Agreement
    from zkwm.report import render_report, render_text
    from zkwm.secret_files.encrypted import Cost
    from zkwm.suspects import (
        ExtractionSettings,
        HttpSettings,
        Suspect,
        open_suspect,
        read_preprocessor_config,
    )
    from zkwm.suspects.limits import OnnxLimits
    from zkwm.suspects.model_digests import ModelDigest
    from zkwm.suspects.suspect import Answer, QueryRecord, SuspectFile
    from zkwm.timestamp_client import Obtained
    from zkwm.training import (
        EmbedLoss,
        EmbedResult,
        EmbedSettings,
        LightningEmbedCallback,
        Progress,
        TrainerEmbedCallback,
        TriggerBatches,
        TriggerDataset,
        default_settings,
        embed,
    )
    from zkwm.training.embed_loss import Criterion
    from zkwm.training.result import Epoch, Phase
    from zkwm.training.saved_model import save_model
    from zkwm.triggers import FAMILIES, TriggerSet
    from zkwm.trust_folder import read_trust
    from zkwm.written_dates import read_date
    from zkwm_protocols.allowances import Term
    from zkwm_protocols.argument.cost_estimate import Estimate
    from zkwm_protocols.argument_response import ArgumentResponse, Refusal, Response
    from zkwm_protocols.challenge import ArgumentChallenge, Challenge, Mode, OpeningChallenge
    from zkwm_protocols.commitment import Commitment, Header, LabelMode, LeafKind
    from zkwm_protocols.cose.logged_statement import LoggedStatement
    from zkwm_protocols.dates import Interval, Order, Published
    from zkwm_protocols.errors import (
        Cancelled,
        CouldNotCheck,
        InvalidLogProof,
        InvalidOpening,
        InvalidSignature,
        Malformed,
        NotEnoughMatches,
        NotProven,
        SuspectUnusable,
        TrustMaterialMissing,
        Unsupported,
        UsageError,
        VaultUnusable,
        ZkwmError,
    )
    from zkwm_protocols.evidence import Evidence, RankSum, ScoreSum
    from zkwm_protocols.integer_network.model import IntegerNetwork
    from zkwm_protocols.keys import BoxPublicKey, JudgePublic, PublicKey, SigningKey
    from zkwm_protocols.opening import OpenedBlock, OpenedTrigger, Opening
    from zkwm_protocols.person_authority import PersonAuthority
    from zkwm_protocols.policy import Policy
    from zkwm_protocols.ranks import Statistic
    from zkwm_protocols.suspect_identity import (
        Account,
        Preprocessing,
        SuspectIdentity,
        SuspectKind,
        TestAccuracy,
    )
    from zkwm_protocols.timestamps.authority import DatedBy, Revocation, TimestampAuthority
    from zkwm_protocols.timestamps.evidence import TimestampEvidence
    from zkwm_protocols.transparency.policy import LogPolicy
    from zkwm_protocols.trust import Trust


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name from the module where it lives."""
    if name == "__version__":
        from importlib.metadata import version  # takes long to import, and few want it

        return version("zkwm")
    if name not in _HOMES:
        raise AttributeError(f"module 'zkwm' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from zkwm.extras import missing_extra

        raise missing_extra(error) or error from None


def __dir__() -> list[str]:
    return __all__
