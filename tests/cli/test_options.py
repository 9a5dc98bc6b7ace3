"""Options declared as fields of dataclasses: how they are grouped, passed on and read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner

from zkwm_cli import main
from zkwm_cli.options import option, options, read_decimals, read_numbers, read_shape


@dataclass(frozen=True)
class Size:
    """Two options of one subject."""

    width: int = option("--width", type=int, required=True)
    tall: bool = option("--tall", is_flag=True)


def sized() -> tuple[click.Command, list[dict[str, Any]]]:
    """A command with a group and an option of its own, and the calls it receives."""
    calls: list[dict[str, Any]] = []

    @click.command("sized")
    @options(size=Size, name=option("-n", "--name", default="x"))
    def command(size: Size, name: str) -> None:
        """Explain nothing."""
        calls.append({"size": size, "name": name})

    return command, calls


def test_a_group_is_one_argument() -> None:
    command, calls = sized()
    assert CliRunner().invoke(command, ["--width", "3", "-n", "a"]).exit_code == 0
    assert calls == [{"size": Size(width=3, tall=False), "name": "a"}]
    with pytest.raises(FrozenInstanceError):
        calls[0]["size"].width = 4


def test_options_are_declared_in_order() -> None:
    command, _ = sized()
    assert [parameter.name for parameter in command.params] == ["width", "tall", "name"]
    assert command.help == "Explain nothing."


def test_what_click_requires_stays_required() -> None:
    command, calls = sized()
    assert CliRunner().invoke(command, []).exit_code == 2
    assert calls == []


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_option_explains_itself(name: str) -> None:
    command = main.program.get_command(click.Context(main.program), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_values_are_read() -> None:
    context, parameter = click.Context(click.Command("c")), click.Option(["--x"])
    assert read_shape(context, parameter, "3,32,32") == (3, 32, 32)
    assert read_shape(context, parameter, None) is None
    assert read_numbers(context, parameter, "0,3") == (0, 3)
    assert read_numbers(context, parameter, None) == ()
    assert read_decimals(context, parameter, "0.5,0.25") == ("0.5", "0.25")
    for reader, text in ((read_shape, "3,32"), (read_shape, "a,b,c"), (read_numbers, "1,,2")):
        with pytest.raises(click.BadParameter):
            reader(context, parameter, text)
