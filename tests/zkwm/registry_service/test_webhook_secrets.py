"""Webhooks' secrets: nowhere readable, bound to their row, and to their holder."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.support.webhook_receiver import KEY, Receiver, all_due, happen, made
from tests.zkwm.registry_service.conftest import Clock
from zkwm.outgoing_http.rules import OWN_WORD
from zkwm.registry_database.database import Database
from zkwm.registry_database.service_tables import WEBHOOKS
from zkwm.registry_service.deliveries import Deliveries
from zkwm.registry_service.webhooks import MOST_WEBHOOKS, end_webhook, open_secret, webhooks_of
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.keys import BoxKey

SQLITE = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


@SQLITE
def test_no_secret_is_in_database_log_or_repr(
    database: Database, receiver: Receiver, clock: Clock, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    receiver.status = lambda number: 200 if number % 2 else 500
    secret = made(database, receiver.url, clock)
    happen(database)
    happen(database)
    deliveries = Deliveries(database, KEY, rules=OWN_WORD, clock=clock)
    deliveries.queue()
    due = deliveries.take()
    assert due is not None
    shown = caplog.text + repr(due) + repr(secret) + repr(vars(deliveries))
    deliveries.deliver(due)
    all_due(deliveries)
    shown += caplog.text + "".join(str(vars(record)) for record in caplog.records)
    stored = b"".join(one.read_bytes() for one in tmp_path.glob("registry.sqlite*"))
    for text in (secret.to_text(), secret.data.hex(), KEY.to_bytes().hex()):
        assert text not in shown
        assert text.encode() not in stored
    assert secret.data not in stored
    assert "s3cret-of-the-url" not in shown
    assert "delivered" in caplog.text
    assert "it answers 500" in caplog.text


@SQLITE
def test_a_row_put_in_the_place_of_another_signs_nothing(
    database: Database, receiver: Receiver, clock: Clock
) -> None:
    """Who writes the database turns another holder's webhook to a host of their own."""
    made(database, "https://a.example/hook", clock)
    with database.writing() as connection:
        sealed = connection.execute(select(WEBHOOKS.c.secret)).scalar_one()
        connection.execute(update(WEBHOOKS).values(url=receiver.url))
    happen(database)
    assert all_due(Deliveries(database, KEY, rules=OWN_WORD, clock=clock)) == [False]
    assert receiver.got == []
    with pytest.raises(Malformed):
        open_secret(bytes(sealed), "bob", "https://a.example/hook", KEY)
    with pytest.raises(Malformed):
        open_secret(bytes(sealed), "ann", "https://a.example/hook", BoxKey.generate())
    assert open_secret(bytes(sealed), "ann", "https://a.example/hook", KEY)


@SQLITE
def test_holders_see_and_end_their_own_webhooks_alone(database: Database, clock: Clock) -> None:
    for _ in range(MOST_WEBHOOKS):
        made(database, "https://a.example/hook", clock)
    with pytest.raises(UsageError, match="at most"):
        made(database, "https://a.example/hook", clock)
    first = webhooks_of(database, "ann")[0]
    assert webhooks_of(database, "bob") == ()
    with pytest.raises(UsageError, match="no such webhook"):
        end_webhook(database, "bob", first.number)
    end_webhook(database, "ann", first.number, clock=clock)
    end_webhook(database, "ann", first.number, clock=lambda: clock.now + 9)
    assert webhooks_of(database, "ann")[0].ended == int(clock.now)
    made(database, "https://a.example/hook", clock)
    with pytest.raises(UsageError, match="no such kind"):
        made(database, "https://a.example/hook", clock, "claim.lost")
