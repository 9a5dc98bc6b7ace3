"""The log's row and index in PostgreSQL: the same history, the same refusals, no password shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.logs import begin, contents, entries, memory_folder, opened
from tests.support.postgres import PASSWORD, Server
from zkwm.transparency_log.database import LogDatabase
from zkwm_protocols.errors import CouldNotCheck, UsageError


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return server.database()


def test_a_log_in_postgresql(url: str) -> None:
    with memory_folder() as folder:
        begin(folder, url)
        with opened(folder, location=url) as log:
            log.append(entries(0, 300))
        with opened(folder, location=url) as log:
            assert contents(log) == [one.data for one in entries(0, 300)]
            assert log.database.next_position() == 300
            found = log.database.find(subject=entries(7, 8)[0].subject)
            assert [one.position for one in found] == [7]
            log.append(entries(300, 301))
        (folder / "other").mkdir()
        with pytest.raises(UsageError, match="is that of the log"):
            begin(folder / "other", url)
        assert list((folder / "other").iterdir()) == []
        other = folder.with_name(f"{folder.name}-other")
        shutil.copytree(folder, other)
        with opened(folder, location=url) as first, opened(other, location=url) as second:
            first.append(entries(301, 303))
            with pytest.raises(CouldNotCheck, match="another process has written"):
                second.append(entries(500, 501))
        shutil.rmtree(other)


@pytest.mark.parametrize(
    "wrong", ["mysql://a:secret@h/d", "postgresql://a:secret@h", "postgresql://a:se@cret@h:x/d"]
)
def test_a_url_that_is_none_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        LogDatabase(wrong)
    assert "secret" not in caught.value.message + caught.value.hint


def test_a_server_that_is_not_there_shows_no_password() -> None:
    database = LogDatabase(f"postgresql://desk:{PASSWORD}@127.0.0.1:9/postgres")
    with pytest.raises(CouldNotCheck) as caught:
        database.head("log.example/test")
    assert PASSWORD not in caught.value.message + caught.value.hint


def test_the_row_of_a_log_is_not_made_twice(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises((UsageError, CouldNotCheck)):
        begin(tmp_path)
