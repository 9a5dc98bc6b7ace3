"""Judge with the base install alone: ``base_install.py BASE FULL DEMO``, printed as one JSON line.

BASE and FULL are the folders ``bin`` of two virtual environments: one has the wheel without extras,
the other with all. DEMO is a folder that ``zkwm demo`` made, with two blocks of triggers left.
The base install does everything but train and prove in zero knowledge, and must reach "proven" and
"not proven" by openings and by arguments, with a report each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROVEN, NOT_PROVEN, USAGE = 0, 10, 2
HEAVY = ("torch", "numba", "scipy", "safetensors", "onnxscript", "matplotlib")
ENVIRONMENT = {**os.environ, "ZKWM_PASSPHRASE": "only-a-demo"}
LARGEST_MB = 300


def run(program: Path, folder: Path, command: str, expected: int = 0) -> str:
    """Run ``zkwm`` with the words of ``command``; exit unless it ends as expected.

    Returns what it printed, or, of a usage error, what it said.
    """
    done = subprocess.run(  # noqa: S603
        [program / "zkwm", *command.split()],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    if done.returncode != expected:
        sys.exit(
            f"zkwm {command}\nended with {done.returncode}, not {expected}\n"
            f"{done.stdout}\n{done.stderr}"
        )
    return done.stderr if expected == USAGE else done.stdout


def size(program: Path) -> float:
    """Megabytes of a virtual environment's packages, without pip and setuptools."""
    packages = next((program.parent / "lib").glob("python*/site-packages"))
    own = ("pip", "setuptools", "wheel", "_distutils_hack", "pkg_resources")
    files = (
        path
        for entry in packages.iterdir()
        if not entry.name.startswith(own)
        for path in ([entry] if entry.is_file() else entry.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix != ".pyc"
    )
    return sum(path.stat().st_size for path in files) / 1e6


def require_light(program: Path) -> None:
    """Exit if a library of an extra is there."""
    code = f"from importlib.util import find_spec; print([n for n in {HEAVY} if find_spec(n)])"
    there = subprocess.check_output([program / "python", "-c", code], text=True)  # noqa: S603
    if there.strip() != "[]":
        sys.exit(f"the base install has {there}")


@dataclass(frozen=True)
class Dispute:
    """Who claims which model by which commitment and way, and the exit code that is right."""

    case: str
    model: str
    way: str
    claim: str = "acme"
    expected: int = PROVEN


DISPUTES = (  # the argument first: it needs blocks that are not yet opened
    Dispute("argument-proven", "marked/model.onnx", "argument"),
    # labels that the accuser chose: the right classes of ordinary images prove nothing
    Dispute("argument-not-proven", "marked/model.onnx", "argument", "declared", NOT_PROVEN),
    Dispute("opening-proven", "marked/model.onnx", "opening"),
    Dispute("opening-not-proven", "unmarked/model.onnx", "opening", expected=NOT_PROVEN),
)
DECLARED = """
import numpy, zkwm
data = zkwm.load_data("fashion-mnist-small")
numpy.save("declared.npy", data.test_images[:100])
open("declared.txt", "w").write("".join(f"{label}\\n" for label in data.test_labels[:100]))
"""


def judge(base: Path, prover: Path, folder: Path, dispute: Dispute) -> str:
    """One dispute, challenged and verified by the base install; the verdict's outcome."""
    case, model, opening = dispute.case, dispute.model, dispute.way == "opening"
    parties = f"--vault {dispute.claim}.vault --commitment {dispute.claim}.commitment"
    told = f"--commitment {dispute.claim}.commitment --model {model} --challenge {case}.challenge"
    asked = "--reveal 50" if opening else "--zero-knowledge --blocks 2"
    run(
        base,
        folder,
        f"challenge --commitment {dispute.claim}.commitment --model {model} {asked} "
        f"--judge judge.key.pub --output {case}.challenge",
    )
    key = json.loads(run(base, folder, "inspect judge.key.pub --json"))
    answer = (
        f"prove {parties} --challenge {case}.challenge "
        f"--judge-fingerprint {key['fields']['fingerprint']} --output {case}.proof"
    )
    # the demo opened two blocks, and the last dispute opens the last
    way = "--again --last" if opening else f"--zero-knowledge --model {model}"
    run(prover, folder, f"{answer} {way}")
    verified = run(
        base,
        folder,
        f"verify {told} --proof {case}.proof --judge judge.key --json --report {case}.html",
        dispute.expected,
    )
    page = (folder / f"{case}.html").read_text(encoding="utf-8")
    if "</html>" not in page:
        sys.exit(f"the report {case}.html is not whole")
    outcome: str = json.loads(verified)["outcome"]
    return outcome


def main() -> None:
    """Everything that a base install is for, and what it says where an extra is missing."""
    base, full, folder = (Path(text).resolve() for text in sys.argv[1:])
    require_light(base)
    run(base, folder, "keygen --output declared.vault")
    subprocess.run([base / "python", "-c", DECLARED], cwd=folder, check=True)  # noqa: S603
    run(
        base,
        folder,
        "commit --vault declared.vault --images declared.npy --labels declared.txt --classes 10 "
        "--output declared.commitment",
    )
    verdicts = {
        dispute.case: judge(base, base if dispute.way == "opening" else full, folder, dispute)
        for dispute in DISPUTES
    }
    run(base, folder, "keygen --output new.vault")
    run(
        base,
        folder,
        "commit --vault new.vault --generate 200 --family secret --shape 1,28,28 --classes 10 "
        "--output new.commitment",
    )
    run(base, folder, "inspect new.commitment")
    missing = run(
        base,
        folder,
        "embed --vault new.vault --commitment new.commitment --architecture lenet5 "
        "--data fashion-mnist-small --output new",
        USAGE,
    )
    if "zkwm[train]" not in missing:
        sys.exit(f"zkwm embed does not name the extra that is missing:\n{missing}")
    megabytes = round(size(base), 1)
    print(json.dumps({"base_install_mb": megabytes, "verdicts": verdicts}))
    if megabytes > LARGEST_MB:
        sys.exit(f"the base install has grown over {LARGEST_MB} MB")


if __name__ == "__main__":
    main()
