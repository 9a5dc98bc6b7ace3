"""The program as a whole: help, streams, exit codes, JSON, speed, imports."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import click
import pytest

from tests.support.case_files import Command, Files
from zkwm.suspects import resource_limits
from zkwm_cli import exits, main
from zkwm_protocols import errors


def test_help_lists_the_commands_in_the_order_of_use(zkwm: Command) -> None:
    result = zkwm("--help")
    assert result.code == 0
    assert result.stderr == ""
    words = result.stdout.split()
    places = [words.index(name) for name in main.COMMANDS]
    assert places == sorted(places)
    for code, meaning in exits.EXIT_CODES:
        assert f"{int(code):<2}  {meaning}" in result.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_explains_itself(zkwm: Command, name: str) -> None:
    result = zkwm(name, "--help")
    assert result.code == 0
    assert result.stderr == ""
    assert result.stdout.startswith(f"Usage: zkwm {name} ")
    for line in result.stdout.splitlines():
        assert len(line) <= 80, line


@pytest.mark.parametrize("name", [name for name in main.COMMANDS if name != "completion"])
def test_every_command_takes_json(name: str) -> None:
    command = main.program.get_command(click.Context(main.program), name)
    assert command is not None
    assert any("--json" in option.opts for option in command.params)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_no_option_takes_a_passphrase(name: str) -> None:
    command = main.program.get_command(click.Context(main.program), name)
    assert command is not None
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


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("m"), 2),
        (errors.NotProven("m"), 3),
        (errors.CouldNotCheck("m"), 3),
        (errors.Malformed("m"), 3),
        (errors.InvalidSignature("m"), 3),
        (errors.InvalidOpening("m"), 3),
        (errors.SuspectUnusable("m"), 3),
        (errors.Unsupported("m"), 3),
        (errors.VaultUnusable("m"), 3),
        (errors.TrustMaterialMissing("m"), 4),
        (errors.Cancelled("m"), 5),
    ],
)
def test_exit_code_of_each_error(
    zkwm: Command, monkeypatch: pytest.MonkeyPatch, error: errors.ZkwmError, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("zkwm_cli.commands.inspect.read_parsed", fail)
    result = zkwm("inspect", __file__)
    assert result.code == code
    assert result.stdout == ""
    word = "cancelled" if code == 5 else "error"
    assert result.stderr.splitlines()[0] == f"zkwm: {word}: m"


def test_a_message_cannot_break_its_line(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("inspect", tmp_path / "a\nzkwm: verified\x1b[2J")
    assert result.code == 3
    assert len(result.stderr.splitlines()) == 2
    assert "\x1b" not in result.stderr


def test_internal_error_is_one_line(zkwm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", lambda _: 1 // 0)
    result = zkwm("inspect", __file__)
    assert (result.code, result.stdout) == (3, "")
    first, second = result.stderr.splitlines()
    assert (
        first
        == "zkwm: error: internal error: ZeroDivisionError: integer division or modulo by zero"
    )
    assert "ZKWM_DEBUG=1" in second


def test_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZKWM_DEBUG", "1")
    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", lambda _: 1 // 0)
    assert main.main(["inspect", __file__]) == 3
    assert "Traceback (most recent call last)" in capfd.readouterr().err


def test_memory_that_is_not_there(zkwm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", fail)
    result = zkwm("inspect", __file__)
    assert result.code == 3
    assert "not enough memory" in result.stderr


def test_interrupt_in_a_command(zkwm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", interrupt)
    result = zkwm("inspect", __file__, "--json")
    assert result.code == 5
    assert result.json["exit_code"] == 5
    assert "zkwm: cancelled: interrupted" in result.stderr


def test_control_c_exits_with_5(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    waiting = subprocess.Popen(
        [sys.executable, "-m", "zkwm_cli", "inspect", str(pipe)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with pipe.open("wb"):  # opens as soon as the command reads
        time.sleep(0.2)
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=20)
    assert waiting.returncode == 5
    assert b"zkwm: cancelled: interrupted" in err
    assert b"Traceback" not in err


def test_closed_stdout_is_no_success(case: Files) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "zkwm_cli", "inspect", str(case.commitment)],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 3
    assert done.stderr.decode().splitlines() == [
        "zkwm: error: cannot write to standard output: Broken pipe"
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_stdout_is_no_success(process: Command, case: Files) -> None:
    with Path("/dev/full").open("wb") as full:
        result = process("inspect", case.commitment, stdout=full, stderr=subprocess.PIPE)
    assert result.code == 3
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr


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


def test_each_code_has_one_meaning() -> None:
    codes = [int(code) for code, _ in exits.EXIT_CODES]
    assert len(set(codes)) == len(exits.Exit)
    assert 1 not in codes


def test_not_proven_without_a_verdict_is_no_verdict() -> None:
    """An error of that class from anywhere else never becomes the code of a verdict."""
    assert exits.exit_code(errors.NotProven("m")) == exits.Exit.COULD_NOT_CHECK


def test_a_broken_installation_is_an_error_like_others() -> None:
    script = (
        "import sys; sys.modules['click'] = None;"
        "from zkwm_cli.start import run; sys.argv = ['zkwm', '--help']; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert done.returncode == 3
    assert done.stderr.startswith("zkwm: error: this installation is broken: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("code", [0, 1, 10])
def test_a_library_that_leaves_gives_no_verdict(code: int) -> None:
    script = (
        "import sys; from zkwm_cli.start import run\n"
        "class Leaving:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'click': sys.exit({code})\n"
        "sys.meta_path.insert(0, Leaving()); sys.argv = ['zkwm', '--help']; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("zkwm: error: this installation is broken: ")


def test_a_library_that_cannot_be_imported_is_a_broken_installation(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zkwm_cli.inspection", None)
    result = zkwm("inspect", case.commitment)
    assert result.code == 3
    assert "this installation is broken" in result.stderr
    assert "install zkwm again" in result.stderr


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ENOSPC, errno.EPIPE])
def test_an_error_of_the_system_names_what_it_is(
    zkwm: Command, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Too many open files, or a bad disk, is no fault of standard output (verdict.md, 5.5)."""

    def fail(_: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("zkwm_cli.inspection.inspect_file", fail)
    result = zkwm("inspect", __file__, "--json")
    assert result.code == 3
    assert f"refused: {os.strerror(number)}" in result.stderr
    assert "standard output" not in result.stderr
    assert result.json["exit_code"] == 3


def test_a_system_without_limits_of_memory_is_told(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: only a deadline holds for the process that runs a foreign file."""
    found = resource_limits.find_spec
    monkeypatch.setattr(
        resource_limits, "find_spec", lambda name: None if name == "resource" else found(name)
    )
    monkeypatch.setattr(main, "prepare", lambda: None)
    monkeypatch.setattr(main, "take_passphrase", lambda: None)
    codes = []
    monkeypatch.setattr(main, "main", lambda _: codes.append(zkwm(*options)) or codes[-1].code)
    options = case.challenge_options()
    with warnings.catch_warnings(), pytest.raises(SystemExit):
        main.run()
    assert codes[0].code == 0
    assert codes[0].stderr.count("does not limit the memory of a process") == 1
    assert resource_limits.NoLimitsWarning.__name__ not in codes[0].stderr
