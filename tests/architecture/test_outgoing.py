"""One package asks others over HTTP; whoever else opened a connection would bypass its limits."""

from __future__ import annotations

import ast

from tests.architecture.test_layers import imported, modules
from tests.support.sources import nodes

GUARD = "zkwm.outgoing_http"
CLIENTS = ("urllib3", "urllib.request", "http.client", "requests", "httpx", "aiohttp")
CALLS = ("create_connection", "getaddrinfo", "gethostbyname", "wrap_socket")


def test_no_other_package_asks_over_http() -> None:
    paths = modules()
    others = {name: path for name, path in paths.items() if not name.startswith(GUARD)}
    assert len(others) < len(paths)
    found = []
    for name, path in others.items():
        found += [f"{name}: {target}" for target, _ in imported(path, paths)
                  if target.startswith(CLIENTS)]  # fmt: skip
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and node.attr in CALLS:
                found.append(f"{name}: {node.attr}")
    assert found == []
