"""``zkwm registry backup`` and ``restore``: a copy of a running registry, and its way back."""

from __future__ import annotations

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.options import json_option, option, options

_FOLDER = click.Path(file_okay=False)


@click.command("backup", short_help="Copy a registry that runs, of one moment.")
@click.argument("folder", type=_FOLDER)
@options(
    output=option(
        "--output",
        required=True,
        type=_FOLDER,
        metavar="FOLDER",
        help="A new folder. Keys in it stay encrypted; claims and API keys' hashes are in it.",
    ),
    as_json=json_option(),
)
def backup(folder: str, output: str, as_json: bool) -> None:
    """Copy the log in FOLDER, and its service, while they run.

    Everything that was acknowledged before is in it. A database on a server
    (ZKWM_REGISTRY_DATABASE) is not: dump it first, with pg_dump.
    """
    from pathlib import Path

    from zkwm.extras import require

    require("sqlalchemy")
    from zkwm.registry_service.backup import back_up
    from zkwm_cli.terminal import note

    made = back_up(Path(folder), Path(output))
    inside = " and ".join(made.databases) or "no database: it is on a server"
    note(f"copied {made.origin} with {made.head.size:,} entries to {output}, with {inside}")
    print_result(
        as_json, "registry-backup", path=output, origin=made.origin, size=made.head.size,
        root=made.head.root.hex(), databases=list(made.databases),
    )  # fmt: skip


@click.command("restore", short_help="Make a registry's folder again from a backup.")
@click.argument("backup_folder", metavar="BACKUP", type=_FOLDER)
@click.argument("folder", type=_FOLDER)
@options(as_json=json_option())
def restore(backup_folder: str, folder: str, as_json: bool) -> None:
    """Verify BACKUP whole, and make FOLDER, which is missing or empty, from it.

    The index is made again from the tree, whose root has to be the signed one. Restore the newest
    backup: what was signed since would be signed another time, and a log with witnesses does not
    start then. Exit code 3: the backup is damaged, and nothing is left in FOLDER.
    """
    from pathlib import Path

    from zkwm.extras import require

    require("sqlalchemy")
    from zkwm.registry_service import backup as backups
    from zkwm.transparency_log.statements import read_statement
    from zkwm_cli.terminal import note

    checked = backups.restore(Path(backup_folder), Path(folder), read_statement)
    note(f"restored {checked.origin} with {checked.head.size:,} entries to {folder}")
    print_result(
        as_json, "registry-restore", path=folder, origin=checked.origin, size=checked.head.size,
        root=checked.head.root.hex(), kinds=checked.kinds,
    )  # fmt: skip
