"""Webhooks: what a receiver gets and verifies, whose URLs are asked, retries, and secrets."""

from __future__ import annotations

import json
import socket
import time

import pytest
from sqlalchemy import select

from tests.support.hostile_server import drips, serving
from tests.support.webhook_receiver import KEY, Receiver, all_due, happen, made
from tests.zkwm.registry_service.conftest import Clock
from zkwm.outgoing_http.rules import OWN_WORD
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind
from zkwm.registry_database.service_tables import DELIVERIES
from zkwm.registry_service import deliveries as delivering
from zkwm.registry_service.deliveries import (
    LEASE_SECONDS,
    MOST_ATTEMPTS,
    Deliveries,
    waiting_deliveries,
)
from zkwm.registry_service.signed_delivery import Secret, verify
from zkwm.registry_service.webhooks import (
    KEPT_SECONDS,
    add_webhook,
    end_webhook,
    remove_ended,
    webhooks_of,
)
from zkwm_protocols.errors import InvalidSignature, UsageError

SQLITE = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


def test_a_receiver_verifies_what_it_gets(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    happen(database)  # before the webhook was made
    secret = made(database, receiver.url, clock, "claim.decided")
    happen(database, outcome="proven")
    happen(database, EventKind.ASKED)
    deliveries = Deliveries(database, KEY, rules=OWN_WORD, clock=clock)
    assert all_due(deliveries) == [True]
    assert all_due(deliveries) == []
    ((headers, body),) = receiver.got
    message = verify(secret, headers, body, now=clock.now)
    assert message == headers["webhook-id"]
    value = json.loads(body)
    assert value["type"] == "claim.decided"
    assert value["timestamp"].endswith("Z")
    assert value["data"] == {"outcome": "proven", "subject": "0a" * 32, "event": 2}
    assert waiting_deliveries(database) == 0


@SQLITE
def test_what_a_receiver_must_refuse(database: Database, receiver: Receiver, clock: Clock) -> None:
    secret = made(database, receiver.url, clock)
    happen(database)
    all_due(Deliveries(database, KEY, rules=OWN_WORD, clock=clock))
    ((headers, body),) = receiver.got
    changed = [
        ({**headers, "webhook-id": "msg_other"}, body, clock.now),
        ({**headers, "webhook-timestamp": str(int(clock.now) + 1)}, body, clock.now),
        ({**headers, "webhook-timestamp": "\u0661"}, body, clock.now),
        ({**headers, "webhook-signature": "v1,AAAA"}, body, clock.now),
        ({**headers, "webhook-signature": ""}, body, clock.now),
        ({}, body, clock.now),
        (headers, body + b" ", clock.now),
        (headers, body, clock.now + 301),
        (headers, body, clock.now - 301),
    ]
    for one in changed:
        with pytest.raises(InvalidSignature):
            verify(secret, one[0], one[1], now=one[2])
    with pytest.raises(InvalidSignature):
        verify(Secret.generate(), headers, body, now=clock.now)
    two = f"v1,AAAA {headers['webhook-signature']}"  # while a secret is exchanged there are two
    assert verify(secret, {**headers, "webhook-signature": two}, body, now=clock.now)


def test_the_published_example_of_the_standard() -> None:
    """Secret, id, time, body and signature of the libraries' test in Standard Webhooks."""
    secret = Secret.from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_that_fails_and_recovers(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    """The same id each time, a new time and signature; and pauses that grow."""
    receiver.status = lambda number: 503 if number < 4 else 200
    secret = made(database, receiver.url, clock)
    happen(database)
    deliveries, pauses = Deliveries(database, KEY, rules=OWN_WORD, clock=clock), []
    assert all_due(deliveries) == [False]
    for _ in range(3):
        begun = clock.now
        while not (done := all_due(deliveries)):
            clock.now += 1
        pauses.append(clock.now - begun)
    assert done == [True]
    assert waiting_deliveries(database) == 0
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    for headers, body in receiver.got:
        verify(secret, headers, body, now=int(headers["webhook-timestamp"]))
    assert 5 <= pauses[0] <= 10
    assert 10 <= pauses[1] <= 20
    assert 20 <= pauses[2] <= 40


@SQLITE
def test_a_receiver_that_never_answers_is_given_up(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.status = lambda _: 500
    made(database, receiver.url, clock)
    happen(database)
    deliveries, begun = Deliveries(database, KEY, rules=OWN_WORD, clock=clock), clock.now
    for _ in range(MOST_ATTEMPTS):
        assert all_due(deliveries) == [False]
        clock.now += 6 * 3600
    assert all_due(deliveries) == []
    assert waiting_deliveries(database) == 0
    assert len(receiver.got) == MOST_ATTEMPTS
    with database.reading() as connection:
        row = connection.execute(select(DELIVERIES)).one()
    assert (row.delivered, row.last_status, row.last_error) == (None, 500, "it answers 500")
    assert clock.now > begun


@SQLITE
def test_a_receiver_that_is_gone_gets_nothing_more(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.status = lambda _: 410
    made(database, receiver.url, clock)
    happen(database)
    deliveries = Deliveries(database, KEY, rules=OWN_WORD, clock=clock)
    assert all_due(deliveries) == [False]
    happen(database)
    assert all_due(deliveries) == []
    (webhook,) = webhooks_of(database, "ann")
    assert webhook.ended == int(clock.now)


def test_an_ended_webhook_is_listed_for_a_month_and_then_removed(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.status = lambda _: 500
    for _ in range(2):
        made(database, receiver.url, clock)
    happen(database)
    assert all_due(Deliveries(database, KEY, rules=OWN_WORD, clock=clock)) == [False, False]
    assert waiting_deliveries(database) == 2
    ended, going_on = webhooks_of(database, "ann")
    end_webhook(database, "ann", ended.number, clock=clock)
    assert waiting_deliveries(database) == 1, "what is never sent waits for nothing"
    clock.now += KEPT_SECONDS
    assert remove_ended(database, clock=clock) == 0
    assert len(webhooks_of(database, "ann")) == 2
    clock.now += 1
    assert [remove_ended(database, clock=clock) for _ in range(2)] == [1, 0]
    assert webhooks_of(database, "ann") == (going_on,)
    with database.reading() as connection:
        left = connection.execute(select(DELIVERIES.c.webhook)).scalars().all()
    assert left == [going_on.number]


@SQLITE
def test_a_redirect_to_this_machine_is_not_followed(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    asked: list[str] = []
    with serving(lambda client: asked.append("private")) as private:
        receiver.status, receiver.location = lambda _: 307, private
        made(database, receiver.url, clock)
        happen(database)
        assert all_due(Deliveries(database, KEY, rules=OWN_WORD, clock=clock)) == [False]
    assert (asked, len(receiver.got)) == ([], 1)


@SQLITE
def test_a_receiver_that_drips_ends_in_time_and_holds_up_nobody_else(
    database: Database, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "SECONDS", 0.3)
    with serving(drips) as url:
        made(database, url, clock)
        made(database, receiver.url, clock)
        happen(database)
        deliveries, begun = Deliveries(database, KEY, rules=OWN_WORD, clock=clock), time.monotonic()
        deliveries.queue()
        slow = deliveries.take()
        assert slow is not None
        other = deliveries.take(busy={slow.webhook})
        assert other is not None
        assert deliveries.take(busy={slow.webhook, other.webhook}) is None
        assert deliveries.deliver(other)
        assert not deliveries.deliver(slow)
        assert time.monotonic() - begun < 10
    with database.reading() as connection:
        errors = set(connection.execute(select(DELIVERIES.c.last_error)).scalars())
    assert errors == {"", "there was no whole reply in time"}


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://a.example:22/", "ftp://a/",
                                 "https://u:p@a.example/", "https://a.example/#x"])  # fmt: skip
@SQLITE
def test_a_url_that_may_not_be_asked_makes_no_webhook(database: Database, url: str) -> None:
    with pytest.raises(UsageError):
        add_webhook(database, KEY.public, "ann", url)
    assert webhooks_of(database, "ann") == ()


@SQLITE
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "10.0.0.1"])
def test_a_stranger_makes_nobody_ask_this_machine(
    database: Database, host: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    add_webhook(database, KEY.public, "ann", f"https://{host}/hook", clock=clock)
    happen(database)
    assert all_due(Deliveries(database, KEY, clock=clock)) == [False]
    with database.reading() as connection:
        error = connection.execute(select(DELIVERIES.c.last_error)).scalar_one()
    assert error == "this URL names an address that is not public"


def test_two_workers_send_an_attempt_once_and_a_dead_ones_is_sent_again(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    made(database, receiver.url, clock)
    happen(database)
    one, two = (Deliveries(database, KEY, rules=OWN_WORD, clock=clock) for _ in range(2))
    assert (one.queue(), two.queue()) == (1, 0)
    lost = one.take()
    assert lost is not None
    assert two.take() is None
    clock.now += LEASE_SECONDS
    due = two.take()
    assert due is not None
    assert due.attempt == 2
    assert two.deliver(due)
    assert one.deliver(lost)  # it comes back: its message has the same id, and changes nothing
    with database.reading() as connection:
        assert connection.execute(select(DELIVERIES.c.attempts)).scalar_one() == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
