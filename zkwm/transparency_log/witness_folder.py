"""The folder of a witness: its key, and what it must never forget."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import write_atomic
from zkwm.locks import file_lock
from zkwm.secret_files.encrypted import Cost
from zkwm.transparency_log.tree_key import (
    KeyKind,
    TreeKey,
    create_tree_key,
    open_tree_key,
    read_verifiers,
)
from zkwm.transparency_log.witness import Witness
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note_keys import VerifierKey

KEY = "key"
STATE = "witness.sqlite"
LOCK = "witness.lock"
_LOCK_SECONDS = 1.0


@dataclass(frozen=True)
class WitnessFolder:
    """Where a witness's parts are."""

    folder: Path

    def create(self, name: str, passphrase: str, *, cost: Cost | None = None) -> TreeKey:
        """Make a witness. Raises UsageError where there is one or the name has a scheme, Malformed
        for a name that is none, CouldNotCheck where it cannot be written; then none is left.
        """
        if (self.folder / STATE).exists():
            raise UsageError(
                f"{self.folder} is a witness already",
                hint="run it without a new name (`witness_name`)",
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {self.folder}: {error.strerror}") from None
        key = create_tree_key(self.folder / KEY, KeyKind.WITNESS, name, passphrase, cost=cost)
        try:
            WitnessState(self.folder / STATE).close()
        except CouldNotCheck:
            self._remove_key()
            raise
        return key

    def _remove_key(self) -> None:
        """Remove a key that has signed nothing, so that its name can be chosen again."""
        for name in (KEY, f"{KEY}.pub"):
            (self.folder / name).unlink(missing_ok=True)

    def key(self, passphrase: str) -> TreeKey:
        """The keys of the witness.

        Raises UsageError without a witness, VaultUnusable, Malformed or Unsupported.
        """
        self.require_witness()
        return open_tree_key(self.folder / KEY, KeyKind.WITNESS, passphrase)

    def require_witness(self) -> None:
        """Raise UsageError unless a witness was made in this folder."""
        if not (self.folder / KEY).is_file():
            raise UsageError(
                f"there is no witness in {self.folder}",
                hint="give its folder, or make it first, with its name (`witness_name`)",
            )

    def write_evidence(self, target: Path) -> list[tuple[str, str]]:
        """Write what it has kept against logs into a folder, each a file of SPEC.md 23.8.

        Each is two checkpoints of one size with different roots. Returns names of files and origins
        of logs. Raises UsageError without a witness, CouldNotCheck where its state is missing or a
        file cannot be written.
        """
        self.require_witness()
        self._require_state()
        state = WitnessState(self.folder / STATE)
        try:
            kept = state.conflicts()
        finally:
            state.close()
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {target}: {error.strerror}") from None
        files = {}
        for origin, first, second in kept:
            trees = SignedCheckpoint.from_bytes(first), SignedCheckpoint.from_bytes(second)
            data = Equivocation(*trees).to_bytes()
            name = f"{hashlib.sha256(data).hexdigest()[:32]}.equivocation"
            write_atomic(target / name, data, overwrite=True)
            files[name] = origin
        return list(files.items())

    @contextmanager
    def opened(self, key: TreeKey, logs: Iterable[Path]) -> Iterator[Witness]:
        """The witness, held by this process alone.

        ``logs`` are the public files of the logs that it knows. Raises CouldNotCheck where its
        state is missing or held by another process, UsageError for one log twice.
        """
        known = known_logs(logs)
        self._require_state()
        try:
            with file_lock(self.folder / LOCK, wait_seconds=_LOCK_SECONDS):
                state = WitnessState(self.folder / STATE)
                try:
                    yield Witness(key, known, state)
                finally:
                    state.close()
        except TimeoutError:
            raise CouldNotCheck(
                f"another process runs the witness {self.folder}", hint="end it first"
            ) from None

    def _require_state(self) -> None:
        """Raise CouldNotCheck where the witness has lost its memory."""
        if not (self.folder / STATE).exists():
            raise CouldNotCheck(
                f"{self.folder} has lost {STATE}, which says what the witness has cosigned",
                hint="a witness that forgets may cosign two trees: make a new one (`witness_name`) "
                "in another folder, and tell the logs",
            )


def known_logs(paths: Iterable[Path]) -> dict[str, tuple[VerifierKey, ...]]:
    """The keys of logs by their origins, from their public files.

    Raises UsageError for one log twice, CouldNotCheck or Malformed for a file that is none.
    """
    known: dict[str, tuple[VerifierKey, ...]] = {}
    for path in paths:
        keys = read_verifiers(path)
        if keys[0].name in known:
            raise UsageError(f"the log {keys[0].name} is given twice")
        known[keys[0].name] = keys
    return known
