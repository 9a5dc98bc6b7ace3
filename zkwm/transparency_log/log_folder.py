"""The folder of a log: its key, policy, database, and the public folder beside them.

::

    LOG/key, key.pub        the keys, encrypted, and their public file
    LOG/policy              witnesses, as C2SP tlog-policy says; a log without has none
    LOG/database.sqlite     row and index, unless ZKWM_REGISTRY_DATABASE names a PostgreSQL
    LOG/public/checkpoint, tile/...    what any web server may hand out
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import read_limited
from zkwm.secret_files.encrypted import Cost
from zkwm.transparency_log.database import FILE_NAME, LogDatabase
from zkwm.transparency_log.recovery import PUBLIC, create_log
from zkwm.transparency_log.tree_key import (
    KeyKind,
    TreeKey,
    create_tree_key,
    open_tree_key,
    read_verifiers,
)
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import POLICY_LIMIT, LogPolicy

KEY = "key"
POLICY = "policy"
DATABASE_VARIABLE = "ZKWM_REGISTRY_DATABASE"
"""The URL of a PostgreSQL; it may hold a password, and is therefore no option."""


@dataclass(frozen=True)
class LogFolder:
    """Where a log's parts are."""

    folder: Path

    @property
    def public(self) -> Path:
        """What everybody may read."""
        return self.folder / PUBLIC

    def create(self, origin: str, passphrase: str, *, cost: Cost | None = None) -> TreeKey:
        """Begin a log: its folder, keys, database and an empty signed tree.

        Raises UsageError where there is one or the passphrase is short, Malformed for an origin
        that is none, CouldNotCheck where something cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {self.folder}: {error.strerror}") from None
        if self.public.exists():
            raise UsageError(f"{self.folder} is a log already", hint="choose another folder")
        database = self.database()
        try:
            database.head(origin)  # before keys are made: its server may not run
            key = create_tree_key(self.folder / KEY, KeyKind.LOG, origin, passphrase, cost=cost)
            create_log(self.folder, key, database)
        finally:
            database.close()
        return key

    def require_log(self) -> None:
        """Raise UsageError unless a log was begun in this folder."""
        if not (self.folder / KEY).is_file():
            raise UsageError(
                f"there is no log in {self.folder}",
                hint="give the folder that zkwm registry init made, or begin a log with it",
            )

    def key(self, passphrase: str) -> TreeKey:
        """The log's keys.

        Raises UsageError without a log, VaultUnusable, Malformed or Unsupported.
        """
        self.require_log()
        return open_tree_key(self.folder / KEY, KeyKind.LOG, passphrase)

    def verifiers(self) -> tuple[VerifierKey, ...]:
        """The log's public keys. Raises UsageError without a log, CouldNotCheck."""
        self.require_log()
        return read_verifiers(self.folder / f"{KEY}.pub")

    def database(self) -> LogDatabase:
        """The log's database. Raises CouldNotCheck or UsageError."""
        url = os.environ.get(DATABASE_VARIABLE)
        return LogDatabase(url or self.folder / FILE_NAME)

    def require_database(self) -> None:
        """Raise CouldNotCheck where a log that was begun has no database here, and none is named.

        Else a forgotten variable would make a new, empty one, into which a key goes that the
        service never sees.
        """
        named = os.environ.get(DATABASE_VARIABLE)
        if named or not (self.folder / KEY).exists() or (self.folder / FILE_NAME).exists():
            return
        raise CouldNotCheck(
            f"the database of {self.folder} is not in this folder",
            hint=f"put the URL of its PostgreSQL into {DATABASE_VARIABLE}, as when it was begun; a "
            "file that is lost, restore, or let zkwm registry rebuild make it again "
            "(`adopt_checkpoint`)",
        )

    def policy(self) -> LogPolicy | None:
        """Its witnesses; None where the log has none.

        Raises CouldNotCheck or Malformed, UsageError for a policy without this log.
        """
        path = self.folder / POLICY
        if not path.exists():
            return None
        policy = LogPolicy.from_bytes(read_limited(path, POLICY_LIMIT))
        keys = {log.key for log in policy.logs}
        if not keys & set(self.verifiers()):
            raise UsageError(
                f"{path} does not name this log",
                hint=f"begin it with a line 'log KEY', a key of {self.folder / KEY}.pub",
            )
        return policy
