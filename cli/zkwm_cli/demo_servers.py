"""The log and the witness of ``zkwm demo --dispute``, each a process as an operator runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zkwm_cli.demo_story import Story
from zkwm_cli.hardening import Role, environment_for_others, environment_passphrase
from zkwm_cli.terminal import signals_raise
from zkwm_protocols.errors import CouldNotCheck

_PATIENCE = 30


@dataclass(frozen=True)
class DemoLog:
    """A log that runs: its address, and its policy for a trust folder."""

    url: str
    policy: str


@contextmanager
def log_and_witness(story: Story, name: str) -> Iterator[DemoLog]:
    """Begin a log of this name and a witness of it, and run both until the end, also by a signal.

    Raises CouldNotCheck where one of them does not start.
    """
    story.run(f"registry init log --origin {name}/log", output="log.txt")
    with signals_raise(), ExitStack() as stack:
        witness = stack.enter_context(
            _serving(
                story,
                *("registry", "witness", "witness", "--name", f"{name}/witness"),
                *("--log", "log/key.pub", "--listen", "127.0.0.1:0"),
            )
        )
        keys = Path("log/key.pub").read_text(encoding="utf-8").split("\n")
        lines = [
            *(f"log {key}" for key in keys if key),
            *(f"witness w{i} {key} {witness['url']}" for i, key in enumerate(witness["keys"])),
            f"group demo any {' '.join(f'w{i}' for i in range(len(witness['keys'])))}",
            "quorum demo",
            "",
        ]
        Path("log/policy").write_text("\n".join(lines), encoding="utf-8")
        log = stack.enter_context(
            _serving(story, "registry", "serve", "log", "--listen", "127.0.0.1:0")
        )
        first = f"{lines[0]} {log['url']}/"
        yield DemoLog(log["url"], "\n".join([first, *lines[1:]]))


@contextmanager
def _serving(story: Story, *arguments: str) -> Iterator[dict[str, Any]]:
    """Run a server's command beside the demo; gives what it says when it listens."""
    story.show("zkwm", *arguments, "--json", beside=True)
    secret = environment_passphrase(Role.REGISTRY) or ""
    with subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-m", "zkwm_cli", *arguments, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**environment_for_others(), Role.REGISTRY.value: secret},
    ) as process:
        try:
            yield _first_object(process, arguments[1])
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_object(process: subprocess.Popen[str], what: str) -> dict[str, Any]:
    """The JSON object with which a server says where it listens. Raises CouldNotCheck."""
    said = ""
    for line in process.stdout or ():
        said += line
        if line.startswith("}"):
            value: dict[str, Any] = json.loads(said)
            if "url" in value:
                return value
            break
    raise CouldNotCheck(
        f"the demo's {what} did not start",
        hint=f"run zkwm registry {what} --help, and start one by hand to see why",
    )
