"""What a shell offers for options whose values are a table of the library, or a data set.

Looked up when a shell asks, without anything heavy; options with fixed choices complete by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem, ShellComplete

_DEVICES = ("auto", "cpu", "cuda", "cuda:0", "cuda:1")


def watermarks(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The names of all watermarks."""
    from zkwm.watermarks import WATERMARKS

    return _starting(incomplete, WATERMARKS)


def extracted_watermarks(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The names of the watermarks that a judge extracts."""
    from zkwm.extraction.schemes import READERS

    return _starting(incomplete, READERS)


def devices(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Devices to train on."""
    return _starting(incomplete, _DEVICES)


def data_sets(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The data set of the package where its name was begun, else files and folders."""
    from click.shell_completion import CompletionItem

    from zkwm.data.bundled import BUNDLED

    begun = _starting(incomplete, [BUNDLED]) if incomplete else []
    return begun or [CompletionItem(incomplete, type="file")]


def _starting(incomplete: str, names: Iterable[str]) -> list[CompletionItem[str]]:
    """The names that begin so."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def script(shell: str, program: click.Command, variable: str) -> str:
    """The script with which a shell (bash, zsh, fish) completes ``zkwm``."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    kinds: dict[str, type[ShellComplete]] = {
        "bash": BashComplete,
        "zsh": ZshComplete,
        "fish": FishComplete,
    }
    source = kinds[shell](program, {}, "zkwm", variable).source()
    # fish: click splits a line at every comma, and a help text has some
    return source.replace('string split ","', 'string split -m 1 ","')
