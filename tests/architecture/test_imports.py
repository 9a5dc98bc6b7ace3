"""Who imports whom: cli -> zkwm -> protocols; no torch where none is needed; public names.

The contract of the protocols by themselves is ``test_protocols``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zkwm
from tests.support.sources import nodes

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "zkwm_protocols": ROOT / "protocols" / "zkwm_protocols",
    "zkwm": ROOT / "zkwm",
    "zkwm_cli": ROOT / "cli" / "zkwm_cli",
}
BELOW = {
    "zkwm_protocols": {"zkwm_protocols"},
    "zkwm": {"zkwm_protocols", "zkwm"},
    "zkwm_cli": {"zkwm_protocols", "zkwm", "zkwm_cli"},
}
UNPICKLERS = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
HEAVY = (
    "torch", "onnx", "onnxruntime", "onnxscript", "safetensors", "PIL", "jinja2", "urllib3",
    "numba", "lightning", "transformers", "sqlalchemy", "psycopg",
)  # fmt: skip


def sources(package: str) -> list[Path]:
    found = sorted(PACKAGES[package].rglob("*.py"))
    assert found, package
    return found


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_downwards(package: str) -> None:
    for path in sources(package):
        ours = imported(path) & set(PACKAGES)
        assert ours <= BELOW[package], path


def test_nothing_imports_the_tests() -> None:
    for package in PACKAGES:
        for path in sources(package):
            assert not imported(path) & {"tests", "examples", "benchmarks", "pytest"}, path


def test_nothing_is_ever_unpickled() -> None:
    for package in PACKAGES:
        for path in sources(package):
            assert not imported(path) & UNPICKLERS, path
            for node in nodes(path):
                if isinstance(node, ast.Call):
                    assert ast.unparse(node.func) != "torch.load", path
                    for keyword in node.keywords:
                        if keyword.arg == "allow_pickle":
                            assert ast.unparse(keyword.value) == "False", path


def test_onnx_runtime_reports_nothing() -> None:
    """It is loaded by the process that has no other environment, and by ``silent_onnxruntime``."""
    found = {path.name for name in PACKAGES for path in sources(name)
             if "onnxruntime" in imported(path)}  # fmt: skip
    assert found == {"onnx_worker.py"}


def loaded_after(program: str) -> set[str]:
    """The heavy modules that a fresh process has loaded after ``program``."""
    program += f"\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("\n")[-2].split())


def test_importing_zkwm_loads_nothing_heavy() -> None:
    assert loaded_after("import zkwm\ndir(zkwm)") == set()


def test_the_help_of_the_command_line_loads_nothing_heavy() -> None:
    program = """
import contextlib, io, sys
sys.argv = ["zkwm", "--help"]
from zkwm_cli.main import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    run()
"""
    assert loaded_after(program) == set()


def loaded_by_command(*arguments: str) -> set[str]:
    """All modules that a process has loaded after one command line."""
    program = f"""
import contextlib, io, sys
sys.argv = ["zkwm", *{arguments!r}]
from zkwm_cli.main import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    run()
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["prove", "--help"]])
def test_help_loads_only_the_command_line(arguments: list[str]) -> None:
    """Nothing of the library but its errors: help is there at once."""
    loaded = loaded_by_command(*arguments)
    assert "click" in loaded
    assert not {"numpy", "cbor2", "cryptography", "nacl"} & loaded
    ours = {name for name in loaded if name.split(".")[0] in ("zkwm", "zkwm_protocols")}
    assert ours <= {"zkwm", "zkwm.extras", "zkwm_protocols", "zkwm_protocols.errors"}


def test_what_a_judge_needs_never_loads_torch() -> None:
    names = ["Judge", "open_suspect", "Commitment", "Challenge", "Opening", "Policy", "Verdict",
             "render_text", "render_report", "Vault", "commit", "prove", "disclosure",
             "Marketplace", "ArgumentResponse", "Refusal", "pack_case", "check_case", "card_claim",
             "find_claims"]  # fmt: skip
    program = "import zkwm\n" + "\n".join(f"zkwm.{name}" for name in names)
    assert not {"torch", "numba"} & loaded_after(program)


def test_the_verifier_loads_neither_torch_nor_numba() -> None:
    program = "import zkwm_protocols.argument.verifier, zkwm.judge.check_argument, zkwm.judge.judge"
    assert loaded_after(program) == set()


def test_every_public_name_exists_and_the_docs_list_exactly_these() -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## API\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert len(sections) == 1, "docs/python.md needs one section ## API"
    table = [line for line in sections[0].splitlines() if line.startswith("|")]
    names = re.findall(r"`([^`]+)`", "\n".join(table))
    assert len(set(names)) == len(names)
    assert sorted(names) == sorted(zkwm.__all__)
    for name in names:
        assert getattr(zkwm, name) is not None
    with pytest.raises(AttributeError):
        _ = zkwm.no_such_name
