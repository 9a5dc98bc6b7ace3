"""registry state-verdict, state-withdrawal: signed by command, taken by a running registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.case_files import PASSPHRASE, Command, Files
from tests.support.dispute import TestJudge
from tests.support.registry_server import Caller, Served, served_registry, statement, text
from zkwm.judge.key_file import open_judge_key
from zkwm.owner.vault import Vault
from zkwm.registry_database.location import find_location
from zkwm.registry_service.api_keys import Scope
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
    sent = zkwm(
        *("registry", "send", verdict, "--statement", stated, "--to", registry.url),
        *("--key-file", key_file(market, tmp_path), "--json"),
    )
    assert (sent.code, sent.json["state"], sent.json["new"]) == (0, "decided", True), sent.stderr
    assert market.get("/v1/log").json["size"] == size + 1
    decided = market.post(f"{claim}/verdict", json.loads(body.read_bytes()))
    assert (decided.status, decided.json["state"]) == (200, "decided"), decided.body
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
    command = ("registry", "send", stated, "--to", registry.url)
    command = (*command, "--key-file", key_file(brings, tmp_path))
    lost = zkwm(*command)
    assert (lost.code, "--challenge" in lost.stderr) == (2, True)
    sent = zkwm(*command, "--challenge", case.challenge)
    assert sent.code == 0, sent.stderr
    assert f"the claim {claim.rpartition('/')[2]} is withdrawn" in sent.stderr
    assert brings.get(claim).json["state"] == "withdrawn"
    late = brings.post(f"{claim}/answer", case.proof.read_bytes())
    assert late.status == 409


def test_a_claim_goes_from_hand_to_hand(
    zkwm: Command, case: Files, registry: Served, tmp_path: Path
) -> None:
    """Commitment, challenge and answer, each twice: the second time changes nothing."""
    market = registry.caller("market.example")
    options = ("--to", registry.url, "--key-file", key_file(market, tmp_path), "--json")
    asked = ("--answer-within", 3600, "--listing", "offer-1")
    commitment = Commitment.from_bytes(case.commitment.read_bytes())
    key = Vault.open(case.vault, PASSPHRASE).state.signing_key
    owners = tmp_path / "owners.stated"
    owners.write_bytes(statement(CommitmentStatement(commitment.digest), key))
    files = (
        (case.commitment, "--statement", owners), (case.challenge, *asked), (case.proof,),
    )  # fmt: skip
    found = [zkwm("registry", "send", *file, *options) for file in files * 2]
    assert [one.code for one in found] == [0] * 6, [one.stderr for one in found]
    states = [None, "asked", "answered", None, "answered", "answered"]
    assert [one.json["state"] for one in found] == states
    assert [one.json["new"] for one in found] == [False, True, True, False, False, False]
    claim = market.get(f"/v1/claims/{found[1].json['about']}").json
    assert claim["listing"] == "offer-1"


def test_what_a_service_does_not_take_is_told_in_its_words(
    zkwm: Command, case: Files, registry: Served, tmp_path: Path
) -> None:
    reads = registry.caller("reads.example", Scope.CLAIMS)
    command = ("registry", "send", case.commitment, "--to", registry.url, "--key-file")
    refused = zkwm(*command, key_file(reads, tmp_path))
    assert refused.code == 3
    assert "answers 403: this key does not have the scope register" in refused.stderr
    (tmp_path / "none.txt").write_text("secret", encoding="utf-8")
    for name in ("none.txt", "missing.txt"):
        assert zkwm(*command, tmp_path / name).code in (2, 3)
    unknown = zkwm("registry", "send", case.proof, *command[3:], key_file(reads, tmp_path))
    assert (unknown.code, "Traceback" in unknown.stderr) == (3, False)
    vault = zkwm("registry", "send", case.vault, *command[3:], key_file(reads, tmp_path))
    assert (vault.code, "goes to no service" in vault.stderr) == (2, True)


def key_file(caller: Caller, folder: Path) -> Path:
    """The caller's key in a file, as curl takes it."""
    path = folder / "key.txt"
    path.write_text(f"Authorization: Bearer {caller.key}\n", encoding="utf-8")
    return path


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
