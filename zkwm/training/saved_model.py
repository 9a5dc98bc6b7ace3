"""Write a trained model as safetensors and ONNX, with the record of its training."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zkwm.files import write_atomic
from zkwm.nn.architectures import Classifier
from zkwm.nn.model_file import CONFIG, ONNX, RECORD, WEIGHTS, config_json, json_bytes, weight_bytes
from zkwm.nn.onnx_export import to_onnx
from zkwm.training.distributed import this_process_writes
from zkwm.training.result import EmbedResult
from zkwm_protocols.errors import CouldNotCheck, UsageError

RECORD_FORMAT = "zkwm-embed-record/1"


def save_model(
    folder: str | Path,
    result: EmbedResult,
    *,
    evidence: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a model and its record into a new folder, all files or none.

    Under torchrun only the first process writes.

    Args:
        folder: Its parents are created.
        result: What ``embed`` returned.
        evidence: Copied into the record.
        overwrite: Replace a folder that holds such files and nothing else.

    Returns:
        The folder's path.

    Raises:
        UsageError: The folder exists (or, with ``overwrite``, holds something else).
        Unsupported: The model cannot be exported to ONNX.
        CouldNotCheck: The disk refuses.
    """
    folder = Path(folder)
    if not this_process_writes():
        return folder
    _require_replaceable(folder, overwrite)
    files = {
        WEIGHTS: weight_bytes(result.model),
        ONNX: to_onnx(result.model, result.shape),
        RECORD: json_bytes({"format": RECORD_FORMAT, **result.to_map(), "evidence": evidence}),
    }
    if isinstance(result.model, Classifier):
        files[CONFIG] = config_json(result.model.config)
    try:
        _replace_folder(folder, files)
    except OSError as error:
        raise CouldNotCheck(f"cannot write {folder}: {error.strerror}") from None
    return folder


def _replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder, replacing an old one: all of them, or nothing changes."""
    unique = secrets.token_hex(8)
    new, old = (folder.with_name(f".{folder.name}.{unique}.{end}") for end in ("tmp", "old"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    new.mkdir()
    try:
        for name, data in files.items():
            write_atomic(new / name, data)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _require_replaceable(folder: Path, overwrite: bool) -> None:
    """Raise UsageError unless the folder is missing, or may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir() or {item.name for item in folder.iterdir()} - {
        WEIGHTS, CONFIG, ONNX, RECORD,
    }:  # fmt: skip
        raise UsageError(f"{folder} exists and holds something else", hint="choose another name")
    if not overwrite:
        raise UsageError(f"{folder} exists", hint="choose another name, or use `overwrite=True`")
