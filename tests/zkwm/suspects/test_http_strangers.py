"""An endpoint that somebody else named: https at the usual ports of public addresses alone.

That such an endpoint is asked is in ``test_http_tls``.
"""

from __future__ import annotations

import socket

import pytest

from tests.support.http_endpoint import IMAGES, PLAIN, open_endpoint
from zkwm.suspects import HttpSettings
from zkwm_protocols.errors import UsageError

STRICT = HttpSettings(named_by_strangers=True, attempts=1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://localhost:443/", "https://a.example:22/"]
)
def test_another_scheme_or_port_is_refused_at_once(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_endpoint(url, http=STRICT)
    assert "443" in caught.value.hint


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
def test_nobody_in_here_is_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    suspect = open_endpoint(f"https://{host}/", http=STRICT)
    problem = suspect.answer(IMAGES[:1], PLAIN)[0].problem
    suspect.close()
    assert problem == "this URL names an address that is not public"
