"""The vault file: opened by a passphrase, changed by transactions (SPEC.md section 11).

Open one with ``Vault.create`` or ``Vault.open``, read ``state``, and change it within
``transaction`` only: that is on disk, durably, when it returns, or has changed nothing, and two
processes never lose each other's entries. What may be opened to whom is decided in
``zkwm.owner.prove``. An older copy of the whole file is noticed by a mark outside of it
(``zkwm.owner.vault.high_water_mark``), where that is on this machine.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zkwm.owner.vault.high_water_mark import HighWaterMark
from zkwm.owner.vault.ledger import OlderCopyEntry
from zkwm.owner.vault.state import SEED_BYTES, VaultState, require_successor
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import FILE_LIMIT, Container, Cost, FileKey
from zkwm.secret_files.new_passphrase import change_passphrase
from zkwm_protocols.encoding import decode
from zkwm_protocols.errors import UsageError, VaultUnusable
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.keys import ED25519, SigningKey

KIND = "vault"
WAIT_SECONDS = 20.0
"""How long a transaction waits for another process, unless it says otherwise."""


class Vault:
    """An open vault. Make one with ``create`` or ``open``; the passphrase is not kept.

    ::

        vault = zkwm.Vault.open("acme.vault", passphrase)
        commitment = zkwm.commit(vault, class_count=10, shape=(3, 32, 32))
    """

    def __init__(self, path: Path, key: FileKey, state: VaultState) -> None:
        """Use ``create`` or ``open``."""
        self._path = path
        self._key = key
        self._state = state
        self.notice = ""
        """What the owner should know about the mark of the ledger; empty where all is well."""

    @classmethod
    def create(
        cls,
        path: str | Path,
        passphrase: str,
        *,
        algorithm: str = ED25519,
        cost: Cost | None = None,
        signing: SigningKey | None = None,
    ) -> Vault:
        """A new vault with a new signing key and seed, mode 0600.

        Args:
            path: a file that does not exist.
            passphrase: opens the vault.
            algorithm: of the signing key, ``ed25519`` or ``ecdsa-p256``.
            cost: the price of a guess at the passphrase (Argon2id); by default
                ``zkwm.secret_files.encrypted.DEFAULT_COST``.
            signing: a key in a hardware token (``zkwm.hardware_keys``) instead of a new one; then
                ``algorithm`` is that key's.

        Raises:
            UsageError: the file exists or the passphrase is short.
            Unsupported: another algorithm.
            VaultUnusable: the file cannot be written.
        """
        target = storage.resolve(path)
        state = VaultState(
            signing_key=signing or SigningKey.generate(algorithm),
            seed=secrets.token_bytes(SEED_BYTES),
        )
        key = FileKey.new(passphrase, cost)
        storage.write_private(target, key.seal(KIND, state.to_map()), overwrite=False)
        storage.clean(target)
        return cls(target, key, state)

    @classmethod
    def open(cls, path: str | Path, passphrase: str) -> Vault:
        """Open a vault. Raises VaultUnusable (unreadable, open to others, wrong passphrase).

        Malformed or Unsupported for a file that is not a vault of this version.
        """
        target = storage.resolve(path)
        storage.clean(target)
        container = Container.from_bytes(KIND, storage.read_private(target, FILE_LIMIT, KIND))
        key = FileKey(passphrase, container.cost, container.salt)
        plaintext = key.plaintext(container)
        del container  # a vault has hundreds of megabytes: no copy longer than it is read
        return cls(target, key, VaultState.from_map(decode(plaintext, limit=FILE_LIMIT)))

    @property
    def path(self) -> Path:
        """The vault's file, symbolic links resolved."""
        return self._path

    @property
    def state(self) -> VaultState:
        """A copy of what this process read or wrote last; changing it changes no vault."""
        return self._state.copy()

    @contextmanager
    def transaction(
        self, *, wait_seconds: float | None = None, releases: bool = False
    ) -> Iterator[VaultState]:
        """``with vault.transaction() as state``: change ``state``, and it is written on leaving.

        The file is locked and read first, so that ``state`` is the newest there is. Nothing is
        written when the block raises or changes nothing. Transactions do not nest.

        Args:
            wait_seconds: how long another process may hold the vault; ``WAIT_SECONDS`` by default.
            releases: something leaves the vault afterwards: an older copy is refused first, and
                this machine's mark of the ledger is lifted last (``notice`` says where it cannot).

        Raises:
            VaultUnusable: another process holds the vault for too long; the file cannot be read or
                written; it has become another vault, or an older one than this process has seen,
                or, with ``releases``, than this machine has; a commitment or an entry of the
                ledger was removed or altered.
            Malformed: the state breaks a rule of ``VaultState.from_map``.
        """
        wait = WAIT_SECONDS if wait_seconds is None else wait_seconds
        with self._locked(wait, check=releases, lift=releases) as state:
            yield state

    def look(self) -> VaultState:
        """A copy of the newest state on disk, read without a lock: nothing is written anywhere.

        ``notice`` says where it is an older copy's, or where nobody can tell. Raises VaultUnusable
        where the file cannot be read, or has become another vault, or an older one than this
        process has seen.
        """
        mark, seen, problem = self._mark(), None, ""
        try:
            seen = mark.read()  # before the vault: whoever writes that lifts the mark last
        except VaultUnusable as error:
            problem = error.message
        _, current = self._read()
        require_successor(self._state, current)
        self._state = current
        if not problem:
            try:
                problem = mark.compare(current, seen)
            except VaultUnusable as error:
                problem = error.message
        self.notice = problem
        return self.state

    def require_newest(self, state: VaultState) -> None:
        """Raise VaultUnusable where ``state``, within a transaction, is an older copy's.

        ``notice`` says where this machine has no mark to tell.
        """
        self.notice = self._mark().require_newest(state)

    def accept_older_copy(self) -> OlderCopyEntry:
        """Go on with an older copy of the vault, where the newest one is lost (SPEC.md 11).

        What was opened since that copy was made counts as unopened, and could be opened again to
        somebody else. The returned entry of the ledger records this. Raises UsageError where the
        vault is no older copy, and what ``transaction`` raises.
        """
        with self._locked(WAIT_SECONDS, check=False, lift=True) as state:
            entry = self._mark().accept(state, int(time.time()))
            state.ledger.append(entry)
        return entry

    @contextmanager
    def _locked(self, wait: float, *, check: bool, lift: bool) -> Iterator[VaultState]:
        """A transaction that checks the mark of the ledger before, and lifts it afterwards."""
        with ExitStack() as stack:
            held = stack.enter_context(storage.exclusive(self._path, wait_seconds=wait))
            mark = self._mark()
            if check or lift:
                stack.enter_context(mark.exclusive(wait))
            seen, current = self._read()
            require_successor(self._state, current)
            self._state = current
            if check:
                self.notice = mark.require_newest(current)
            changed = current.copy()
            yield changed
            require_successor(current, changed)
            checked = VaultState.from_map(changed.to_map())
            if checked != current:
                held.replace(seen, self._key.seal(KIND, checked.to_map()))
                self._state = checked
            if lift:
                self.notice = mark.lift(checked) or self.notice

    def change_passphrase(self, passphrase: str, new: str, *, cost: Cost | None = None) -> None:
        """Encrypt the vault under another passphrase; its content and its mark stay.

        Copies that were made before open with the old one. Other processes that have the vault
        open are told to open it again. Raises what ``zkwm.secret_files.new_passphrase`` does.
        """
        self._key = change_passphrase(
            self._path, KIND, passphrase, new, limit=FILE_LIMIT, cost=cost
        )

    def trust(self, fingerprint: str) -> None:
        """Confirm a judge, whose challenges are then answered without another confirmation.

        Raises Malformed for what is no fingerprint, and what ``transaction`` raises.
        """
        judge = require_fingerprint(fingerprint)
        with self.transaction() as state:
            if judge not in state.trusted_judges:
                state.trusted_judges.append(judge)

    def untrust(self, fingerprint: str) -> None:
        """Take a judge's confirmation back; what was opened to them stays opened.

        Raises UsageError where they were not confirmed, and what ``trust`` raises.
        """
        judge = require_fingerprint(fingerprint)
        with self.transaction() as state:
            if judge not in state.trusted_judges:
                raise UsageError(
                    f"the vault does not know the judge {judge}", hint="zkwm vault show lists them"
                )
            state.trusted_judges.remove(judge)

    def _mark(self) -> HighWaterMark:
        """This machine's mark of the vault."""
        return HighWaterMark(self._path, self._state)

    def _read(self) -> tuple[storage.SeenFile, VaultState]:
        """What is on disk. Raises VaultUnusable where it is another vault, or cannot be read."""
        data = storage.read_private(self._path, FILE_LIMIT)
        seen = storage.SeenFile.of(data)
        container = Container.from_bytes(KIND, data)
        del data
        if not self._key.fits(container):
            raise VaultUnusable(
                f"{self._path} has been replaced since it was opened", hint="open it again"
            )
        plaintext = self._key.plaintext(container)
        del container
        return seen, VaultState.from_map(decode(plaintext, limit=FILE_LIMIT))

    def __repr__(self) -> str:
        return f"<Vault {str(self._path)!r}>"
