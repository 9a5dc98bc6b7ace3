"""Options that name the vault or the judge's key, and give its passphrase."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import naming, read_parsed
from zkwm_cli.options import option, passphrase_option

if TYPE_CHECKING:
    from zkwm.hardware_keys import HardwareKey
    from zkwm.judge.judge import Judge
    from zkwm.owner.vault import Vault

_JUDGE_MODULES = ("zkwm.judge.judge", "zkwm.report.text")
"""What takes as long to import as Argon2id to derive a key."""

PUBLIC_LIMIT = 4096
LARGE_VAULT = 16 << 20
"""Bytes of a vault that takes more than a second to open."""


def token_option() -> Any:  # noqa: ANN401
    """--token"""
    return option(
        "--token",
        metavar="ADDRESS",
        help="Sign with a key pair in a hardware token (PKCS #11) instead of a new one: "
        "pkcs11:token=T;object=O?module-path=/LIB.so (docs/keys.md).",
    )


def read_token_option(address: str | None) -> HardwareKey | None:
    """The key in a token; None where none was given. Raises VaultUnusable or UsageError."""
    if address is None:
        return None
    from zkwm.hardware_keys import HardwareKey, TokenAddress
    from zkwm_cli.passphrases import ask_for_pins

    ask_for_pins()
    return HardwareKey.find(TokenAddress.from_text(address))


@dataclass(frozen=True)
class VaultOptions:
    """The owner's vault."""

    vault: str = option(
        "--vault", required=True, type=click.Path(), metavar="FILE", help="The owner's vault."
    )
    passphrase_file: str | None = passphrase_option()

    def open(self) -> Vault:
        """Decrypt the vault. Raises VaultUnusable, CouldNotCheck or UsageError."""
        from zkwm_cli.terminal import note

        require_kind(self.vault, "vault")
        secret = self.passphrase()
        with suppress(OSError, ValueError):
            size = Path(self.vault).stat().st_size
            if size >= LARGE_VAULT:
                note(f"opening {self.vault}, {size >> 20} MiB")
        from zkwm.owner.vault import Vault
        from zkwm_cli.passphrases import ask_for_pins

        ask_for_pins()
        with naming(self.vault):
            return Vault.open(self.vault, secret)

    def passphrase(self) -> str:
        """Its passphrase. Raises CouldNotCheck or UsageError."""
        from zkwm_cli.hardening import Role
        from zkwm_cli.passphrases import passphrase

        return passphrase(self.passphrase_file, of=self.vault, role=Role.OWNER)


@dataclass(frozen=True)
class JudgeOptions:
    """The judge's secret key: ``judge.key``, or the one beside ``judge.key.pub``."""

    judge: str = option(
        "--judge",
        required=True,
        type=click.Path(),
        metavar="FILE",
        help="Your judge's key (judge.key, or judge.key.pub with judge.key beside it).",
    )
    passphrase_file: str | None = passphrase_option()

    @property
    def secret(self) -> str:
        """The name of the secret key's file."""
        return self.judge.removesuffix(".pub")

    def open(self, *modules: str, then: Callable[[], object] | None = None) -> Judge:
        """Decrypt the key; ``modules`` are imported meanwhile, beside those of every judge.

        ``then`` is called behind the imports, still meanwhile.

        Raises UsageError where only the public key exists, or where the public key named belongs
        to another secret key.
        """
        from zkwm.judge.key_file import open_judge_key
        from zkwm_cli.hardening import Role
        from zkwm_cli.meanwhile import imported_meanwhile
        from zkwm_cli.passphrases import ask_for_pins, passphrase
        from zkwm_protocols.errors import UsageError
        from zkwm_protocols.keys import JudgePublic

        expected = None
        if self.secret != self.judge:
            expected = read_parsed(self.judge, PUBLIC_LIMIT, JudgePublic.from_bytes)
            if not Path(self.secret).exists():
                raise UsageError(
                    f"{self.judge} is a judge's public key, and the secret key {self.secret} is "
                    "not beside it",
                    hint="only the judge can do this: give --judge with the secret key's file",
                )
        require_kind(self.secret, "judge-key")
        secret = passphrase(self.passphrase_file, of=self.secret, role=Role.JUDGE)
        ask_for_pins()
        with naming(self.secret), imported_meanwhile(*_JUDGE_MODULES, *modules, then=then):
            key = open_judge_key(self.secret, secret)
        if expected is not None and key.public != expected:
            raise UsageError(
                f"{self.judge} is not the public key of {self.secret}",
                hint=f"give --judge {self.secret}, and keep each .pub beside its own key",
            )
        from zkwm.judge.judge import Judge
        from zkwm.judge.ledger import JudgeLedger

        return Judge.from_key(key, JudgeLedger.beside(self.secret))


def require_kind(name: str, kind: str) -> None:
    """Raise Malformed or Unsupported for a file that says that it is of another kind or version.

    Then nobody is asked for its passphrase. One that cannot be read, or is none of zkwm's, is left
    to whoever opens it.
    """
    from zkwm_protocols import encoding

    first = b""
    with suppress(OSError, ValueError):
        if Path(name).is_file():
            with Path(name).open("rb") as file:
                first = file.read(64)
    if first.startswith(b"zkwm-") and b"\n" in first:
        with naming(name):
            encoding.require_kind(kind, first)
