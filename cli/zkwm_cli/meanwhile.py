"""Import modules while the main thread waits for something else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from importlib import import_module


@contextlib.contextmanager
def imported_meanwhile(*modules: str, then: Callable[[], object] | None = None) -> Iterator[None]:
    """Import these in a thread during the block, which should import nothing itself.

    A module that cannot be imported is left to whoever imports it next and gets the error. ``then``
    is called behind the last one.
    """
    thread = threading.Thread(target=_import, args=(modules, then))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _import(modules: tuple[str, ...], then: Callable[[], object] | None) -> None:
    """Import the modules in order, up to the first that fails."""
    with contextlib.suppress(Exception):
        for module in modules:
            import_module(module)
        if then is not None:
            then()
