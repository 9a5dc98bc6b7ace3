"""What a verification waits for, begun before its turn, while the judge's key is derived.

Two things take long and depend on no secret: the seed of the derived labels (Argon2id), and the
start of the process for an ONNX file. Nothing is decided here, and no foreign work is done: the
seed costs the same for every commitment, and the process waits without a byte of the model. What
fails here is not told: the same is done again in its turn, where its error counts (SPEC.md 9.2).
Importing this module is quick, and so is starting the processes: a command does both first.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zkwm.quantizer.quantizer_process import quantizer_started
from zkwm.suspects.early_start import started_for
from zkwm.suspects.resource_limits import memory_left
from zkwm_protocols.errors import ZkwmError

if TYPE_CHECKING:
    from zkwm.suspects.limits import OnnxLimits
    from zkwm_protocols.commitment import Commitment

AMPLE_MEMORY = 1 << 30
"""Bytes left with which a seed is begun early: twice what two derivations at once take."""
_begun: dict[bytes, threading.Thread] = {}
_registering = threading.Lock()


@contextlib.contextmanager
def head_start(
    commitment: Commitment | bytes | None,
    suspect: object,
    limits: OnnxLimits | None = None,
    *,
    argued: bool = False,
) -> Iterator[None]:
    """Begin the seed of the labels, and the process for the suspect, for the time of the block.

    Args:
        commitment: or the bytes of its file, which need not be one; None begins no seed.
        suspect: the location of a suspect; for an open one nothing is started.
        limits: those of the process, as for ``zkwm.suspects.open_suspect``.
        argued: whether an integer network will be made of the suspect's file, too.
    """
    if commitment is not None:
        begin_label_seed(commitment)
    with contextlib.ExitStack() as started:
        if isinstance(suspect, str | Path):
            started.enter_context(started_for(suspect, limits))
            with contextlib.suppress(OSError, ValueError):
                if argued:
                    size = Path(suspect).stat().st_size
                    started.enter_context(quantizer_started(size))
        yield


def begin_label_seed(commitment: Commitment | bytes) -> None:
    """Begin to derive the seed in a thread, where labels are derived and memory is ample."""
    from zkwm_protocols.commitment import Commitment, LabelMode

    try:
        if isinstance(commitment, bytes):
            commitment = Commitment.from_bytes(commitment)
        if commitment.header.label_mode != LabelMode.DERIVED:
            return
        digest, beacon = commitment.digest, commitment.beacon()
    except ZkwmError:
        return
    left = memory_left()
    if digest in _begun or (left is not None and left < AMPLE_MEMORY):
        return
    thread = threading.Thread(target=_derive, args=(digest, beacon), daemon=True)
    with contextlib.suppress(RuntimeError), _registering:  # the system may give no thread
        thread.start()
        _begun[digest] = thread


def await_label_seed(commitment: Commitment) -> None:
    """Wait for a seed that was begun. Without one, or where it failed, labels() derives it."""
    thread = _begun.get(commitment.digest)
    if thread is not None:
        thread.join()


def _derive(digest: bytes, beacon: bytes | None) -> None:
    """Derive the seed, which ``labels.label_seed`` keeps."""
    from zkwm_protocols import labels

    try:
        with contextlib.suppress(ZkwmError):
            labels.label_seed(digest, beacon)
    finally:
        with _registering:
            _begun.pop(digest, None)
