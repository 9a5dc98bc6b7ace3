"""The witnesses that a log asks, and which of their lines it can use (SPEC.md 25.5)."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zkwm.transparency_log.tree_key import CLOCK_SECONDS
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint, verify_line
from zkwm_protocols.transparency.note import MOST_SIGNATURES, NoteSignature
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy

_LOGGER = logging.getLogger(__name__)


@dataclass
class AskedWitness:
    """A witness: its address, its keys by their names in the policy, the size that it cosigned
    last, until when (monotonic) it is left alone, its claim of another tree (empty without one),
    and whether its clock was wrong.
    """

    url: str
    keys: dict[str, VerifierKey] = field(default_factory=dict)
    size: int = 0
    pause_until: float = 0.0
    claim: str = ""
    clock_is_wrong: bool = False

    @property
    def name(self) -> str:
        """The name of its keys."""
        return next(iter(self.keys.values())).name

    def usable(
        self, lines: Sequence[NoteSignature], signed: SignedCheckpoint
    ) -> dict[str, NoteSignature]:
        """One line of each key by its name in the policy, made within five minutes of now.

        A line of another time is an old answer, or that of a wrong clock: it counts as none, and
        spoils nothing that other witnesses give.
        """
        now = int(time.time())
        chosen: dict[str, NoteSignature] = {}
        wrong = 0
        for name, key in self.keys.items():
            for line in lines:
                if (line.name, line.key_id) != (key.name, key.key_id):
                    continue
                said = verify_line(signed.checkpoint, key, line)
                if said is not None and abs(said - now) <= CLOCK_SECONDS:
                    chosen.setdefault(name, line)
                else:
                    wrong = (said or 0) - now
        self._tell_clock(wrong)
        return chosen

    def note_claim(self, size: int, own: int) -> None:
        """It claims a tree that the log's own does not contain: tell the operator once."""
        claim = (
            f"the witness {self.name} has cosigned a tree of this log of size {size:,} that the "
            f"tree of size {own:,} here does not begin with"
        )
        if not self.claim:
            _LOGGER.warning(
                "%s, it says. If it is right, folder and database are old copies, or another "
                "process signs with this log's key: end the log. If it is wrong, ask its operator",
                claim,
            )
        self.claim = claim

    def _tell_clock(self, wrong: int) -> None:
        """Tell the operator once that a clock is wrong, by so many seconds."""
        if wrong and not self.clock_is_wrong:
            _LOGGER.warning(
                "the clocks of the witness %s and of this machine differ by %d seconds: its "
                "cosignatures do not count until they agree",
                self.name,
                abs(wrong),
            )
        self.clock_is_wrong = bool(wrong)


def by_address(policy: LogPolicy) -> list[AskedWitness]:
    """The witnesses that can be asked; one that has two keys is asked once."""
    found: dict[str, AskedWitness] = {}
    for witness in policy.witnesses:
        if witness.url:
            url = witness.url.rstrip("/")
            found.setdefault(url, AskedWitness(url)).keys[witness.name] = witness.key
    return list(found.values())


def fitting(
    policy: LogPolicy, lines: Mapping[str, NoteSignature], signed: SignedCheckpoint
) -> list[NoteSignature]:
    """As many of these lines as a note holds beside the log's own, and a quorum among them.

    Args:
        policy: of the log.
        lines: by the policy's names.
        signed: the checkpoint with the log's lines.

    Returns: none where no quorum of them fits.
    """
    room = MOST_SIGNATURES - len(signed.signatures)
    chosen = dict(lines)
    for name in reversed(list(lines)):
        if len(chosen) <= room:
            break
        if policy.reached_by(chosen.keys() - {name}):
            del chosen[name]
    return list(chosen.values()) if len(chosen) <= room else []
