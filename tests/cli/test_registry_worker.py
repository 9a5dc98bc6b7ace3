"""registry worker: a claim goes from its answer to a signed verdict without a person."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.test_registry import process
from tests.support.case_files import PASSPHRASE, Command, Files
from tests.support.own_receivers import PROGRAM
from tests.support.registry_server import Caller, statement, text
from tests.support.webhook_receiver import Receiver, receiving
from zkwm.judge.key_file import read_judge_public
from zkwm.judge.verdict import Verdict
from zkwm.owner.vault import Vault
from zkwm.registry_service.folder import ServiceFolder
from zkwm.registry_service.jobs import Jobs, JobState
from zkwm.registry_service.signed_delivery import Secret, verify
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import CommitmentStatement


@dataclass
class Desk:
    """A registry that is served, who writes to it, and the claim that was asked."""

    log: Path
    market: Caller
    claim: str
    receiver: Receiver
    secret: Secret

    def verdict_jobs(self) -> dict[str, int]:
        """How many jobs of the judge's there are, by state."""
        database = ServiceFolder(self.log).database()
        try:
            counts = Jobs(database).counts()
        finally:
            database.close()
        return {state: n for (kind, state), n in counts.items() if kind.startswith("claim-verdict")}


@contextmanager
def asked(zkwm: Command, case: Files, log: Path) -> Iterator[Desk]:
    """The claim of a case at a registry of its own."""
    zkwm("registry", "init", log, "--origin", "log.example/1", "--service")
    (log / "service" / "models").mkdir()
    shutil.copy(case.public, log / "service" / "judges")
    scopes = [word for one in ("register", "claims", "answer") for word in ("--scope", one)]
    key = zkwm("registry", "add-key", log, "--holder", "market.example", *scopes).stdout.strip()
    commitment = Commitment.from_bytes(case.commitment.read_bytes())
    own = Vault.open(case.vault, PASSPHRASE).state.signing_key
    body = {
        "commitment": text(commitment.to_bytes()),
        "statement": text(statement(CommitmentStatement(commitment.digest), own)),
    }
    claim = Challenge.from_bytes(case.challenge.read_bytes()).digest.hex()
    with receiving() as receiver, process(
        "serve", log, "--listen", "127.0.0.1:0", program=PROGRAM
    ) as (_, said):  # fmt: skip
        market = Caller(said["url"], key)
        wanted = {"url": receiver.url, "kinds": ["claim.answered", "claim.decided"]}
        secret = Secret.from_text(market.post("/v1/webhooks", wanted).json["secret"])
        registered = market.post("/v1/commitments", body)
        assert registered.status == 201, registered.body
        assert market.post("/v1/claims", case.challenge.read_bytes()).status == 201
        yield Desk(log, market, f"/v1/claims/{claim}", receiver, secret)


def until(found: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_claim_goes_from_its_answer_to_a_verdict_without_a_person(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", "a long phrase")
    with asked(zkwm, case, tmp_path / "log") as desk:
        answered = desk.market.post(f"{desk.claim}/answer", case.proof.read_bytes())
        assert (answered.status, answered.json["state"]) == (201, "answered")
        assert desk.market.post(f"{desk.claim}/answer", case.proof.read_bytes()).status == 200
        assert desk.verdict_jobs() == {JobState.QUEUED: 1}, "the same answer is queued once"
        shutil.copy(case.innocent, desk.log / "service" / "models" / "other.onnx")
        with process("worker", desk.log, "--judge", case.judge) as (_, said):
            assert said["queued"] == 0
            until(lambda: desk.verdict_jobs() == {JobState.FAILED: 1})  # another model is no help
        assert desk.market.get(f"{desk.claim}/verdict").status == 404
        shutil.copy(case.model, desk.log / "service" / "models" / "any-name.onnx")
        with process("worker", desk.log, "--judge", case.judge) as (_, said):
            assert (said["queued"], said["judge"]) == (1, case.judge_fingerprint)
            until(lambda: desk.market.get(desk.claim).json["state"] == "decided")
        file = desk.market.get(f"{desk.claim}/verdict").body
        verdict = Verdict.from_bytes(file, read_judge_public(case.public))
        assert verdict.proven
        name = verdict.commitment_digest
        assert name is not None
        logged = desk.market.get(f"/v1/entries?digest={name.hex()}").json["entries"]
        assert [one["kind"] for one in logged][1:] == ["application/vnd.zkwm.verdict"]
        feed = desk.market.get(f"/v1/events?subject={desk.claim[-64:]}").json["events"]
        assert [one["kind"] for one in feed][-2:] == ["claim.answered", "claim.decided"]
        told = [desk.receiver.wait_for(number) for number in (1, 2)]
    assert len({verify(desk.secret, *one) for one in told}) == 2
    found = {value["type"]: value["data"] for value in (json.loads(body) for _, body in told)}
    assert found["claim.decided"]["outcome"] == "proven"
    assert found["claim.decided"]["subject"] == desk.claim[-64:]
    assert set(found) == {"claim.answered", "claim.decided"}


def test_a_judge_whom_the_registry_does_not_trust_has_no_worker(
    zkwm: Command, case: Files, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    (log / "service" / "judges").mkdir(parents=True)
    refused = zkwm("registry", "worker", log, "--judge", case.judge)
    assert (refused.code, f"{log}/service/judges" in refused.stderr) == (2, True)
    shutil.copy(case.public, log / "service" / "judges")
    missing = zkwm("registry", "worker", log, "--judge", case.judge)
    assert (missing.code, f"{log}/service/models" in missing.stderr) == (2, True)
