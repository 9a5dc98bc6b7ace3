"""``zkwm completion``: the script with which a shell completes zkwm's command lines."""

from __future__ import annotations

import click

from zkwm_cli.main import COMPLETE_VARIABLE, program


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell, for example

    \b
        zkwm completion bash > ~/.local/share/bash-completion/completions/zkwm
        zkwm completion zsh  > ~/.zfunc/_zkwm
        zkwm completion fish > ~/.config/fish/completions/zkwm.fish
    """
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    completion = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    click.echo(completion(program, {}, "zkwm", COMPLETE_VARIABLE).source())
