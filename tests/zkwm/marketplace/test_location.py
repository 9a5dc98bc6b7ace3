"""Where a marketplace is kept; its version; a password that is never shown."""

from __future__ import annotations

import logging
import sqlite3
import stat
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.support.dispute import Claimant, TestJudge, marked, random_images
from tests.support.postgres import PASSWORD, Server
from zkwm.marketplace import Marketplace
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError, ZkwmError


@pytest.mark.parametrize("name", ["folder", "a/b/folder", "market.sqlite", "old.db", "a/m.sqlite3"])
def test_a_folder_or_a_file(tmp_path: Path, judge: TestJudge, name: str) -> None:
    where = tmp_path / name
    for location in (where, str(where)):
        Marketplace(location, judge).close()
    file = where if where.suffix else where / "marketplace.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with Marketplace(f"sqlite:///{file}", judge) as market:
        assert market.judge.ledger.path == file


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("nul\0", UsageError),
        ("note.txt", CouldNotCheck),
        ("note.txt/below", UsageError),
        ("sqlite://", UsageError),
        ("mysql://desk:secret@host/market", UsageError),
        ("postgresql://desk:secret@host", UsageError),
        ("postgresql://desk:p@secret@host/market", UsageError),
        ("postgresql://desk:secret/market", UsageError),
        ("postgresql://desk:secret@host:secret/market", UsageError),
    ],
)
def test_what_is_no_location_is_refused(
    tmp_path: Path, judge: TestJudge, location: str, error: type[ZkwmError]
) -> None:
    (tmp_path / "note.txt").write_text("no database, but long enough to be one " * 20)
    where = location if "://" in location else f"{tmp_path}/{location}"
    with pytest.raises(error) as caught:
        Marketplace(where, judge)
    assert caught.value.hint
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert (tmp_path / "note.txt").read_text().startswith("no database")


def test_a_database_of_something_else_is_refused(tmp_path: Path, judge: TestJudge) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(Unsupported, match="database of something else"):
        Marketplace(path, judge)


def test_another_version_is_refused_by_name(location: str, judge: TestJudge) -> None:
    with Marketplace(location, judge) as market:
        engine = market._database._engine
        with engine.connect() as connection, connection.begin():
            connection.execute(text("UPDATE zkwm_schema SET version_num = '3'"))
    with pytest.raises(Unsupported, match="has version 3, and this zkwm keeps version 2"):
        Marketplace(location, judge)


def test_a_folder_of_files_of_an_earlier_zkwm_is_refused_by_name(
    tmp_path: Path, judge: TestJudge
) -> None:
    for name in ("commitments", "challenges", "verdicts"):
        (tmp_path / "market" / name).mkdir(parents=True)
    with pytest.raises(Unsupported, match="a marketplace of an earlier zkwm"):
        Marketplace(tmp_path / "market", judge)


@pytest.mark.usefixtures("quick_labels")
def test_a_password_is_in_no_error_and_no_log(
    server: Server, judge: TestJudge, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong one, a server that is not there, one that ends: messages name host and database."""
    caplog.set_level(logging.DEBUG)
    good = server.database()
    wrong = "wr0ng-password"
    urls = {
        good.replace(PASSWORD, wrong): "authentication failed",
        good.replace(str(server.socket), str(server.socket / "none")): "postgresql at",
        f"postgresql://desk:{PASSWORD}@127.0.0.1:1/market": "127.0.0.1",
        good.replace("/postgres", "/nothing"): "nothing",
        f"{good}&password={wrong}&sslmode=nonsense": "cannot be used",
    }
    shown = []
    for url, told in urls.items():
        with pytest.raises(ZkwmError) as caught:
            Marketplace(url, judge)
        assert told in caught.value.message
        assert caught.value.hint
        shown += [*traceback.format_exception(caught.value), repr(caught.value)]
    with Marketplace(good, judge) as market:
        drop_tables(good)
        with pytest.raises(CouldNotCheck) as caught:
            market.register(Claimant(random_images(50)).commitment)
        shown += [*traceback.format_exception(caught.value), repr(market), repr(vars(market))]
    text_ = "\n".join([*shown, caplog.text])
    assert PASSWORD not in text_
    assert wrong not in text_


def drop_tables(url: str) -> None:
    """Damage a database while a desk is open."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection, connection.begin():
        connection.execute(text("DROP TABLE ledger_sights, commitment_keys"))
    engine.dispose()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE verdicts SET document = '{}'",
        "UPDATE verdicts SET document = '['",
        "UPDATE verdicts SET document = '\"x\"'",
    ],
)
@pytest.mark.usefixtures("quick_labels")
def test_a_damaged_verdict_is_named(location: str, judge: TestJudge, change: str) -> None:
    owner = Claimant(random_images(200))
    with Marketplace(location, judge) as market:
        suspect = marked(owner.images, owner.labels)
        challenge = market.challenge(market.register(owner.commitment), suspect)
        market.settle(suspect, challenge, owner.answer(challenge, [0]))
        engine = market._database._engine
        with engine.connect() as connection, connection.begin():
            connection.execute(text(change))
        with pytest.raises(Malformed, match=challenge.digest.hex()[:16]):
            market.verdicts()
        assert market.settle(suspect, challenge).proven  # what the hint says
        assert len(market.verdicts()) == 1
