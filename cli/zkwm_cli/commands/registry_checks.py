"""``zkwm registry check``, ``rebuild``, ``evidence``: what is done to a log's files offline."""

from __future__ import annotations

import click

from zkwm_cli.artifacts import print_result, read_artifact
from zkwm_cli.options import FILE, json_option, option, options

_FOLDER = click.Path(file_okay=False)


@click.command("evidence", short_help="Write what a witness has kept against logs.")
@click.argument("folder", type=_FOLDER)
@options(
    output=option(
        "--output",
        required=True,
        type=click.Path(file_okay=False),
        metavar="FOLDER",
        help="Where the files go; made where it is missing.",
    ),
    as_json=json_option(),
)
def evidence(folder: str, output: str, as_json: bool) -> None:
    """Write each two trees of one size, both signed by a log, that the witness in FOLDER was shown.

    One file of evidence each: zkwm inspect shows it, and checks it against a trust folder. The
    witness may run meanwhile.
    """
    from pathlib import Path

    from zkwm.extras import require
    from zkwm_cli.terminal import note

    require("sqlalchemy")
    from zkwm.transparency_log.witness_folder import WitnessFolder

    files = WitnessFolder(Path(folder)).write_evidence(Path(output))
    note(f"wrote {len(files)} files of evidence to {output}")
    if not as_json:
        for name, origin in files:
            click.echo(f"{name}  {origin}")
    found = [{"file": name, "origin": origin} for name, origin in files]
    print_result(as_json, "registry-evidence", path=output, evidence=found)


@click.command("check", short_help="Verify a whole copy of a log, offline.")
@click.argument("folder", type=_FOLDER)
@options(
    keys=option(
        "--keys",
        required=True,
        type=FILE,
        metavar="FILE",
        help="The log's public keys (its key.pub), from where you trust them.",
    ),
    older=option(
        "--older",
        type=FILE,
        metavar="FILE",
        help="A checkpoint of this log that you kept: the log must begin with its tree.",
    ),
    as_json=json_option(),
)
def check(folder: str, keys: str, older: str | None, as_json: bool) -> None:
    """Verify every entry, hash and tile in FOLDER (the one with checkpoint and tile).

    Exit code 0: the files are the signed tree, and begin with the older one. 3: they are not.
    """
    from pathlib import Path

    from zkwm.transparency_log.check import check_log
    from zkwm.transparency_log.disk import Disk
    from zkwm.transparency_log.statements import read_statement
    from zkwm.transparency_log.tile_folder import CHECKPOINT_LIMIT, TileFolder
    from zkwm.transparency_log.tree_key import read_verifiers

    seen = None if older is None else read_artifact(older, CHECKPOINT_LIMIT)
    files = TileFolder(Path(folder), Disk())
    checked = check_log(files, read_verifiers(Path(keys)), read_statement, older=seen)
    if not as_json:
        click.echo(f"{checked.origin}: {checked.head.size:,} entries, all of the signed tree")
        for kind, count in checked.kinds.items():
            click.echo(f"{count:>12,}  {kind}")
    print_result(
        as_json,
        "registry-check",
        origin=checked.origin,
        size=checked.head.size,
        root=checked.head.root.hex(),
        kinds=checked.kinds,
    )


@click.command("rebuild", short_help="Make a log's database again from its tree.")
@click.argument("folder", type=_FOLDER)
@options(
    adopt_checkpoint=option(
        "--adopt-checkpoint",
        is_flag=True,
        help="The database is lost: go on from FOLDER/public/checkpoint, which is surely the "
        "newest that was ever signed.",
    ),
    as_json=json_option(),
)
def rebuild(folder: str, adopt_checkpoint: bool, as_json: bool) -> None:
    """Verify the whole log in FOLDER and make the index of its entries again."""
    from pathlib import Path

    from zkwm.extras import require

    require("sqlalchemy")
    from zkwm.transparency_log import rebuild as rebuilding
    from zkwm.transparency_log.log_folder import LogFolder
    from zkwm.transparency_log.statements import read_statement
    from zkwm_cli.terminal import note

    log = LogFolder(Path(folder))
    log.require_log()
    database = log.database()
    try:
        checked = rebuilding.rebuild(
            log.folder,
            log.verifiers(),
            database,
            read_statement,
            adopt_checkpoint=adopt_checkpoint,
        )
    finally:
        database.close()
    note(f"the index of {checked.origin} holds {checked.head.size:,} entries")
    print_result(
        as_json, "registry-rebuild", origin=checked.origin, size=checked.head.size,
        root=checked.head.root.hex(),
    )  # fmt: skip
