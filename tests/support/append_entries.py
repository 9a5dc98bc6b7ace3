"""Append entries to a test's log and say when each is durable: a process of its own.

``python -m tests.support.append_entries FOLDER START END`` prints ``ACK <number>``, a line for each
entry, by one write each; ``FAILED <message>`` where the log stops.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support.logs import TestSigner, describe, entries
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.recovery import open_log
from zkwm_protocols.errors import CouldNotCheck


def main(folder: Path, start: int, end: int) -> None:
    """Append the entries with these numbers, one a batch, on the real disk."""
    database = LogDatabase(folder / "database.sqlite")
    with open_log(folder, TestSigner(), database, describe) as log:
        for number in range(start, end):
            try:
                log.append(entries(number, number + 1))
            except CouldNotCheck as error:
                os.write(1, f"FAILED {error.message}\n".encode())
                return
            os.write(1, f"ACK {number}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
