"""zkwm inspect of what a log, its witnesses and owners sign, and of the policy that trusts them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.case_files import Command
from tests.support.dispute import Claimant, random_images
from tests.support.logged_commitment import INDEX, log_proof, stated
from tests.support.statements import ED_KEY, D
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, ORIGIN, POLICY_TEXT, TIME, WITNESSES
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import sign_receipt
from zkwm_protocols.cose.statement import TransparentStatement
from zkwm_protocols.transparency.tree import prove_inclusion

STATEMENT = stated(D, ED_KEY)
PROOF = log_proof(STATEMENT)


def receipt() -> bytes:
    log = TiledLog([STATEMENT.to_bytes(), b"later"])
    path = tuple(prove_inclusion(0, 2, log.hashes()))
    return sign_receipt(STATEMENT.content.subject, log.head(), 0, path, LOG_KEY).to_bytes()


FILES = {
    "tlog-proof": PROOF.to_bytes(), "checkpoint": PROOF.proof.checkpoint.to_bytes(),
    "statement": STATEMENT.to_bytes(), "receipt": receipt(), "log-policy": POLICY_TEXT.encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_every_file_of_a_log_is_read(zkwm: Command, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(FILES[kind])
    found = zkwm("inspect", file, "--json")
    assert found.code == 0, found.stderr
    assert found.json["kind"] == kind
    text = zkwm("inspect", file).stdout
    assert text.startswith(kind)
    assert zkwm("inspect", file).code == 0


def test_a_proof_names_log_index_and_key_and_is_verified_by_a_trust_folder(
    zkwm: Command, tmp_path: Path
) -> None:
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "trust.toml").write_text("authorities_needed = 1\n")
    (trust / "log-policy").write_text(POLICY_TEXT)
    file = tmp_path / "file.tlog-proof"
    for proof, state in (
        (PROOF, "verified"),
        (log_proof(STATEMENT, {WITNESSES[0]: TIME}), "failed"),
    ):
        file.write_bytes(proof.to_bytes())
        found = zkwm("inspect", file, "--trust", trust, "--json")
        assert found.json["checks"]["log.proof"] == state
        assert found.code == (0 if state == "verified" else 3)
    fields = found.json["fields"]
    assert (fields["log"], fields["index"]) == (ORIGIN, INDEX)
    assert fields["statement"]["key"] == ED_KEY.public.fingerprint()
    file.write_bytes(TransparentStatement(STATEMENT, (receipt(),)).to_bytes())
    assert zkwm("inspect", file, "--json").json["fields"]["receipts"] == 1
    file.write_bytes(STATEMENT.to_bytes()[:-1] + b"x")
    assert zkwm("inspect", file).code == 3


def test_a_commitment_with_a_good_log_proof_and_no_token_says_so(
    zkwm: Command, tmp_path: Path
) -> None:
    """Where and by when it was seen; ``log_dates`` lets it count; a bad proof is named."""
    owner = Claimant(random_images(100))
    own = stated(owner.commitment.digest, owner.keys[0])
    trust, file = tmp_path / "trust", tmp_path / "acme.commitment"
    trust.mkdir()
    (trust / "log-policy").write_text(POLICY_TEXT)

    def inspected(proof: LoggedStatement, settings: str = "") -> tuple[int, dict[str, Any], str]:
        (trust / "trust.toml").write_text(f"authorities_needed = 1\n{settings}")
        file.write_bytes(replace(owner.commitment, log_proofs=(proof,)).to_bytes())
        found = zkwm("inspect", file, "--trust", trust, "--json")
        text = zkwm("inspect", file, "--trust", trust)
        return text.code, found.json, " ".join((text.stdout + text.stderr).split())

    code, found, said = inspected(log_proof(own))
    assert (code, found["checks"]["log.proof"]) == (4, "verified")
    assert found["fields"]["existed_by"] is None
    (entry,) = found["fields"]["logged"]
    assert (entry["log"], entry["index"]) == (ORIGIN, INDEX)
    assert entry["seen_by"]["latest"] == "2023-11-14T22:18:22Z"
    place = f"entry {INDEX} of the log {ORIGIN}, seen by "
    assert f"but its log proof is good: {place}" in said
    assert "2023-11-14" in said.split(place)[1][:60]
    assert "log_dates = true in trust.toml" in said
    code, found, said = inspected(log_proof(own), "log_dates = true\n")
    assert (code, found["checks"]["commitment.timestamp"]) == (0, "verified")
    assert found["fields"]["existed_by"] == entry["seen_by"]
    code, found, said = inspected(log_proof(own, {WITNESSES[0]: TIME}))
    assert (code, found["checks"]["log.proof"]) == (4, "failed")
    assert "log_dates" not in said
    assert "too few witnesses" in said
