"""The part of a log's folder that makes it a registry with claims and verdicts.

::

    LOG/service/judges/*.pub       public keys of the judges whose challenges and verdicts count
    LOG/service/trust/             whose dates count first in files of commitments; may be missing
    LOG/service/registry.sqlite    what the log does not hold: keys, claims, answers, verdicts

With ``ZKWM_REGISTRY_DATABASE`` the service is in that PostgreSQL, beside the log's own tables. The
log's database is made again from its tree; this one is not, so it is another file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zkwm.judge.key_file import read_judge_public
from zkwm.registry_database.database import SCHEMA_SCOPE, Database, holds_tables
from zkwm.registry_database.migrations import migrate
from zkwm.sql_database import DatabaseLocation, SqlDatabase, file_location, server_location
from zkwm.transparency_log.log_folder import DATABASE_VARIABLE, LogFolder
from zkwm.trust_folder import read_trust
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.trust import Trust

FOLDER = "service"
JUDGES = "judges"
TRUST = "trust"
FILE_NAME = "registry.sqlite"
WHOSE = "the registry's"
_PUBLIC_SUFFIX = ".pub"


@dataclass(frozen=True)
class ServiceFolder:
    """Where the parts of a service are. ``folder`` is that of the log."""

    folder: Path

    @property
    def there(self) -> bool:
        """Whether the log has a service."""
        return (self.folder / FOLDER).is_dir()

    def create(self) -> None:
        """Make it. Raises CouldNotCheck."""
        try:
            (self.folder / FOLDER / JUDGES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(
                f"cannot make {self.folder / FOLDER}: {error.strerror}",
                hint="correct the permissions of the log's folder",
            ) from None

    def require(self) -> None:
        """Raise UsageError where the log has no service."""
        if not self.there:
            raise UsageError(
                f"{self.folder} has no service",
                hint=f"mkdir -p {self.folder / FOLDER / JUDGES}; zkwm registry init (`service`) "
                "makes it for a new log",
            )

    def database(self) -> Database:
        """The service's database, brought up to date. Raises CouldNotCheck or Unsupported."""
        LogFolder(self.folder).require_database()
        url = os.environ.get(DATABASE_VARIABLE)
        path = self.folder / FOLDER / FILE_NAME
        return open_database(server_location(url, WHOSE) if url else file_location(path))

    def judges(self) -> tuple[JudgePublic, ...]:
        """The judges whom the service trusts. Raises CouldNotCheck, Malformed or Unsupported."""
        files = sorted((self.folder / FOLDER / JUDGES).glob(f"*{_PUBLIC_SUFFIX}"))
        return tuple(read_judge_public(path) for path in files)

    def trust(self) -> Trust | None:
        """Whom the service trusts to date commitments; None where nobody said.

        Raises what ``read_trust`` raises.
        """
        folder = self.folder / FOLDER / TRUST
        return read_trust(folder) if folder.exists() else None


def open_database(location: DatabaseLocation) -> Database:
    """The database at a location, made where it is missing, brought up to date where it is older.

    Raises CouldNotCheck where it cannot be used, Unsupported for what this zkwm does not know.
    """
    found = SqlDatabase(location, WHOSE)
    try:
        with found.writing(SCHEMA_SCOPE) as connection:
            holds_tables(connection, location)
            migrate(connection)
    finally:
        found.close()
    return Database(location, WHOSE)
