"""A line every half a minute while a command says nothing else.

Foreign files are quantized, endpoints ask for patience, processes are started again: whoever waits
sees that the command is at work. A person who is asked is not disturbed, nor the journal of a
service filled.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from zkwm_cli.terminal import SPARSE_SECONDS, attention, duration, say_between


@contextlib.contextmanager
def heartbeat(every: float = SPARSE_SECONDS) -> Iterator[None]:
    """Say on stderr, after each ``every`` seconds of silence, that the block is at work."""
    end = threading.Event()
    thread = threading.Thread(target=_beat, args=(end, every), daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(timeout=1.0)  # it may be writing where nobody reads


def _beat(end: threading.Event, every: float) -> None:
    """Speak until ``end``; a closed or full stderr is the command's own affair."""
    began = time.monotonic()
    attention.spoke()
    while not end.wait(max(0.05, attention.since + every - time.monotonic())):
        awaited = not (attention.asking or attention.serving)
        if awaited and time.monotonic() - attention.since >= every:
            with contextlib.suppress(OSError, ValueError):
                say_between(f"still at work, {duration(time.monotonic() - began)} so far")
            attention.spoke()
