"""A witness over HTTP (C2SP tlog-witness, SPEC.md 25.5)."""

from __future__ import annotations

import asyncio

from zkwm.transparency_log.http_server import (
    App,
    Message,
    Receive,
    Reply,
    Send,
    problem,
    problem_of,
    read_body,
)
from zkwm.transparency_log.witness import Witness
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.transparency.witness import REQUEST_LIMIT


def witness_application(witness: Witness) -> App:
    """``POST /add-checkpoint``."""
    alone = asyncio.Lock()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] != "/add-checkpoint":
            reply = problem(404, "a witness answers POST /add-checkpoint")
        elif scope["method"] != "POST":
            reply = problem(405, "a witness answers POST /add-checkpoint")
        else:
            reply = await _cosigned(receive)
        await reply.send(send)

    async def _cosigned(receive: Receive) -> Reply:
        body = await read_body(receive, REQUEST_LIMIT)
        if body is None:
            return problem(413, f"a request has at most {REQUEST_LIMIT:,} bytes")
        try:
            async with alone:
                answer = await asyncio.to_thread(witness.answer, body)
        except CouldNotCheck as error:
            return problem_of(error)
        return Reply(answer.status, answer.text.encode(), answer.media_type)

    return app
