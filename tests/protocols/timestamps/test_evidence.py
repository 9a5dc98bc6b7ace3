"""Evidence that a commitment carries for a timestamp: its map and limits; a local authority."""

from __future__ import annotations

import hashlib
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.timestamp_authority import (
    CONTENT_TYPES,
    LocalAuthority,
    needs_openssl,
    new_nonce,
    request,
)
from zkwm_protocols.errors import Malformed
from zkwm_protocols.timestamps import evidence as limits
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence

GOOD = TimestampEvidence(b"token", b"\x01", (b"certificate",), (b"crl",), (b"response",))
AUTHORITY = TimestampAuthority("An authority", (b"root",), ("1.2.3",))


def test_evidence_comes_back_from_its_map() -> None:
    assert TimestampEvidence.from_map(GOOD.to_map()) == GOOD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("token", b""), ("token", bytes(limits.MAXIMUM_TOKEN + 1)), ("nonce", b""),
        ("nonce", b"\0\1"), ("nonce", b"\1" * 21), ("certificates", (b"a",) * 9),
        ("certificates", (b"",)), ("certificates", (bytes(limits.MAXIMUM_CERTIFICATE + 1),)),
        ("crls", (b"a",) * 9), ("crls", (b"",)), ("crls", (bytes(limits.MAXIMUM_REVOCATION + 1),)),
        ("ocsp_responses", (b"a",) * 9), ("ocsp_responses", (bytes(limits.MAXIMUM_REVOCATION),)),
    ],
)  # fmt: skip
def test_evidence_outside_of_its_limits_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        replace(GOOD, **{field: value})
    fields = {**GOOD.to_map(), field: list(value) if isinstance(value, tuple) else value}
    with pytest.raises(Malformed):
        TimestampEvidence.from_map(fields)


@pytest.mark.parametrize("value", [None, "text", 1, {}])
@pytest.mark.parametrize("field", ["token", "nonce", "certificates", "crls", "ocsp_responses"])
def test_evidence_of_another_type_is_refused(field: str, value: object) -> None:
    with pytest.raises(Malformed):
        TimestampEvidence.from_map({**GOOD.to_map(), field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "), ("name", "a\u202eb"), ("roots", ()), ("roots", (b"",)),
        ("roots", (b"a",) * 9), ("policies", ()), ("policies", ("1",)), ("policies", ("1.02",)),
        ("policies", ("3.1",)), ("accuracy", -1), ("accuracy", 2**60),
        ("crls", (b"a",) * 9), ("crls", (b"",)), ("crls", (bytes(2**20), b"a")),
    ],
)  # fmt: skip
def test_an_authority_outside_of_its_limits_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        replace(AUTHORITY, **{field: value})


@needs_openssl
def test_the_local_authority_answers_over_http(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path / "tsa")
    digest, nonce = hashlib.sha256(b"header").digest(), new_nonce()
    with authority.serving() as url:
        asked = urllib.request.Request(
            url, data=request(digest, nonce), headers={"Content-Type": CONTENT_TYPES[0]}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.read() == authority.answers[-1]
            assert answer.headers["Content-Type"] == CONTENT_TYPES[1]
    (authority.folder / "got").write_bytes(authority.answers[-1])
    done = authority.openssl(
        "-verify", "-digest", digest.hex(), "-in", "got", "-CAfile", "root.pem"
    )
    assert "Verification: OK" in done.stdout, done.stderr
