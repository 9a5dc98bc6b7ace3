"""Webhooks: who wants to be told of which events, and the secret that signs what they get.

The secret is sealed to a key of whoever delivers, with whose and which it is: who reads the
database alone signs nothing with it, and a row that is put in another's place opens nothing.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update

from zkwm.outgoing_http.rules import STRANGER, Rules
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind
from zkwm.registry_database.service_tables import DELIVERIES, EVENTS, WEBHOOKS
from zkwm.registry_service.signed_delivery import Secret
from zkwm.transparency_log.tree_key import TreeKey
from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError
from zkwm_protocols.keys import BoxKey, BoxPublicKey
from zkwm_protocols.sealing import seal, unseal

MOST_WEBHOOKS = 10
"""Of one holder."""
KEPT_SECONDS = 30 * 86_400
"""How long an ended webhook is still listed, with how its last deliveries went."""
_SCOPE = b"webhooks of holders".ljust(32)
_BOX = b"zkwm-webhooks-1"
HINT = "give https://host/path at port 443 or 8443, without a user name; put no key into it"
"""What a receiver's URL has to be."""


@dataclass(frozen=True)
class Webhook:
    """A webhook; times are seconds since 1970.

    Args:
        number: its name.
        url: of the receiver.
        kinds: the events that it gets.
        made: when it was made; it gets what happened after.
        ended: since when it gets nothing any more; None while it does.
    """

    number: int
    url: str
    kinds: tuple[EventKind, ...]
    made: int
    ended: int | None


def webhook_key(log_key: TreeKey) -> BoxKey:
    """The key to which a service seals secrets: of the log that it stands beside (SPEC.md 25.6).

    It follows from the log's Ed25519 key, so that no further secret is kept.
    """
    return BoxKey(hmac.digest(log_key.first.to_bytes(), _BOX, "sha256"))


def add_webhook(
    database: Database,
    recipient: BoxPublicKey,
    holder: str,
    url: str,
    kinds: Iterable[str] = (),
    *,
    rules: Rules = STRANGER,
    clock: Callable[[], float] = time.time,
) -> tuple[Webhook, Secret]:
    """Make a webhook; return it with its secret, which nobody can read again.

    Args:
        database: of the registry.
        recipient: the public key of whoever delivers.
        holder: whose it is.
        url: of the receiver.
        kinds: of events; none is all.
        rules: where the URL may lead.
        clock: seconds since 1970.

    Raises UsageError for a URL that may not be asked, an unknown kind, and one webhook too many.
    """
    rules.locate(url, hint=HINT)
    wanted = _kinds(kinds)
    secret, made = Secret.generate(), int(clock())
    with database.writing(_SCOPE) as connection:
        live = select(func.count()).where(WEBHOOKS.c.holder == holder, WEBHOOKS.c.ended.is_(None))
        if connection.execute(live).scalar_one() >= MOST_WEBHOOKS:
            raise UsageError(
                f"a holder has at most {MOST_WEBHOOKS} webhooks", hint="end one of them first"
            )
        last = connection.execute(select(func.coalesce(func.max(EVENTS.c.number), 0))).scalar_one()
        row = {
            "holder": holder, "url": url, "secret": _sealed(secret, holder, url, recipient),
            "kinds": " ".join(wanted), "after": last, "made": made,
        }  # fmt: skip
        inserted = insert(WEBHOOKS).values(row).returning(WEBHOOKS.c.number)
        number = int(connection.execute(inserted).scalar_one())
    return Webhook(number, url, wanted, made, None), secret


def webhooks_of(database: Database, holder: str) -> tuple[Webhook, ...]:
    """All webhooks of a holder, the oldest first."""
    query = select(WEBHOOKS).where(WEBHOOKS.c.holder == holder).order_by(WEBHOOKS.c.number)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return tuple(
        Webhook(row.number, row.url, _kinds(row.kinds.split()), row.made, row.ended) for row in rows
    )


def end_webhook(
    database: Database, holder: str, number: int, *, clock: Callable[[], float] = time.time
) -> None:
    """Send a webhook nothing any more. Raises UsageError where the holder has none so named."""
    own = (WEBHOOKS.c.number == number) & (WEBHOOKS.c.holder == holder)
    ended = func.coalesce(WEBHOOKS.c.ended, int(clock()))
    with database.writing(_SCOPE) as connection:
        if connection.execute(update(WEBHOOKS).where(own).values(ended=ended)).rowcount != 1:
            raise UsageError("there is no such webhook", hint="list those that you have made")


def remove_ended(database: Database, *, clock: Callable[[], float] = time.time) -> int:
    """Remove webhooks that ended ``KEPT_SECONDS`` ago, with their deliveries; return how many."""
    before = int(clock()) - KEPT_SECONDS
    old = select(WEBHOOKS.c.number).where(WEBHOOKS.c.ended < before)
    with database.reading() as connection:
        if connection.execute(old.limit(1)).first() is None:
            return 0
    with database.writing(_SCOPE) as connection:
        connection.execute(delete(DELIVERIES).where(DELIVERIES.c.webhook.in_(old)))
        return connection.execute(delete(WEBHOOKS).where(WEBHOOKS.c.ended < before)).rowcount


def open_secret(sealed: bytes, holder: str, url: str, key: BoxKey) -> Secret:
    """The secret of a webhook. Raises Malformed where it was sealed by nobody, or for another."""
    try:
        value = json.loads(unseal(sealed, key))
        if (value["holder"], value["url"]) == (holder, url):
            return Secret.from_text(value["secret"])
    except (InvalidOpening, Malformed, ValueError, KeyError, TypeError):
        pass
    raise Malformed("the secret of a webhook does not open, or is that of another")


def _sealed(secret: Secret, holder: str, url: str, recipient: BoxPublicKey) -> bytes:
    """A secret, with whose and which it is, that only the recipient can open."""
    value = {"holder": holder, "url": url, "secret": secret.to_text()}
    return seal(json.dumps(value).encode(), recipient)


def _kinds(names: Iterable[str]) -> tuple[EventKind, ...]:
    """Kinds of events, all where none is named. Raises UsageError."""
    try:
        return tuple(dict.fromkeys(map(EventKind, names))) or tuple(EventKind)
    except ValueError:
        raise UsageError(
            "there is no such kind of event", hint=f"one of {', '.join(EventKind)}"
        ) from None
