"""Long byte strings: the same encoding, in parts, and fewer copies of them in memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm_protocols.encoding import decode, encode, encode_large, hash_large, pack, unpack
from zkwm_protocols.errors import Malformed

LIMIT = 1 << 28
PART = 1 << 16
SIZES = (PART - 1, PART, PART + 1, 3 * PART, (1 << 23) + 5)


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=300) | st.integers(0, 2**64 - 1)))
def test_the_encoding_is_the_same(value: dict[str, Any]) -> None:
    assert encode_large(value) == encode(value) == cbor2.dumps(value, canonical=True)


@pytest.mark.parametrize("size", SIZES)
def test_long_strings_of_every_size(size: int) -> None:
    value = {"z": bytes(size), "a": [{"images": os.urandom(size), "n": 1}, b"", "text"]}
    expected = cbor2.dumps(value, canonical=True)
    assert encode_large(value) == encode(value) == expected
    assert hash_large(b"start", value) == hashlib.sha256(b"start" + expected).digest()
    assert decode(expected, limit=LIMIT) == value
    file = pack("vault", value)
    assert file == b"zkwm-vault/1\n" + expected
    assert unpack("vault", file, limit=LIMIT) == value


def test_another_encoding_of_a_long_value_is_refused() -> None:
    """One that is long enough to be compared in parts: a longer head, another order of keys."""
    long = bytes((1 << 23) + 1)
    head = b"\x5a" + len(long).to_bytes(4, "big")
    wide = b"\x5b" + len(long).to_bytes(8, "big")
    key_a, key_b = b"\x61a", b"\x61b"
    assert decode(b"\xa2" + key_a + head + long + key_b + b"\x01", limit=LIMIT)
    for other in (
        b"\xa2" + key_a + wide + long + key_b + b"\x01",
        b"\xa2" + key_b + b"\x01" + key_a + head + long,
        b"\xa2" + key_a + head + long + key_b + b"\x18\x01",
    ):
        with pytest.raises(Malformed, match="deterministic"):
            decode(other, limit=LIMIT)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux counts pages here")
def test_a_large_vault_takes_three_times_its_size_and_a_bit(tmp_path: Path) -> None:
    """Open: the state, and what libsodium's binding copies. It was five times the size, and a
    look, with the older state beside it, seven times."""
    program = """
import os, sys
from pathlib import Path
from zkwm.owner.vault import CommitmentSecrets, Vault
from zkwm.secret_files.encrypted import Cost
path, word, mib = Path(sys.argv[1]), "five random words", 48
vault = Vault.create(path, word, cost=Cost(1, 8192))
with vault.transaction() as state:
    images = os.urandom(mib << 20)
    secrets = CommitmentSecrets(b"x", "given", bytes(32 * 1024), images, None, 1)
    state.commitments[bytes(32)] = secrets
del vault, images, secrets, state
def kilobytes(name):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
before = kilobytes("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
vault = Vault.open(path, word)
opened = kilobytes("VmHWM") - before
vault.look()
print(opened / 1024 / mib, (kilobytes("VmHWM") - before) / 1024 / mib)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "v")],
        check=True, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    opened, looked = map(float, done.stdout.split())
    assert opened < 3.5
    assert looked < 4.5
