"""zkwm: prove to a judge that a neural network carries the mark that you committed to.

This module is the whole public API; everything else may change without notice. Names are loaded on
first use, so that a judge never imports torch.

An owner uses ``Vault``, ``commit``, ``trigger_set``, ``embed``, ``disclosure`` and ``prove``; a
judge ``Judge``, ``open_suspect``, ``render_text`` and ``render_report``; a marketplace
``Marketplace``. SPEC.md says what each of them must do.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

_HOMES = {
    "ARCHITECTURES": "zkwm.nn.architecture_names",
    "ArgumentResponse": "zkwm_protocols.argument_response",
    "CaseParticulars": "zkwm.judge.particulars",
    "Cancelled": "zkwm_protocols.errors",
    "Case": "zkwm.marketplace",
    "CaseState": "zkwm.marketplace",
    "Challenge": "zkwm_protocols.challenge",
    "Claim": "zkwm.marketplace",
    "Commitment": "zkwm_protocols.commitment",
    "CouldNotCheck": "zkwm_protocols.errors",
    "Disclosure": "zkwm.owner.disclosure",
    "EmbedLoss": "zkwm.training",
    "EmbedResult": "zkwm.training",
    "EmbedSettings": "zkwm.training",
    "ExtractionSettings": "zkwm.suspects",
    "FAMILIES": "zkwm.triggers",
    "HttpSettings": "zkwm.suspects",
    "ImageData": "zkwm.data",
    "InvalidOpening": "zkwm_protocols.errors",
    "InvalidSignature": "zkwm_protocols.errors",
    "Judge": "zkwm.judge.judge",
    "LabeledImages": "zkwm.data",
    "LightningEmbedCallback": "zkwm.training",
    "Malformed": "zkwm_protocols.errors",
    "Listing": "zkwm.marketplace",
    "Marketplace": "zkwm.marketplace",
    "NotEnoughMatches": "zkwm_protocols.errors",
    "NotProven": "zkwm_protocols.errors",
    "Opening": "zkwm_protocols.opening",
    "Policy": "zkwm_protocols.policy",
    "Preprocessing": "zkwm_protocols.suspect_identity",
    "Progress": "zkwm.training",
    "Refusal": "zkwm_protocols.argument_response",
    "Screening": "zkwm.marketplace",
    "Settled": "zkwm.marketplace",
    "Suspect": "zkwm.suspects",
    "SuspectCheck": "zkwm.owner.suspect_check",
    "SuspectUnusable": "zkwm_protocols.errors",
    "TaskData": "zkwm.judge.task_accuracy",
    "TrainerEmbedCallback": "zkwm.training",
    "TriggerBatches": "zkwm.training",
    "TriggerDataset": "zkwm.training",
    "TriggerSet": "zkwm.triggers",
    "TrustMaterialMissing": "zkwm_protocols.errors",
    "Unsupported": "zkwm_protocols.errors",
    "UsageError": "zkwm_protocols.errors",
    "VaultOverview": "zkwm.owner.overview",
    "Vault": "zkwm.owner.vault",
    "VaultUnusable": "zkwm_protocols.errors",
    "Verdict": "zkwm.judge.verdict",
    "ZkwmError": "zkwm_protocols.errors",
    "build_model": "zkwm.nn.architectures",
    "check": "zkwm.owner.check",
    "commit": "zkwm.owner.commit",
    "default_settings": "zkwm.training",
    "disclosure": "zkwm.owner.prove",
    "export_triggers": "zkwm.owner.export_triggers",
    "embed": "zkwm.training",
    "json_schema": "zkwm.json_schemas",
    "load_data": "zkwm.data",
    "load_images": "zkwm.data.images",
    "load_labels": "zkwm.data.images",
    "load_model": "zkwm.nn.model_file",
    "load_test_data": "zkwm.data",
    "overview": "zkwm.owner.overview",
    "open_suspect": "zkwm.suspects",
    "prove": "zkwm.owner.prove",
    "read_preprocessor_config": "zkwm.suspects",
    "render_report": "zkwm.report",
    "render_text": "zkwm.report",
    "save_model": "zkwm.training.saved_model",
    "trigger_set": "zkwm.owner.commit",
    "verify_argument": "zkwm.judge.verification",
}

__all__ = sorted(_HOMES)

if TYPE_CHECKING:
    from zkwm.data import ImageData, LabeledImages, load_data, load_test_data
    from zkwm.data.images import load_images, load_labels
    from zkwm.json_schemas import json_schema
    from zkwm.judge.judge import Judge
    from zkwm.judge.particulars import CaseParticulars
    from zkwm.judge.task_accuracy import TaskData
    from zkwm.judge.verdict import Verdict
    from zkwm.judge.verification import verify_argument
    from zkwm.marketplace import (
        Case,
        CaseState,
        Claim,
        Listing,
        Marketplace,
        Screening,
        Settled,
    )
    from zkwm.nn.architecture_names import ARCHITECTURES
    from zkwm.nn.architectures import build_model
    from zkwm.nn.model_file import load_model
    from zkwm.owner.check import check
    from zkwm.owner.commit import commit, trigger_set
    from zkwm.owner.disclosure import Disclosure
    from zkwm.owner.export_triggers import export_triggers
    from zkwm.owner.overview import VaultOverview, overview
    from zkwm.owner.prove import disclosure, prove
    from zkwm.owner.suspect_check import SuspectCheck
    from zkwm.owner.vault import Vault
    from zkwm.report import render_report, render_text
    from zkwm.suspects import (
        ExtractionSettings,
        HttpSettings,
        Suspect,
        open_suspect,
        read_preprocessor_config,
    )
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
    from zkwm.training.saved_model import save_model
    from zkwm.triggers import FAMILIES, TriggerSet
    from zkwm_protocols.argument_response import ArgumentResponse, Refusal
    from zkwm_protocols.challenge import Challenge
    from zkwm_protocols.commitment import Commitment
    from zkwm_protocols.errors import (
        Cancelled,
        CouldNotCheck,
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
    from zkwm_protocols.opening import Opening
    from zkwm_protocols.policy import Policy
    from zkwm_protocols.suspect_identity import Preprocessing


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name from the module where it lives."""
    if name == "__version__":
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
