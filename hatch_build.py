"""Build hook: the prover's kernels from C (``protocols/c_kernels``), where a C compiler is there.

::

    pip install .               a compiler: one wheel for all Python versions of this platform
                                none, or it fails: the pure wheel, whose kernels Numba compiles
    pip install --editable .    the library beside the sources that use it (git ignores it)
    python hatch_build.py       the same, after a change of the C sources; further words go to the
                                compiler: -fsanitize=address,undefined

ZKWM_BUILD_KERNELS=never builds the pure wheel, =always fails without a library. The library calls
nothing, not even libc, so that one file runs on every Linux of its processor; ctypes loads it.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCES = ROOT / "protocols" / "c_kernels"
PLACE = "zkwm_protocols/field/kernels/c_kernels.so"
"""Where the library lies in a wheel, and below ``protocols``."""
LEVELS = {
    "avx512": ("-DLEVEL_AVX512", "-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"),
    "avx2": ("-DLEVEL_AVX2", "-mavx2"),
    "plain": ("-DLEVEL_PLAIN",),
}
FLAGS = (
    "-std=gnu11", "-O3", "-g0", "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing",
    "-ffreestanding", "-fno-stack-protector", "-Wall", "-Wextra",
)  # fmt: skip
LINK = ("-shared", "-nostdlib", "-Wl,-z,defs", "-Wl,--build-id=none", "-Wl,-s")
X86 = ("x86_64", "AMD64")


class NoLibrary(Exception):
    """No library was built; the message says why."""


def compiler() -> list[str]:
    """The words that call the C compiler: CC, or the first that is there.

    Raises:
        NoLibrary: there is none.
    """
    named = shlex.split(os.environ.get("CC", ""))
    for words in [named] if named else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(words[0]):
            return words
    raise NoLibrary(f"no C compiler ({' '.join(named) or 'cc, gcc, clang'}) was found")


def run(*words: str | Path) -> None:
    """Run the compiler.

    Raises:
        NoLibrary: it fails; with the first lines of what it says.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[:5])
        raise NoLibrary(f"{words[0]} ended with {done.returncode}: {said}")


def compile_library(target: Path, *options: str, system_libraries: bool = False) -> list[str]:
    """Compile all levels that this processor's family knows into ``target``; their names.

    Args:
        target: The library; replaced at once, so that no process sees a part of it.
        options: Further words for every step, for instance a sanitizer's.
        system_libraries: Whether it may call libc, as sanitizers must.

    Raises:
        NoLibrary: there is no compiler, or it fails.
    """
    if sys.platform == "win32" or sys.maxsize < 2**32:
        raise NoLibrary("the C kernels are for 64 bits, and not for Windows")
    cc = compiler()
    levels = LEVELS if platform.machine() in X86 else {"plain": LEVELS["plain"]}
    free = sys.platform == "linux" and not system_libraries
    link = LINK if free else ("-shared",)
    # loops that the compiler would make calls of memset stay loops
    loops = () if "clang" in cc[0] else ("-fno-tree-loop-distribute-patterns",)
    with tempfile.TemporaryDirectory() as folder:
        parts = {"processor": (SOURCES / "processor.c",)} | {
            level: (SOURCES / "kernels.c", *words) for level, words in levels.items()
        }
        objects = [f"{folder}/{part}.o" for part in parts]
        flags = (*FLAGS, *loops, *options, "-c")

        def compile_part(part: tuple[str | Path, ...], target: str) -> None:
            run(*cc, *flags, *part, "-o", target)

        with ThreadPoolExecutor() as pool:
            list(pool.map(compile_part, parts.values(), objects))
        built = target.with_name(f".{os.getpid()}-{target.name}")
        run(*cc, *link, *options, *objects, "-o", built)
        built.replace(target)
    return list(levels)


def wheel_tag() -> str:
    """The tag of a wheel with the library: any Python 3, this platform.

    The library needs no symbol of the system's, so any glibc from 2.17 and any musl from 1.1 serve.
    """
    from packaging.tags import sys_tags

    local = next(tag.platform for tag in sys_tags())
    if sys.platform == "linux":
        machine = platform.machine()
        local = f"manylinux_2_17_{machine}.manylinux2014_{machine}.musllinux_1_1_{machine}"
    return f"py3-none-{local}"


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the library to wheels, and puts it beside the sources of an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a build.

        Args:
            version: ``standard`` or ``editable``.
            build_data: what the wheel gets.
        """
        wish = os.environ.get("ZKWM_BUILD_KERNELS", "")
        if self.target_name != "wheel" or wish == "never":
            return
        editable = version == "editable"
        folder = Path(tempfile.mkdtemp()) if not editable else ROOT / "protocols"
        target = folder / (PLACE if editable else "c_kernels.so")
        try:
            levels = compile_library(target)
        except NoLibrary as error:
            if wish == "always":
                raise
            self.app.display_warning(
                f"zkwm without C kernels, Numba compiles them instead: {error}"
            )
            return
        self.app.display_info(f"zkwm with C kernels for {', '.join(levels)}")
        if not editable:
            build_data["force_include"][str(target)] = PLACE
            build_data["pure_python"] = False
            build_data["tag"] = wheel_tag()
            self._folder = folder

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling after a build: removes what was compiled for it.

        Args:
            version: as in ``initialize``.
            build_data: as in ``initialize``.
            artifact_path: the wheel.
        """
        folder = getattr(self, "_folder", None)
        if folder is not None:
            shutil.rmtree(folder)


def main() -> None:
    """Compile in place; exit with a line where that fails."""
    options = sys.argv[1:]
    try:
        levels = compile_library(
            ROOT / "protocols" / PLACE, *options, system_libraries=bool(options)
        )
    except NoLibrary as error:
        sys.exit(f"no C kernels: {error}")
    print(f"C kernels for {', '.join(levels)}: protocols/{PLACE}")  # noqa: T201


if __name__ == "__main__":
    main()
