"""Shells complete commands, options and every choice, in bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from tests.cli.test_json_schemas import COMMANDS
from tests.support.case_files import Command
from zkwm.extraction.schemes import READERS
from zkwm.watermarks import WATERMARKS
from zkwm_cli.main import COMPLETE_VARIABLE, program

SHELLS = ("bash", "zsh", "fish")


def offered(arguments: list[str], begun: str = "") -> list[str]:
    """What a shell offers behind these arguments."""
    found = ShellComplete(program, {}, "zkwm", COMPLETE_VARIABLE).get_completions(arguments, begun)
    return [item.type if item.type != "plain" else item.value for item in found]


CHOICES = [
    (name, parameter.opts[0], list(parameter.type.choices))
    for name, command in COMMANDS.items()
    for parameter in command.params
    if isinstance(parameter, click.Option) and isinstance(parameter.type, click.Choice)
]


@pytest.mark.parametrize(("name", "option", "choices"), CHOICES)
def test_every_choice_is_offered(name: str, option: str, choices: list[str]) -> None:
    words = name.split("-") if name not in program.list_commands(click.Context(program)) else [name]
    assert offered([*words, option]) == choices
    assert offered([*words, option], choices[0][:2])[0] == choices[0]


@pytest.mark.parametrize("name", [n for n, one in COMMANDS.items() if n in ("commit", "embed")])
def test_watermarks_to_train(name: str) -> None:
    assert offered([name, "--watermark"]) == list(WATERMARKS)
    assert offered([name, "--watermark"], "da") == ["dawn"]


@pytest.mark.parametrize("name", ["challenge", "verify"])
def test_watermarks_to_extract(name: str) -> None:
    """Those that a judge can read, and no others."""
    assert offered([name, "--watermark"]) == list(READERS)


def test_devices_and_data_sets() -> None:
    assert offered(["embed", "--device"], "cu") == ["cuda", "cuda:0", "cuda:1"]
    for arguments in (["embed", "--data"], ["challenge", "--test-data"], ["verify", "--probes"]):
        assert offered(arguments) == ["file"]
        assert offered(arguments, "fash") == ["fashion-mnist-small"]
        assert offered(arguments, "images/") == ["file"]


def test_every_option_named_alike_completes_alike() -> None:
    """--watermark, --device, --data and the like, wherever other commands take them later."""
    for name, command in COMMANDS.items():
        for one in command.params:
            if one.opts[0] in ("--watermark", "--device", "--data", "--test-data", "--probes"):
                assert one._custom_shell_complete is not None, (name, one.opts)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_asks_the_program(process: Command, shell: str) -> None:
    """As the scripts ask it: by COMP_WORDS in the environment."""
    asked = {
        COMPLETE_VARIABLE: f"{shell}_complete",
        "COMP_WORDS": "zkwm commit --watermark ta",
        "COMP_CWORD": "ta" if shell == "fish" else "3",
    }
    assert "tartaglione" in process(env=asked).stdout


def test_completing_loads_nothing_heavy() -> None:
    words = {"COMP_WORDS": "zkwm embed --watermark ", "COMP_CWORD": "3"}
    environment = {**os.environ, **words, COMPLETE_VARIABLE: "bash_complete"}
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(sorted({'torch', 'onnx', 'scipy'} & set(sys.modules))))\n"
        "from zkwm_cli.main import run\nrun()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert "plain,dynamarks" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_fish_keeps_help_with_commas(zkwm: Command) -> None:
    script = zkwm("completion", "fish").stdout
    assert 'string split -m 1 ","' in script
    assert 'string split ","' not in script


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment with a program ``zkwm`` on the path."""
    path = tmp_path / "bin" / "zkwm"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m zkwm_cli "$@"\n')
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_in_bash(installed: dict[str, str]) -> None:
    """The function that bash calls at the Tab key, with what bash would give it."""
    script = (
        "source <(zkwm completion bash); COMP_WORDS=(zkwm commit --watermark ta); COMP_CWORD=3; "
        'compopt() { :; }; _zkwm_completion zkwm; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], env=installed, capture_output=True, text=True, check=False
    )
    assert done.stdout == "tartaglione\n", done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_in_fish(installed: dict[str, str]) -> None:
    script = "zkwm completion fish | source; complete -C 'zkwm commit --watermark ta'"
    done = subprocess.run(
        ["fish", "-c", script], env=installed, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["tartaglione"], done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_in_zsh(installed: dict[str, str]) -> None:
    """The script loads, and its function asks the program."""
    script = (
        "autoload -Uz compinit; compinit -u; source <(zkwm completion zsh); "
        "whence -w _zkwm_completion"
    )
    done = subprocess.run(
        ["zsh", "-f", "-c", script], env=installed, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "_zkwm_completion: function", done.stderr
