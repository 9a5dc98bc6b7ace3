"""From the file that --judge names to the judge who holds its secret key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zkwm_cli.artifacts import read_parsed
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.judge.judge import Judge

PUBLIC_LIMIT = 4096


def open_judge(name: str, passphrase_file: str | None) -> Judge:
    """Open the judge's secret key: ``judge.key``, or the one beside ``judge.key.pub``.

    Raises UsageError where only the public key is there, or the two do not belong together.
    """
    from zkwm.judge.judge import Judge
    from zkwm_cli.passphrases import passphrase
    from zkwm_protocols.keys import JudgePublic

    secret = name.removesuffix(".pub")
    expected = None
    if secret != name:
        expected = read_parsed(name, PUBLIC_LIMIT, JudgePublic.from_bytes)
        if not Path(secret).exists():
            raise UsageError(
                f"{name} is a judge's public key, and his secret key {secret} is not beside it",
                hint="only the judge himself can do this: say --judge with his secret key file",
            )
    judge = Judge.open(secret, passphrase(passphrase_file, of=secret))
    if expected is not None and judge.public != expected:
        raise UsageError(
            f"{name} is not the public key of {secret}",
            hint=f"say --judge {secret}, and keep each .pub beside its own key",
        )
    return judge
