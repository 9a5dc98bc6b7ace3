"""A marketplace registers commitments and settles a claim about a model that it lists.

``python examples/marketplace.py FOLDER`` plays owner and marketplace, training included.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import owner

import zkwm


def settle(
    market: zkwm.Marketplace,
    commitment: zkwm.Commitment,
    listing: str | Path,
    ask_owner: Callable[[zkwm.Challenge], zkwm.Opening],
) -> bool:
    """Whether the owner's claim on a listed model is proven; the market keeps every verdict."""
    name = market.register(commitment)
    suspect = zkwm.open_suspect(listing, shape=commitment.header.shape)
    challenge = market.challenge(name, suspect, purpose=f"claim on {listing}")
    proof = ask_owner(challenge)
    try:
        return market.settle(suspect, challenge, proof).proven
    except zkwm.NotProven:  # other errors mean that nothing could be decided
        return False


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    vault, commitment = owner.mark(folder, "the owner's own")
    desk = zkwm.Judge.create(folder / "desk.key", "the desk's own")
    fingerprint = desk.public.fingerprint()  # published by the marketplace, compared by owners
    proven = settle(
        zkwm.Marketplace(folder / "market", desk),
        commitment,
        folder / "marked",
        lambda challenge: owner.answer(vault, commitment, challenge, fingerprint),
    )
    print("proven" if proven else "not proven")
