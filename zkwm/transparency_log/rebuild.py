"""Make a log's database again from its tree, which alone is the truth (SPEC.md 25.4)."""

from __future__ import annotations

from pathlib import Path

from zkwm.locks import file_lock
from zkwm.transparency_log.check import CheckedLog, check_log
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.entries import HeadRow
from zkwm.transparency_log.recovery import LOCK, PUBLIC, Describe, require_witnessed
from zkwm.transparency_log.tile_folder import TileFolder
from zkwm.transparency_log.tree_files import read_entries
from zkwm.transparency_log.tree_key import read_checkpoint
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.transparency.note_keys import VerifierKey

_LOCK_SECONDS = 1.0


def rebuild(
    folder: Path,
    keys: tuple[VerifierKey, ...],
    database: LogDatabase,
    describe: Describe,
    *,
    adopt_checkpoint: bool = False,
) -> CheckedLog:
    """Verify the whole tree of the row, and make the index again; the row stays.

    Args:
        folder: of the log.
        keys: its verifier keys.
        database: whose index is replaced.
        describe: reads an entry.
        adopt_checkpoint: where the row is lost, make it from the checkpoint's file. Nothing but
            witnesses and others' copies then knows whether a newer tree was signed.

    Raises CouldNotCheck where another process holds the log, or where the row is lost and is not to
    be made, and what ``check_log`` raises; nothing is changed then.
    """
    files = TileFolder(folder / PUBLIC, Disk())
    try:
        with file_lock(folder / LOCK, wait_seconds=_LOCK_SECONDS):
            row = database.head(keys[0].name)
            if row is None and not adopt_checkpoint:
                raise CouldNotCheck(
                    f"the database ({database.label}) has no row of the log {keys[0].name!r}",
                    hint="restore the database; or, where the checkpoint's file is surely the "
                    "newest one that was ever signed, adopt it (`adopt_checkpoint`)",
                )
            signed = files.checkpoint() if row is None else row.checkpoint
            checked = check_log(files, keys, describe, checkpoint=signed)
            require_witnessed(
                files, lambda data: read_checkpoint(data, keys).checkpoint.head, checked.head
            )
            if row is None:
                database.create(
                    checked.origin, HeadRow(checked.head.size, checked.head.root, signed or b"")
                )
            database.replace_index(
                describe(data).at(position)
                for position, data in read_entries(files, 0, checked.head.size)
            )
    except TimeoutError:
        raise CouldNotCheck(
            f"another process writes to the log {folder}", hint="end it, and run this again"
        ) from None
    return checked
