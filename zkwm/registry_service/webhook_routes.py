"""The API of webhooks: make one, list one's own, end one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from zkwm.outgoing_http.rules import STRANGER
from zkwm.registry_database.events import EventKind
from zkwm.registry_service.api_keys import ApiKey
from zkwm.registry_service.messages import Given, json_body, read_json
from zkwm.registry_service.problems import Refused
from zkwm.registry_service.registry import Registry
from zkwm.registry_service.webhooks import (
    HINT,
    Webhook,
    add_webhook,
    end_webhook,
    webhooks_of,
)
from zkwm_protocols.errors import UsageError
from zkwm_protocols.keys import BoxPublicKey

_SMALL = 8 * 2**10
_Number = Annotated[int, Path(ge=1, lt=2**63)]


class WebhookGiven(Given):
    """Where to send what happens; ``kinds`` of events, none for all."""

    url: str = Field(max_length=400)
    kinds: list[EventKind] = Field(default=[], max_length=len(EventKind))


class WebhookBody(BaseModel):
    """A webhook of the caller's; ``ended``: since when nothing is sent, or null."""

    number: int
    url: str
    kinds: list[EventKind]
    made: int
    ended: int | None

    @classmethod
    def of(cls, webhook: Webhook) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(webhook), "kinds": list(webhook.kinds)}


class WebhooksBody(BaseModel):
    """All webhooks of the caller's, the oldest first."""

    webhooks: list[WebhookBody]


class NewWebhookBody(WebhookBody):
    """A new webhook; ``secret`` signs what it gets, and is shown this once."""

    secret: str


def routes(registry: Registry, recipient: BoxPublicKey) -> APIRouter:
    """The answers below ``/v1/webhooks``; secrets are sealed to ``recipient``."""
    router = APIRouter(prefix="/v1", tags=["webhooks"])
    caller = Depends(registry.callers.require(None))

    @router.post(
        "/webhooks",
        status_code=201,
        responses={409: {}},
        openapi_extra=json_body(WebhookGiven),
    )
    async def make(request: Request, key: ApiKey = caller) -> NewWebhookBody:
        """Have events sent to an https URL at port 443 or 8443, by Standard Webhooks."""
        given = read_json(WebhookGiven, await registry.bodies.read(request, _SMALL))
        try:
            STRANGER.locate(given.url, hint=HINT)
        except UsageError as error:
            raise Refused(422, error.message, hint=error.hint) from None
        made, secret = await run_in_threadpool(
            add_webhook, registry.database, recipient, key.holder, given.url, given.kinds
        )
        return NewWebhookBody(**WebhookBody.of(made), secret=secret.to_text())

    @router.get("/webhooks")
    def own(key: ApiKey = caller) -> WebhooksBody:
        """The webhooks of the key's holder."""
        found = webhooks_of(registry.database, key.holder)
        return WebhooksBody(webhooks=[WebhookBody(**WebhookBody.of(one)) for one in found])

    @router.delete("/webhooks/{number}", status_code=204, responses={404: {}})
    def end(number: _Number, key: ApiKey = caller) -> None:
        """Send a webhook nothing any more."""
        try:
            end_webhook(registry.database, key.holder, number)
        except UsageError as error:
            raise Refused(404, error.message, hint=error.hint) from None

    return router
