"""``--model-from``: a network that the owner's own code builds.

Importing a module runs it. It is the owner's code on the owner's machine, named by the owner, as
with ``python -m``; a judge's commands never do this, and nothing in a file names such code.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_OFFERED = ("shape", "class_count")


def require_name(name: str) -> None:
    """Raise a usage error unless this is package.module:function."""
    if not _NAME.fullmatch(name):
        raise click.UsageError(
            f"--model-from takes package.module:function, not {name!r}; for mynet.py with def "
            "build(): --model-from mynet:build"
        )


def build_own(name: str, shape: tuple[int, int, int], class_count: int, seed: int) -> nn.Module:
    """Import the module, from this folder too, and call the function.

    Args:
        name: package.module:function.
        shape: (channels, height, width) of the data's images; passed on if the function has a
            parameter of this name.
        class_count: Likewise.
        seed: Of torch's random numbers while the function runs.

    Raises:
        UsageError: There is no such module or function, it fails, or it gives no network.
    """
    import torch

    module, _, called = name.partition(":")
    function = _function(module, called)
    offered = dict(zip(_OFFERED, (shape, class_count), strict=True))
    given = {known: offered[known] for known in _parameters(function, name) if known in offered}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            network = function(**given)
        except Exception as error:  # whatever the owner's code raises
            raise _failed(f"{name} fails", error, module) from error
    if not isinstance(network, torch.nn.Module):
        raise UsageError(
            f"{name} gives a {type(network).__name__}, not a torch.nn.Module",
            hint="let the function return the network",
        )
    return network


def _function(module: str, called: str) -> Callable[..., Any]:
    """The function, imported as ``python -m`` would find it."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function: object = getattr(import_module(module), called, None)
    except Exception as error:  # whatever the owner's code raises
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise UsageError(
                f"there is no module {error.name} in {here} or among the installed ones",
                hint="run the command in the folder that holds it, or set PYTHONPATH",
            ) from None
        raise _failed(f"{module} cannot be imported", error, module) from error
    if not callable(function):
        raise UsageError(
            f"{module} has no function {called}",
            hint="name a function, or a class, that builds the network",
        )
    return function


def _parameters(function: Callable[..., Any], name: str) -> list[str]:
    """The names of a function's parameters. Raises UsageError for one that nobody can fill."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # built in C
        return []
    for one in parameters:
        optional = one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if not optional and (one.kind is one.POSITIONAL_ONLY or one.name not in _OFFERED):
            raise UsageError(
                f"{name} takes {one.name!r}, for which there is no value",
                hint=f"give it a default; what is passed on by name is {' and '.join(_OFFERED)}",
            )
    return [one.name for one in parameters if one.kind is not one.POSITIONAL_ONLY]


def _failed(what: str, error: Exception, module: str) -> UsageError:
    """The owner's code failed: its error in one line, and how to see where."""
    reason = str(error).strip().splitlines()
    return UsageError(
        f"{what}: {type(error).__name__}{': ' + reason[0][:200] if reason else ''}",
        hint=f"python -c 'import {module}' in this folder shows where; call the function there too",
    )
