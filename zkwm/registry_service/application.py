"""The whole app of a registry: the log's files and routes, commitments, claims, the feed."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI

from zkwm.registry_service import claim_routes, commitment_routes, log_routes, webhook_routes
from zkwm.registry_service.description import describe
from zkwm.registry_service.pages.page_frame import Pages, tell_browsers
from zkwm.registry_service.pages.routes import pages_router
from zkwm.registry_service.problems import add_problems
from zkwm.registry_service.registry import Registry
from zkwm.transparency_log import log_service
from zkwm.transparency_log.http_server import App

_DESCRIPTION = (
    "A public log of commitments, and claims on models. Everybody reads; who writes has an API "
    "key, and owners and judges sign what they say. Errors are problem details (RFC 9457)."
)


def application(
    registry: Registry, further: Iterable[APIRouter] = (), pages: Pages | None = None
) -> App:
    """The app that answers all requests.

    Args:
        registry: what it is about.
        further: routes that come after those of the API.
        pages: for people, who then get errors as pages, too.
    """
    inner = FastAPI(
        title="zkwm registry",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # they would lead where a request's Host says
    )
    add_problems(inner)
    inner.include_router(log_service.routes(registry.log))
    for routes in (commitment_routes, claim_routes, log_routes):
        inner.include_router(routes.routes(registry))
    if registry.webhooks is not None:
        inner.include_router(webhook_routes.routes(registry, registry.webhooks))
    for router in further:
        inner.include_router(router)
    if pages is not None:
        inner.include_router(pages_router(pages))
        tell_browsers(inner, pages)
    describe(inner)
    return log_service.with_files(registry.log, inner)
