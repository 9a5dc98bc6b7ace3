"""The API beside the log's own: proofs by index and size, the feed of events, the judges."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from zkwm.registry_database.events import events_after
from zkwm.registry_service.messages import (
    HEX,
    EventBody,
    EventsBody,
    HashesBody,
    JudgesBody,
    Limit,
)
from zkwm.registry_service.problems import Refused
from zkwm.registry_service.registry import Registry
from zkwm_protocols.transparency.tiles import TileHashes
from zkwm_protocols.transparency.tree import prove_consistency, prove_inclusion

_Number = Annotated[int, Query(ge=0, lt=2**63)]
_Size = Annotated[int, Query(ge=1, lt=2**63)]


def routes(registry: Registry) -> APIRouter:
    """The answers below ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["log"])

    @router.get("/inclusion", responses={404: {}})
    def inclusion(index: _Number, size: _Size) -> HashesBody:
        """The inclusion proof of the entry ``index`` in the tree of ``size`` entries (RFC 9162)."""
        read = _hashes(registry, size)
        if index >= size:
            raise Refused(404, "a tree of this size has no such entry")
        return HashesBody(hashes=[one.hex() for one in prove_inclusion(index, size, read)])

    @router.get("/consistency", responses={404: {}})
    def consistency(older: _Size, newer: _Size) -> HashesBody:
        """The proof that the tree of ``newer`` entries begins with that of ``older`` (RFC 9162)."""
        read = _hashes(registry, newer)
        if older > newer:
            raise Refused(404, "the older tree is larger than the newer one")
        return HashesBody(hashes=[one.hex() for one in prove_consistency(older, newer, read)])

    @router.get("/events", tags=["events"])
    def events(
        after: _Number = 0,
        subject: Annotated[str | None, Query(pattern=HEX)] = None,
        limit: Limit = 100,
    ) -> EventsBody:
        """What happened after the event ``after``: ask again with the ``after`` of the answer.

        Numbers ascend in the order in which things happened, and none is added before one that was
        seen. ``subject`` is a commitment, or a claim's challenge.
        """
        with registry.database.reading() as connection:
            found = events_after(connection, after, subject=subject, limit=limit)
        return EventsBody(
            events=[EventBody.of(one) for one in found],
            after=found[-1].number if found else after,
        )

    @router.get("/judges", tags=["claims"])
    def judges() -> JudgesBody:
        """The judges whose challenges and verdicts count here."""
        return JudgesBody(judges=[judge.fingerprint() for judge in registry.judges])

    return router


def _hashes(registry: Registry, size: int) -> TileHashes:
    """The hashes of a tree that is signed. Raises Refused (404) for a larger one."""
    if size > registry.log.log.row.size:
        raise Refused(404, "the log has no tree of this size yet")
    return TileHashes(size, registry.log.log.files.read)
