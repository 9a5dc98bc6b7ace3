"""``zkwm registry add-key``, ``list-keys``, ``revoke-key``: who may write to a registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.options import json_option, option, options

if TYPE_CHECKING:
    from zkwm.registry_service.api_keys import ApiKey, ApiKeys

_FOLDER = click.Path(file_okay=False)


@click.command("add-key", short_help="Make an API key for whoever writes to a registry.")
@click.argument("folder", type=_FOLDER)
@options(
    holder=option(
        "--holder",
        required=True,
        metavar="NAME",
        help="Whom the key stands for, such as a marketplace. Their other keys may do the same.",
    ),
    scopes=option(
        "--scope",
        multiple=True,
        required=True,
        metavar="SCOPE",
        help="What it may do: register, claims, answer or decide. Give it once for each.",
    ),
    per_minute=option(
        "--per-minute",
        type=int,
        default=120,
        show_default=True,
        metavar="N",
        help="How many requests it may make in a minute.",
    ),
    as_json=json_option(),
)
def add_key(
    folder: str, holder: str, scopes: tuple[str, ...], per_minute: int, as_json: bool
) -> None:
    """Make a key for the registry in FOLDER and print it, this once: it is kept nowhere.

    register: commitments. claims: ask, extend, withdraw, read answers. answer: what owners signed.
    decide: verdicts. A holder's claims are theirs alone, whichever of their keys comes.
    """
    from zkwm_cli.terminal import note

    with _keys(folder) as keys:
        from zkwm.registry_service.api_keys import read_scopes

        key, text = keys.add(holder, read_scopes(scopes), per_minute)
    note(f"made the key {key.id} for {holder}; it is shown only now")
    if not as_json:
        click.echo(text)
    print_result(as_json, "registry-add-key", **_values(key), key=text)


@click.command("list-keys", short_help="List the API keys of a registry.")
@click.argument("folder", type=_FOLDER)
@options(as_json=json_option())
def list_keys(folder: str, as_json: bool) -> None:
    """List the keys of the registry in FOLDER: ids, holders and scopes, and no key itself."""
    with _keys(folder) as keys:
        found = keys.all()
    if not as_json:
        for key in found:
            state = "revoked" if key.revoked is not None else f"{key.per_minute} a minute"
            click.echo(f"{key.id}  {key.holder}  {','.join(key.scopes)}  {state}")
    print_result(as_json, "registry-list-keys", keys=[_values(key) for key in found])


@click.command("revoke-key", short_help="Revoke an API key of a registry, for good.")
@click.argument("folder", type=_FOLDER)
@click.argument("name", metavar="ID")
@options(as_json=json_option())
def revoke_key(folder: str, name: str, as_json: bool) -> None:
    """Revoke the key ID of the registry in FOLDER, at once, also where it is being served."""
    from zkwm_cli.terminal import note

    with _keys(folder) as keys:
        key = keys.revoke(name)
    note(f"the key {key.id} of {key.holder} is revoked")
    print_result(as_json, "registry-revoke-key", **_values(key))


@contextmanager
def _keys(folder: str) -> Iterator[ApiKeys]:
    """The keys of the registry in a folder."""
    from pathlib import Path

    from zkwm.extras import require

    require("sqlalchemy", "alembic")
    from zkwm.registry_service.api_keys import ApiKeys
    from zkwm.registry_service.folder import ServiceFolder

    service = ServiceFolder(Path(folder))
    service.require()
    database = service.database()
    try:
        yield ApiKeys(database)
    finally:
        database.close()


def _values(key: ApiKey) -> dict[str, Any]:
    """A key as JSON values, without the key itself."""
    return {
        "id": key.id,
        "holder": key.holder,
        "scopes": list(key.scopes),
        "per_minute": key.per_minute,
        "made": key.made,
        "revoked": key.revoked,
    }
