"""The folder of a witness: its key, and what it must never forget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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

KEY = "key"
STATE = "witness.sqlite"
LOCK = "witness.lock"
_LOCK_SECONDS = 1.0


@dataclass(frozen=True)
class WitnessFolder:
    """Where a witness's parts are."""

    folder: Path

    def create(self, name: str, passphrase: str, *, cost: Cost | None = None) -> TreeKey:
        """Make a witness. Raises UsageError where there is one, Malformed for a name that is none,
        CouldNotCheck where it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {self.folder}: {error.strerror}") from None
        if (self.folder / STATE).exists():
            raise UsageError(
                f"{self.folder} is a witness already",
                hint="run it without a new name (`witness_name`)",
            )
        key = create_tree_key(self.folder / KEY, KeyKind.WITNESS, name, passphrase, cost=cost)
        WitnessState(self.folder / STATE).close()
        return key

    def key(self, passphrase: str) -> TreeKey:
        """The keys of the witness. Raises VaultUnusable, Malformed or Unsupported."""
        return open_tree_key(self.folder / KEY, KeyKind.WITNESS, passphrase)

    @contextmanager
    def opened(self, key: TreeKey, logs: Iterable[Path]) -> Iterator[Witness]:
        """The witness, held by this process alone.

        ``logs`` are the public files of the logs that it knows. Raises CouldNotCheck where its
        state is missing or held by another process, UsageError for one log twice.
        """
        known = {}
        for path in logs:
            keys = read_verifiers(path)
            if keys[0].name in known:
                raise UsageError(f"the log {keys[0].name} is given twice")
            known[keys[0].name] = keys
        if not (self.folder / STATE).exists():
            raise CouldNotCheck(
                f"{self.folder} has lost {STATE}, which says what the witness has cosigned",
                hint="a witness that forgets may cosign two trees: make a new one (`witness_name`) "
                "in another folder, and tell the logs",
            )
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
