"""The program ``zkwm``: finds the command, runs it, turns every error into an exit code.

Commands are in ``zkwm_cli.commands``, one file each, imported on demand. Nothing of the library is
imported before a command runs, so that help and completion are immediate.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click

from zkwm_cli.exits import EXIT_CODES, Exit, print_error, print_zkwm_error
from zkwm_cli.hardening import take_passphrases
from zkwm_cli.heartbeat import heartbeat
from zkwm_cli.layout import WIDEST
from zkwm_cli.streams import StreamError, prepare, silence_stdout
from zkwm_cli.terminal import warn

COMMANDS = (
    "keygen",
    "commit",
    "register",
    "embed",
    "check",
    "vault",
    "judge-key",
    "challenge",
    "prove",
    "verify",
    "case",
    "dispute",
    "quantize",
    "inspect",
    "card",
    "find",
    "registry",
    "key",
    "sidecar",
    "evaluate",
    "demo",
    "completion",
)
COMPLETE_VARIABLE = "_ZKWM_COMPLETE"
BROKEN_PIPE = 128 + 13
"""The exit code where nobody reads stdout any more (``zkwm verify | head -1``): that of a process
which SIGPIPE ended, and without a message, as other programs do."""
NO_LIMITS = "this system does not limit the memory of a process"
"""The one warning of the library that is shown (``zkwm.suspects.resource_limits``)."""


class CommandGroup(click.Group):
    """The commands in the order of use, each imported from its file on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"zkwm_cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was typed, or a usage error that names the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            question = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{question}", ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Exit codes and passphrases, below the list of commands."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in EXIT_CODES])
        with formatter.section("Passphrases"):
            formatter.write_text(
                "are never arguments. The first of these counts: --passphrase-file FILE; "
                "ZKWM_OWNER_PASSPHRASE for a vault, ZKWM_JUDGE_PASSPHRASE for a judge's key, "
                "ZKWM_REGISTRY_PASSPHRASE for the key of a log or witness; ZKWM_PASSPHRASE for "
                "all; with ZKWM_KEYRING=1 the system's keyring (service zkwm, user name: the "
                "file's whole path); the terminal; without one the program ZKWM_ASKPASS, which "
                "gets the question and prints the answer. The PIN of a hardware token: the file "
                "ZKWM_PIN_FILE, ZKWM_PIN, the terminal, or that program."
            )


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    help="Prove that a neural network carries your committed mark, and judge such claims.\n\n"
    "An owner commits to trigger images, trains a model that answers them as the commitment "
    "dictates, and opens some of them to a judge, who asks a suspect model and counts.",
)
@click.version_option(package_name="zkwm", message="zkwm %(version)s")
def program() -> None:
    """The group itself does nothing."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    try:
        code = _execute(list(arguments))
        sys.stdout.flush()
    except OSError as error:
        silence_stdout()
        if error.errno == errno.EPIPE:
            return BROKEN_PIPE
        click.echo(f"zkwm: error: cannot write to standard output: {error.strerror}", err=True)
        return Exit.COULD_NOT_CHECK
    return code


def run() -> NoReturn:
    """Run the command line of this process and exit (``zkwm_cli.start`` calls it)."""
    prepare()
    take_passphrases()
    if not os.environ.get("ZKWM_DEBUG"):
        warnings.simplefilter("ignore")
        warnings.filterwarnings("once", message=NO_LIMITS)
        warnings.showwarning = _show_warning
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(program, {}, "zkwm", COMPLETE_VARIABLE, instruction))
    with heartbeat():
        code = main(sys.argv[1:])
    sys.exit(code)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning of the library, as one of the program."""
    warn(str(message))


def _execute(arguments: list[str]) -> int:
    """Run one command line and return its exit code; only errors of stdout itself escape."""
    as_json = "--json" in arguments
    try:
        with program.make_context("zkwm", arguments) as context:
            program.invoke(context)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _print_usage_error(error, as_json=as_json)
    except (KeyboardInterrupt, EOFError, click.Abort):
        click.echo("", err=True)
        print_error("interrupted", hint="", code=Exit.CANCELLED, as_json=as_json, word="cancelled")
        return Exit.CANCELLED
    except StreamError:
        raise
    except SystemExit as error:
        return _print_failure(RuntimeError(f"a library left with {error.code}"), as_json=as_json)
    except Exception as error:
        return _print_failure(error, as_json=as_json, command=next(iter(arguments), ""))
    return Exit.OK


_MADE_BY = {
    "--judge": "zkwm judge-key --output judge.key makes your key: give it as --judge judge.key",
    "--vault": "zkwm keygen --output acme.vault makes a vault: give it as --vault acme.vault",
}
"""What to do where an option is missing whose file a command makes."""


def _print_usage_error(error: click.ClickException, *, as_json: bool) -> int:
    """Print an error of the command line and return its exit code."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    missing = error.param if isinstance(error, click.MissingParameter) else None
    made = next((_MADE_BY[one] for one in missing.opts if one in _MADE_BY), "") if missing else ""
    print_error(
        message[:1].lower() + message[1:].rstrip("."),
        hint=made or f"{context.command_path if context else 'zkwm'} --help lists what there is",
        code=Exit.USAGE,
        as_json=as_json,
    )
    return Exit.USAGE


def _print_failure(error: Exception, *, as_json: bool, command: str = "") -> int:
    """Print an error of the library, or one that nobody foresaw."""
    from zkwm.extras import missing_extra
    from zkwm_protocols.errors import ZkwmError

    if isinstance(error, ModuleNotFoundError):
        error = missing_extra(error) or error
    if isinstance(error, ZkwmError):
        return print_zkwm_error(error, as_json=as_json, command=command)
    message, hint = _unforeseen(error)
    print_error(message, hint=hint, code=Exit.COULD_NOT_CHECK, as_json=as_json)
    return Exit.COULD_NOT_CHECK


def _unforeseen(error: Exception) -> tuple[str, str]:
    """What to say about an error that is not the library's own, and what to do next."""
    if isinstance(error, MemoryError):
        return "not enough memory", "free some memory, or use a larger machine"
    if isinstance(error, ImportError):
        return f"this installation is broken: {error}", "install zkwm again"
    if isinstance(error, OSError):
        where = "" if error.filename is None else f" {error.filename}"
        return (
            f"the operating system refused{where}: {error.strerror or error}",
            "free what it ran out of (ulimit -a shows the limits), and run the command again",
        )
    return (
        f"internal error: {type(error).__name__}: {error}",
        "this is a fault in zkwm; ZKWM_DEBUG=1 shows the traceback, for a report",
    )
