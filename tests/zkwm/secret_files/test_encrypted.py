"""The encrypted container: round trips, every altered byte, hostile parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.spec_vectors import VECTORS
from zkwm.secret_files import encrypted
from zkwm.secret_files.encrypted import Container, Cost, FileKey, open_file, seal_file
from zkwm_protocols.encoding import encode, pack, unpack
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError, VaultUnusable

CHEAP = Cost(operations=1, memory_kib=8 * 1024)
KEY = FileKey.new("open sesame", CHEAP)
VALUE = {"secret": b"\x07" * 40, "list": [1, "two", None]}
VECTORS: dict[str, Any] = json.loads(VECTORS.joinpath("vault.json").read_text(encoding="utf-8"))


def open_quickly(data: bytes) -> object:
    """As ``open_file``, without deriving again where the file asks for the derivation of KEY."""
    container = Container.from_bytes("vault", data)
    if KEY.fits(container):
        return KEY.open(container)
    return open_file("vault", "open sesame", data)


def fields_of(data: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = unpack("vault", data, limit=2**20)
    return fields


@pytest.mark.parametrize("vector", VECTORS["files"])
def test_vectors(vector: dict[str, str]) -> None:
    value = open_file(vector["kind"], vector["passphrase"], bytes.fromhex(vector["file"]))
    assert encode(value).hex() == vector["plaintext"]


def test_the_default_cost_is_three_passes_over_256_mib() -> None:
    data = seal_file("vault", "pässwört ☃", VALUE)
    kdf = fields_of(data)["kdf"]
    assert (kdf["operations"], kdf["memory_kib"]) == (3, 256 * 1024)


def test_round_trip_from_the_passphrase() -> None:
    assert open_file("vault", "pässwört ☃", seal_file("vault", "pässwört ☃", VALUE, CHEAP)) == VALUE


@settings(deadline=None)
@given(value=st.lists(st.none() | st.integers(0, 2**64 - 1) | st.binary() | st.booleans()))
def test_round_trip_of_any_value(value: object) -> None:
    assert open_quickly(KEY.seal("vault", value)) == value


def test_two_files_share_no_salt_and_two_versions_no_nonce() -> None:
    first, second = (seal_file("vault", "long enough", VALUE, CHEAP) for _ in range(2))
    assert fields_of(first)["kdf"]["salt"] != fields_of(second)["kdf"]["salt"]
    nonces = {fields_of(KEY.seal("vault", VALUE))["nonce"] for _ in range(50)}
    assert len(nonces) == 50


def test_one_passphrase_is_the_same_from_every_keyboard() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert open_file("vault", decomposed, seal_file("vault", composed, 1, CHEAP)) == 1


def test_a_wrong_passphrase_and_an_altered_file_look_the_same() -> None:
    data = KEY.seal("vault", VALUE)
    altered = data[:-1] + bytes([data[-1] ^ 1])
    messages = set()
    for passphrase, file in (("open sesamE", data), ("", data), ("open sesame", altered)):
        with pytest.raises(VaultUnusable) as caught:
            open_file("vault", passphrase, file)
        messages.add((caught.value.message, caught.value.hint))
        assert caught.value.__suppress_context__
    assert len(messages) == 1


def test_every_altered_byte_is_refused() -> None:
    data = KEY.seal("vault", VALUE)
    seen = set()
    for position in range(len(data)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            altered = bytearray(data)
            altered[position] ^= mask
            with pytest.raises((VaultUnusable, Malformed, Unsupported)) as caught:
                open_quickly(bytes(altered))
            seen.add(caught.type)
    assert seen == {VaultUnusable, Malformed, Unsupported}


def test_every_cut_and_every_growth_is_refused() -> None:
    data = KEY.seal("vault", VALUE)
    for cut in range(len(data)):
        with pytest.raises(Malformed):
            open_quickly(data[:cut])
    for more in (b"\0", b"\xf6", data, b"\n"):
        with pytest.raises(Malformed):
            open_quickly(data + more)
        with pytest.raises(Malformed):
            open_quickly(more + data)


def test_a_file_of_another_kind_is_refused_even_under_its_name() -> None:
    data = KEY.seal("judge-key", VALUE)
    with pytest.raises(Malformed, match="judge-key"):
        open_quickly(data)
    with pytest.raises(VaultUnusable):
        open_quickly(data.replace(b"zkwm-judge-key/1", b"zkwm-vault/1"))


def test_another_version_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        open_quickly(KEY.seal("vault", VALUE).replace(b"vault/1", b"vault/2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("operations", 0),
        ("operations", 11),
        ("operations", 2**64 - 1),
        ("memory_kib", 0),
        ("memory_kib", 8 * 1024 - 1),
        ("memory_kib", 2**20 + 1),
        ("memory_kib", 2**64 - 1),
        ("algorithm", "scrypt"),
    ],
)
def test_hostile_parameters_are_unsupported_before_any_work(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = fields_of(KEY.seal("vault", VALUE))
    fields["kdf"][name] = value
    monkeypatch.setattr(encrypted, "password_key", None)
    with pytest.raises(Unsupported):
        open_file("vault", "open sesame", pack("vault", fields))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kdf",), None),
        (("kdf",), {}),
        (("kdf", "salt"), bytes(15)),
        (("kdf", "salt"), "0123456789abcdef"),
        (("kdf", "operations"), -1),
        (("kdf", "operations"), True),
        (("kdf", "operations"), "3"),
        (("kdf", "memory_kib"), None),
        (("kdf", "algorithm"), 13),
        (("kdf", "parallelism"), 1),
        (("nonce",), bytes(12)),
        (("nonce",), None),
        (("ciphertext",), bytes(15)),
        (("ciphertext",), []),
        (("more",), 1),
    ],
)
def test_wrong_types_are_malformed_before_any_work(
    path: tuple[str, ...], value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = fields_of(KEY.seal("vault", VALUE))
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    monkeypatch.setattr(encrypted, "password_key", None)
    with pytest.raises(Malformed):
        open_file("vault", "open sesame", pack("vault", fields))


def test_a_file_over_the_limit_is_neither_read_nor_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = KEY.seal("vault", VALUE)
    monkeypatch.setattr(encrypted, "FILE_LIMIT", len(data) - 1)
    with pytest.raises(Malformed):
        open_quickly(data)
    with pytest.raises(UsageError):
        KEY.seal("vault", VALUE)


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(b"zkwm-vault/1\n")
@example(b"zkwm-vault/1\n" + b"\x81" * 100)
@example(b"zkwm-vault/1\n\x5b" + b"\xff" * 8)
def test_any_other_bytes_are_refused(data: bytes) -> None:
    for file in (data, b"zkwm-vault/1\n" + data):
        with pytest.raises(CouldNotCheck):
            open_quickly(file)


def test_an_empty_passphrase_protects_nothing_and_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        seal_file("vault", "", VALUE, CHEAP)


def test_a_passphrase_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        seal_file("vault", "secret\udcff", VALUE, CHEAP)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("operations", "memory_kib"), [(0, 8192), (11, 8192), (1, 8191)])
def test_a_cost_that_no_reader_accepts_cannot_be_chosen(operations: int, memory_kib: int) -> None:
    with pytest.raises(Unsupported):
        Cost(operations, memory_kib)


def test_no_repr_shows_the_key() -> None:
    assert repr(KEY) == "<FileKey>"
