"""A vault of version 1: it holds secrets, so that it is read, shown and answered from."""

from __future__ import annotations

from typing import Any

from tests.support.case_files import PASSPHRASE, Command, Files
from zkwm.owner.vault import Vault
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Container, FileKey


def content(case: Files) -> tuple[FileKey, dict[str, Any]]:
    """The vault's key, and what it encrypts."""
    container = Container.from_bytes("vault", case.vault.read_bytes())
    key = FileKey(PASSPHRASE, container.cost, container.salt)
    value = key.open(container)
    assert isinstance(value, dict)
    return key, value


def test_an_earlier_vault_is_shown_and_becomes_a_new_one(zkwm: Command, case: Files) -> None:
    key, value = content(case)
    assert value.pop("version") == 2
    for kept in value["commitments"]:
        del kept["secrets"]["created"]
    storage.write_private(case.vault, key.seal("vault", value), overwrite=True)
    shown = zkwm("vault", "show", "--vault", case.vault)
    assert shown.code == 0, shown.stderr
    assert "made              unknown: an earlier release of zkwm did not record it" in shown.stdout
    (one,) = zkwm("vault", "show", "--vault", case.vault, "--json").json["commitments"]
    assert one["created"] is None
    assert "version" not in content(case)[1]  # a look changes nothing
    proved = zkwm(*case.prove_options(challenge=case.second_challenge), "--yes")
    assert proved.code == 0, proved.stderr
    assert content(case)[1]["version"] == 2
    (kept,) = Vault.open(case.vault, PASSPHRASE).state.commitments.values()
    assert kept.created is None


def test_a_later_vault_is_refused_by_name(zkwm: Command, case: Files) -> None:
    key, value = content(case)
    sealed = key.seal("vault", value | {"version": 3})
    storage.write_private(case.vault, sealed, overwrite=True)
    shown = zkwm("vault", "show", "--vault", case.vault)
    assert shown.code == 3
    assert "a vault of another version than 1 and 2" in shown.stderr
