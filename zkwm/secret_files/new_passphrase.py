"""Change the passphrase of a secret file: a new salt, a new key, the same content (SPEC.md 11).

Copies that were made before still open with the old passphrase: it protects them and nothing else
does.
"""

from __future__ import annotations

from pathlib import Path

from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Container, Cost, FileKey
from zkwm_protocols.errors import UsageError

WAIT_SECONDS = 20.0


def change_passphrase(
    path: Path, kind: str, passphrase: str, new: str, *, limit: int, cost: Cost | None = None
) -> FileKey:
    """Encrypt a secret file under another passphrase, atomically, and return its new key.

    Args:
        path: the file, symbolic links resolved.
        kind: of the file.
        passphrase: opens it now.
        new: opens it afterwards.
        limit: the most bytes of such a file.
        cost: the price of a guess (Argon2id); by default that of the file.

    Raises:
        UsageError: the new passphrase is short, or the old one.
        VaultUnusable: the old one is wrong, or the file cannot be locked, read or written; it is
            as before.
        Malformed, Unsupported: it is no such file.
    """
    if new == passphrase:
        raise UsageError("the new passphrase is the old one", hint="nothing was changed")
    with storage.exclusive(path, wait_seconds=WAIT_SECONDS) as held:
        read = storage.read_private(path, limit)
        container = Container.from_bytes(kind, read)
        value = FileKey(passphrase, container.cost, container.salt).open(container)
        key = FileKey.new(new, cost or container.cost)
        held.replace(storage.SeenFile.of(read), key.seal(kind, value))
    return key
