"""Backup under load, restore into an empty folder, and backups that are damaged or old."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.dispute import CHEAP
from tests.support.logs import contents, describe, entries
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind, add_event
from zkwm.registry_database.location import find_location
from zkwm.registry_database.service_tables import EVENTS
from zkwm.registry_service.backup import SERVICE_DATABASE, back_up, restore
from zkwm.registry_service.checksums import write_sums
from zkwm.transparency_log.check import CheckedLog
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.tree_key import TreeKey
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, ZkwmError

PASSPHRASE = "a passphrase of many words"


@dataclass
class Registry:
    """A registry's folder with log and service, and what it acknowledged."""

    folder: Path
    key: TreeKey
    logged: list[bytes] = field(default_factory=list)
    happened: list[int] = field(default_factory=list)

    @contextmanager
    def log(self, folder: Path | None = None) -> Iterator[Log]:
        """The log, held for writing."""
        where = folder or self.folder
        database = LogDatabase(where / "database.sqlite")
        try:
            with open_log(where, self.key, database, describe) as log:
                yield log
        finally:
            database.close()

    def service(self, folder: Path | None = None) -> Database:
        """The service's database."""
        return Database(find_location((folder or self.folder) / SERVICE_DATABASE))

    def append(self, log: Log, start: int, end: int) -> None:
        """Append entries, and note them once they are acknowledged."""
        added = entries(start, end)
        log.append(added)
        self.logged += [one.data for one in added]

    def happen(self, database: Database) -> None:
        """Add an event, and note it once it is acknowledged."""
        number = len(self.happened) + 1
        with database.writing() as connection:
            add_event(connection, EventKind.ASKED, bytes(32), {"n": number})
        self.happened.append(number)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    folder = tmp_path / "registry"
    key = LogFolder(folder).create("log.example/1", PASSPHRASE, cost=CHEAP)
    (folder / "service" / "judges").mkdir(parents=True)
    (folder / "service" / "judges" / "court.pub").write_text("a public key")
    (folder / "service" / "models" / "of a case").mkdir(parents=True)
    (folder / "service" / "models" / "of a case" / "large model.onnx").write_bytes(bytes(1 << 25))
    made = Registry(folder, key)
    made.service().close()
    return made


def filled(registry: Registry, size: int = 300) -> None:
    with registry.log() as log:
        registry.append(log, 0, size)
    database = registry.service()
    registry.happen(database)
    database.close()


def restored(backup: Path, folder: Path) -> CheckedLog:
    return restore(backup, folder, describe)


@contextmanager
def loaded(*steps: Callable[[], None]) -> Iterator[None]:
    """Threads that do their step again and again while the block runs."""
    ended, failures = threading.Event(), []

    def run(step: Callable[[], None]) -> None:
        try:
            while not ended.is_set():
                step()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_what_was_acknowledged_before_a_backup_under_load_is_there(
    registry: Registry, tmp_path: Path
) -> None:
    database = registry.service()
    with registry.log() as log:
        registry.append(log, 0, 250)  # a tile gets full while the copy runs
        with loaded(
            lambda: registry.append(log, len(registry.logged), len(registry.logged) + 3),
            lambda: registry.happen(database),
        ):
            while len(registry.happened) < 5:
                threading.Event().wait(0.01)
            logged, happened = len(registry.logged), len(registry.happened)
            made = back_up(registry.folder, tmp_path / "backup")
            while len(registry.logged) <= made.head.size:
                threading.Event().wait(0.01)
    database.close()
    assert made.databases == ("service/registry.sqlite", "database.sqlite")
    assert made.head.size >= logged
    checked = restored(tmp_path / "backup", tmp_path / "again")
    assert (checked.head, checked.kinds) == (made.head, {"text/plain": made.head.size})
    kept = registry.service(tmp_path / "again")
    with kept.reading() as connection:
        numbers = list(connection.execute(select(EVENTS.c.number)).scalars())
    kept.close()
    assert numbers == registry.happened[: len(numbers)]
    assert len(numbers) >= happened
    with registry.log(tmp_path / "again") as log:  # it goes on, from this very tree
        assert (log.row.size, log.row.root) == (made.head.size, made.head.root)
        assert contents(log) == registry.logged[: log.row.size]
        assert log.append(entries(9000, 9001)).size == made.head.size + 1


def test_a_backup_is_private_and_whole_and_others_tools_check_it(
    registry: Registry, tmp_path: Path
) -> None:
    filled(registry)
    backup = tmp_path / "backup"
    back_up(registry.folder, backup)
    done = subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=backup)
    assert done.returncode == 0
    assert backup.stat().st_mode & 0o077 == 0
    for name in ("key", "database.sqlite", "service/registry.sqlite"):
        assert (backup / name).stat().st_mode & 0o077 == 0
    assert (backup / "service/judges/court.pub").read_text() == "a public key"
    assert not list(backup.rglob("*-wal"))
    assert not (backup / "service/models").exists(), "models are the operator's to keep"
    assert [one.name for one in tmp_path.iterdir()].count("backup") == 1
    assert not list(tmp_path.glob(".*"))
    restored(backup, tmp_path / "again")
    names = {path.relative_to(backup) for path in backup.rglob("*")} - {Path("SHA256SUMS")}
    assert names <= {
        path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*")
    }
    key = LogFolder(tmp_path / "again").key(PASSPHRASE)
    assert key.verifiers == registry.key.verifiers


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "an entry": lambda backup: flip(backup / "public/tile/entries/000"),
    "a hash": lambda backup: flip(backup / "public/tile/0/000"),
    "a key": lambda backup: flip(backup / "key"),
    "the service's database": lambda backup: flip(backup / SERVICE_DATABASE),
    "the list": lambda backup: flip(backup / "SHA256SUMS"),
    "no list": lambda backup: (backup / "SHA256SUMS").unlink(),
    "a file that is missing": lambda backup: (backup / "public/checkpoint").unlink(),
    "a file more": lambda backup: (backup / "public/more").write_bytes(b""),
    "a link": lambda backup: (backup / "public/more").symlink_to("/etc/passwd"),
    "a pipe": lambda backup: os.mkfifo(backup / "public/more"),
    "a name that leaves": lambda backup: (backup / "SHA256SUMS").write_text(
        (backup / "SHA256SUMS").read_text() + f"{'0' * 64}  ../outside\n"
    ),
    "an absolute name": lambda backup: (backup / "SHA256SUMS").write_text(
        (backup / "SHA256SUMS").read_text() + f"{'0' * 64}  /etc/passwd\n"
    ),
}


def test_a_damaged_backup_is_refused_and_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    filled(registry)
    whole = tmp_path / "backup"
    back_up(registry.folder, whole)
    for what, damage in DAMAGES.items():
        backup = tmp_path / "damaged"
        shutil.copytree(whole, backup)
        damage(backup)
        with pytest.raises((Malformed, CouldNotCheck)):
            restored(backup, tmp_path / "again")
        assert not (tmp_path / "again").exists(), what
        assert not list(tmp_path.glob(".*")), what
        shutil.rmtree(backup)


def test_a_backup_whose_list_fits_and_whose_tree_does_not_is_refused(
    registry: Registry, tmp_path: Path
) -> None:
    """Somebody changed an entry and made the list anew: the signed root says no."""
    filled(registry)
    backup = tmp_path / "backup"
    back_up(registry.folder, backup)
    flip(backup / "public/tile/entries/000")
    (backup / "SHA256SUMS").unlink()
    write_sums(backup)
    with pytest.raises(ZkwmError):
        restored(backup, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_an_older_backup_never_takes_the_place_of_a_newer_log(
    registry: Registry, tmp_path: Path
) -> None:
    filled(registry)
    back_up(registry.folder, tmp_path / "backup")
    with registry.log() as log:
        registry.append(log, 300, 310)
    with pytest.raises(UsageError, match="not empty"):
        restored(tmp_path / "backup", registry.folder)
    # By hand: the old database under the newer files goes forward to what was signed, not back.
    shutil.copy(tmp_path / "backup/database.sqlite", registry.folder / "database.sqlite")
    with registry.log() as log:
        assert log.row.size == 310
    # The old files under the newer database are refused.
    shutil.rmtree(registry.folder / "public")
    shutil.copytree(tmp_path / "backup/public", registry.folder / "public")
    with pytest.raises(CouldNotCheck, match="do not hold the tree"), registry.log():
        pass


def test_folders_that_are_taken_or_no_registry(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with pytest.raises(UsageError, match="exists"):
        back_up(registry.folder, tmp_path / "backup")
    with pytest.raises(UsageError, match="no log"):
        back_up(tmp_path / "nothing", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_databases_on_a_server_are_left_to_its_own_tools(
    registry: Registry, tmp_path: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The tree is that of the server's row, and a restored folder is compared with it."""
    url = request.getfixturevalue("server").database()
    monkeypatch.setenv("ZKWM_REGISTRY_DATABASE", url)
    folder = tmp_path / "on a server"
    key = LogFolder(folder).create("log.example/2", PASSPHRASE, cost=CHEAP)
    other = Registry(folder, key)
    database = LogDatabase(url)
    with open_log(folder, key, database, describe) as log:
        other.append(log, 0, 300)
        made = back_up(folder, tmp_path / "backup")
        assert made.databases == ()
        assert made.head.size == 300
    database.close()
    assert not list((tmp_path / "backup").rglob("*.sqlite"))
    assert restored(tmp_path / "backup", tmp_path / "again").head == made.head
