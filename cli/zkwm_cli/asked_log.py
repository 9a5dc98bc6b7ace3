"""Options to ask a log for all that it has about a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from zkwm_cli.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zkwm_protocols.cose.logged_statement import LoggedStatement
    from zkwm_protocols.trust import Trust


@dataclass(frozen=True)
class AskedLogOptions:
    """A log, how thoroughly it is read, and where its statements are kept."""

    log: str | None = option(
        "--log", metavar="URL", help="Ask this log for all statements about --key."
    )
    every_entry: bool = option(
        "--every-entry",
        is_flag=True,
        help="Read all of the log, not its index, which may leave out what it does not want you "
        "to know.",
    )
    save: str | None = option(
        "--save",
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        help="Keep what the log has there, such as statements/ of your trust folder.",
    )

    def find(self, trust: Trust | None, key: str | None) -> Sequence[LoggedStatement]:
        """What the log has about the key, verified, and saved where that is wanted.

        Raises a usage error, and what ``find_about_key`` raises.
        """
        if self.log is None:
            if self.every_entry or self.save is not None:
                raise click.UsageError("--every-entry and --save go with --log")
            return ()
        if key is None:
            raise click.UsageError("--log takes --key: whose statements are wanted")
        from zkwm.owner.kept_checkpoints import kept_checkpoints
        from zkwm.owner.register_in_log import policy_of
        from zkwm.transparency_log.client import LogClient
        from zkwm.transparency_log.key_entries import find_about_key
        from zkwm_cli.options import usage_errors
        from zkwm_cli.terminal import note
        from zkwm_protocols.fingerprints import require_fingerprint

        with usage_errors("--key: "):
            require_fingerprint(key)
        client = LogClient(self.log, policy_of(trust, self.log), kept_checkpoints())
        try:
            found = find_about_key(client, key, whole=self.every_entry, tell=note)
        finally:
            client.close()
        how = "read whole" if found.whole else "by its index: --every-entry reads all of it"
        note(f"{len(found.statements)} statements in a tree of {found.size:,} entries, {how}")
        if found.later:
            note(f"{found.later} more are in the log, which too few witnesses have cosigned yet")
        self._save(found.statements)
        return found.statements

    def _save(self, statements: Sequence[LoggedStatement]) -> None:
        """Write each statement with its proof; one that is there has an earlier time, and stays.

        Raises CouldNotCheck where the folder cannot be written.
        """
        if self.save is None:
            return
        import hashlib
        from pathlib import Path

        from zkwm.files import write_atomic
        from zkwm_protocols.errors import CouldNotCheck

        folder = Path(self.save)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {folder}: {error.strerror}") from None
        for one in statements:
            origin = one.proof.checkpoint.checkpoint.origin.encode()
            name = hashlib.sha256(origin + b"\n" + one.statement.to_bytes()).hexdigest()[:32]
            path = folder / f"{name}.tlog-proof"
            if not path.exists():
                write_atomic(path, one.to_bytes())
