"""Files in and out: ``-`` is stdin or stdout; nothing is replaced unasked or half-written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zkwm_cli.exits import print_json
from zkwm_cli.options import FILE, force_option, json_option, option
from zkwm_protocols.errors import Malformed, UsageError

STANDARD = "-"
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class OutputOptions:
    """Where the file that a command makes goes, and whether its summary is JSON."""

    output: str = option(
        "-o",
        "--output",
        required=True,
        type=FILE,
        metavar="FILE",
        help="File to write; - is stdout.",
    )
    force: bool = force_option()
    as_json: bool = json_option()

    def target(self, *inputs: str | None) -> Output:
        """The checked output; ``inputs`` are files that it must not replace. Raises UsageError."""
        return Output(self.output, force=self.force, as_json=self.as_json, inputs=inputs)


class Output:
    """The file that a command will write, checked before any work is done.

    Args:
        name: a file, or ``-`` for stdout.
        force: whether an existing file is replaced; None where a command has no --force.
        as_json: whether stdout is taken by JSON.
        inputs: files of the command that must not be replaced.

    Raises:
        UsageError: the file exists, its folder does not, it is an input or a device, or ``-`` meets
            --json.
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
        from zkwm.files import require_replaceable

        path = Path(name)
        # os.path.exists, unlike Path.exists, answers no for a URL or a name that is too long
        for given in inputs:
            if given and os.path.exists(given) and _same(path, given):  # noqa: PTH110
                raise UsageError(
                    f"{name} is an input of this command", hint="choose another name for the output"
                )
        if path.is_dir():
            raise UsageError(f"{name} is a folder", hint="give the name of a file in it")
        require_replaceable(path)
        if os.path.lexists(path) and not force:
            way_out = "" if force is None else ", or use --force to replace it"
            raise UsageError(f"{name} exists", hint=f"choose another name{way_out}")
        if not path.parent.is_dir():
            raise UsageError(
                f"there is no folder {path.parent}", hint="make it, or choose another name"
            )

    def write(self, data: bytes) -> None:
        """Write the whole file, or nothing. Raises CouldNotCheck when the disk refuses."""
        from zkwm.files import write_atomic

        if self.name == STANDARD:
            sys.stdout.buffer.write(data)
            return
        write_atomic(self.name, data, overwrite=self._force)


def require_one_stdin(**names: str | None) -> None:
    """Raise UsageError when more than one option is ``-``; keywords are the options' names."""
    claims = [f"--{name.replace('_', '-')}" for name, value in names.items() if value == STANDARD]
    if len(claims) > 1:
        raise UsageError(
            f"{' and '.join(claims)} cannot both be read from standard input",
            hint="put all but one of them into a file",
        )


def read_artifact(name: str, limit: int) -> bytes:
    """The bytes of a file, or of stdin for ``-``. Raises CouldNotCheck or Malformed."""
    from zkwm.files import read_limited

    if name != STANDARD:
        return read_limited(name, limit)
    data = sys.stdin.buffer.read(limit + 1)
    if len(data) > limit:
        raise Malformed(f"standard input has more than the {limit} bytes that such a file may have")
    return data


def read_parsed(name: str, limit: int, parse: Callable[[bytes], Parsed]) -> Parsed:
    """Read a file, or stdin for ``-``, and parse it; errors of ``parse`` name the file."""
    data = read_artifact(name, limit)
    with naming("standard input" if name == STANDARD else name):
        return parse(data)


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Errors about the content of a file (Malformed, Unsupported) name the file."""
    from zkwm_protocols.errors import Unsupported

    try:
        yield
    except (Malformed, Unsupported) as error:
        where = "" if file in error.message else f"{file}: "
        raise type(error)(where + error.message, hint=error.hint, check=error.check) from None


def print_result(as_json: bool, command: str, **values: object) -> None:
    """With --json: print one object of schema ``zkwm/<command>/v1`` on stdout."""
    if as_json:
        print_json({"schema": f"zkwm/{command}/v1", **values})


def _same(path: Path, other: str) -> bool:
    """Whether both names lead to one existing file."""
    return path.exists() and path.samefile(other)
