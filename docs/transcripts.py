"""Write docs/transcripts.md: a buyer's, a court's and a dispute's judge's whole way, with outputs.

    python docs/transcripts.py

Each command is really run, in a folder where only the files are that such a person has. Digests,
dates and times differ from run to run; ``tests/docs/test_transcripts.py`` compares the rest.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parent / "transcripts.md"
PASSPHRASE = "a long phrase"  # noqa: S105 (that of the tests' vault)
_CHANGING = re.compile(
    r"\b(?:[0-9a-f]{8} ?){2,}\b|[0-9a-f]{16,64}|(?:[a-z2-7]{4}-){7}[a-z2-7]{4}"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?Z?)?"
    r"|\b\d[\d,.]*\b|0\.1\.1\.\S+"
)

INTRODUCTION = """# Transcripts

What a buyer, an appeal court and a dispute's judge type and see, from first to last command.
This page is written by `docs/transcripts.py`, which runs every command; a test repeats it.
The suspect is one dense layer that answers 200 triggers of 16 x 16 pixels.
Digests, dates and times differ from run to run.
"""


@dataclass(frozen=True)
class Way:
    """One person's way: what they are, which files they have, what they type.

    ``before`` is typed by others and not shown; ``files`` are copied to the person's own folder.
    ``prepared`` is the function of ``tests.docs.prepared`` that makes what others begin with.
    """

    title: str
    words: str
    before: tuple[str, ...]
    files: tuple[str, ...]
    commands: tuple[str, ...]
    prepared: str = "prepare"


_OWNER_AND_JUDGE = (
    "zkwm judge-key --output judge.key",
    "zkwm challenge --commitment acme.commitment --model suspect.onnx {asked} --judge judge.key "
    "--output {case}.challenge",
    "zkwm prove --vault acme.vault --commitment acme.commitment --challenge {case}.challenge "
    "--judge-fingerprint {judge} --output {case}.proof {answered}",
)


def _dispute(case: str, asked: str, answered: str) -> tuple[str, ...]:
    """The commands of judge and owner up to the proof; {judge} is filled in when it is known."""
    return tuple(
        command.replace("{case}", case).replace("{asked}", asked).replace("{answered}", answered)
        for command in _OWNER_AND_JUDGE
    )


BUYER = Way(
    "A buyer checks a listing",
    "The listing has a model, a card, a commitment, and a case that a marketplace settled by a "
    "zero-knowledge argument.\nThe buyer has public files only: no passphrase, no vault, no "
    "judge's secret key, no network.",
    (
        *_dispute("case", "--zero-knowledge --blocks 2 --threshold-bits 20",
                  "--zero-knowledge --model suspect.onnx"),
        "zkwm verify --commitment acme.commitment --model suspect.onnx --challenge case.challenge "
        "--proof case.proof --judge judge.key --verdict case.verdict",
        "zkwm card suspect.onnx --commitment acme.commitment "
        "--url https://acme.example/acme.commitment --card README.md",
    ),
    ("acme.commitment", "suspect.onnx", "README.md", "case.challenge", "case.proof",
     "case.verdict", "judge.key.pub"),
    (
        "zkwm find suspect.onnx",
        "zkwm inspect suspect.onnx",
        "zkwm verify --commitment acme.commitment --model suspect.onnx "
        "--challenge case.challenge --proof case.proof --judge judge.key.pub",
        "zkwm inspect case.verdict --judge judge.key.pub",
    ),
)  # fmt: skip

COURT = Way(
    "An appeal court repeats a case",
    "In the first instance 50 triggers were opened to the judge, who packed the case with them.\n"
    "The court has `case.zip` and the judge's public key, and nothing else.",
    (
        *_dispute("case", "--reveal 50 --test-data test.npz", ""),
        "zkwm verify --commitment acme.commitment --model suspect.onnx --challenge case.challenge "
        "--proof case.proof --judge judge.key --verdict case.verdict --case '12 O 345/25' "
        "--owner-name 'Acme Inc.' --judge-name 'District Court'",
        "zkwm case pack --output case.zip --with-triggers --judge judge.key acme.commitment "
        "case.challenge case.proof case.verdict judge.key.pub suspect.onnx test.npz",
        "zkwm case pack --output public.zip acme.commitment case.challenge case.proof "
        "case.verdict judge.key.pub suspect.onnx test.npz",
    ),
    ("case.zip", "public.zip", "judge.key.pub"),
    (
        "zkwm case check case.zip --judge judge.key.pub",
        "zkwm case check public.zip --judge judge.key.pub",
    ),
)
DISPUTE = Way(
    "A judge decides between two who claim one model",
    "Acme committed, had that dated, bound its key to itself, and marked its model; Doe copied the "
    "model, marked the copy too, had that dated later, and sells it.\nA judge has looked for both "
    "marks in both models; what they found, what the parties published and whom the judge trusts "
    "lies in one folder.",
    (),
    ("CASE.yaml", "acme.commitment", "doe.commitment", "doe-model.onnx", "acme-model.onnx", "trust",
     "acme-doe-model.verdict", "doe-doe-model.verdict", "doe-acme-model.verdict", "judge.key.pub"),
    (
        "zkwm inspect acme.commitment --trust trust",
        "zkwm dispute CASE.yaml --report dispute.html",
    ),
    prepared="prepare_dispute",
)  # fmt: skip
WAYS = (BUYER, COURT, DISPUTE)


def page() -> str:
    """The whole page, every command run."""
    return INTRODUCTION + "".join(_way(way) for way in WAYS)


def masked(text: str) -> list[str]:
    """The words of a page without what differs from run to run, which also moves line ends."""
    return _CHANGING.sub("#", text).split()


def _way(way: Way) -> str:
    """One chapter."""
    with tempfile.TemporaryDirectory(prefix="zkwm-transcript-") as folder:
        before, own = Path(folder) / "before", Path(folder) / "own"
        before.mkdir()
        own.mkdir()
        _prepare(before, way.prepared)
        judge = ""
        for command in way.before:
            done = _run(command.replace("{judge}", judge), before, PASSPHRASE)
            if done.returncode:
                sys.exit(f"{command}\n{done.stdout}{done.stderr}")
            judge = judge or done.stdout.strip()
        for name in way.files:
            if (before / name).is_dir():
                shutil.copytree(before / name, own / name)
            else:
                shutil.copy(before / name, own)
        shown = "\n".join(_shown(command, own) for command in way.commands)
    return f"\n## {way.title}\n\n{way.words}\n\n{shown}"


def _shown(command: str, folder: Path) -> str:
    """A command with its output and exit code."""
    started = time.perf_counter()
    done = _run(command, folder, None)
    seconds = time.perf_counter() - started
    output = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines())
    return (
        f"```text\n$ {command}\n{output}\n```\n\n"
        f"Exit code {done.returncode}, after {seconds:.1f} s.\n"
    )


def _run(command: str, folder: Path, passphrase: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command of zkwm."""
    environment = {**os.environ, "COLUMNS": "92", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("ZKWM_PASSPHRASE", None)
    if passphrase is not None:
        environment["ZKWM_PASSPHRASE"] = passphrase
    words = shlex.split(command)[1:]
    return subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-m", "zkwm_cli", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def _prepare(folder: Path, function: str) -> None:
    """The owner's vault and commitment, the suspect and test data, as the tests make them."""
    code = f"from tests.docs import prepared; prepared.{function}()"
    path = os.pathsep.join([str(ROOT), *sys.path])
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
