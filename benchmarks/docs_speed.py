"""Write docs/speed.md: the prover's kernels, and what was predicted and measured of each change.

``--check`` changes nothing and fails when the page is not what the results say; a test runs it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "speed.md"
Line = dict[str, Any]

HEAD = """\
# Speed of the prover

<!-- Written by benchmarks/docs_speed.py: change the script or the results instead. -->

A proof is arithmetic modulo a prime of 31 bits, and almost all of it runs in a few loops, the kernels.
They are C code in `protocols/c_kernels`, compiled once for each level from one text: `avx512`, `avx2`, and `plain` for every other processor of 64 bits.
The level is chosen by the processor when the prover is loaded; `ZKWM_KERNELS` names another (`numba` for none of them, `cuda` for most of them on a GPU), and `zkwm prove` says which runs.
The verifier uses none of it: between a proof and its verdict there is NumPy only, so that a judge has no compiled code of ours to trust.

- **Without a C compiler** `pip install` makes the pure wheel, and Numba (extra `prove`) compiles the same kernels at the first proof. A test holds the two equal bit for bit, at every level, and both to Python's integers.
- **One wheel serves every Python 3**: `ctypes` loads the library, so it needs no header of Python, and calls through it release the interpreter's lock. The limited C API would have given as much with more code.
- **The library calls nothing**, not even libc, so that one file runs on every Linux of its processor, glibc or musl.
- **C checks nothing.** The Python function around each kernel checks type, layout and size of every array first; the kernels' tests were run under AddressSanitizer and UndefinedBehaviorSanitizer ([CONTRIBUTING](../CONTRIBUTING.md)).
- **Threads** are the prover's own: a kernel works on a range of tasks and writes what belongs to them only.
- **On a GPU** (`ZKWM_KERNELS=cuda`, off unless asked for) run codewords, leaves of the column tree, combined rows, sumchecks over products, and parents, folds and rounds of the fraction tree, by numba-cuda (extra `cuda`, 70 MB; the toolkit with NVVM is yours to install) from the same scalar functions as Numba's. Arrays go to the device and back at every call; BLAKE2s, the layers next to the leaves and the leaf level stay on the processor. **No GPU has run them**: a test holds them equal bit for bit in CUDA's simulator, and NVVM 12.4 compiles each of them to PTX, so that nothing is claimed of their speed. On a machine with a GPU: `pip install -e '.[dev,cuda]'`, then `pytest -m gpu tests/protocols/field/kernels/test_by_cuda.py`.
- **Windows** gets the pure wheel. On macOS and AArch64 the level is `plain`; nothing was measured there.
""".splitlines()  # noqa: E501


def main() -> None:
    """Rewrite the page, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when the page is out of date")
    text = "\n".join(page()) + "\n"
    if not parser.parse_args().check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.exit(f"{PAGE.name} is out of date: run python benchmarks/docs_speed.py")


def newest(file: str, name: str, **wanted: object) -> Line:
    """The newest line of a benchmark whose fields have these values."""
    found = [
        line
        for line in measure.lines(RESULTS / file)
        if line["benchmark"] == name and all(line.get(key) == wanted[key] for key in wanted)
    ]
    return found[-1]


def where(line: Line) -> str:
    """The machine of a line, and how busy it was."""
    machine = line["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, load {line['load_average']:g}, "
        f"{line['date']}"
    )


def page() -> Iterator[str]:
    """The lines of the page."""
    kernels = newest("kernels.jsonl", "kernels")
    lines = measure.lines(RESULTS / "kernels.jsonl")
    compared = {x["network"]: x for x in lines if x["benchmark"] == "argument, compared"}
    proofs = list(compared.values())
    memory = newest("kernels.jsonl", "kept memory", network="cifar")
    codewords = [newest("kernels.jsonl", "codewords", network=name) for name in ("lenet5", "cifar")]
    yield from HEAD
    yield from _kernels(kernels)
    yield from _proofs(proofs)
    yield from _codewords(codewords)
    yield from _memory(memory)
    yield from _log(kernels, proofs, memory)


def _kernels(line: Line) -> Iterator[str]:
    """One row for each kernel."""
    yield ""
    yield "## Each kernel"
    yield ""
    yield (
        "Processor nanoseconds a unit, the least of five calls, one thread, in one run "
        f"(`benchmarks/kernels.py`; {where(line)}). Numba compiles for the same processor; "
        "SHA-256 is compared with hashlib."
    )
    yield ""
    yield "| kernel, unit | Numba or hashlib | plain | avx2 | avx512 | gain |"
    yield "|---|---|---|---|---|---|"
    for name, found in line["nanoseconds"].items():
        levels = " | ".join(f"{found[level]:.3g}" for level in ("plain", "avx2", "avx512"))
        gain = found["other"] / found["avx512"]
        yield f"| {name} | {found['other']:.3g} | {levels} | {gain:.1f} |"
    yield ""
    yield (
        "Without vectors C is slower than what Numba makes of a processor that has them; it is "
        "for processors that have none, and column hashing stays with hashlib there."
    )


def _proofs(lines: list[Line]) -> Iterator[str]:
    """Whole proofs before and after."""
    yield ""
    yield "## Whole proofs"
    yield ""
    yield (
        f"100 triggers, processor seconds of all threads, by the sources of commit "
        f"{lines[0]['older']} (Numba alone) and by these, in turn "
        f"(`benchmarks/argument_compare.py`; {where(lines[-1])}). These have other changes too, "
        "so the gain is of all together."
    )
    yield ""
    yield "| network | warm, before | warm, now | first of a process, before | now | memory |"
    yield "|---|---|---|---|---|---|"
    for line in lines:
        before, after = line["before"], line["after"]
        yield (
            f"| {line['network']} | {before['processor_seconds']} s "
            f"| {after['processor_seconds']} s | {before['first_processor_seconds']} s "
            f"| {after['first_processor_seconds']} s "
            f"| {before['peak_bytes'] >> 20} to {after['peak_bytes'] >> 20} MiB |"
        )


def _codewords(lines: list[Line]) -> Iterator[str]:
    """Proofs with codewords kept, and made in strips."""
    yield ""
    yield "## Codewords that are not kept"
    yield ""
    yield (
        "A codeword is four to five times as long as its row, and only t of its columns are "
        "opened. Above 256 MiB codewords are encoded and hashed in strips of 16 or 32 rows, "
        "each column's hash waiting in between, and the opened columns are computed again at a "
        "quarter of a transform's time. Root, columns and proof are the same bit for bit. "
        f"Both ways with 100 triggers, processor seconds "
        f"(`benchmarks/codewords.py`; {where(lines[-1])}):"
    )
    yield ""
    yield "| network | codewords | user, first proof | system | user, second | system | peak |"
    yield "|---|---|---|---|---|---|---|"
    for line in lines:
        for way, (first, second) in line["proofs"].items():
            yield (
                f"| {line['network']} | {way} | {first['user_seconds']} s "
                f"| {first['system_seconds']} s | {second['user_seconds']} s "
                f"| {second['system_seconds']} s | {second['peak_mib']:,} MiB |"
            )


def _memory(line: Line) -> Iterator[str]:
    """Page faults by the ways to keep memory."""
    yield ""
    yield "## Memory that is kept"
    yield ""
    yield (
        "glibc gives freed arrays back to the system and gets them again page by page. During a "
        "proof `field.kernels.kept_memory` keeps them, in a heap that was grown by the estimated "
        "peak in huge pages; behind it everything goes back."
    )
    yield (f"The CIFAR CNN with 100 triggers (`benchmarks/kept_memory.py`; {where(line)}):")
    yield ""
    yield "| freed memory | page faults, first proof | second | system seconds, first | peak |"
    yield "|---|---|---|---|---|"
    for way, (first, second) in line["proofs"].items():
        yield (
            f"| {way} | {first['page_faults']:,} | {second['page_faults']:,} "
            f"| {first['system_seconds']} s | {first['peak_mib']:,} MiB |"
        )
    yield ""
    yield (
        "On a virtual machine the system seconds that are left are those of pages that its host "
        "has yet to find, and no allocator saves them but by asking for less."
    )


def _log(kernels: Line, proofs: list[Line], memory: Line) -> Iterator[str]:
    """What was predicted of each change, and what was measured."""
    found = kernels["nanoseconds"]

    def gain(name: str) -> str:
        return f"{found[name]['other'] / found[name]['avx512']:.1f}"

    def share(line: Line, field: str) -> str:
        return f"{line['before'][field] / line['after'][field]:.1f}"

    faults = memory["proofs"]["freed"][0]["page_faults"]
    kept = memory["proofs"]["kept in huge pages"][0]["page_faults"]
    yield ""
    yield "## Predicted and measured"
    yield ""
    yield (
        "Gains as factors. Predictions were made on another machine from prototypes and from "
        "counts of operations before anything was built."
    )
    yield ""
    yield "| change | predicted | measured |"
    yield "|---|---|---|"
    yield f"| round over bound arrays, in C | 2.7 | {gain('round over bound arrays, a pair')} |"
    fold = "fold of bound arrays and next round, a pair"
    yield f"| fold, fused with the next round | none: 72 ns against 27 apart | {gain(fold)} |"
    yield f"| parents, in C | 3.4 | {gain('parents, a parent')} |"
    rows, large = "transform of 2^17, a butterfly", "transform of 2^21, a butterfly"
    yield f"| transform in strips of a cache line | 3.5 | {gain(rows)} |"
    yield f"| the same at 2^21 | - | {gain(large)} |"
    columns = "SHA-256 of columns of 5200 bytes, a column"
    yield f"| columns hashed in vectors | - | {gain(columns)} |"
    short = "SHA-256 of columns of 256 bytes, a column"
    yield f"| the same, short columns | hashlib's call dominates | {gain(short)} |"
    yield f"| freed memory kept | 1.3 of the time | page faults: {faults / kept:.0f} times fewer |"
    whole = ", ".join(f"{line['network']} {share(line, 'processor_seconds')}" for line in proofs)
    yield f"| whole warm proof | 1.9 by C and kept memory, more by numerators 1 | {whole} |"
    first = ", ".join(f"{p['network']} {share(p, 'first_processor_seconds')}" for p in proofs)
    yield f"| first proof of a process | - | {first} |"
    yield "| first proof after an installation | under 1 s more | nothing is compiled |"


if __name__ == "__main__":
    main()
