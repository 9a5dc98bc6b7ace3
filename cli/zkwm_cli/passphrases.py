"""Passphrases: from a file, the environment, a keyring, a person or a program; never an argument.

The first of these that there is counts:

1. ``--passphrase-file``;
2. ``ZKWM_OWNER_PASSPHRASE`` or ``ZKWM_JUDGE_PASSPHRASE``, by whose file it is;
3. ``ZKWM_PASSPHRASE``, for both;
4. the system's keyring, where ``ZKWM_KEYRING`` is 1 and it has an entry for the file;
5. a person at the terminal;
6. the program named by ``ZKWM_ASKPASS``, where there is no terminal.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from zkwm_cli.askpass import VARIABLE as ASKPASS
from zkwm_cli.askpass import ask_program
from zkwm_cli.hardening import (
    PIN_VARIABLE,
    Role,
    environment_passphrase,
    environment_pin,
    protect_memory,
)
from zkwm_cli.terminal import ask_hidden, warn
from zkwm_protocols.errors import CouldNotCheck, UsageError

LONGEST = 4096
KEYRING = "ZKWM_KEYRING"
PIN_FILE = "ZKWM_PIN_FILE"
"""Names a file, such as ``/dev/fd/3``, whose first line is the PIN of a token."""
KEYRING_SERVICE = "zkwm"
"""An entry's service; its user name is the absolute path of the secret file."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONG = "choose a long one, such as five random words"


def passphrase(file: str | None, *, of: str, role: Role, new: str = "") -> str:
    """The passphrase of a vault or key.

    Args:
        file: a file whose first line is the passphrase, ``-`` for stdin, or None.
        of: the name of the secret file.
        role: whose it is.
        new: for a secret file that is yet to be made: what it is, for messages; a person is asked
            twice.

    Raises:
        UsageError: there is none, it is empty, or it was typed in two ways.
        CouldNotCheck: the file, the keyring or the program cannot be read.
    """
    protect_memory()
    secret = _unasked(file, of, role)
    if secret is None:
        secret = _asked(new or of, role, twice=bool(new))
    return _not_empty(secret, new or of)


def changed_passphrase(file: str | None, *, of: str, role: Role) -> str:
    """The new passphrase of a secret file that has one; only ever given for this.

    Variables and keyring hold the one that it has, so that they are not read. Raises what
    ``passphrase`` does.
    """
    protect_memory()
    if file is not None:
        return _not_empty(_from_file(file), of)
    hint = f"use --new-passphrase-file FILE, or name a program that asks in {ASKPASS}"
    return _not_empty(_asked(of, role, twice=True, hint=hint), of)


def ask_for_pins() -> None:
    """Have the PIN of a hardware token asked for when it signs first.

    It comes from the file that ``ZKWM_PIN_FILE`` names, from ``ZKWM_PIN``, from the terminal, or
    from the program ``ZKWM_ASKPASS``.
    """
    from zkwm.hardware_keys import TOKENS

    TOKENS.ask_pin = _pin


def _pin(token: str) -> str:
    """The PIN of a token. Raises UsageError or CouldNotCheck."""
    protect_memory()
    file = os.environ.get(PIN_FILE)
    given = environment_pin() if file is None else _from_file(file)
    if given is None:
        question = f"PIN of the token {token}: "
        line = ask_hidden(question, LONGEST)
        if line is None:
            line = ask_program(question, LONGEST)
        if line is None:
            raise UsageError(
                f"the PIN of the token {token} is needed, and there is no terminal to ask at",
                hint=f"name a file with it in {PIN_FILE}, or set {PIN_VARIABLE}, or name a program "
                f"that asks in {ASKPASS}",
            )
        given = _text(line, "that was given")
    return _not_empty(given, f"the token {token}")


def is_given(file: str | None, role: Role) -> bool:
    """Whether no person is needed: by a file that can be read twice, or the environment."""
    return file not in (None, "-") or bool(environment_passphrase(role))


def _unasked(file: str | None, of: str, role: Role) -> str | None:
    """The passphrase from a file, the environment or the keyring; None where none gives it."""
    if file is not None:
        return _from_file(file)
    given = environment_passphrase(role)
    return _from_keyring(of) if given is None else given


def _not_empty(secret: str, of: str) -> str:
    """The same. Raises UsageError for an empty one."""
    if not secret:
        raise UsageError(f"the passphrase of {of} is empty", hint=_LONG)
    return secret


def _from_file(file: str) -> str:
    """The first line of a file or of stdin, at most 4096 bytes of UTF-8.

    A byte order mark, which some editors write, is no part of it.
    """
    try:
        if file == "-":
            line = sys.stdin.buffer.readline(LONGEST + 5)
        else:
            with Path(file).open("rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                if stat.S_ISREG(mode) and mode & stat.S_IROTH:
                    warn(f"every user of this machine can read {file}")
                line = stream.readline(LONGEST + 5)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise CouldNotCheck(
            f"cannot read the passphrase file {file}: {reason}",
            hint="name a file whose first line is the passphrase",
        ) from None
    line = line.removeprefix(_BYTE_ORDER_MARK).rstrip(b"\r\n")
    if len(line) > LONGEST:
        raise UsageError(f"a passphrase has at most {LONGEST} bytes")
    return _text(line, f"in {file}")


def _from_keyring(of: str) -> str | None:
    """The entry for a secret file, where the keyring is asked at all; None where it has none."""
    if os.environ.get(KEYRING) != "1":
        return None
    from zkwm.extras import require

    require("keyring")
    import keyring
    from keyring.errors import KeyringError

    name = os.path.realpath(of)
    try:
        return keyring.get_password(KEYRING_SERVICE, name)
    except KeyringError as error:
        raise CouldNotCheck(
            f"the keyring gives no passphrase: {type(error).__name__}: {error}",
            hint=f"unlock it, or leave {KEYRING} unset; keyring set {KEYRING_SERVICE} {name} makes "
            "an entry",
        ) from None


def _asked(of: str, role: Role, *, twice: bool, hint: str = "") -> str:
    """A passphrase from a person, or a program where there is no terminal; twice for a new one.

    ``hint`` is what to do where there is nobody to ask about the change of a passphrase.
    """
    if not twice:
        return _typed(f"Passphrase of {of}: ", of, role, hint)
    changed = f"new passphrase of {of}" if hint else of
    first = _typed(f"New passphrase of {of}: ", changed, role, hint)
    if _typed("The same again: ", changed, role, hint) != first:
        raise UsageError("the two passphrases differ", hint="try again; nothing was made")
    return first


def _typed(question: str, of: str, role: Role, hint: str = "") -> str:
    """One answer. Raises UsageError where there is nobody to ask."""
    line = ask_hidden(question, LONGEST)
    if line is None:
        line = ask_program(question, LONGEST)
    if line is None:
        raise UsageError(
            f"the {of if hint else f'passphrase of {of}'} is needed, and there is no terminal to "
            "ask at",
            hint=hint
            or f"use --passphrase-file FILE, or set {role.value}, or name a program that asks in "
            f"{ASKPASS}",
        )
    return _text(line, "that was given")


def _text(line: bytes, where: str) -> str:
    """A passphrase as text. Raises UsageError."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"the passphrase {where} is not text in UTF-8", hint="save it as UTF-8"
        ) from None
