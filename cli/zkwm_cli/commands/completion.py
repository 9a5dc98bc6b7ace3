"""``zkwm completion``: the script with which a shell completes zkwm's command lines."""

from __future__ import annotations

import click

from zkwm_cli import completions
from zkwm_cli.artifacts import print_result
from zkwm_cli.main import COMPLETE_VARIABLE, program
from zkwm_cli.options import json_option, options


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options(as_json=json_option())
def command(shell: str, as_json: bool) -> None:
    """Print the completion script of a shell, for example

    \b
        zkwm completion bash > ~/.local/share/bash-completion/completions/zkwm
        zkwm completion zsh  > ~/.zfunc/_zkwm
        zkwm completion fish > ~/.config/fish/completions/zkwm.fish
    """
    script = completions.script(shell, program, COMPLETE_VARIABLE)
    print_result(as_json, "completion", shell=shell, script=script)
    if not as_json:
        click.echo(script)
