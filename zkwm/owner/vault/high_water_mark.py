"""The high-water mark of a vault's ledger, in a file outside of the vault (SPEC.md section 11).

A vault put back from an old copy has forgotten what was released since, and would open the same
blocks to somebody else. The mark of this machine knows how far the ledger had come. It holds a
counter, a keyed digest and a tag that only the vault can make, and tells nobody whose vault it is
about. It is written after the vault and before anything leaves: a crash never makes the newest
vault look old.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import flush_folder, leftovers, read_limited, write_atomic
from zkwm.locks import file_lock
from zkwm.owner.vault.ledger import MAXIMUM_COUNTER, OlderCopyEntry
from zkwm.owner.vault.state import VaultState
from zkwm_protocols.encoding import encode, pack, unpack
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, VaultUnusable, ZkwmError
from zkwm_protocols.schema import require_bytes, require_integer, require_map

KIND = "vault-mark"
FOLDER_VARIABLE = "ZKWM_STATE"
"""The folder of the marks, where it is not the platform's folder for a program's state."""
_LIMIT = 1024
_NO_CONTEXT = bytes(32)


@dataclass(frozen=True)
class Mark:
    """How far a ledger has come: a counter that only grows, and a keyed digest of all entries.

    In its file a tag stands beside them, by a key of the vault: what somebody else wrote there is
    no mark, and no counter of theirs ever enters a ledger.

    Raises Malformed for a counter outside its range or a digest that has not 32 bytes.
    """

    counter: int
    digest: bytes

    def __post_init__(self) -> None:
        require_integer(self.counter, MAXIMUM_COUNTER)
        require_bytes(self.digest, 32)

    def to_bytes(self, key: bytes) -> bytes:
        """The file, under the 32-byte key of ``tag_key``."""
        fields = {"counter": self.counter, "digest": self.digest}
        return pack(KIND, {**fields, "tag": hmac.digest(key, encode(fields), "sha256")})

    @classmethod
    def from_bytes(cls, data: bytes, key: bytes) -> Mark:
        """Read ``to_bytes``. Raises Malformed, also for a mark under another key; Unsupported."""
        fields = require_map(unpack(KIND, data, limit=_LIMIT), "counter digest tag", "mark")
        mark = cls(fields["counter"], fields["digest"])
        require_bytes(fields["tag"], 32)
        if not hmac.compare_digest(mark.to_bytes(key), data):
            raise Malformed("it was not made by this vault")
        return mark


def tag_key(state: VaultState) -> bytes:
    """The 32-byte key under which a vault tags its marks."""
    return state.derive_key(b"mark-tag", _NO_CONTEXT)


def marks_of(state: VaultState) -> Iterator[Mark]:
    """The marks of a ledger's beginnings, from that of no entry to that of all entries.

    An entry raises the counter by one; one that accepts an older copy first raises it to the mark
    that was overruled. Digests are HMAC-SHA-256, each over the one before and the entry.
    """
    key = state.derive_key(b"mark", _NO_CONTEXT)
    mark = Mark(0, bytes(32))
    yield mark
    for entry in state.ledger:
        least = entry.counter if isinstance(entry, OlderCopyEntry) else 0
        digest = hmac.digest(key, mark.digest + encode(entry.to_map()), "sha256")
        mark = Mark(max(mark.counter, least) + 1, digest)
        yield mark


class HighWaterMark:
    """The mark of one vault on this machine, to be used while the vault is locked.

    ``exclusive`` is entered before the vault is read, and left after ``lift``. Raises UsageError
    where ``$ZKWM_STATE`` is no absolute path.
    """

    def __init__(self, vault: Path, state: VaultState) -> None:
        self._vault = vault
        folder = state_folder()
        name = state.derive_key(b"mark-name", _NO_CONTEXT)[:16].hex()
        self._key = tag_key(state)
        self.path = None if folder is None else folder / f"{name}.mark"

    @contextmanager
    def exclusive(self, wait_seconds: float) -> Iterator[None]:
        """Keep other copies of the vault on this machine, whatever their names, from the mark.

        Where there is no mark and no lock can be made, no mark can be kept either: ``lift`` says
        so. Raises VaultUnusable where another copy is in use for more than ``wait_seconds``, and
        where a mark is there and cannot be locked.
        """
        with ExitStack() as stack:
            try:
                if self.path is not None:
                    self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    lock = self.path.with_suffix(".lock")
                    stack.enter_context(file_lock(lock, wait_seconds=wait_seconds))
            except TimeoutError:
                raise VaultUnusable(
                    "another process is using a copy of this vault",
                    hint="wait for it to end, and try again",
                ) from None
            except OSError as error:
                if self.path is not None and self._found():
                    raise _cannot_lock(self.path, error) from None
            yield

    def require_newest(self, state: VaultState) -> str:
        """Check that the ledger has all that this machine has seen of it.

        Returns what the owner should know, where there is no mark; else "". Raises VaultUnusable
        for an older or another copy, and for a mark that cannot be read.
        """
        return self.compare(state, self.read())

    def compare(self, state: VaultState, mark: Mark | None) -> str:
        """``require_newest`` with a mark that was read before."""
        if mark is None:
            return (
                f"this machine has no mark of this vault ({self.path or 'no folder for it'}), so "
                "an older copy would not be noticed: what was released since could be released "
                "again; go on with the newest copy alone"
                if state.ledger
                else ""
            )
        newest = Mark(0, bytes(32))
        for newest in marks_of(state):
            if newest == mark:
                return ""
        if any((e.counter, e.digest) == (mark.counter, mark.digest) for e in state.older_copies()):
            return ""
        kind = "an older" if newest.counter < mark.counter else "another"
        raise VaultUnusable(
            f"{self._vault} is {kind} copy of this vault: its ledger counts {newest.counter}, and "
            f"on this machine it had come to {mark.counter}",
            hint="put the newest copy back. Only where it is lost: `accept_older_copy()` goes on, "
            "is recorded, and what was opened since could be opened again to somebody else",
        )

    def accept(self, state: VaultState, recorded: int) -> OlderCopyEntry:
        """The entry by which the owner overrules the mark. Raises UsageError where none stands."""
        *_, newest = marks_of(state)
        try:
            self.require_newest(state)
        except VaultUnusable:
            try:
                mark = self.read()
            except VaultUnusable:
                mark = None
            if mark is None:
                return OlderCopyEntry(newest.counter, None, recorded)
            return OlderCopyEntry(mark.counter, mark.digest, recorded)
        raise UsageError(
            f"{self._vault} is no older copy than this machine has seen",
            hint="leave out `accept_older_copy()`",
        )

    def lift(self, state: VaultState) -> str:
        """Write the mark of this ledger, durably, unless it stands there.

        Returns what the owner should know, where it cannot be written; else "". Raises
        VaultUnusable where the vault itself may not last.
        """
        *_, newest = marks_of(state)
        if not state.ledger:
            return ""
        if self.path is None:
            return self._unkept("there is no home folder")
        try:
            flush_folder(self._vault)  # or a power cut could leave the mark and undo the vault
        except OSError as error:
            raise VaultUnusable(
                f"cannot flush the folder of {self._vault}: {error.strerror}",
                hint="nothing was released; see to the disk, and run the command again",
            ) from None
        try:
            if self.read() == newest:
                return ""
        except VaultUnusable:
            self._clear()  # what cannot be read was overruled by the owner, and is replaced
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(self.path, newest.to_bytes(self._key), mode=0o600, overwrite=True)
            for file in leftovers(self.path):
                file.unlink(missing_ok=True)
        except (CouldNotCheck, UsageError) as error:
            return self._unkept(error.message)
        except OSError as error:
            return self._unkept(str(error.strerror))
        return ""

    def _clear(self) -> None:
        """Remove a pipe, a device or a link from the mark's place, which no file would take."""
        with suppress(OSError):
            if self.path is not None and not stat.S_ISREG(self.path.lstat().st_mode):
                self.path.unlink()

    def _unkept(self, reason: str) -> str:
        """What the owner should know where the mark cannot be written."""
        return (
            f"the mark of this vault's ledger cannot be kept ({reason}), so an older copy of the "
            f"vault would not be noticed here: set {FOLDER_VARIABLE} to a folder that lasts"
        )

    def _found(self) -> bool:
        """Whether there is a mark, as far as can be seen."""
        try:
            return self.path is not None and bool(self.path.lstat())
        except OSError:
            return False

    def read(self) -> Mark | None:
        """The mark, or None where there is none. Raises VaultUnusable where it cannot be read."""
        if self.path is None or not self._found():
            return None
        try:
            return Mark.from_bytes(read_limited(self.path, _LIMIT, regular=True), self._key)
        except ZkwmError as error:
            raise VaultUnusable(
                f"the mark {self.path} of this vault's ledger cannot be read: {error.message}",
                hint="correct its permissions, or put its last copy back; `accept_older_copy()` "
                "goes on without it and is recorded: whether the vault is an older copy, which "
                "could open blocks again, then nobody can see",
            ) from None


def _cannot_lock(mark: Path, error: OSError) -> VaultUnusable:
    """The error for a mark that other copies of the vault cannot be kept from."""
    lock = mark.with_suffix(".lock")
    return VaultUnusable(
        f"the mark {mark} of this vault's ledger cannot be locked by {lock.name}: {error.strerror}",
        hint=f"nothing was released; make the folder writable and {lock.name} a plain file that "
        "you may write, or remove it while no other command runs",
    )


def state_folder() -> Path | None:
    """The folder of the marks, or None where the system names no home.

    ``$ZKWM_STATE``; else ``zkwm`` in ``$XDG_STATE_HOME`` or ``~/.local/state``, on Windows in
    ``%LOCALAPPDATA%``. Raises UsageError where ``$ZKWM_STATE`` is relative: each working directory
    would have a mark of its own, and an older copy would not be noticed.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        if not Path(given).is_absolute():
            raise UsageError(
                f"{FOLDER_VARIABLE} is no absolute path: {given[:200]!r}",
                hint="a mark must be found again from every folder; set it to a path from the root",
            )
        return Path(given)
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_STATE_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "zkwm"
    try:
        return Path.home() / ".local/state/zkwm"
    except RuntimeError:
        return None
