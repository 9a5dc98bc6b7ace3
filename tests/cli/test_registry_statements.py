"""registry state-verdict, state-withdrawal: signed by command, taken by a running registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.case_files import PASSPHRASE, Command, Files
from tests.support.dispute import TestJudge
from tests.support.registry_server import Served, served_registry, statement, text
from zkwm.judge.key_file import open_judge_key
from zkwm.owner.vault import Vault
from zkwm.registry_database.location import find_location
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import CommitmentStatement, VerdictStatement
from zkwm_protocols.cose.statement import SignedStatement


@pytest.fixture
def registry(case: Files, tmp_path: Path) -> Iterator[Served]:
    """A registry that trusts the judge of the case, and has the owner's commitment."""
    judge = TestJudge(open_judge_key(case.judge, PASSPHRASE))
    location = find_location(tmp_path / "registry.sqlite")
    with served_registry(tmp_path / "log", location, (judge,)) as running:
        commitment = Commitment.from_bytes(case.commitment.read_bytes())
        key = Vault.open(case.vault, PASSPHRASE).state.signing_key
        stated = statement(CommitmentStatement(commitment.digest), key)
        body = {"commitment": text(commitment.to_bytes()), "statement": text(stated)}
        assert running.caller("market.example").post("/v1/commitments", body).status == 201
        yield running


@pytest.fixture
def claim(case: Files, registry: Served) -> str:
    """Where the claim of the case's challenge is."""
    file = case.challenge.read_bytes()
    asked = registry.caller("market.example").post("/v1/claims?answer_within=3600", file)
    assert asked.status == 201, asked.body
    return f"/v1/claims/{Challenge.from_bytes(file).digest.hex()}"


def test_a_judges_statement_and_verdict_decide_a_claim(
    zkwm: Command, case: Files, registry: Served, claim: str, tmp_path: Path
) -> None:
    market = registry.caller("market.example")
    assert market.post(f"{claim}/answer", case.proof.read_bytes()).status == 201
    verdict, stated, body = (tmp_path / name for name in ("v.verdict", "v.stated", "v.json"))
    done = zkwm(
        *("verify", "--commitment", case.commitment, "--model", case.model, "--judge", case.judge),
        *("--challenge", case.challenge, "--proof", case.proof, "--verdict", verdict),
    )
    assert done.code == 0, done.stderr
    made = zkwm(
        *("registry", "state-verdict", verdict, "--judge", case.judge, "--output", stated),
        *("--body", body, "--json"),
    )
    assert made.code == 0, made.stderr
    digest = hashlib.sha256(verdict.read_bytes()).digest()
    assert digest.hex() in made.json["says"]
    content = SignedStatement.from_bytes(stated.read_bytes()).content
    assert isinstance(content, VerdictStatement)
    assert content.verdict == digest
    size = market.get("/v1/log").json["size"]
    decided = market.post(f"{claim}/verdict", json.loads(body.read_bytes()))
    assert (decided.status, decided.json["state"]) == (201, "decided"), decided.body
    assert market.get("/v1/log").json["size"] == size + 1
    shown = zkwm("inspect", stated, "--json").json
    assert shown["fields"]["says"] == made.json["says"]


def test_an_owners_withdrawal_ends_their_claim(
    zkwm: Command, case: Files, registry: Served, claim: str, tmp_path: Path
) -> None:
    stated = tmp_path / "acme.withdrawal"
    made = zkwm(
        *("registry", "state-withdrawal", "--vault", case.vault, "--challenge", case.challenge),
        *("--output", stated, "--json"),
    )
    assert made.code == 0, made.stderr
    assert "withdrawn" in made.json["says"]
    brings = registry.caller("anyone")
    assert brings.post(f"{claim}/owner-withdrawal", stated.read_bytes()).status == 200
    assert brings.get(claim).json["state"] == "withdrawn"
    late = brings.post(f"{claim}/answer", case.proof.read_bytes())
    assert late.status == 409


def test_nobody_states_what_is_not_theirs(zkwm: Command, case: Files, tmp_path: Path) -> None:
    """Another judge's verdict, another owner's claim; no file is left."""
    other, vault, verdict = (tmp_path / name for name in ("other.key", "b.vault", "v.verdict"))
    assert zkwm("judge-key", "--output", other).code == 0
    assert zkwm("keygen", "--output", vault).code == 0
    zkwm(
        *("verify", "--commitment", case.commitment, "--model", case.model, "--judge", case.judge),
        *("--challenge", case.challenge, "--proof", case.proof, "--verdict", verdict),
    )
    out, body = tmp_path / "x", tmp_path / "x.json"
    command = ("registry", "state-verdict", verdict, "--output", out, "--body", body)
    foreign = zkwm(*command, "--judge", other)
    assert (foreign.code, "[verdict.judge]" in foreign.stderr) == (3, True)
    altered = bytearray(verdict.read_bytes())
    altered[-1] ^= 1
    (tmp_path / "altered").write_bytes(altered)
    forged = zkwm(*command[:2], tmp_path / "altered", *command[3:], "--judge", case.judge)
    assert (forged.code, "[verdict.signature]" in forged.stderr) == (3, True)
    own = ("registry", "state-withdrawal", "--challenge", case.challenge, "--output", out)
    stranger = zkwm(*own, "--vault", vault)
    assert (stranger.code, "does not hold the commitment" in stranger.stderr) == (2, True)
    same = zkwm(*command[:3], "--judge", case.judge, "--output", out, "--body", verdict)
    assert same.code == 2
    assert not out.exists()
    assert not body.exists()
