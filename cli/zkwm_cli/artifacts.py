"""Files in and out: ``-`` for stdin and stdout, nothing replaced unless asked, never half a file.

Not formats: the bytes go to and come from the library as they are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from zkwm_cli.exits import print_json
from zkwm_protocols.errors import Malformed, UsageError

STANDARD = "-"
Parsed = TypeVar("Parsed")


def require_one_stdin(**names: str | None) -> None:
    """Raise UsageError when more than one option is ``-``; the keys are the options' names."""
    claims = [f"--{name.replace('_', '-')}" for name, value in names.items() if value == STANDARD]
    if len(claims) > 1:
        raise UsageError(
            f"{' and '.join(claims)} cannot both be read from standard input",
            hint="put all but one of them into a file",
        )


def read_artefact(name: str, limit: int) -> bytes:
    """The bytes of a file, or of stdin for ``-``. Raises CouldNotCheck or Malformed."""
    from zkwm.files import read_limited

    if name != STANDARD:
        return read_limited(name, limit)
    data = sys.stdin.buffer.read(limit + 1)
    if len(data) > limit:
        raise Malformed(f"standard input has more than the {limit} bytes that such a file may have")
    return data


def read_parsed(name: str, limit: int, parse: Callable[[bytes], Parsed]) -> Parsed:
    """What ``parse`` makes of the bytes of a file or of stdin; its errors name the file."""
    from zkwm_protocols.errors import Unsupported

    data = read_artefact(name, limit)
    try:
        return parse(data)
    except (Malformed, Unsupported) as error:
        where = "standard input" if name == STANDARD else name
        raise type(error)(f"{where}: {error.message}", hint=error.hint, check=error.check) from None


class Output:
    """Where an artefact will go, checked before any work is done.

    ``name`` is a file or ``-``; ``inputs`` are files that it must not be. Raises UsageError for a
    file that exists (without ``force``; None where a command has no such option), a folder that
    does not, and ``-`` together with --json.
    """

    def __init__(
        self,
        name: str,
        *,
        force: bool | None,
        as_json: bool = False,
        inputs: tuple[str | None, ...] = (),
    ) -> None:
        self.name = name
        self._force = bool(force)
        if name == STANDARD:
            if as_json:
                raise UsageError(
                    "--json and --output - both claim standard output",
                    hint="write to a file, or leave out --json",
                )
            return
        path = Path(name)
        # os.path.exists, unlike Path's, takes a URL or a name too long for a file as "no"
        for given in inputs:
            if given and os.path.exists(given) and _same(path, given):  # noqa: PTH110
                raise UsageError(
                    f"{name} is an input of this command", hint="choose another name for the output"
                )
        if path.is_dir():
            raise UsageError(f"{name} is a folder", hint="give the name of a file in it")
        if os.path.lexists(path) and not force:
            way_out = "" if force is None else ", or say --force to replace it"
            raise UsageError(f"{name} exists", hint=f"choose another name{way_out}")
        if not path.parent.is_dir():
            raise UsageError(
                f"there is no folder {path.parent}", hint="make it, or choose another name"
            )

    def write(self, data: bytes) -> None:
        """Write the artefact whole, or nothing. Raises CouldNotCheck when the disk refuses."""
        from zkwm.files import write_atomic

        if self.name == STANDARD:
            sys.stdout.buffer.write(data)
            return
        write_atomic(self.name, data, overwrite=self._force)


def tell_result(as_json: bool, command: str, **fields: object) -> None:
    """With --json: one object on stdout, schema ``zkwm/<command>/v1``."""
    if as_json:
        print_json({"schema": f"zkwm/{command}/v1", **fields})


def _same(path: Path, other: str) -> bool:
    return path.exists() and path.samefile(other)
