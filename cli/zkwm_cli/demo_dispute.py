"""The tour of a dispute: owner, thief, judge, authority, log and witness on one machine.

The owner registers and embeds; the thief marks a copy with a mark of their own and registers that
later; the judge looks for both marks in both models and decides. Authority, log and witness are
real, and of this demo alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zkwm_cli.demo_authority import POLICY, DemoAuthority
from zkwm_cli.demo_servers import DemoLog, log_and_witness
from zkwm_cli.demo_story import Run, Say, Story, begin_folder, demo_environment, read_json
from zkwm_cli.exits import Exit
from zkwm_protocols.keys import JudgePublic

SCHEMA = "zkwm/demo-dispute/v1"
_TRAINING = "--method plain --data fashion-mnist-small --device cpu"
_CASE = """\
schema: zkwm/dispute-case/v1
title: Acme v. Doe
trust: trust
judges: [judge.key.pub]
parties:
  - {{name: acme, called: Acme Inc. (the owner), commitment: acme.commitment}}
  - {{name: doe, called: Doe Ltd. (the thief), commitment: doe.commitment}}
models:
  - name: doe-model
    file: doe-model/model.onnx
    published_by: doe
    published: {doe}
    source: the demo's own clock
    contested: true
  - name: acme-model
    file: acme-model/model.onnx
    published_by: acme
    published: {acme}
    source: the demo's own clock
claims:
  - {{mark: acme, model: doe-model, verdict: acme-in-doe-model.verdict}}
  - {{mark: doe, model: doe-model, verdict: doe-in-doe-model.verdict}}
  - {{mark: doe, model: acme-model, verdict: doe-in-acme-model.verdict}}
"""


@dataclass(frozen=True)
class DisputeDemoResult:
    """How the tour ended: its folder, the dispute's verdict as JSON values, and its time."""

    folder: Path
    dispute: dict[str, Any]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, schema ``zkwm/demo-dispute/v1``."""
        return {"schema": SCHEMA, **vars(self), "folder": str(self.folder)}

    def summary(self) -> Iterator[str]:
        """The outcome in sentences."""
        yield f"The dispute: {self.dispute['outcome']} ({self.dispute['reason']})."
        for claim in self.dispute["claims"]:
            yield f"Mark of {claim['mark']} in {claim['model']}: {claim['standing']}."
        yield f"For the court file: {self.folder / 'dispute.html'}"
        yield f"It took {self.seconds:.0f} s, training included. All files are in {self.folder}."


def dispute_demo(folder: Path, *, run: Run, say: Say) -> DisputeDemoResult:
    """Run the tour in a new or empty folder; ``say`` shows a line.

    Raises what ``demo`` raises, and CouldNotCheck where a server does not start.
    """
    folder = begin_folder(folder)
    began = time.monotonic()
    story = Story(run, say)
    authority = DemoAuthority()
    with chdir(folder), demo_environment() as chosen, authority.serving() as tsa:
        story.show("cd", str(folder))
        for name, value in chosen.items():
            story.show("export", f"{name}={value}")
        story.tell("A log and its witness run on this machine, and an authority that dates.")
        with log_and_witness(story, f"demo-{secrets.token_hex(4)}.invalid") as log:
            story.tell("The judge says whom they trust, before anything is asked.")
            _write_trust(story, authority, log)
            story.run("judge-key --output judge.key")
            story.tell("The owner commits, has that dated and logged, and then trains.")
            _commit(story, "acme")
            _register(story, "acme", tsa, log)
            _embed(story, "acme", "--architecture lenet5 --epochs 8")
            acme = _now()
            story.tell("The thief copies the model, trains a mark of their own into it, sells it.")
            _commit(story, "doe")
            start = "--architecture lenet5 --start acme-model --epochs 3 --learning-rate 0.01"
            _embed(story, "doe", start)
            doe = _now()
            story.tell("Later the thief registers their commitment, by the same authority and log.")
            _register(story, "doe", tsa, log)
        return _decide(story, folder, {"acme": acme, "doe": doe}, began)


def _decide(
    story: Story, folder: Path, published: dict[str, str], began: float
) -> DisputeDemoResult:
    """The judge looks for marks, writes the case and decides it."""
    for mark, model in (("acme", "doe"), ("doe", "doe"), ("doe", "acme")):
        _look(story, mark, model, published[model])
    story.tell("The judge writes down the case, CASE.yaml, and decides the dispute.")
    Path("CASE.yaml").write_text(_CASE.format(**published), encoding="utf-8")
    story.run(
        "dispute CASE.yaml --judge judge.key --report dispute.html --verdict dispute.verdict "
        "--json",
        output="dispute.json",
    )
    story.run("inspect dispute.verdict --judge judge.key.pub")
    return DisputeDemoResult(folder, read_json("dispute.json"), time.monotonic() - began)


def _write_trust(story: Story, authority: DemoAuthority, log: DemoLog) -> None:
    """The judge's trust folder, by its commands: this authority, this log and its witness."""
    given = {"root.pem": authority.root, "log-policy": log.policy.encode()}
    for name, content in given.items():
        Path(name).write_bytes(content)
    place = "trust/authorities/demo"
    story.shell(f"mkdir -p {place}")
    story.shell(f"cp root.pem {place}/")
    story.shell(f"""echo 'policies = ["{POLICY}"]' > {place}/authority.toml""")
    story.shell("echo 'authorities_needed = 1' > trust/trust.toml")
    story.shell("cp log-policy trust/")


def _commit(story: Story, name: str) -> None:
    """A vault, and a commitment to 200 secret images."""
    story.run(f"keygen --output {name}.vault")
    story.run(
        f"commit --vault {name}.vault --generate 200 --family secret --shape 1,28,28 --classes 10 "
        f"--output {name}.commitment"
    )


def _register(story: Story, name: str, tsa: str, log: DemoLog) -> None:
    """The commitment dated by the authority, and taken by the log."""
    story.run(
        f"register --vault {name}.vault --commitment {name}.commitment --tsa {tsa} --log {log.url} "
        f"--trust trust --output {name}.commitment --force"
    )


def _embed(story: Story, name: str, start: str) -> None:
    """A model with the party's mark."""
    story.run(
        f"embed --vault {name}.vault --commitment {name}.commitment {start} {_TRAINING} "
        f"--output {name}-model"
    )


def _look(story: Story, mark: str, model: str, published: str) -> None:
    """The judge asks whether a mark stands in a model, and signs what they find."""
    case = f"{mark}-in-{model}-model"
    absent = (mark, model) == ("doe", "acme")
    # a mark that another was trained over answers less surely, so that more of it is opened
    reveal, consent = (50, "--again ") if absent else (100, "")
    story.tell(f"The judge looks for the mark of {mark} in {model}-model.")
    story.run(
        f"challenge --commitment {mark}.commitment --model {model}-model/model.onnx "
        f"--reveal {reveal} --test-data fashion-mnist-small --trust trust "
        f"--suspect-published {published} "
        '--published-source "the demo\'s own clock" '
        f"--judge judge.key.pub --output {case}.challenge"
    )
    fingerprint = JudgePublic.from_bytes(Path("judge.key.pub").read_bytes()).fingerprint()
    story.run(
        f"prove --vault {mark}.vault --commitment {mark}.commitment --challenge {case}.challenge "
        f"--trust trust --judge-fingerprint {fingerprint} {consent}--output {case}.proof"
    )
    story.run(
        f"verify --commitment {mark}.commitment --model {model}-model/model.onnx "
        f"--challenge {case}.challenge --proof {case}.proof --trust trust --judge judge.key "
        f"--verdict {case}.verdict --json",
        expected=Exit.NOT_PROVEN if absent else Exit.OK,
        output=f"{case}.json",
    )


def _now() -> str:
    """When a model is published: this second, once it is surely later than the last token."""
    time.sleep(3)
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
