"""``zkwm`` whose webhooks may lead to this machine: a test's receiver has no public address.

``python -m tests.support.own_receivers registry serve ...``; the rest is as ever. Not a test.
"""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

from zkwm.outgoing_http.rules import OWN_WORD
from zkwm.registry_service import serve, webhook_routes
from zkwm.registry_service.deliveries import Deliveries
from zkwm.registry_service.webhooks import add_webhook
from zkwm_cli.start import run

PROGRAM = "tests.support.own_receivers"

if __name__ == "__main__":
    with (
        patch.object(serve, "Deliveries", partial(Deliveries, rules=OWN_WORD)),
        patch.object(webhook_routes, "STRANGER", OWN_WORD),
        patch.object(webhook_routes, "add_webhook", partial(add_webhook, rules=OWN_WORD)),
    ):
        run()
