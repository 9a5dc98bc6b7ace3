"""What commands say about dates, whom to trust, and files that were mixed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_files import Command, Files
from tests.support.certificate_authority import certify, new_key
from tests.support.past_authority import PastAuthority
from tests.support.timestamp_authority import needs_openssl
from tests.support.trust_folders import write_trust

ROOT = certify("root", new_key(), ca=True)
SIGNER = certify("signer", new_key(), ROOT)
ISSUER = certify("issuer", new_key(), ROOT, ca=True)


@pytest.mark.parametrize("certificate", [SIGNER, ISSUER])
def test_a_commitment_names_an_authority_by_its_root(
    zkwm: Command, tmp_path: Path, certificate: object
) -> None:
    assert zkwm("keygen", "--output", tmp_path / "vault").code == 0
    made = ("commit", "--vault", tmp_path / "vault", "--generate", 50, "--shape", "1,16,16",
            "--classes", 10, "--family", "blocks", "--timestamp-authority",
            tmp_path / "root.pem", "--output", tmp_path / "commitment")  # fmt: skip
    (tmp_path / "root.pem").write_bytes(certificate.pem)
    refused = zkwm(*made)
    assert refused.code == 2
    assert "is no root certificate" in refused.stderr
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    assert zkwm(*made).code == 0


def test_all_that_is_missing_is_said_at_once(zkwm: Command, case: Files) -> None:
    refused = zkwm(
        *("challenge", "--commitment", case.commitment, "--model", case.model, "--reveal", 50),
        *("--judge", case.judge, "--older", "--output", "new.challenge"),
    )
    assert refused.code == 2
    assert "missing: --trust, --suspect-published, --published-source" in refused.stderr


def test_a_file_of_another_kind_costs_no_passphrase(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> str:
        raise AssertionError("somebody was asked for a passphrase")

    monkeypatch.setattr("zkwm_cli.passphrases.passphrase", asked)
    refused = zkwm(
        *("verify", "--commitment", case.commitment, "--model", case.model),
        *("--challenge", case.challenge, "--proof", case.proof, "--judge", case.commitment),
    )
    assert refused.code == 3
    assert "of another kind ('commitment'), not a judge-key" in refused.stderr
    shown = zkwm("vault", "show", "--vault", str(case.judge).removesuffix(".pub"))
    assert shown.code == 3
    assert "of another kind ('judge-key'), not a vault" in shown.stderr


def test_the_new_passphrase_is_named_where_nobody_can_be_asked(
    process: Command, case: Files, tmp_path: Path
) -> None:
    refused = process("vault", "passphrase", "--vault", case.vault)
    assert refused.code == 2
    assert "the new passphrase of" in refused.stderr
    assert "--new-passphrase-file" in refused.stderr


@needs_openssl
def test_a_registered_commitment_says_how_its_date_is_read(
    zkwm: Command, case: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    authority = PastAuthority(tmp_path / "tsa", name="public", intermediate=False)
    trust = write_trust(tmp_path / "trust", {"public": (authority.root.pem,)})
    assert zkwm("keygen", "--output", "vault").code == 0
    owner = ("--vault", "vault", "--commitment", "commitment")
    made = ("--generate", 50, "--shape", "1,16,16", "--classes", 10, "--family", "blocks")
    assert zkwm("commit", "--vault", "vault", *made, "--output", "commitment").code == 0
    assert "registered" not in zkwm("vault", "show", "--vault", "vault").stdout
    with authority.serving() as url:
        asked = ("register", *owner, "--tsa", url, "--output", "commitment", "--force")
        refused = zkwm(*asked, "--trust", trust)
        assert refused.code == 4
        assert "demand_revocation = false" in refused.stderr
        (trust / "authorities/public/root.crl").write_bytes(authority.crls()[0])
        done = zkwm(*asked, "--trust", trust)  # as the hint says
    assert done.code == 0, done.stderr
    assert "1 timestamp is in the file and in the vault" in done.stderr
    shown = zkwm("vault", "show", "--vault", "vault")
    assert "1 timestamp, 0 log proofs: zkwm inspect" in shown.stdout
    assert "--trust FOLDER" in zkwm("inspect", "commitment").stdout
    seen = zkwm("inspect", "commitment", "--trust", trust).stdout
    row = next(line for line in seen.splitlines() if "existed by" in line)
    assert " to 20" in row
    assert "{" not in row
    asked = ("--model", case.model, "--reveal", 50, "--judge", case.judge)
    told = zkwm("challenge", "--commitment", "commitment", *asked, "--output", "a.challenge")
    assert told.code == 0, told.stderr
    assert "where you give --trust and --suspect-published" in told.stderr
