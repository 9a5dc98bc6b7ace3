"""The feed: a reader who asks for what came after the last event misses none."""

from __future__ import annotations

import threading

from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind, add_event, events_after
from zkwm.sql_database import DatabaseLocation

WRITERS, EACH = 4, 10


def test_no_event_appears_behind_a_readers_back(place: DatabaseLocation) -> None:
    """Several writers at once, each in a scope of their own, and a reader who keeps a cursor."""
    database, failures = Database(place), []

    def write(writer: int) -> None:
        try:
            for number in range(EACH):
                with database.writing(bytes([writer]) * 32) as connection:
                    add_event(connection, EventKind.ASKED, bytes([writer]), {"n": number})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    seen, last = [], 0
    while len(seen) < WRITERS * EACH and not failures:
        with database.reading() as connection:
            found = events_after(connection, last, limit=7)
        seen += found
        last = found[-1].number if found else last
    for thread in threads:
        thread.join()
    assert failures == []
    assert [event.number for event in seen] == list(range(1, WRITERS * EACH + 1))
    for writer in range(WRITERS):
        own = [event.data["n"] for event in seen if event.subject == bytes([writer]).hex()]
        assert own == list(range(EACH))


def test_events_of_one_subject(place: DatabaseLocation) -> None:
    database = Database(place)
    for kind, subject in ((EventKind.ASKED, b"\1"), (EventKind.ASKED, b"\2"),
                          (EventKind.DECIDED, b"\1")):  # fmt: skip
        with database.writing() as connection:
            add_event(connection, kind, subject, {})
    with database.reading() as connection:
        found = events_after(connection, 0, subject="01")
    assert [event.kind for event in found] == [EventKind.ASKED, EventKind.DECIDED]


def test_what_is_undone_leaves_no_event(place: DatabaseLocation) -> None:
    database = Database(place)
    try:
        with database.writing() as connection:
            add_event(connection, EventKind.ASKED, b"\1", {})
            raise KeyError
    except KeyError:
        pass
    with database.writing() as connection:
        add_event(connection, EventKind.DECIDED, b"\1", {})
        (event,) = events_after(connection, 0)
    assert (event.number, event.kind) == (1, EventKind.DECIDED)
