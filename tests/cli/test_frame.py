"""The program as a whole: help, options, JSON, completion, speed, imports."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import warnings

import click
import pytest

from tests.support.case_files import Command, Files
from zkwm.suspects import resource_limits
from zkwm_cli import exits, main


def leaves(group: click.Group = main.program, above: str = "") -> dict[str, click.Command]:
    """Every command that does something, those of groups in groups too, by the words typed."""
    context, found = click.Context(group), {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        words = f"{above} {name}".strip()
        found |= leaves(command, words) if isinstance(command, click.Group) else {words: command}
    return found


LEAVES = leaves()


def test_help_lists_the_commands_in_the_order_of_use(zkwm: Command) -> None:
    result = zkwm("--help")
    assert result.code == 0
    assert result.stderr == ""
    words = result.stdout.split()
    places = [words.index(name) for name in main.COMMANDS]
    assert places == sorted(places)
    for code, meaning in exits.EXIT_CODES:
        assert f"{int(code):<2}  {meaning}" in result.stdout


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_explains_itself(zkwm: Command, name: str) -> None:
    result = zkwm(*name.split(), "--help")
    assert result.code == 0
    assert result.stderr == ""
    assert result.stdout.startswith(f"Usage: zkwm {name} ")
    for line in result.stdout.splitlines():
        assert len(line) <= 80, line


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_takes_json(name: str) -> None:
    assert any("--json" in option.opts for option in LEAVES[name].params)


@pytest.mark.parametrize("name", LEAVES)
def test_no_option_takes_a_passphrase(name: str) -> None:
    command = LEAVES[name]
    names = {opt for option in command.params for opt in option.opts}
    assert not names & {"--passphrase", "--password", "-p"}


def test_without_a_command_help_is_an_error(zkwm: Command) -> None:
    result = zkwm()
    assert (result.code, result.stdout) == (2, "")
    assert "Usage: zkwm" in result.stderr


def test_version(zkwm: Command) -> None:
    result = zkwm("--version")
    assert result.code == 0
    assert result.stdout.startswith("zkwm 0.")


def test_unknown_command_names_the_nearest(zkwm: Command) -> None:
    result = zkwm("comit")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "zkwm: error: there is no command 'comit'; did you mean commit?",
        "zkwm: hint: zkwm --help lists what there is",
    ]


def test_unknown_option_names_the_nearest(zkwm: Command) -> None:
    result = zkwm("keygen", "--outpt", "x")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("zkwm: error: no such option")
    assert "--output" in result.stderr
    assert "zkwm: hint: zkwm keygen --help" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["keygen"], ["inspect"], ["verify"], ["nothing"], ["demo", "x"]]
)
def test_usage_errors_are_json_too(zkwm: Command, arguments: list[str]) -> None:
    result = zkwm(*arguments, "--json")
    assert result.code == 2
    assert result.stderr.startswith("zkwm: error: ")
    assert set(result.json) == {"schema", "error", "hint", "check", "exit_code"}
    assert result.json["schema"] == "zkwm/error/v1"
    assert result.json["exit_code"] == 2
    assert result.json["error"]
    assert result.json["hint"]


def test_help_is_immediate(process: Command) -> None:
    def seconds() -> float:
        """Of the processor: other processes do not lengthen them."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("--help").code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


def test_help_imports_no_library() -> None:
    script = (
        "import sys; from zkwm_cli.main import main; main(['--help']);"
        "print(sorted(set(sys.modules) & {'numpy', 'torch', 'onnx', 'nacl', 'cbor2', 'PIL'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert done.stdout.endswith("[]\n")


def test_verify_of_an_onnx_file_imports_no_torch(case: Files) -> None:
    arguments = [str(part) for part in case.verify_options(report=case.folder / "report.html")]
    script = (
        "import sys; from zkwm_cli.main import main; code = main(sys.argv[1:]);"
        "print(sorted(set(sys.modules) & {'torch', 'onnx', 'onnxruntime', 'urllib3'}));"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("PROVEN")
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(zkwm: Command, shell: str) -> None:
    result = zkwm("completion", shell)
    assert result.code == 0
    assert "_ZKWM_COMPLETE" in result.stdout


def test_completion_completes(process: Command) -> None:
    result = process(
        env={"_ZKWM_COMPLETE": "bash_complete", "COMP_WORDS": "zkwm ver", "COMP_CWORD": "1"}
    )
    assert result.stdout == "plain,verify\n"
    result = process(
        env={
            "_ZKWM_COMPLETE": "bash_complete",
            "COMP_WORDS": "zkwm commit --family s",
            "COMP_CWORD": "3",
        }
    )
    assert result.stdout == "plain,secret\n"


def test_choices_are_those_of_the_library() -> None:
    from zkwm.nn.architecture_names import ARCHITECTURES
    from zkwm.training.settings import METHODS
    from zkwm.triggers import FAMILIES
    from zkwm_protocols.keys import ALGORITHMS

    for name, option, expected in (
        ("commit", "family", FAMILIES),
        ("embed", "architecture", ARCHITECTURES),
        ("embed", "method", METHODS),
        ("keygen", "algorithm", ALGORITHMS),
    ):
        command = main.program.get_command(click.Context(main.program), name)
        assert command is not None
        choice = next(param.type for param in command.params if param.name == option)
        assert isinstance(choice, click.Choice)
        assert tuple(choice.choices) == expected


def test_json_is_ascii(zkwm: Command, case: Files) -> None:
    made = zkwm(*case.challenge_options(purpose="Straße 道"))
    assert made.code == 0
    result = zkwm("inspect", case.folder / "new.challenge", "--json")
    assert result.stdout.isascii()
    assert json.loads(result.stdout)["fields"]["purpose"] == "Straße 道"


def test_a_system_without_limits_of_memory_is_told(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: only a deadline holds for the process that runs a foreign file."""
    found = resource_limits.find_spec
    monkeypatch.setattr(
        resource_limits, "find_spec", lambda name: None if name == "resource" else found(name)
    )
    monkeypatch.setattr(main, "prepare", lambda: None)
    monkeypatch.setattr(main, "take_passphrases", lambda: None)
    codes = []
    monkeypatch.setattr(main, "main", lambda _: codes.append(zkwm(*options)) or codes[-1].code)
    options = case.challenge_options()
    with warnings.catch_warnings(), pytest.raises(SystemExit):
        main.run()
    assert codes[0].code == 0
    assert codes[0].stderr.count("does not limit the memory of a process") == 1
    assert resource_limits.NoLimitsWarning.__name__ not in codes[0].stderr
