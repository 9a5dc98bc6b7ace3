"""zkwm inspect of what a log, its witnesses and owners sign, and of the policy that trusts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_files import Command
from tests.support.logged_commitment import INDEX, log_proof, stated
from tests.support.statements import ED_KEY, D
from tests.support.tiled_log import TiledLog
from tests.support.witnessed_log import LOG_KEY, ORIGIN, POLICY_TEXT, TIME, WITNESSES
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
