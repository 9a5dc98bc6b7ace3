"""Write triggers and labels outside of the vault, in plain: for an own training loop, or a copy.

Whoever reads such a file can train the mark away, so that only its owner may read it: mode 0600,
in a folder of mode 0700.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
from pathlib import Path

import numpy as np

from zkwm.files import write_atomic
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import CouldNotCheck, UsageError

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700


def export_triggers(triggers: TriggerSet, path: str | Path) -> None:
    """Write a set of triggers as ``.npz``, or else as a folder of PNG files.

    The ``.npz`` has ``images`` (uint8, (n, channels, height, width)) and ``labels`` (int64, (n,)),
    and is read without pickle. In the folder ``trigger-00012-label-3.png`` is trigger 12.

    Args:
        triggers: images and labels.
        path: a file or folder that does not exist.

    Raises:
        UsageError: it exists.
        CouldNotCheck: it cannot be written; then nothing is left.
    """
    target = Path(path)
    if os.path.lexists(target):
        raise UsageError(f"{target} exists", hint="choose another name")
    if target.suffix.lower() == ".npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=triggers.images, labels=triggers.labels)
        write_atomic(target, buffer.getvalue(), mode=_FILE_MODE)
        return
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        unfinished.mkdir(mode=_FOLDER_MODE)
        for number, label in enumerate(triggers.labels.tolist()):
            name = f"trigger-{number:05}-label-{label}.png"
            write_atomic(unfinished / name, _png(triggers, number), mode=_FILE_MODE)
        unfinished.rename(target)
    except OSError as error:
        raise CouldNotCheck(
            f"cannot write {target}: {error.strerror}",
            hint="choose a folder that you may write, with room for it",
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _png(triggers: TriggerSet, number: int) -> bytes:
    """One trigger as a PNG file."""
    from PIL import Image

    pixels = triggers.images[number]
    buffer = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()
