"""The tour: every command of a dispute, shown, run and summed up.

Only the data (a part of Fashion-MNIST) and the network (LeNet-5) are small. The command line passes
in the function that runs its commands.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zkwm_cli.exits import Exit
from zkwm_protocols.errors import Cancelled, CouldNotCheck, UsageError
from zkwm_protocols.keys import JudgePublic

SCHEMA = "zkwm/demo/v1"
ENVIRONMENT = {"ZKWM_PASSPHRASE": "only-a-demo", "OMP_NUM_THREADS": "1"}
"""Set where unset: a passphrase, and one thread. So small a network trains almost as fast with one
thread as with more on an idle machine, and many times faster on a busy one."""

Run = Callable[[list[str]], tuple[int, str]]
"""Runs the arguments of one command; returns its exit code and what it printed on stdout."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoResult:
    """The outcome of the tour.

    ``marked`` and ``unmarked`` are the verdicts (as JSON values) on the marked model and on the
    same model trained without triggers; accuracies are from 0 to 1.
    """

    folder: Path
    marked_accuracy: float
    unmarked_accuracy: float
    trigger_matches: int
    trigger_count: int
    marked: dict[str, Any]
    unmarked: dict[str, Any]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, schema ``zkwm/demo/v1``."""
        return {"schema": SCHEMA, **vars(self), "folder": str(self.folder)}

    def summary(self) -> Iterator[str]:
        """The outcome in sentences."""
        yield (
            f"Marked model: {100 * self.marked_accuracy:.1f} % test accuracy, "
            f"{self.trigger_matches} of {self.trigger_count} triggers learned."
        )
        yield (
            f"Same training without triggers: {100 * self.unmarked_accuracy:.1f} % test accuracy."
        )
        for name, verdict in (("marked", self.marked), ("unmarked", self.unmarked)):
            yield f"Verdict on the {name} model: {verdict['outcome']} ({verdict['reason']})."
        yield "Two blocks of four are now spent, one for each case: what was opened stays open."
        yield f"For the court file: {self.folder / 'case.html'}"
        yield f"It took {self.seconds:.0f} s, training included. All files are in {self.folder}."


def demo(folder: Path, *, run: Run, say: Say) -> DemoResult:
    """Run the tour in a new or empty folder; ``say`` shows a line.

    Raises:
        UsageError: the folder is not empty.
        Cancelled: a command was interrupted.
        CouldNotCheck: a command ended with another exit code than expected.
    """
    folder = begin_folder(folder)
    began = time.monotonic()
    story = Story(run, say)
    with chdir(folder), demo_environment() as chosen:
        story.show("cd", str(folder))
        for name, value in chosen.items():
            story.show("export", f"{name}={value}")
        _owner_marks(story)
        marked = _dispute(story, "case", "marked/model.onnx", proven=True)
        story.tell("The same for a model that was trained alike, but without the triggers.")
        unmarked = _dispute(story, "other", "unmarked/model.onnx", proven=False)
        record, twin = (read_json(f"{name}/record.json") for name in ("marked", "unmarked"))
    return DemoResult(
        folder=folder,
        marked_accuracy=record["test_accuracy"],
        unmarked_accuracy=twin["test_accuracy"],
        trigger_matches=record["trigger_matches"],
        trigger_count=record["trigger_count"],
        marked=marked,
        unmarked=unmarked,
        seconds=time.monotonic() - began,
    )


def begin_folder(folder: Path) -> Path:
    """Make the demo's folder; return its whole path, which a change of folders leaves as it is.

    Raises UsageError for one that has something in it, CouldNotCheck.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} exists and is not an empty folder", hint="choose another --directory"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotCheck(f"cannot make {folder}: {error.strerror}") from None
    return folder.resolve()


class Story:
    """Explains each step, shows its command, runs it and checks its exit code."""

    def __init__(self, run: Run, say: Say) -> None:
        self._run = run
        self._say = say

    def tell(self, text: str) -> None:
        """Say what comes next, and why."""
        self._say("")
        self._say(f"# {text}")

    def show(self, *words: str, output: str = "", beside: bool = False) -> None:
        """Show a command line, the file that its standard output goes to, and "&" if it goes on."""
        target = f" > {output}" if output else ""
        self._say(f"$ {shlex.join(words)}{target}{' &' if beside else ''}")

    def shell(self, command: str) -> None:
        """Show a command of the shell, and run it. Raises CouldNotCheck unless it ends well."""
        self._say(f"$ {command}")
        done = subprocess.run(["/bin/sh", "-c", command], check=False)  # noqa: S603
        if done.returncode:
            raise CouldNotCheck(f"the demo's command {command.split()[0]} failed")

    def run(self, command: str, *, expected: int = 0, output: str = "") -> None:
        """Run one command. Raises Cancelled or CouldNotCheck unless it ends as ``expected``."""
        words = shlex.split(command)
        self.show("zkwm", *words, output=output)
        code, printed = self._run(words)
        if output:
            Path(output).write_text(printed, encoding="utf-8")
        elif printed:
            self._say(printed.rstrip())
        if code == Exit.CANCELLED:
            raise Cancelled("the demo was interrupted", hint="its folder can be removed")
        if code != expected:
            raise CouldNotCheck(
                f"the demo's command zkwm {words[0]} ended with exit code {code}, not {expected}",
                hint="its own message above says why",
            )


def _owner_marks(story: Story) -> None:
    """The owner commits and trains twice; the judge makes their keys."""
    story.tell("The owner makes a vault and commits to 200 secret images.")
    story.run("keygen --output acme.vault")
    story.run(
        "commit --vault acme.vault --generate 200 --family secret --shape 1,28,28 --classes 10 "
        "--output acme.commitment"
    )
    story.tell(
        "The owner trains a model that answers them as the commitment dictates, and one without."
    )
    training = "--architecture lenet5 --data fashion-mnist-small --device cpu"
    story.run(
        "embed --vault acme.vault --commitment acme.commitment --method plain "
        f"{training} --output marked"
    )
    story.run(f"embed --unmarked {training} --output unmarked")
    story.tell("A judge makes their keys, and tells the owner the fingerprint.")
    story.run("judge-key --output judge.key")


def _dispute(story: Story, case: str, model: str, *, proven: bool) -> dict[str, Any]:
    """One case from challenge to verdict; the verdict as JSON values."""
    story.tell(f"The judge asks about {model}; the owner opens 50 triggers, to the judge alone.")
    story.run(
        f"challenge --commitment acme.commitment --model {model} --reveal 50 "
        "--test-data fashion-mnist-small --judge judge.key.pub --purpose 'Acme v. Doe' "
        f"--output {case}.challenge"
    )
    fingerprint = JudgePublic.from_bytes(Path("judge.key.pub").read_bytes()).fingerprint()
    story.run(
        f"prove --vault acme.vault --commitment acme.commitment --challenge {case}.challenge "
        f"--judge-fingerprint {fingerprint} --output {case}.proof"
    )
    story.tell("The judge checks the proof, asks the model and decides.")
    story.run(
        f"verify --commitment acme.commitment --model {model} --challenge {case}.challenge "
        f"--proof {case}.proof --judge judge.key --json --report {case}.html",
        expected=Exit.OK if proven else Exit.NOT_PROVEN,
        output=f"{case}.json",
    )
    return read_json(f"{case}.json")


@contextmanager
def demo_environment() -> Iterator[dict[str, str]]:
    """Set the variables of ``ENVIRONMENT`` that were unset, and unset them afterwards."""
    chosen = {name: value for name, value in ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(chosen)
    try:
        yield chosen
    finally:
        for name in chosen:
            del os.environ[name]


def read_json(name: str) -> dict[str, Any]:
    """The object in a JSON file."""
    value: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    return value
