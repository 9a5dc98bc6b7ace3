"""Hints are tried: what a refusal advises is done, and the command then goes through.

One test names every option that a message mentions; the others follow the hints of ``challenge``,
``prove``, ``verify`` and ``quantize`` one by one. Hints that need another person, another file or
another machine are not commands, and no test can follow them.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.cli.test_json_schemas import commands
from tests.support.case_files import Command, Endpoint, Files, Result, save_lookup
from zkwm.suspects import open_suspect
from zkwm_cli.option_names import OPTIONS, in_options
from zkwm_protocols.errors import UsageError

ROOT = Path(__file__).parents[2]
ROOMS = ("protocols/zkwm_protocols", "zkwm", "cli/zkwm_cli")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
OTHERS = {"--help", "--version", "--install-completion"}
Mend = Callable[[str], dict[str, Any]]
LEFT_OUT = object()


@functools.cache
def messages() -> tuple[tuple[str, str], ...]:
    """Every text of the product that is no docstring, with its place."""
    return tuple(_messages())


def _messages() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                text = isinstance(node, ast.Constant) and isinstance(node.value, str)
                if text and id(node) not in alone:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def known_options() -> set[str]:
    """Every option of every command and subcommand."""
    return {"--help"} | {
        written
        for _, command in commands()
        for one in command.params
        for written in (*one.opts, *one.secondary_opts)
    }


def test_every_option_that_a_message_names_exists() -> None:
    known = known_options() | OTHERS
    unknown = {
        f"{place} {option}"
        for place, text in messages()
        for option in OPTION.findall(text)
        if option not in known
    }
    assert not unknown


LIBRARY = ("protocols/", "zkwm/")
SHOWS_A_COMMAND = "zkwm/report/repetition.py"
"""The report's line with which anybody repeats the check."""


def test_the_library_names_no_options() -> None:
    """Whoever calls the API has none: hints name arguments, which the command line translates."""
    named = {
        f"{place} {option}"
        for place, text in messages()
        if place.startswith(LIBRARY) and not place.startswith(SHOWS_A_COMMAND)
        for option in OPTION.findall(text)
    }
    assert not named, "name the argument in backquotes: see zkwm_cli.option_names"


def test_every_argument_that_a_hint_names_has_its_option() -> None:
    typed = [OPTION.findall(option) for option in OPTIONS.values()]
    assert all(typed)
    assert {option for options in typed for option in options} <= known_options()
    named = {
        name
        for place, text in messages()
        if place.startswith(LIBRARY)
        for name in re.findall(r"`([A-Za-z_.()]+)(?=[`=])", text)
    }
    assert named == set(OPTIONS)


@pytest.mark.parametrize(
    ("hint", "typed"),
    [
        ("give the file (`template`)", "give the file (--template)"),
        ("`Consent.again` opens all the same", "--again opens all the same"),
        ("with `layout='nhwc'`", "with --layout nhwc"),
        ("`mean=('-0.5', '0.5')`", "--mean=-0.5,0.5"),
        ("(`Judge.challenge`)", "(zkwm challenge --reveal)"),
        ("`accept_older_copy()` goes on", "--accept-older-copy goes on"),
        ("a file called `who`", "a file called `who`"),
    ],
)
def test_arguments_become_options(hint: str, typed: str) -> None:
    assert in_options(hint) == typed


def test_one_hint_by_both_ways(case: Files, zkwm: Command) -> None:
    """The API names the arguments of ``open_suspect``, the command line its own options."""
    with pytest.raises(UsageError) as error:
        open_suspect(case.model, shape=(1, 16, 16), adapter="kserve")
    assert error.value.hint == "leave `adapter` and `template` out"
    refused = zkwm(*case.challenge_options(adapter="kserve"))
    assert told(refused) == "leave --adapter and --template out"


def test_a_verdict_in_options(case: Files, zkwm: Command) -> None:
    """The hint of a verdict is translated in text, in JSON and on stderr."""
    challenge = case.folder / "layout.challenge"
    made = zkwm(*case.challenge_options(output=challenge), "--json")
    assert made.code == 0
    done = zkwm(*case.verify_options(challenge=challenge), "--json")
    assert "`" not in done.json["hint"]
    assert "`" not in done.stderr


def told(result: Result) -> str:
    """The hint of a refusal; there has to be one."""
    hints = [line for line in result.stderr.splitlines() if line.startswith("zkwm: hint: ")]
    assert len(hints) == 1, result.stderr
    return hints[0].removeprefix("zkwm: hint: ")


def arguments(options: list[object], changes: dict[str, Any]) -> list[object]:
    """The options with some replaced, added, or left out."""
    command, *rest = options
    values = dict(zip(rest[::2], rest[1::2], strict=True))
    for name, value in changes.items():
        written = f"--{name.replace('_', '-')}"
        values.pop(written, None)
        if value is not LEFT_OUT:
            values[written] = value
    flat = [part for pair in values.items() for part in pair if part is not True]
    return [command, *flat]


def left_out(*names: str) -> Mend:
    return lambda _: dict.fromkeys(names, LEFT_OUT)


def number(name: str) -> Mend:
    """The first number in the hint, as an option."""
    return lambda hint: {name: re.findall(r"\d+", hint)[0]}


def options_of(hint: str) -> dict[str, Any]:
    """The options with values that a hint writes out."""
    found = dict(re.findall(r"--([a-z-]+)[ =](?!and )([\w.,]+)", hint))
    return {name.replace("-", "_"): value for name, value in found.items()}


CHALLENGES: dict[str, tuple[dict[str, Any], str, Mend]] = {
    "parts of blocks": ({"reveal": 30}, "reveal 50", number("reveal")),
    "too few to reach it": (
        {"threshold_bits": 150},
        "reveal at least",
        number("reveal"),
    ),
    "gray images in order": (
        {"channels": "bgr"},
        "leave the order of channels out",
        left_out("channels"),
    ),
    "another layout": ({"layout": "nhwc"}, "--layout nchw", options_of),
    "three means": (
        {"mean": "0,0,0", "std": "1,1,1"},
        "one mean and one std per channel",
        lambda _: {"mean": "0", "std": "1"},
    ),
    "another number of outputs": ({"outputs": 7}, "leave it out", left_out("outputs")),
    "a block not opened": (
        {"reveal": LEFT_OUT, "reopen": "3"},
        "ask for new ones",
        lambda _: {"reopen": LEFT_OUT, "reveal": 50},
    ),
    "an endpoint's protocol": (
        {"adapter": "kserve"},
        "leave --adapter and --template out",
        left_out("adapter", "template"),
    ),
    "a softmax in zero knowledge": (
        {"reveal": LEFT_OUT, "zero_knowledge": True},
        "zkwm challenge --reveal",
        lambda _: {"zero_knowledge": LEFT_OUT, "reveal": 50},
    ),
    "other test data": (
        {"test_data": "fashion-mnist-small"},
        "test data of the shape that the commitment has",
        left_out("test_data"),
    ),
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_challenge(case: Files, zkwm: Command, name: str) -> None:
    changes, advice, mend = CHALLENGES[name]
    refused = zkwm(*arguments(case.challenge_options(), changes))
    assert refused.code in (2, 3), refused.stderr
    hint = told(refused)
    assert advice in hint
    done = zkwm(*arguments(case.challenge_options(), changes | mend(hint)))
    assert done.code == 0, done.stderr


def test_challenge_of_an_endpoint(case: Files, zkwm: Command, endpoint: Endpoint) -> None:
    changes = {"model": endpoint.url, "scale": "raw", "mean": "0", "std": "1"}
    refused = zkwm(*arguments(case.challenge_options(), changes))
    hint = told(refused)
    assert "without layout, scale, mean, std" in hint
    changes |= dict.fromkeys(("scale", "mean", "std"), LEFT_OUT)
    assert zkwm(*arguments(case.challenge_options(), changes)).code == 0
    changes |= {"reveal": LEFT_OUT, "zero_knowledge": True, "force": True}
    assert "ask for an opening" in told(zkwm(*arguments(case.challenge_options(), changes)))


def test_challenge_of_whole_numbers(case: Files, zkwm: Command) -> None:
    """A file that takes bytes is fed with --scale raw, as the hint says."""
    model = onnx.load(case.model)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 / 255), "unit"))
    scaled = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "unit"], ["scaled"]),
    ]
    model.graph.node[0].input[0] = "scaled"
    nodes = [*scaled, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, case.folder / "bytes.onnx")
    changes: dict[str, Any] = {"model": case.folder / "bytes.onnx"}
    hint = told(zkwm(*arguments(case.challenge_options(), changes)))
    assert options_of(hint) == {"scale": "raw"}
    assert zkwm(*arguments(case.challenge_options(), changes | options_of(hint))).code == 0


def test_challenge_with_a_class_map(case: Files, zkwm: Command) -> None:
    path = case.folder / "map.json"
    path.write_text("{}")
    hint = told(zkwm(*case.challenge_options(class_map=path)))
    (example,) = re.findall(r"\[[\d, ]+\]", hint)
    assert json.loads(example)
    path.write_text(json.dumps(list(range(10))))
    assert zkwm(*case.challenge_options(class_map=path)).code == 0


def test_prove(case: Files, zkwm: Command) -> None:
    """A judge nobody confirmed; then a second opening about the same suspect."""
    challenge = {"challenge": case.second_challenge}
    hint = told(zkwm(*case.prove_options(**challenge)))
    assert "--judge-fingerprint FINGERPRINT" in hint
    inspected = zkwm("inspect", case.folder / "second.key.pub", "--json")
    fingerprint = inspected.json["fields"]["fingerprint"]
    answered = case.prove_options(**challenge, judge_fingerprint=fingerprint)
    assert zkwm(*answered).code == 0
    assert zkwm(*case.challenge_options(judge=case.folder / "second.key")).code == 0
    again = case.prove_options(challenge=case.folder / "new.challenge")
    hint = told(zkwm(*again, "--force"))
    assert "--again opens all the same" in hint
    assert zkwm(*again, "--again", "--force").code == 0


def test_prove_in_the_way_that_was_asked(case: Files, zkwm: Command) -> None:
    refused = zkwm(*case.prove_options(), "--zero-knowledge", "--model", case.model)
    assert "--zero-knowledge" in told(refused)
    # The judge makes none of this file (a Softmax): the way that is left is the one asked for.
    assert zkwm(*case.prove_options()).code == 0


def test_verify(case: Files, zkwm: Command) -> None:
    other = zkwm(*case.verify_options(model=case.innocent))
    assert other.code == 3
    assert "the very file or address" in told(other)
    assert zkwm(*case.verify_options()).code == 0
    stranger = zkwm(*case.verify_options(judge=case.folder / "second.key"))
    assert stranger.code == 3
    assert "issue your own challenge" in told(stranger)


def test_quantize(zkwm: Command, tmp_path: Path) -> None:
    """A Softmax has no integer counterpart: the file is asked itself (``test_challenge``)."""
    model = tmp_path / "model.onnx"
    save_lookup(model, np.zeros((2, 1, 16, 16), np.uint8), np.arange(2))
    refused = zkwm("quantize", model, "--output", tmp_path / "out.zknet")
    assert refused.code == 3
    assert "zkwm challenge --reveal" in told(refused)
