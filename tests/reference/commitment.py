"""Leaves, root, header, labels and the commitment file: SPEC.md sections 3.3 and 5."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

import nacl.pwhash.argon2id

from tests.reference.cbor import RejectedError, read, write
from tests.reference.logged_statement import check_log_proof
from tests.reference.signatures import check_public_key

MIB = 1024 * 1024


def exact_map(value: Any, *keys: str) -> dict[str, Any]:
    """``value`` as a map with exactly ``keys``; raises `RejectedError`."""
    if type(value) is not dict or set(value) != set(keys):
        raise RejectedError(f"not a map of {', '.join(keys)}")
    return value


def integer(value: Any, low: int, high: int = 2**64 - 1) -> int:
    """``value`` as an integer in [low, high]; raises `RejectedError`."""
    if type(value) is not int or not low <= value <= high:
        raise RejectedError(f"not an integer from {low} to {high}")
    return value


def octets(value: Any, length: int | None = None) -> bytes:
    """``value`` as a byte string (of ``length`` bytes); raises `RejectedError`."""
    if type(value) is not bytes or (length is not None and len(value) != length):
        raise RejectedError("not a byte string of the right length")
    return value


def array(value: Any, low: int = 0, high: int = 1_000_000) -> list[Any]:
    """``value`` as an array with low to high entries; raises `RejectedError`."""
    if type(value) is not list or not low <= len(value) <= high:
        raise RejectedError("not an array of the right length")
    return value


def file_value(kind: str, data: bytes, limit: int) -> Any:
    """The value of a file (section 3.3); raises `RejectedError`."""
    version = 3 if kind == "commitment" else 1
    line = f"zkwm-{kind}/{version}\n".encode("ascii")
    if not data.startswith(line):
        raise RejectedError(f"not a file of kind {kind} and version {version}")
    return read(data[len(line) :], limit)


def check_shape(value: Any) -> None:
    """Raise `RejectedError` unless ``value`` is [c, h, w] of a header (sections 5.1, 5.2)."""
    c, h, w = (integer(size, 1, 65535) for size in array(value, 3, 3))
    if c not in (1, 3) or c * h * w > 2**24:
        raise RejectedError("no such shape")


def leaf(shape: list[int], label: int | None, salt: bytes, pixels: bytes) -> bytes:
    """Leaf(x, s) of section 5.1; ``label`` None in derived mode."""
    field = 0xFFFF if label is None else label
    message = b"".join(number.to_bytes(2, "big") for number in (1, *shape, field))
    return hashlib.blake2s(message + salt + pixels, person=b"zkwmleaf").digest()


def root(entries: list[bytes]) -> bytes:
    """Merkle tree hash of RFC 9162, section 2.1.1, by its own recursion."""
    count = len(entries)
    if count == 0:
        return hashlib.sha256(b"").digest()
    if count == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < count:
        split *= 2
    return hashlib.sha256(b"\x01" + root(entries[:split]) + root(entries[split:])).digest()


def label_seed(header_digest: bytes, beacon: bytes = bytes(32)) -> bytes:
    """Seed of section 5.4: about a second and 256 MiB."""
    return nacl.pwhash.argon2id.kdf(
        32, b"zkwm-seed-1" + header_digest + beacon, b"zkwm-label-seed1", 3, 256 * MIB
    )


def label(seed: bytes, index: int, class_count: int) -> int:
    """Label y_i of section 5.4, word by word."""
    bits = 0
    while 1 << bits < class_count:
        bits += 1
    place = 0
    while True:
        stream = hashlib.shake_256(b"zkwm-label-1" + seed + index.to_bytes(4, "big"))
        word = int.from_bytes(stream.digest(place + 2)[place:], "big") % (1 << bits)
        if word < class_count:
            return word
        place += 2


NOT_PRINTABLE = (
    (0x0000, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x061C, 0x061C), (0x200B, 0x200B),
    (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB),
    (0xE0000, 0xE007F),
)  # fmt: skip


def text(value: Any, longest: int) -> str:
    """``value`` as printable text of at most ``longest`` characters; raises `RejectedError`."""
    if type(value) is not str or len(value) > longest:
        raise RejectedError("not text of the right length")
    if any(low <= ord(character) <= high for character in value for low, high in NOT_PRINTABLE):
        raise RejectedError("text that is not printable")
    return value


def fold(name: str) -> str:
    """The form of section 5.2 in which names of classes are compared."""
    composed = unicodedata.normalize("NFC", name).strip()
    return unicodedata.normalize("NFC", composed.casefold())


def check_names(value: Any) -> list[str]:
    """``value`` as names of classes (section 5.2); raises `RejectedError`."""
    names = [text(name, 100) for name in array(value, 2, 65_535)]
    forms = [fold(name) for name in names]
    if "" in forms or len(set(forms)) != len(forms):
        raise RejectedError("names that are empty or equal")
    return names


def names_digest(names: list[str]) -> bytes:
    """The digest of names in a header (section 5.2)."""
    return hashlib.sha256(b"zkwm-classes-1" + write(names)).digest()


def check_timestamp(value: Any) -> None:
    """Raise `RejectedError` unless ``value`` is a timestamp of section 22.1, its limits kept."""
    fields = exact_map(value, "token", "nonce", "certificates", "crls", "ocsp_responses")
    nonce = octets(fields["nonce"])
    if not 1 <= len(nonce) <= 20 or nonce[0] == 0:
        raise RejectedError("no such nonce")
    answers = [*array(fields["crls"], 0, 8), *array(fields["ocsp_responses"], 0, 8)]
    for given, most in (
        ([fields["token"]], 65_536), (array(fields["certificates"], 0, 8), 16_384), (answers, MIB)
    ):  # fmt: skip
        if not all(1 <= len(octets(one)) <= most for one in given):
            raise RejectedError("a part of a timestamp of a wrong length")
    if sum(map(len, answers)) > MIB:
        raise RejectedError("too much about revocation")


def read_commitment(data: bytes) -> dict[str, Any]:
    """The commitment file; its parsed header stands under ``head``; raises `RejectedError`."""
    value = exact_map(
        file_value("commitment", data, 32 * MIB),
        "header", "leaves", "signatures", "timestamps", "log_proofs", "class_names",
    )  # fmt: skip
    head = exact_map(
        read(octets(value["header"]), 8 * MIB),
        "type", "version", "kind", "leaf_count", "block_size", "class_count", "class_names",
        "shape", "label_mode", "owner_keys", "timestamp_authority", "owner_model", "probe_data",
        "root",
    )  # fmt: skip
    if head["type"] != "zkwm-commitment-header" or integer(head["version"], 0) != 2:
        raise RejectedError("not a commitment's header of version 2")
    if head["kind"] != "images":
        raise RejectedError("no such kind of leaves")
    block_size = integer(head["block_size"], 1, 10_000)
    if integer(head["leaf_count"], 1, 100_000) % block_size:
        raise RejectedError("leaf_count is no multiple of block_size")
    integer(head["class_count"], 2, 65_535)
    check_shape(head["shape"])
    if head["label_mode"] not in ("derived", "declared"):
        raise RejectedError("no such label mode")
    keys = array(head["owner_keys"], 1, 4)
    for key in keys:
        check_public_key(key)
    if any(keys[i] == keys[j] for i in range(len(keys)) for j in range(i)):
        raise RejectedError("a key stands twice")
    for name in ("timestamp_authority", "owner_model", "class_names", "probe_data"):
        if head[name] is not None:
            octets(head[name], 32)
    octets(head["root"], 32)
    octets(value["leaves"], head["leaf_count"] * 32)
    for signature in array(value["signatures"], 1, 4):
        octets(signature, 64)
    for one in array(value["timestamps"], 0, 8):
        check_timestamp(one)
    about_keys = [check_log_proof(octets(proof)) for proof in array(value["log_proofs"], 0, 16)]
    if about_keys != sorted(about_keys):
        raise RejectedError("a statement about a key before one about the commitment")
    if value["class_names"] is not None:
        check_names(value["class_names"])
    return {**value, "head": head, "digest": hashlib.sha256(value["header"]).digest()}
