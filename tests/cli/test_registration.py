"""From commit to verdict with dates: two real authorities on this machine, two ways of proof."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import Command, save_lookup, statuses
from tests.support.past_authority import PUBLISHED, PastAuthority
from tests.support.timestamp_authority import LocalAuthority, needs_openssl
from tests.support.trust_folders import write_trust

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalAuthority, LocalAuthority]:
    """Two authorities with chains of their own."""
    folder = tmp_path_factory.mktemp("authorities")
    first = PastAuthority(folder / "first", name="first", intermediate=False)
    return first, PastAuthority(folder / "second", name="second")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def argue(zkwm: Command, owner: tuple[str, ...], trust: Path) -> None:
    """An argument about the same triggers: by the judge's public key, with the same dates."""
    with np.load("own.npz") as own:
        save_linear(Path("linear.onnx"), own["images"], own["labels"])
    asked = zkwm(
        *(
            "challenge",
            *owner[2:],
            "--model",
            "linear.onnx",
            "--zero-knowledge",
            "--older",
            "--blocks",
            3,
        ),
        *("--suspect-published", PUBLISHED, "--published-source", "a web page", "--trust", trust),
        *("--judge", "judge.key.pub", "--output", "argued.challenge"),
    )
    assert asked.code == 0, asked.stderr
    proved = zkwm(
        *("prove", *owner, "--challenge", "argued.challenge", "--zero-knowledge", "--yes"),
        *("--model", "linear.onnx", "--trust", trust, "--output", "argued.proof"),
    )
    assert proved.code == 0, proved.stderr
    verify = ("verify", *owner[2:], "--model", "linear.onnx", "--challenge", "argued.challenge",
              "--proof", "argued.proof", "--judge", "judge.key.pub", "--json")  # fmt: skip
    assert zkwm(*verify).code == 4
    verdict = zkwm(*verify, "--trust", trust)
    assert verdict.code == 0, verdict.stderr
    assert verdict.json["dates"]["order"] == "older"
    assert verdict.json["checked_by"] == "public"


def trust_in(folder: Path, *authorities: LocalAuthority, needed: int = 1) -> Path:
    """A trust folder of a judge who demands no revocation material."""
    roots = {one.name: (one.root.pem,) for one in authorities}
    return write_trust(folder / "trust", roots, needed=needed, demand_revocation=False)


def test_register_embed_labels_and_win_with_a_date(
    zkwm: Command,
    folder: Path,
    authorities: tuple[LocalAuthority, LocalAuthority],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zkwm_cli.proof_progress.kernels_are_cold", lambda: True)
    StandIn().install(monkeypatch)  # the argument's own bytes are tested elsewhere
    first, second = authorities
    trust = trust_in(folder, first, second, needed=2)
    Path("root.pem").write_bytes(first.root.pem)
    assert zkwm("keygen", "--output", "acme.vault").code == 0
    assert zkwm("judge-key", "--output", "judge.key").code == 0
    made = zkwm(
        *("commit", "--vault", "acme.vault", "--generate", 200, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", "acme.commitment"),
        *("--timestamp-authority", "root.pem"),
    )
    assert made.code == 0
    assert "zkwm register" in made.stderr
    owner = ("--vault", "acme.vault", "--commitment", "acme.commitment")
    early = zkwm("vault", "export-triggers", *owner, "--output", "own.npz", "--yes")
    assert early.code == 4
    with first.serving() as url, second.serving() as other:
        done = zkwm(
            *("register", *owner, "--tsa", other, "--tsa", url, "--trust", trust),
            *("--output", "acme.commitment", "--force", "--json"),
        )
    assert done.code == 0, done.stderr
    assert done.json["timestamps"] == 2
    assert [one["authority"] for one in done.json["added"]] == ["second", "first"]
    assert zkwm("vault", "export-triggers", *owner, "--output", "own.npz", "--yes").code == 4
    exported = zkwm(
        "vault", "export-triggers", *owner, "--output", "own.npz", "--yes", "--trust", trust
    )
    assert exported.code == 0, exported.stderr
    with np.load("own.npz") as own:
        save_lookup(folder / "model.onnx", own["images"], own["labels"])
    judged = ("--commitment", "acme.commitment", "--model", "model.onnx", "--trust", trust)
    asked = zkwm(
        *("challenge", *judged, "--reveal", 50, "--judge", "judge.key.pub"),
        *("--suspect-published", PUBLISHED, "--published-source", "a web page", "--older"),
        *("--output", "case.challenge", "--json"),
    )
    assert asked.code == 0, asked.stderr
    assert asked.json["trusted_beacon"]
    proved = zkwm(
        *("prove", *owner, "--challenge", "case.challenge", "--yes", "--trust", trust),
        *("--output", "case.proof"),
    )
    assert proved.code == 0, proved.stderr
    verify = ("verify", *judged[:-2], "--challenge", "case.challenge", "--proof", "case.proof",
              "--judge", "judge.key")  # fmt: skip
    without = zkwm(*verify, "--json")
    assert without.code == 4
    assert statuses(without.json)["commitment.timestamp"] == "failed"
    verdict = zkwm(*verify, "--trust", trust, "--json", "--verdict", "case.verdict")
    assert verdict.code == 0, verdict.stderr
    dates = verdict.json["dates"]
    assert (dates["order"], dates["beacon_trusted"]) == ("older", True)
    assert [one["name"] for one in dates["authorities"]] == ["first", "second"]
    bits = {term["name"]: term["bits"] for term in verdict.json["evidence"]["terms"]}
    assert bits["grinding of the commitment"] == -40
    text = zkwm(*verify, "--trust", trust).stdout
    assert text.startswith("PROVEN")
    assert "The commitment is OLDER than the model" in text.split("\n\n")[0]
    argue(zkwm, owner, trust)
    packed = zkwm(
        *("case", "pack", "--output", "case.zip", "acme.commitment", "case.challenge"),
        *("case.proof", "case.verdict", "judge.key.pub", "model.onnx", trust),
    )
    assert packed.code == 0, packed.stderr
    checked = zkwm("case", "check", "case.zip", "--judge", "judge.key.pub", "--json").json
    steps = {step["step"]: step["state"] for step in checked["steps"]}
    assert steps["dates"] == "repeated"
    seen = zkwm("inspect", "acme.commitment", "--trust", trust, "--json").json
    assert seen["checks"]["commitment.timestamp"] == "verified"
