"""The suspect's file beside its integer network: ask it where the network matches too rarely.

An argument is about the network, the accusation about the file (SPEC.md 18.2, 18.5). Where the file
reaches k* and the network does not, there is no argument and no bit: an opening asks the file.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects import open_suspect
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable

if TYPE_CHECKING:
    from zkwm_protocols.argument.statement import Statement
    from zkwm_protocols.integer_network.model import IntegerNetwork


@dataclass(frozen=True)
class DerivedNetwork:
    """A suspect's file, and the integer network that ``derive_network`` made of it."""

    file: Path
    network: IntegerNetwork


def require_file_below(
    file: Path, challenge: ArgumentChallenge, statement: Statement, images: NDArray[np.uint8]
) -> None:
    """Ask the file itself the triggers of a statement that its integer network does not reach.

    Args:
        file: the suspect's file.
        challenge: the challenge, which fixes how the file is asked.
        statement: what could not be proven.
        images (uint8, (n, channels, height, width)): its triggers.

    Raises:
        SuspectUnusable: the file reaches k* (``argument.agreement``), or cannot be asked.
        InvalidOpening: it is no longer the challenge's file (``challenge.suspect``).
    """
    from zkwm_protocols.integer_network.evaluate import labels

    identity = challenge.suspect
    suspect = open_suspect(
        file, shape=identity.shape, outputs=identity.outputs, output=identity.output
    )
    with closing(suspect):
        if suspect.identity.digest != identity.digest:
            raise InvalidOpening(
                f"{file} has changed while it was read",
                hint="give exactly the file that the challenge was made for",
                check="challenge.suspect",
            )
        answers = suspect.answer(images, challenge.preprocessing)
    expected = np.array(statement.outputs)
    given = np.array([-1 if answer.output is None else answer.output for answer in answers])
    by_file = int((given == expected).sum())
    if by_file >= statement.least_matches:
        by_network = int((labels(statement.network, images) == expected).sum())
        raise SuspectUnusable(
            f"the suspect's file gives {by_file} of {len(expected)} committed triggers their "
            f"labels, but the integer network made from it only {by_network}; the challenge "
            f"demands {statement.least_matches}. Nothing is recorded, and nothing leaves this "
            "vault",
            hint="ask the judge for an opening instead (zkwm challenge --reveal), which asks the "
            "file itself",
            check="argument.agreement",
        )
