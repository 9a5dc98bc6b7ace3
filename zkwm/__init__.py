"""zkwm: prove to a judge that a neural network carries the mark that you committed to.

This module is the whole public API; everything else may change without notice. Names are loaded on
first use, so that asking for a verdict never imports torch.

An owner uses ``Vault``, ``commit``, ``trigger_set``, ``embed``, ``disclosure`` and ``prove``; a
judge ``Judge``, ``open_suspect``, ``render_text`` and ``render_report``; a marketplace
``Marketplace``. SPEC.md says what each of them must do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "ARCHITECTURES": "zkwm.embed",
    "ArgumentResponse": "zkwm_protocols.argument_response",
    "Cancelled": "zkwm_protocols.errors",
    "Challenge": "zkwm_protocols.challenge",
    "Commitment": "zkwm_protocols.commitment",
    "CouldNotCheck": "zkwm_protocols.errors",
    "Disclosure": "zkwm.answering",
    "EmbedResult": "zkwm.embed",
    "EmbedSettings": "zkwm.embed",
    "ExtractionSettings": "zkwm.models",
    "FAMILIES": "zkwm.triggers",
    "HttpSettings": "zkwm.models",
    "ImageData": "zkwm.datasets",
    "InvalidOpening": "zkwm_protocols.errors",
    "InvalidSignature": "zkwm_protocols.errors",
    "Judge": "zkwm.judge",
    "Malformed": "zkwm_protocols.errors",
    "Marketplace": "zkwm.marketplace",
    "NotEnoughMatches": "zkwm_protocols.errors",
    "NotProven": "zkwm_protocols.errors",
    "Opening": "zkwm_protocols.opening",
    "Policy": "zkwm_protocols.evidence",
    "Preprocessing": "zkwm_protocols.suspect",
    "Progress": "zkwm.embed",
    "Refusal": "zkwm_protocols.argument_response",
    "Suspect": "zkwm.models",
    "SuspectUnusable": "zkwm_protocols.errors",
    "TriggerSet": "zkwm.triggers",
    "TrustMaterialMissing": "zkwm_protocols.errors",
    "Unsupported": "zkwm_protocols.errors",
    "UsageError": "zkwm_protocols.errors",
    "Vault": "zkwm.vault",
    "VaultUnusable": "zkwm_protocols.errors",
    "Verdict": "zkwm.verdict",
    "ZkwmError": "zkwm_protocols.errors",
    "build_model": "zkwm.embed",
    "commit": "zkwm.owner",
    "default_settings": "zkwm.embed",
    "disclosure": "zkwm.owner",
    "embed": "zkwm.embed",
    "load_data": "zkwm.datasets",
    "load_images": "zkwm.images",
    "load_labels": "zkwm.images",
    "load_model": "zkwm.embed",
    "open_suspect": "zkwm.models",
    "prove": "zkwm.owner",
    "render_report": "zkwm.report",
    "render_text": "zkwm.report",
    "save_model": "zkwm.embed",
    "trigger_set": "zkwm.owner",
}

__all__ = sorted(_HOMES)

if TYPE_CHECKING:
    from zkwm.answering import Disclosure
    from zkwm.datasets import ImageData, load_data
    from zkwm.embed import (
        ARCHITECTURES,
        EmbedResult,
        EmbedSettings,
        Progress,
        build_model,
        default_settings,
        embed,
        load_model,
        save_model,
    )
    from zkwm.images import load_images, load_labels
    from zkwm.judge import Judge
    from zkwm.marketplace import Marketplace
    from zkwm.models import ExtractionSettings, HttpSettings, Suspect, open_suspect
    from zkwm.owner import commit, disclosure, prove, trigger_set
    from zkwm.report import render_report, render_text
    from zkwm.triggers import FAMILIES, TriggerSet
    from zkwm.vault import Vault
    from zkwm.verdict import Verdict
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
    from zkwm_protocols.evidence import Policy
    from zkwm_protocols.opening import Opening
    from zkwm_protocols.suspect import Preprocessing


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zkwm' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
