"""Every command has ``--json``, and a JSON Schema for what it prints.

The fixture ``zkwm`` checks every output of every test of the command line against its schema; here
are the commands as a whole, the kinds of files, and the schemas themselves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator, ValidationError

import zkwm as public
from tests.support.case_files import Command, Files
from tests.support.json_outputs import require_schema
from zkwm.json_schemas import json_schema, schema_names
from zkwm_cli.main import program

OTHER_NAMES = {"verify": {"verdict"}, "evaluate": {"evaluate", "evaluate-list", "evaluate-price"}}
"""Commands whose output is named otherwise; of the others it is ``zkwm/<command>/v1``, words joined
by dashes."""


def commands(
    group: click.Group = program, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand with the words that call it, joined by dashes."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield "-".join((*above, name)), command


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_its_schema(name: str) -> None:
    flags = {flag for one in COMMANDS[name].params for flag in one.opts}
    assert "--json" in flags
    kinds = {schema.split("/")[1] for schema in schema_names()}
    assert OTHER_NAMES.get(name, {name}) <= kinds, "see CONTRIBUTING.md: a command"


@pytest.mark.parametrize("name", schema_names())
def test_schemas_are_closed_and_name_themselves(name: str) -> None:
    schema = public.json_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == name == schema["properties"]["schema"]["const"]
    assert "schema" in schema["required"]
    for part in objects(schema):
        if "properties" in part and "type" in part and part is not nested(part):
            assert part["additionalProperties"] is False, part
            assert set(part["required"]) <= set(part["properties"])


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema, conditions aside."""
    if isinstance(value, dict):
        yield value
        for key, part in value.items():
            if key not in ("if", "then"):
                yield from objects(part)
    elif isinstance(value, list):
        for part in value:
            yield from objects(part)


def nested(part: dict[str, Any]) -> dict[str, Any] | None:
    """The part itself where it is an object of another schema, which closes it."""
    return part if list(part["properties"]) == ["schema"] else None


def test_an_unknown_schema_is_refused_with_the_list() -> None:
    with pytest.raises(public.UsageError) as error:
        public.json_schema("zkwm/verdict/v0")
    assert "zkwm/verdict/v1" in error.value.hint


def test_the_package_ships_its_schemas() -> None:
    shipped = {path.name for path in files("zkwm.json_schemas").iterdir()}
    assert {f"{n.split('/')[1]}-{n.split('/')[2]}.json" for n in schema_names()} <= shipped


def test_a_field_that_no_schema_knows_fails(zkwm: Command, case: Files) -> None:
    """What holds the schemas together: one more field, one that is missing, one of another type."""
    good = zkwm("inspect", case.commitment, "--json").json
    for spoil in (
        lambda value: value.update(more=1),
        lambda value: value["fields"].update(more=1),
        lambda value: value["fields"].pop("root"),
        lambda value: value["fields"].update(digest="7"),
    ):
        bad = copy.deepcopy(good)
        spoil(bad)
        with pytest.raises((AssertionError, ValidationError)):
            require_schema(bad)
    require_schema(good)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(zkwm: Command, shell: str) -> None:
    done = zkwm("completion", shell, "--json")
    assert done.json["shell"] == shell
    assert done.json["script"] in zkwm("completion", shell).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("verfy", "--json"),
        ("verify", "--json"),
        ("inspect", "no such file", "--json"),
        ("completion", "tcsh", "--json"),
    ],
)
def test_errors(zkwm: Command, arguments: tuple[str, ...]) -> None:
    done = zkwm(*arguments)
    assert done.code in (2, 3)
    assert done.json["schema"] == "zkwm/error/v1"
    assert done.json["exit_code"] == done.code


def test_a_verdict_validates_with_the_published_schema_alone(zkwm: Command, case: Files) -> None:
    verdict = zkwm(*case.verify_options(), "--json").json
    Draft202012Validator(json_schema(verdict["schema"])).validate(verdict)
    assert verdict["outcome"] == "proven"
