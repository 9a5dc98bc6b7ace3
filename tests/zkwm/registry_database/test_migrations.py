"""Made by alembic or by the tables alone, a database is the same, and its version one row."""

from __future__ import annotations

import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, inspect, select, text, update

import zkwm.registry_database.migrations as migrations
from zkwm.registry_database.database import Database
from zkwm.registry_database.migrations import migrate
from zkwm.registry_database.tables import COMMITMENTS, IDENTITY, METADATA, SCHEMA, VERSION
from zkwm.registry_service.commitments import Wanted, find
from zkwm.sql_database import DatabaseLocation, SqlDatabase
from zkwm_protocols.errors import CouldNotCheck, Unsupported


def differences(database: SqlDatabase) -> list[object]:
    """What alembic would have to change to get the tables of this zkwm."""
    with database.reading() as connection:
        options = {"version_table": SCHEMA.name, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, METADATA))


def test_migrations_make_the_tables_of_this_version(place: DatabaseLocation) -> None:
    empty = SqlDatabase(place, "the test's")
    with empty.writing(bytes(32)) as connection:
        migrate(connection)
    assert differences(empty) == []
    with Database(place).reading() as connection:
        assert connection.execute(select(SCHEMA.c.version_num)).scalars().all() == [VERSION]


def test_a_database_without_migrations_is_the_same_and_is_migrated_by_nothing(
    place: DatabaseLocation,
) -> None:
    """A marketplace has no alembic: what it made, the service takes as it is."""
    made = Database(place)
    assert differences(made) == []
    with made.writing(bytes(32)) as connection:
        migrate(connection)
    assert differences(made) == []
    again = Database(place)
    assert again.identity == made.identity
    with again.reading() as connection:
        assert len(connection.execute(select(IDENTITY)).all()) == 1


def test_the_version_is_that_of_the_newest_migration() -> None:
    (folder,) = migrations.__path__
    assert ScriptDirectory(folder).get_current_head() == VERSION


def test_version_1_gets_the_names_of_its_classes(
    place: DatabaseLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens it migrates it, a marketplace too, and its search finds what it had."""
    older = SqlDatabase(place, "the test's")
    with monkeypatch.context() as patch, older.writing(bytes(32)) as connection:
        patch.setattr(migrations, "VERSION", "1")
        migrate(connection)
        assert not inspect(connection).has_table("commitment_classes")
        for number, names in enumerate((["cat", "猫"], None, ["dog", "cat"])):
            numbers = dict.fromkeys(
                ("registered", "channels", "height", "width", "class_count", "block_size",
                 "block_count"), 1,
            )  # fmt: skip
            row = {
                "digest": bytes([number] * 32), "file": b"", "derived": True, "holder": "",
                "class_names": None if names is None else json.dumps(names), **numbers,
            }  # fmt: skip
            connection.execute(insert(COMMITMENTS), row)
    opened = Database(place)
    assert differences(opened) == []
    found = {
        name: [one.digest[:2] for one in find(opened, Wanted(class_names=(name,)))]
        for name in ("cat", "猫", "dog", "horse", '"cat"')
    }
    assert found == {"cat": ["00", "02"], "猫": ["00"], "dog": ["02"], "horse": [], '"cat"': []}


def test_a_migration_that_fails_leaves_nothing(
    place: DatabaseLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    def fail(*_: object) -> None:
        raise OSError("no")

    empty = SqlDatabase(place, "the test's")
    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", fail)
        with pytest.raises(OSError, match="no"), empty.writing(bytes(32)) as connection:
            migrate(connection)
    with empty.reading() as connection:
        assert inspect(connection).get_table_names() == []


def test_an_unknown_version_is_left_as_it_is_and_refused(place: DatabaseLocation) -> None:
    with Database(place).writing() as connection:
        connection.execute(update(SCHEMA).values(version_num="77"))
        migrate(connection)
    with pytest.raises(Unsupported, match="has version 77, and this zkwm keeps version 2"):
        Database(place)


def test_a_database_of_an_earlier_zkwm_is_refused_by_name(place: DatabaseLocation) -> None:
    engine = create_engine(place.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE marketplace_schema (version BIGINT)"))
    engine.dispose()
    with pytest.raises(Unsupported, match="made by an earlier zkwm"):
        Database(place)


def test_every_error_of_the_database_is_told_without_parameters(
    place: DatabaseLocation,
) -> None:
    database = Database(place)
    with (
        pytest.raises(CouldNotCheck, match="cannot be used") as caught,
        database.writing() as connection,
    ):
        connection.execute(text("SELECT :word FROM nothing_of_this_name"), {"word": "s3cret"})
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint
