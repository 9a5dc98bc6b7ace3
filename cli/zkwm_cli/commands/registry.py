"""``zkwm registry``: a public log of commitments, its witness, and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.commands.registry_backup import backup, restore
from zkwm_cli.commands.registry_checks import check, evidence, rebuild
from zkwm_cli.commands.registry_keys import add_key, list_keys, revoke_key
from zkwm_cli.commands.registry_send import send
from zkwm_cli.commands.registry_statements import state_verdict, state_withdrawal
from zkwm_cli.commands.registry_worker import worker
from zkwm_cli.options import FILE, json_option, option, options, passphrase_option

if TYPE_CHECKING:
    from zkwm.transparency_log.listening import Address

_FOLDER = click.Path(file_okay=False)


def _listen_option(default: str) -> object:
    """--listen"""
    return option(
        "--listen",
        default=default,
        show_default=True,
        metavar="HOST:PORT",
        help="Where to listen; a web server with TLS stands before it.",
    )


@click.group("registry", short_help="Run a public log of commitments, or a witness of logs.")
def command() -> None:
    """A log in which everybody sees the same commitments, in the same order."""


for _further in (
    evidence, check, rebuild, backup, restore, add_key, list_keys, revoke_key, worker,
    state_verdict, state_withdrawal, send,
):  # fmt: skip
    command.add_command(_further)


@command.command("init", short_help="Begin a log: its name, its keys, an empty tree.")
@click.argument("folder", type=_FOLDER)
@options(
    origin=option(
        "--origin",
        required=True,
        metavar="NAME",
        help="The log's name for good: its address without scheme, such as log.example/2027.",
    ),
    service=option(
        "--service",
        is_flag=True,
        help="Make FOLDER/service too: claims and verdicts beside the log.",
    ),
    passphrase_file=passphrase_option(),
    as_json=json_option(),
)
def init(
    folder: str, origin: str, service: bool, passphrase_file: str | None, as_json: bool
) -> None:
    """Begin a log in FOLDER. Name and keys never change; FOLDER/key.pub goes to everybody.

    Put the witnesses that the log asks for cosignatures into FOLDER/policy, as C2SP tlog-policy
    says; with --service, the public files of judges whom you trust into FOLDER/service/judges.
    """
    from pathlib import Path

    from zkwm.extras import require
    from zkwm.transparency_log.log_folder import LogFolder
    from zkwm_cli.terminal import note

    require("sqlalchemy")
    secret = _passphrase(passphrase_file, folder, new="the log's key")
    key = LogFolder(Path(folder)).create(origin, secret)
    if service:
        from zkwm.registry_service.folder import ServiceFolder

        ServiceFolder(Path(folder)).create()
    note(f"began the log {origin} in {folder}; its public keys are in {folder}/key.pub")
    keys = [one.to_text() for one in key.verifiers]
    if not as_json:
        click.echo("\n".join(keys))
    print_result(as_json, "registry-init", path=folder, origin=origin, keys=keys)


@command.command("serve", short_help="Take statements, and hand out the log.")
@click.argument("folder", type=_FOLDER)
@options(
    listen=_listen_option("127.0.0.1:8080"),
    rate=option(
        "--rate",
        type=click.FloatRange(min=0, min_open=True),
        default=60.0,
        show_default=True,
        metavar="N",
        help="KiB of statements a minute from one address, begun ones counted whole; ten minutes' "
        "worth at once.",
    ),
    reads=option(
        "--read-rate",
        type=click.IntRange(1, 10_000_000),
        default=600,
        show_default=True,
        metavar="N",
        help="Requests below /v1 that one address may read with in a minute, as many at once; "
        "tiles have no rate.",
    ),
    proxies=option(
        "--proxy",
        multiple=True,
        metavar="ADDRESS",
        help="The address of your own web server before the log, whose X-Forwarded-For says who "
        "asks.",
    ),
    url=option(
        "--url",
        metavar="URL",
        help="By which visitors reach the service's pages, for badges and on paper.",
    ),
    without_witnesses=option(
        "--without-witnesses",
        is_flag=True,
        help="Take entries before witnesses have cosigned: you know that folder and database are "
        "no old copies.",
    ),
    passphrase_file=passphrase_option(),
    as_json=json_option(),
)
def serve(
    folder: str,
    listen: str,
    rate: float,
    reads: int,
    proxies: tuple[str, ...],
    url: str | None,
    without_witnesses: bool,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Run the log in FOLDER until SIGTERM or Ctrl-C. What is acknowledged is durable.

    With witnesses in FOLDER/policy it takes no entries until their quorum has cosigned the tree
    that it starts with: a restored old copy gets none.

    The one process that writes. FOLDER/public may be handed out by any web server beside it. After
    a failure of the disk it ends, and its next start finds out what was written. Where there is
    FOLDER/service, claims and verdicts are served beside the log, with pages for people.
    """
    from pathlib import Path

    from zkwm.extras import require
    from zkwm_cli.terminal import attention, note

    require("fastapi", "uvicorn", "sqlalchemy")
    from zkwm.registry_service.folder import ServiceFolder
    from zkwm.registry_service.json_logs import json_logs
    from zkwm.transparency_log.admission import Rate
    from zkwm.transparency_log.log_folder import LogFolder
    from zkwm.transparency_log.serve import LogSettings

    address, website = _address(listen), _website(url)
    settings = LogSettings(without_witnesses, Rate(rate), proxies, reads=reads)
    log = LogFolder(Path(folder))
    log.require_log()
    key = log.key(_passphrase(passphrase_file, f"{folder}/key"))

    def started(url: str, size: int) -> None:
        attention.serving = True
        note(f"the log {key.origin} with {size:,} entries listens on {url}")
        print_result(as_json, "registry-serve", url=url, origin=key.origin, size=size)

    with json_logs():
        if ServiceFolder(log.folder).there:
            require("alembic")
            from zkwm.registry_service.serve import serve_registry

            serve_registry(log, key, address, started, settings, website)
        else:
            from zkwm.registry_service.serve_alone import serve_log_alone

            serve_log_alone(log, key, address, started, settings)


@command.command("witness", short_help="Cosign the trees of logs, which may only grow.")
@click.argument("folder", type=_FOLDER)
@options(
    name=option(
        "--name",
        metavar="NAME",
        help="Make the witness first: its name for good, such as witness.example/w1.",
    ),
    logs=option(
        "--log",
        multiple=True,
        type=FILE,
        metavar="FILE",
        help="The public keys of a log (its key.pub). Give it once for each log.",
    ),
    listen=_listen_option("127.0.0.1:8081"),
    passphrase_file=passphrase_option(),
    as_json=json_option(),
)
def witness(
    folder: str,
    name: str | None,
    logs: tuple[str, ...],
    listen: str,
    passphrase_file: str | None,
    as_json: bool,
) -> None:
    """Run the witness in FOLDER until SIGTERM or Ctrl-C, by C2SP tlog-witness.

    It remembers the largest tree of each log and cosigns none that does not begin with it. Never
    restore FOLDER from a copy: a witness that forgot may cosign two trees.
    """
    from pathlib import Path

    from zkwm.extras import require
    from zkwm_cli.terminal import attention, note

    require("fastapi", "uvicorn", "sqlalchemy")
    from zkwm.transparency_log.listening import require_free
    from zkwm.transparency_log.serve import serve_witness
    from zkwm.transparency_log.witness_folder import WitnessFolder, known_logs

    if not logs:
        raise click.UsageError("give at least one --log")
    address = _address(listen)
    place = WitnessFolder(Path(folder))
    if name is None:
        place.require_witness()
    else:  # whatever can fail does so before the name is taken
        known_logs(map(Path, logs))
        require_free(address)
    secret = _passphrase(passphrase_file, f"{folder}/key", new="the witness's key" if name else "")
    key = place.key(secret) if name is None else place.create(name, secret)

    def started(url: str) -> None:
        attention.serving = True
        note(f"the witness {key.origin} listens on {url}; its keys are in {folder}/key.pub")
        print_result(
            as_json,
            "registry-witness",
            url=url,
            name=key.origin,
            keys=[one.to_text() for one in key.verifiers],
        )

    serve_witness(place, key, [Path(one) for one in logs], address, started)


def _passphrase(file: str | None, of: str, new: str = "") -> str:
    """The passphrase of the key of a log or witness."""
    from zkwm_cli.hardening import Role
    from zkwm_cli.passphrases import passphrase

    return passphrase(file, of=of, role=Role.REGISTRY, new=new)


def _address(listen: str) -> Address:
    """HOST:PORT. Raises a usage error."""
    from zkwm.transparency_log.listening import Address

    host, colon, port = listen.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise click.UsageError("--listen is HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _website(url: str | None) -> str:
    """The address of a website, or nothing. Raises a usage error."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url or "")
        named = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    except ValueError:
        named = False
    if url and not named:
        raise click.UsageError(
            "--url is the address of a website, such as https://registry.example"
        )
    return url or ""
