"""The contract of ``zkwm_protocols``: what its modules may import and touch, file by file.

It is the part that a reviewer audits, so it is arithmetic on bytes and nothing else: no torch, no
onnx, no files, no sockets, no clocks. Compiled code is for the prover's speed and never stands
between a proof and its verdict.
"""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import nodes, parsed
from zkwm_protocols.field.kernels import native

ROOT = Path(__file__).parents[2] / "protocols"
PACKAGE = ROOT / "zkwm_protocols"

# All that the protocols may import. Not here, and so refused: torch, onnx, files (pathlib, os,
# shutil, tempfile), sockets (socket, ssl, urllib), clocks (time, datetime), processes, logging.
ALLOWED = {
    "__future__", "abc", "base64", "bisect", "cbor2", "collections", "cryptography", "dataclasses",
    "decimal", "enum", "fractions", "functools", "hashlib", "hmac", "io", "itertools", "math",
    "nacl", "numpy", "re", "secrets", "typing", "unicodedata", "zkwm_protocols",
}  # fmt: skip
# Compiled code and threads: in these modules and in no others.
COMPILED = {
    "argument.ligero.hashing": {"concurrent"},
    "argument.ligero.strips_numba": {"numba"},
    "argument.logup_gkr.kernels": {"numba"},
    "argument.logup_gkr.layer_kernels": {"numba"},
    "argument.logup_gkr.node_lines": {"numba"},
    "argument.logup_gkr.unit_kernels": {"numba"},
    "argument.relation.blake2s_numba": {"numba"},
    "field.kernels.by_cuda.arithmetic": {"types"},
    "field.kernels.by_cuda.launch": {"numba", "threading"},
    "field.kernels.by_numba.arithmetic": {"numba"},
    "field.kernels.by_numba.lines": {"numba"},
    "field.kernels.by_numba.sums": {"numba"},
    "field.kernels.by_numba.transform": {"numba"},
    "field.kernels.kept_memory": {"contextlib", "ctypes", "threading"},
    "field.kernels.native": {"contextlib", "ctypes", "os", "pathlib"},
    "field.kernels.threads": {"concurrent"},
}
# Threads of Python around BLAS, for verifier and prover.
THREADS = {"field.blas": {"concurrent", "contextlib", "os", "threadpoolctl"}}
# Times of certificates as ``cryptography`` has them, a second reader of tokens, and what a parser
# warns of: in these modules and in no others. None of them asks a clock (tested below).
TIMES = {
    "timestamps.chain": {"contextlib", "datetime", "threading", "warnings"},
    "persons": {"datetime"},
    "timestamps.revocation": {"datetime"},
    "timestamps.statement": {"datetime"},
    "timestamps.tst_info": {"datetime"},
    "timestamps.verification": {"rfc3161_client"},
}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp", "time", "monotonic"}
# What imports compiled code, directly or not: the prover's side, whole.
PROVER = {
    *COMPILED,
    "argument.ligero.codewords",
    "argument.ligero.cuda_hashing",
    "argument.ligero.prover",
    "argument.ligero.rows",
    "argument.ligero.strips",
    "argument.ligero.strips_native",
    "argument.logup_gkr.blocks",
    "argument.logup_gkr.bound_rows",
    "argument.logup_gkr.cuda_rounds",
    "argument.logup_gkr.level",
    "argument.logup_gkr.loops",
    "argument.logup_gkr.native_kernels",
    "argument.logup_gkr.native_rounds",
    "argument.logup_gkr.prover",
    "argument.logup_gkr.round_weights",
    "argument.logup_gkr.unit_fractions",
    "argument.prover",
    "argument.recursive_opening.prover",
    "argument.relation.blake2s_native",
    "argument.relation.blake2s_witness",
    "argument.relation.witness",
    "argument.sharding.code",
    "argument.sharding.prover",
    "argument.sharding.shard",
    "argument.sharding.tree",
    "argument.sharding.witness",
    "argument.sharding.worker",
    "field.kernels.by_cuda.sums",
    "field.kernels.by_cuda.transform",
    "field.kernels.linear_combination",
    "field.kernels.loops",
    "field.kernels.montgomery",
    "field.kernels.native_kernels",
    "field.kernels.native_transform",
    "field.kernels.ntt",
    "field.kernels.sumcheck",
}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
FILE_METHODS = {"tofile", "fromfile", "memmap", "save", "savez", "load", "loadtxt", "genfromtxt"}
HEAVY = ("torch", "onnx", "onnxruntime", "numba", "llvmlite")


def modules() -> dict[str, Path]:
    """Every module by its name below ``zkwm_protocols``; the package itself is ''."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@functools.cache
def imports(path: Path, *, at_the_top: bool = False) -> frozenset[str]:
    """Dotted names of everything that a file imports, in functions and for types, too."""
    names: set[str] = set()
    for node in parsed(path).body if at_the_top else nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(str(node.module))
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def own(names: frozenset[str]) -> set[str]:
    """Those names that are modules of the package, below it; packages on the way included."""
    below = {name.removeprefix("zkwm_protocols.") for name in names}
    packages = {
        ".".join(name.split(".")[:i]) for name in below for i in range(1, name.count(".") + 1)
    }
    return (below | packages) & set(MODULES)


def reachable(start: str) -> set[str]:
    """All modules that importing ``start`` may import, wherever the imports stand."""
    found, waiting = {start}, [start]
    while waiting:
        new = own(imports(MODULES[waiting.pop()])) - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_it_may(name: str) -> None:
    top = {imported.split(".")[0] for imported in imports(MODULES[name])}
    assert top <= ALLOWED | (COMPILED | TIMES | THREADS).get(name, set())


@pytest.mark.parametrize("name", TIMES)
def test_a_module_with_times_asks_no_clock(name: str) -> None:
    for node in nodes(MODULES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on_builder = ast.unparse(node.func.value).startswith("verification.PolicyBuilder()")
            assert on_builder or node.func.attr not in CLOCKS, ast.unparse(node)


def test_compiled_code_is_used_where_it_is_named() -> None:
    for name, extra in COMPILED.items():
        top = {imported.split(".")[0] for imported in imports(MODULES[name])}
        assert extra <= top, name


def test_only_the_provers_side_reaches_compiled_code() -> None:
    assert {name for name in MODULES if reachable(name) & set(COMPILED)} == PROVER


def test_the_verifier_reaches_nothing_of_the_prover() -> None:
    for name in ("argument.verifier", "argument.cost_estimate", "argument_response"):
        assert not reachable(name) & PROVER, name
    assert "argument.ligero.verifier" in reachable("argument.verifier")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_touches_no_files(name: str) -> None:
    for node in nodes(MODULES[name]):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS
            if isinstance(node.func, ast.Attribute):
                assert node.func.attr not in FILE_METHODS
        if isinstance(node, ast.ImportFrom) and node.module == "io":
            assert {alias.name for alias in node.names} == {"BytesIO"}


def test_everything_but_the_prover_works_without_numba() -> None:
    """In a fresh process in which heavy packages cannot be imported at all."""
    names = [f"zkwm_protocols.{name}".rstrip(".") for name in MODULES if name not in PROVER]
    program = f"""
import sys
for name in {HEAVY!r}:
    sys.modules[name] = None  # importing it raises ImportError
{chr(10).join(f"import {name}" for name in names)}
from zkwm_protocols.argument.verifier import verify
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kernels", ["numba", *native.available()])
def test_the_prover_needs_numba_or_the_library_from_c(kernels: str) -> None:
    """So that the test above means something."""
    program = "import sys\nsys.modules['numba'] = None\nimport zkwm_protocols.argument.prover"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, native.VARIABLE: kernels},
        timeout=120,
    )
    assert (done.returncode == 0) == (kernels != "numba")
    assert ("numba" in done.stderr) == (kernels == "numba")
