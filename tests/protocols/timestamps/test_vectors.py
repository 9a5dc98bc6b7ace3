"""The stored tokens: made again the same, verified with the same outcome, also by OpenSSL."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.stored_vectors import vectors
from tests.support.timestamp_authority import needs_openssl
from tests.support.timestamp_cases import authority_of, evidence_of
from tests.vectors.timestamps import generate
from zkwm_protocols.errors import CouldNotCheck, TrustMaterialMissing
from zkwm_protocols.timestamps.authority import Revocation
from zkwm_protocols.timestamps.verification import verify_token

STORED = vectors("timestamps")
ACCEPTED, REFUSED = STORED["accepted"], STORED["refused"]


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def test_the_tokens_are_made_like_the_stored_ones() -> None:
    assert generate() == STORED


@named(ACCEPTED)
def test_accepted_tokens_say_what_is_stored(case: dict[str, Any]) -> None:
    dated = verify_token(evidence_of(case), bytes.fromhex(case["digest"]), authority_of(case))
    for name in ("gen_time", "accuracy", "earliest", "latest", "serial", "policy"):
        assert getattr(dated, name) == case[name], name
    assert dated.beacon.hex() == case["beacon"]
    carried = len(case["crls"]) + len(case["ocsp_responses"])
    assert (dated.revocation == Revocation.GOOD) == (carried == 2)


@named(REFUSED)
def test_refused_tokens_fail_the_stored_check(case: dict[str, Any]) -> None:
    with pytest.raises((CouldNotCheck, TrustMaterialMissing)) as caught:
        verify_token(evidence_of(case), bytes.fromhex(case["digest"]), authority_of(case))
    assert caught.value.check == case["check"]


def test_both_forms_of_one_signature_are_stored_with_one_beacon() -> None:
    assert ACCEPTED[0]["token"] != ACCEPTED[1]["token"]
    assert ACCEPTED[0]["beacon"] == ACCEPTED[1]["beacon"]
    assert len({case["beacon"] for case in ACCEPTED}) < len(ACCEPTED)


@needs_openssl
@named([case for case in ACCEPTED if case["name"] != "Ed25519"])  # openssl ts knows none
def test_openssl_accepts_what_is_accepted(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(bytes.fromhex(case["token"]))
    converted = [("root.pem", [case["root"]]), ("others.pem", case["certificates"])]
    for name, certificates in converted:
        pems = [_pem(data, tmp_path) for data in certificates]
        (tmp_path / name).write_text("".join(pems), encoding="ascii")
    others = ["-untrusted", "others.pem"] if case["certificates"] else []
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-digest", case["digest"], "-in", "token", "-token_in",
         "-CAfile", "root.pem", "-attime", str(case["gen_time"] // 10**6), *others],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout, done.stderr


def _pem(data: str, folder: Path) -> str:
    """A certificate as PEM, by openssl."""
    (folder / "one").write_bytes(bytes.fromhex(data))
    done = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", "one"], cwd=folder, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout
