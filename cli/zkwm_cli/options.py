"""Options of commands, declared as fields of frozen dataclasses and grouped by subject.

``zkwm challenge`` has 33 options. Grouped, they reach its function as eight values that can be
passed on, and commands that share a group spell, explain and read it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field, field, fields
from decimal import Decimal
from functools import wraps
from typing import Any

import click

from zkwm_cli import completions

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FILE = click.Path(allow_dash=True)
_OPTION = "option"
_LONGEST_NUMBER = 40


def option(*written: str, **settings: Any) -> Any:  # noqa: ANN401
    """A dataclass field that one option fills; takes what ``click.option`` takes."""
    return field(metadata={_OPTION: (written, settings)})


def options(**parts: Any) -> Decorator:  # noqa: ANN401
    """Declare options in this order, each part passed to the command under its keyword.

    A part is either a dataclass whose fields are made by ``option``, or one such field.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(**values: Any) -> Any:  # noqa: ANN401
            groups = {
                name: part(**{one.name: values.pop(one.name) for one in fields(part)})
                for name, part in parts.items()
                if not isinstance(part, Field)
            }
            return function(**values, **groups)

        # click puts the option that is declared last on top of the help
        for name, part in reversed(_declared(parts)):
            written, settings = part.metadata[_OPTION]
            command = click.option(*written, name, **settings)(command)
        return command

    return decorate


def _declared(parts: dict[str, Any]) -> list[tuple[str, Field[Any]]]:
    """Every option as (name of its parameter, field), in order."""
    found: list[tuple[str, Field[Any]]] = []
    for name, part in parts.items():
        single = isinstance(part, Field)
        found += [(name, part)] if single else [(one.name, one) for one in fields(part)]
    return found


def data_set_option(name: str, *, help: str, metavar: str = "PATH", required: bool = False) -> Any:  # noqa: ANN401
    """An option that takes the package's own data set by its name, a .npz file or a folder."""
    return option(
        name,
        shell_complete=completions.data_sets,
        required=required,
        type=click.Path(),
        metavar=metavar,
        help=help,
    )


def json_option() -> Any:  # noqa: ANN401
    """--json"""
    return option("--json", is_flag=True, help="Answer in JSON on stdout.")


def force_option() -> Any:  # noqa: ANN401
    """--force"""
    return option("--force", is_flag=True, help="Replace the output if it exists.")


def passphrase_option() -> Any:  # noqa: ANN401
    """--passphrase-file"""
    return option(
        "--passphrase-file",
        type=FILE,
        metavar="FILE",
        help="Read the passphrase from this file's first line (- is stdin) instead of asking.",
    )


def new_passphrase_option() -> Any:  # noqa: ANN401
    """--new-passphrase-file"""
    return option(
        "--new-passphrase-file",
        type=FILE,
        metavar="FILE",
        help="Read the new passphrase from this file's first line (- is stdin) instead of asking.",
    )


def commitment_option() -> Any:  # noqa: ANN401
    """--commitment"""
    return option(
        "--commitment", required=True, type=FILE, metavar="FILE", help="The commitment; - is stdin."
    )


def challenge_option() -> Any:  # noqa: ANN401
    """--challenge"""
    return option(
        "--challenge", required=True, type=FILE, metavar="FILE", help="The challenge; - is stdin."
    )


def parameter_option(explanation: str) -> Any:  # noqa: ANN401
    """--parameter NAME=VALUE, which can be given several times"""
    return option("--parameter", multiple=True, metavar="NAME=VALUE", help=explanation)


def declared_labels_option() -> Any:  # noqa: ANN401
    """--accept-declared-labels"""
    return option(
        "--accept-declared-labels",
        is_flag=True,
        help="Accept labels that the owner chose. Adversarial images would match as well.",
    )


def read_shape(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int, int] | None:
    """Channels, height and width from ``3,32,32``; the library says which shapes are possible."""
    if value is None:
        return None
    numbers = _whole_numbers(value)
    if numbers is None or len(numbers) != 3:
        raise click.BadParameter(
            f"{value!r} is not a shape; write channels, height and width, such as 3,32,32",
            ctx,
            param,
        )
    return numbers[0], numbers[1], numbers[2]


def read_numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Whole numbers from ``0,3,4``."""
    numbers = () if value is None else _whole_numbers(value)
    if numbers is None:
        raise click.BadParameter(f"{value!r} is not a list of numbers, such as 0,3,4", ctx, param)
    return numbers


def read_decimals(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Decimal texts from ``0.485,.456,4.06e-1``, each as the protocol writes it."""
    if value is None:
        return ()
    try:
        return tuple(_decimal(part) for part in value.split(","))
    except (ArithmeticError, ValueError):
        raise click.BadParameter(
            f"{value!r} is not a list of numbers, such as 0.485,0.456,0.406", ctx, param
        ) from None


def _decimal(text: str) -> str:
    """A number as it was typed, in plain decimals: ``.5`` is ``0.5``. Raises ValueError."""
    if len(text) > _LONGEST_NUMBER or not (number := Decimal(text.strip())).is_finite():
        raise ValueError(text)
    return f"{number:f}"


@contextmanager
def usage_errors(where: str = "") -> Iterator[None]:
    """Turn errors about values that were typed (Malformed, InvalidOpening) into UsageError.

    ``where`` begins their messages, such as the name of the option.
    """
    from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError

    try:
        yield
    except (InvalidOpening, Malformed) as error:
        raise UsageError(where + error.message, hint=error.hint, check=error.check) from None


def _whole_numbers(text: str) -> tuple[int, ...] | None:
    """Numbers of up to seven digits between commas; None where the text is anything else."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdecimal() and len(part) < 8 for part in parts):
        return None
    return tuple(int(part) for part in parts)
