"""The vault file: opened by a passphrase, changed by transactions (SPEC.md section 11).

Open one with ``Vault.create`` or ``Vault.open``, read ``state``, and change it within
``transaction`` only: that is on disk, durably, when it returns, or has changed nothing, and two
processes never lose each other's entries. What may be opened to whom is decided in
``zkwm.owner.prove``. A vault cannot notice that the whole file was replaced by an older copy while
no process had it open.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zkwm.owner.vault.state import SEED_BYTES, VaultState, require_successor
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import FILE_LIMIT, Container, Cost, FileKey
from zkwm_protocols.errors import VaultUnusable
from zkwm_protocols.keys import ED25519, SigningKey

KIND = "vault"
WAIT_SECONDS = 20.0
"""How long a transaction waits for another process, unless it says otherwise."""


class Vault:
    """An open vault. Make one with ``create`` or ``open``; the passphrase is not kept."""

    def __init__(self, path: Path, key: FileKey, state: VaultState) -> None:
        """Use ``create`` or ``open``."""
        self._path = path
        self._key = key
        self._state = state

    @classmethod
    def create(
        cls,
        path: str | Path,
        passphrase: str,
        *,
        algorithm: str = ED25519,
        cost: Cost | None = None,
    ) -> Vault:
        """A new vault with a new signing key and seed, mode 0600.

        Args:
            path: a file that does not exist.
            passphrase: opens the vault.
            algorithm: of the signing key, ``ed25519`` or ``ecdsa-p256``.
            cost: the price of a guess at the passphrase (Argon2id); by default
                ``zkwm.secret_files.encrypted.DEFAULT_COST``.

        Raises:
            UsageError: the file exists or the passphrase is empty.
            Unsupported: another algorithm.
            VaultUnusable: the file cannot be written.
        """
        target = storage.resolve(path)
        state = VaultState(
            signing_key=SigningKey.generate(algorithm), seed=secrets.token_bytes(SEED_BYTES)
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
        container = Container.from_bytes(KIND, storage.read_private(target, FILE_LIMIT))
        key = FileKey(passphrase, container.cost, container.salt)
        return cls(target, key, VaultState.from_map(key.open(container)))

    @property
    def path(self) -> Path:
        """The vault's file, symbolic links resolved."""
        return self._path

    @property
    def state(self) -> VaultState:
        """A copy of what this process read or wrote last; changing it changes no vault."""
        return self._state.copy()

    @contextmanager
    def transaction(self, *, wait_seconds: float | None = None) -> Iterator[VaultState]:
        """``with vault.transaction() as state``: change ``state``, and it is written on leaving.

        The file is locked and read first, so that ``state`` is the newest there is. Nothing is
        written when the block raises or changes nothing. Transactions do not nest.

        Raises:
            VaultUnusable: another process holds the vault for more than ``wait_seconds``
                (``WAIT_SECONDS`` by default); the file
                cannot be read or written; it has become another vault, or an older one than this
                process has seen; a commitment or an entry of the ledger was removed or altered.
            Malformed: the state breaks a rule of ``VaultState.from_map``.
        """
        wait = WAIT_SECONDS if wait_seconds is None else wait_seconds
        with storage.exclusive(self._path, wait_seconds=wait) as held:
            read = storage.read_private(self._path, FILE_LIMIT)
            current = self._parse(read)
            require_successor(self._state, current)
            self._state = current
            changed = current.copy()
            yield changed
            require_successor(current, changed)
            checked = VaultState.from_map(changed.to_map())
            if checked != current:
                data = self._key.seal(KIND, checked.to_map())
                held.replace(read, data)
                self._state = checked

    def _parse(self, data: bytes) -> VaultState:
        """The state in the bytes of the file. Raises VaultUnusable where it is another vault."""
        container = Container.from_bytes(KIND, data)
        if not self._key.fits(container):
            raise VaultUnusable(
                f"{self._path} has been replaced since it was opened", hint="open it again"
            )
        return VaultState.from_map(self._key.open(container))

    def __repr__(self) -> str:
        return f"<Vault {str(self._path)!r}>"
