"""The suspect's file beside its integer network: the judge's comparison, and the file's answers.

An argument is about the network, the accusation about the file (SPEC.md 18.2, 18.5). Where the two
differ on images that the nonce draws, the owner does not answer, whatever their triggers are. Where
the file reaches k* and the network does not, there is no argument and no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.agreement_bounds import require_agreement, require_translation
from zkwm.quantizer.network_agreement import measure_agreement
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.challenge import ArgumentChallenge
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable

if TYPE_CHECKING:
    from zkwm_protocols.argument.statement import Statement
    from zkwm_protocols.integer_network.model import IntegerNetwork


_COMPARISON = "comparison with the file"


@dataclass(frozen=True)
class DerivedNetwork:
    """A suspect's file, and the integer network that ``derive_network`` made of it."""

    file: Path
    network: IntegerNetwork


def require_close(
    derived: DerivedNetwork,
    challenge: ArgumentChallenge,
    progress: Callable[[str, float], None] | None = None,
) -> None:
    """Compare file and network as the judge has to, on images that the nonce draws (SPEC.md 18.1).

    Nothing secret is used, so that a refusal tells nothing about triggers.

    Args:
        derived: the suspect's file and the challenge's network.
        challenge: the challenge.
        progress: called with the name of this step and how much of it is done, 0 to 1.

    Raises:
        SuspectUnusable: a bound is exceeded (``argument.translation``, ``argument.agreement``), or
            the file cannot be asked.
        InvalidOpening: it is no longer the challenge's file (``challenge.suspect``).
        Unsupported: the comparison takes too much work (``network.unsupported``).
    """

    def show(done: int, of: int) -> None:
        if progress is not None:
            progress(_COMPARISON, done / of)

    show(0, 1)
    try:
        with _opened(derived.file, challenge) as suspect:
            agreements = measure_agreement(
                derived.network,
                suspect,
                challenge.preprocessing,
                nonce=challenge.nonce,
                class_map=challenge.class_map,
                progress=show,
            )
        require_translation(agreements)
        require_agreement(agreements)
    except SuspectUnusable as error:
        if error.check not in ("argument.translation", "argument.agreement"):
            raise
        raise SuspectUnusable(
            f"{error.message}. A judge who keeps the rules issues no such challenge. Your "
            "triggers were not looked at, and nothing is recorded",
            hint="ask the judge for an opening instead (`Judge.challenge`), which asks the "
            "file itself",
            check=error.check,
        ) from None


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

    with _opened(file, challenge) as suspect:
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
            hint="ask the judge for an opening instead (`Judge.challenge`), which asks the "
            "file itself",
            check="argument.agreement",
        )


@contextmanager
def _opened(file: Path, challenge: ArgumentChallenge) -> Iterator[Suspect]:
    """The challenge's suspect. Raises InvalidOpening where the file is another by now."""
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
        yield suspect
