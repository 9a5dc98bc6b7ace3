"""Build the release in ``dist``, twice, compare the bytes, and write the SBOM: ``make release``.

The time in the archives is that of the commit, so that anybody who checks out the same commit gets
the same bytes. A tree with changes is refused: its version would not name what was built.
There are two wheels: with the kernels from C for this platform, whose bytes follow from commit and
compiler (the SBOM names it), and a pure one for all others, whose kernels Numba compiles.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from hatch_build import compiler  # noqa: E402

DIST = ROOT / "dist"
LOCK = ROOT / ".ci" / "lock.txt"


def output(*words: str | Path) -> str:
    """What a command prints; exits where it fails."""
    return subprocess.check_output(words, cwd=ROOT, text=True).strip()  # noqa: S603


def build(folder: Path) -> dict[str, str]:
    """Build source and both wheels into ``folder``; the SHA-256 of each file by name."""
    moment = output("git", "log", "-1", "--format=%ct")
    for kernels, parts in (("always", ()), ("never", ("--wheel",))):
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "build", "--no-isolation", *parts, "--outdir", folder],
            cwd=ROOT,
            env={**os.environ, "SOURCE_DATE_EPOCH": moment, "ZKWM_BUILD_KERNELS": kernels},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    files = sorted(folder.iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_sbom(wheel: Path, target: Path) -> None:
    """The CycloneDX bill of what ``pip install zkwm`` puts on a machine, in the locked versions."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        output(python, "-m", "pip", "install", "--quiet", "--constraint", LOCK, wheel)
        output(python, "-m", "pip", "uninstall", "--quiet", "--yes", "pip", "setuptools")
        tool = Path(sys.executable).with_name("cyclonedx-py")
        output(
            tool,
            "environment",
            "--output-reproducible",
            "--pyproject",
            ROOT / "pyproject.toml",
            "--output-file",
            target,
            python,
        )
    bill = json.loads(target.read_text())  # the tool finds no version where it is dynamic
    bill["metadata"]["component"]["version"] = wheel.name.split("-")[1]
    said = output(*compiler(), "--version").splitlines()[0]
    kernels = [{"name": "zkwm:kernels-compiled-by", "value": said}]
    bill["metadata"]["component"]["properties"] = kernels
    target.write_text(json.dumps(bill, indent=2) + "\n")


def main() -> None:
    """Exit unless the tree is clean and both builds are the same."""
    if output("git", "status", "--porcelain"):
        sys.exit("commit or remove the changes first: a release is built from one commit")
    shutil.rmtree(DIST, ignore_errors=True)
    digests = build(DIST)
    with tempfile.TemporaryDirectory() as folder:
        again = build(Path(folder))
    if digests != again:
        sys.exit(f"two builds of one commit differ: {digests} and {again}")
    wheel = next(DIST.glob("*-py3-none-any.whl"))
    write_sbom(wheel, DIST / f"{wheel.name.split('-py3')[0]}.cdx.json")
    lines = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(DIST.iterdir())
    )
    (DIST / "SHA256SUMS").write_text("".join(lines))
    print((DIST / "SHA256SUMS").read_text(), end="")


if __name__ == "__main__":
    main()
