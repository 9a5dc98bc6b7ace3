"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

FILE = click.Path(allow_dash=True)


def read_shape(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int, int] | None:
    """Channels, height and width from ``3,32,32``; the library says which make sense."""
    if value is None:
        return None
    numbers = _whole_numbers(value)
    if numbers is None or len(numbers) != 3:
        raise click.BadParameter(
            f"{value!r} is no shape; write channels, height and width, such as 3,32,32", ctx, param
        )
    return numbers[0], numbers[1], numbers[2]


def read_numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Whole numbers from ``0,3,4``."""
    numbers = () if value is None else _whole_numbers(value)
    if numbers is None:
        raise click.BadParameter(f"{value!r} is no list of numbers, such as 0,3,4", ctx, param)
    return numbers


def read_decimals(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Decimal texts from ``0.485,0.456,0.406``; the library checks that they are numbers."""
    return () if value is None else tuple(value.split(","))


@contextmanager
def as_typed() -> Iterator[None]:
    """What is malformed or does not fit in here was typed so: it becomes a UsageError."""
    from zkwm_protocols.errors import InvalidOpening, Malformed, UsageError

    try:
        yield
    except (InvalidOpening, Malformed) as error:
        raise UsageError(error.message, hint=error.hint, check=error.check) from None


def _whole_numbers(text: str) -> tuple[int, ...] | None:
    parts = text.split(",")
    if not all(part.isascii() and part.isdecimal() and len(part) < 8 for part in parts):
        return None
    return tuple(int(part) for part in parts)


def json_option(function: Function) -> Function:
    """--json"""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON on stdout.")(
        function
    )


def force_option(function: Function) -> Function:
    """--force"""
    return click.option("--force", is_flag=True, help="Replace the output if it exists.")(function)


def output_option(metavar: str, what: str) -> Decorator[Any]:
    """--output FILE"""
    return click.option(
        "-o", "--output", required=True, type=FILE, metavar=metavar, help=f"{what}; - is stdout."
    )


def parameter_option(what: str) -> Decorator[Any]:
    """--parameter NAME=VALUE, any number of them"""
    return click.option("--parameter", multiple=True, metavar="NAME=VALUE", help=what)


def passphrase_option(function: Function) -> Function:
    """--passphrase-file"""
    return click.option(
        "--passphrase-file",
        type=FILE,
        metavar="FILE",
        help="Read the passphrase from this file's first line (- is stdin) instead of asking.",
    )(function)


def vault_option(function: Function) -> Function:
    """--vault"""
    return click.option(
        "--vault", required=True, type=click.Path(), metavar="FILE", help="The owner's vault."
    )(function)


def declared_labels_option(function: Function) -> Function:
    """--accept-declared-labels"""
    return click.option(
        "--accept-declared-labels",
        is_flag=True,
        help="Accept labels that the owner chose himself. Adversarial images would match as well.",
    )(function)


def commitment_option(function: Function) -> Function:
    """--commitment"""
    return click.option(
        "--commitment",
        required=True,
        type=FILE,
        metavar="FILE",
        help="The commitment; - is stdin.",
    )(function)
