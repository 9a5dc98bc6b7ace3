"""Who calls: the key of a request, its scopes, and how often it may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from zkwm.registry_service.api_keys import ApiKey, ApiKeys, Scope
from zkwm.registry_service.problems import Refused
from zkwm.transparency_log.admission import Asker, Identify, Rate
from zkwm.transparency_log.admission import Scope as RequestScope
from zkwm.transparency_log.rates import Rates
from zkwm.transparency_log.readers import KnownReader

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="apiKey",
    description="A key that the registry's operator made: Authorization: Bearer zkwm_...",
)
_AUTHENTICATE = {"www-authenticate": "Bearer"}
PRIVATE = {"cache-control": "private, no-store"}
"""Headers of what only a holder reads; a route that makes its own response adds them itself."""
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


class Callers:
    """Tells who calls, by the keys of a service."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._rates = Rates()

    def require(self, scope: Scope | None) -> Callable[..., ApiKey]:
        """A dependency: the key of a request that has this scope; None for any key.

        What is answered is the holder's: no cache keeps it, not even one that ignores whose it is.

        It raises Refused: 401 without a key that counts, 403 without the scope, 429 too often.
        """

        def caller(credentials: _Credentials, response: Response) -> ApiKey:
            response.headers.update(PRIVATE)
            return self._check(credentials, scope)

        return caller

    def _check(
        self, credentials: HTTPAuthorizationCredentials | None, scope: Scope | None
    ) -> ApiKey:
        """The key behind credentials. Raises Refused."""
        key = None if credentials is None else self._keys.find(credentials.credentials)
        if key is None:
            raise Refused(
                401,
                "this needs an API key" if credentials is None else "this API key does not count",
                hint="send Authorization: Bearer KEY with a key of this registry's operator",
                headers=_AUTHENTICATE,
            )
        wait = self._rates.take(key.id, key.per_minute)
        if wait:
            raise Refused(
                429,
                f"this key may make {key.per_minute:,} requests in a minute",
                headers={"retry-after": str(int(wait) + 1)},
            )
        if scope is not None and scope not in key.scopes:
            raise Refused(
                403, f"this key does not have the scope {scope}",
                hint="ask the registry's operator for a key that has it",
            )  # fmt: skip
        return key


def by_key(keys: ApiKeys, otherwise: Identify) -> Identify:
    """Who registers statements at the log: the key that comes with them, at its own rate.

    Entries need no key, since they are signed: without one that counts for ``register``, it is as
    ``otherwise`` says.
    """

    async def identify(scope: RequestScope) -> Asker:
        key = await _key_of(keys, scope)
        if key is None or Scope.REGISTER not in key.scopes:
            return await otherwise(scope)
        return Asker(f"key {key.id}", Rate(key.per_minute))

    return identify


def known_reader(keys: ApiKeys) -> KnownReader:
    """Whose key comes with a request that reads; whatever its scopes, for reading needs none."""

    async def known(scope: RequestScope) -> Asker | None:
        key = await _key_of(keys, scope)
        return None if key is None else Asker(f"key {key.id}", Rate(key.per_minute))

    return known


async def _key_of(keys: ApiKeys, scope: RequestScope) -> ApiKey | None:
    """The key of a request, if it counts."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, text = (given[0].decode("latin-1") if given else "").partition(" ")
    return await run_in_threadpool(keys.find, text) if kind.lower() == "bearer" else None


def require_holder(key: ApiKey, holder: str) -> None:
    """Raise Refused (403) unless the key stands for this holder."""
    if key.holder != holder:
        raise Refused(403, "another holder asked this: only their keys may do that")
