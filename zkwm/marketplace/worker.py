"""The process that settles claims one after the other: ``python -P -m zkwm.marketplace.worker 0``.

``zkwm.marketplace.claims`` says what it reads and sends. It ends when its input ends, and leaves no
core dump, since it holds the judge's keys.
"""

from __future__ import annotations

import os
from contextlib import suppress

from zkwm.judge.judge import Judge
from zkwm.marketplace.claims import Claim, Settled, pack_settled, unpack_claim, unpack_desk
from zkwm.marketplace.desk import Marketplace
from zkwm.suspects.limited_worker import open_frames
from zkwm.suspects.onnx_frames import write_frame
from zkwm_protocols.errors import CouldNotCheck, ZkwmError


def settle(market: Marketplace, claim: Claim) -> Settled:
    """Settle one claim; every error is an outcome too."""
    error: ZkwmError | None = None
    try:
        market.settle(
            claim.suspect, claim.case, claim.proof,
            decoys=claim.decoys, images=claim.images, trust=claim.trust, **claim.options,
        )  # fmt: skip
    except ZkwmError as raised:
        error = raised
    except Exception as raised:  # a fault of zkwm's: the others go on
        error = CouldNotCheck(
            f"an unexpected {type(raised).__name__} while this case was settled",
            hint="settle it alone to see where, and report it",
        )
    try:
        outcome = market.case(claim.case).outcome
    except ZkwmError as raised:
        return Settled(claim.id, "", error or raised)
    return Settled(claim.id, outcome, error)


def main() -> None:
    """Serve one desk until standard input ends."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    frames, replies = open_frames()
    location, key, environment, trust = unpack_desk(frames.get())
    os.environ.update(environment)
    try:
        market = Marketplace(location, Judge.from_key(key), trust=trust)
    except ZkwmError as error:
        while True:  # each claim is told why
            unpack_claim(frames.get)
            write_frame(replies, pack_settled(Settled("", "", error)))
    while True:
        claim = unpack_claim(frames.get)
        write_frame(replies, pack_settled(settle(market, claim)))


if __name__ == "__main__":
    main()
