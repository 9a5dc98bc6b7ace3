"""Every command and every Python snippet of README and docs runs, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tests.docs.pages import GUIDES, ROOT, Block, blocks
from tests.docs.session import SHELL, Session
from zkwm_cli.main import COMMANDS, program

RUNNABLE = [page for page in GUIDES if any(block.run.startswith("run") for block in blocks(page))]
FAST = [page for page in RUNNABLE if any(b.run == "run" and not b.slow for b in blocks(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", FAST, ids=name_of)
def test_quick_blocks_run(page: Path, tmp_path: Path) -> None:
    session = Session(tmp_path)
    for block in blocks(page):
        if block.run.startswith("run") and not block.slow:
            session.run(block)


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_command_and_snippet_is_run_or_excused(page: Path) -> None:
    for block in blocks(page):
        commands = block.language in SHELL and re.search(r"^zkwm ", block.text, flags=re.M)
        if commands or block.language == "python":
            assert block.run, f"{name_of(page)}:\n{block.text}"


def command_lines(block: Block) -> list[list[str]]:
    """The words of every ``zkwm ...`` line, continued lines joined."""
    text = block.text.replace("\\\n", " ")
    return [
        shlex.split(line, comments=True)
        for line in text.splitlines()
        if line.startswith(("zkwm ", "$ zkwm "))
    ]


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_commands_and_options_exist(page: Path) -> None:
    for block in blocks(page):
        if block.language not in SHELL:
            continue
        for words in command_lines(block):
            name = words[words.index("zkwm") + 1]
            if name.startswith("-"):
                continue
            assert name in COMMANDS, words
            command = program.get_command(click.Context(program), name)
            if isinstance(command, click.Group):
                inner = words[words.index(name) + 1]
                command = command.get_command(click.Context(command), inner)
            assert command is not None, words
            known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
            used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
            assert used <= known | {"--help", "-h"}, words
