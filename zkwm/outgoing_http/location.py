"""A URL of http or https, taken apart; what a URL must not carry.

Keys and passwords in URLs end in logs, and a backslash or a space makes two readers see two hosts
in one URL: such URLs are refused before anything is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from zkwm_protocols.errors import UsageError

PORTS = {"http": 80, "https": 443}
_URL_LIMIT = 400
_VISIBLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Location:
    """A URL, taken apart: scheme, host, port, and the path with its query.

    ``address`` is the one to connect to, where it is known: the host is then not looked up again.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: str = ""

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """What the header ``Host`` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def locate(url: str, *, hint: str) -> Location:
    """The parts of a URL. Raises UsageError with the hint, and without repeating the URL."""
    if len(url) > _URL_LIMIT or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise UsageError(
            f"a URL is at most {_URL_LIMIT} ASCII characters without spaces", hint=hint
        )
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname, parts.port, parts.scheme.lower()
    except ValueError:
        host, port, scheme = None, None, ""
    if scheme not in PORTS or not host or port == 0:
        raise UsageError("this is no URL of http or https", hint=hint)
    if "@" in parts.netloc:
        raise UsageError("a URL must carry no user name or password", hint=hint)
    if "#" in url:
        raise UsageError("a URL that is asked has no fragment", hint=hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Location(scheme, host, port or PORTS[scheme], path)
