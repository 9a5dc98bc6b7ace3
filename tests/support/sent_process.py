"""A process that has answered before it was asked, for tests of what is read of a process."""

from __future__ import annotations

import io


class SentProcess:
    """A process that has sent these frames already; its input goes nowhere."""

    def __init__(self, data: bytes) -> None:
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO(data)
        self.pid = self.returncode = 0  # it has ended: nobody may send a signal to number 0

    def kill(self) -> None:
        """Nothing runs."""

    def wait(self, timeout: float) -> None:
        """Nothing runs."""


def frames(*parts: bytes) -> bytes:
    """The bytes of these frames."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
