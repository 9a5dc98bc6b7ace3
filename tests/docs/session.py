"""Run the blocks of a page in order, as a reader would, in one folder."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from contextlib import chdir
from pathlib import Path

from tests.docs.pages import ROOT, Block

SHELL = ("sh", "bash", "console")
TIMEOUT = 600


class Session:
    """A shell whose variables last from block to block, and one namespace for Python.

    ``zkwm`` and ``python3`` on the shell's path are those of the tests; ``examples`` is linked into
    the folder. Python reads a variable of the shell with ``shell("NAME")``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "work"
        self._folder.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        for name, module in (("zkwm", "-m zkwm_cli "), ("python3", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
            (programs / name).chmod(0o755)
        (self._folder / "examples").symlink_to(ROOT / "examples")
        self._state = folder / "state"
        self._state.write_text("")
        self._environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
        }
        self._module = types.ModuleType("docs_page")
        self._module.__dict__["shell"] = self.variable
        sys.modules[self._module.__name__] = self._module

    def run(self, block: Block) -> None:
        """Run one block. Raises AssertionError with what it printed when it fails."""
        if block.title:
            (self._folder / block.title).write_text(block.text)
        elif block.language in SHELL:
            self._shell(block.text)
        elif block.language == "python":
            self._python(block.text)
        else:
            raise AssertionError(f"nobody knows how to run {block.language!r}")

    def variable(self, name: str) -> str:
        """The value of a variable of the shell."""
        script = f'. "{self._state}"; printf %s "${name}"'
        return subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=True
        ).stdout

    def _shell(self, text: str) -> None:
        script = f'. "{self._state}"\nset -aeu\n{text}\nexport -p > "{self._state}"\n'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"

    def _python(self, text: str) -> None:
        sys.path.insert(0, str(self._folder))
        try:
            with chdir(self._folder):
                exec(compile(text, "docs_page.py", "exec"), self._module.__dict__)
        finally:
            sys.path.remove(str(self._folder))
