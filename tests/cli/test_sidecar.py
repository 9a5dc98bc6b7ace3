"""sidecar: a claim beside a model, from the vault to whoever has the file."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.support.case_files import Command, Files


@pytest.mark.parametrize("form", ["in-toto", "c2pa"])
def test_a_claim_is_made_and_checked_and_the_model_stays(
    zkwm: Command, case: Files, form: str
) -> None:
    before = hashlib.sha256(case.model.read_bytes()).hexdigest()
    sidecar = case.folder / "model.zkwm.json"
    made = zkwm("sidecar", "make", "--vault", case.vault, "--commitment", case.commitment,
                "--file", case.model, "--format", form, "--output", sidecar, "--json")  # fmt: skip
    assert made.json["files"] == [{"name": "model.onnx", "sha256": before}]
    check = ("sidecar", "check", sidecar, "--commitment", case.commitment)
    checked = zkwm(*check, "--file", case.model, "--json")
    assert checked.json["files"] == made.json["files"]
    assert "claimed" in zkwm(*check, "--file", case.model).stdout
    assert hashlib.sha256(case.model.read_bytes()).hexdigest() == before
    assert zkwm(*check, "--file", case.innocent).code == 3
    altered = json.loads(sidecar.read_text())
    if form == "in-toto":
        altered["payload"] = altered["payload"][:-8] + "AAAAAAA="
    else:
        altered["assertions"][0]["label"] = "org.example"
    sidecar.write_text(json.dumps(altered))
    assert zkwm(*check, "--file", case.model).code == 3


def test_a_strangers_vault_claims_nothing(zkwm: Command, case: Files) -> None:
    stranger = case.folder / "stranger.vault"
    assert zkwm("keygen", "--output", stranger).code == 0
    output = case.folder / "claim.json"
    refused = zkwm("sidecar", "make", "--vault", stranger, "--commitment", case.commitment,
                   "--file", case.model, "--output", output)  # fmt: skip
    assert (refused.code, output.exists()) == (2, False)
    missing = zkwm("sidecar", "make", "--vault", case.vault, "--commitment", case.commitment,
                   "--file", case.folder / "none.onnx", "--output", output)  # fmt: skip
    assert (missing.code, output.exists()) == (3, False)
