"""Building files of SPEC.md by hand, value by value, so that any of them can be made wrong.

Encoded by the reference's writer and signed by the package's keys: `tests/protocols` holds that
both implementations read what comes out in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.reference import commitment as reference
from tests.reference.cbor import write
from zkwm_protocols.keys import BoxKey, SigningKey

OWNERS = (
    SigningKey.from_bytes("ed25519", bytes(range(32))),
    SigningKey.from_bytes("ecdsa-p256", bytes(range(1, 33))),
)
JUDGE = SigningKey.from_bytes("ed25519", bytes(range(32, 64)))
JUDGE_BOX = BoxKey(bytes(range(64, 96)))
OTHER_JUDGE = SigningKey.from_bytes("ed25519", bytes(range(96, 128)))
OTHER_BOX = BoxKey(bytes(range(128, 160)))

Change = Callable[[dict[str, Any]], None]


def judge_map(signing: SigningKey = JUDGE, box: BoxKey = JUDGE_BOX) -> dict[str, Any]:
    """The map of a judge's public keys (SPEC.md 4.2)."""
    return {"signing": signing.public.to_map(), "box": box.public.data}


def pixels(name: str, count: int) -> bytes:
    """``count`` fixed bytes that look random."""
    return hashlib.shake_256(b"zkwm test vector " + name.encode("ascii")).digest(count)


@dataclass(frozen=True)
class Secrets:
    """What an owner keeps of one commitment: images and salts, and labels where declared."""

    shape: list[int]
    images: list[bytes]
    salts: list[bytes]
    labels: list[int | None]

    @classmethod
    def fixed(cls, name: str, shape: list[int], count: int, class_count: int | None) -> Secrets:
        """Fixed secrets; ``class_count`` makes declared labels."""
        size = shape[0] * shape[1] * shape[2]
        return cls(
            shape=shape,
            images=[pixels(f"{name} image {i}", size) for i in range(count)],
            salts=[pixels(f"{name} salt {i}", 32) for i in range(count)],
            labels=[None if class_count is None else 7 * i % class_count for i in range(count)],
        )

    def leaves(self) -> list[bytes]:
        """The leaves in order."""
        return [
            reference.leaf(self.shape, label, salt, image)
            for image, salt, label in zip(self.images, self.salts, self.labels, strict=True)
        ]


def header_map(
    secrets: Secrets, block_size: int, class_count: int, owners: tuple[SigningKey, ...] = OWNERS
) -> dict[str, Any]:
    """A good header."""
    declared = secrets.labels[0] is not None
    return {
        "type": "zkwm-commitment-header",
        "version": 2,
        "kind": "images",
        "leaf_count": len(secrets.images),
        "block_size": block_size,
        "class_count": class_count,
        "class_names": None,
        "shape": secrets.shape,
        "label_mode": "declared" if declared else "derived",
        "owner_keys": [owner.public.to_map() for owner in owners],
        "timestamp_authority": None,
        "owner_model": None,
        "probe_data": None,
        "root": reference.root(secrets.leaves()),
    }


def commitment_map(
    header: dict[str, Any],
    leaves: list[bytes],
    owners: tuple[SigningKey, ...] = OWNERS,
    names: list[str] | None = None,
) -> dict[str, Any]:
    """The value of a signed commitment file."""
    encoded = write(header)
    digest = hashlib.sha256(encoded).digest()
    return {
        "header": encoded,
        "leaves": b"".join(leaves),
        "signatures": [owner.sign("commitment", digest) for owner in owners],
        "timestamps": [],
        "log_proofs": [],
        "class_names": names,
    }


def file(kind: str, value: Any) -> bytes:
    """A whole file of a kind."""
    return f"zkwm-{kind}/{3 if kind == 'commitment' else 1}\n".encode("ascii") + write(value)


def challenge_map(body: dict[str, Any], judge: SigningKey = JUDGE) -> dict[str, Any]:
    """The value of a signed challenge file."""
    encoded = write(body)
    digest = hashlib.sha256(encoded).digest()
    return {"body": encoded, "signature": judge.sign("challenge", digest)}


def proof_map(body: dict[str, Any], owners: tuple[SigningKey, ...] = OWNERS) -> dict[str, Any]:
    """The value of a signed proof file."""
    encoded = write(body)
    digest = hashlib.sha256(encoded).digest()
    return {"body": encoded, "signatures": [owner.sign("opening", digest) for owner in owners]}


def hexadecimal(value: Any) -> Any:
    """``value`` with every byte string as hexadecimal text, for JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: hexadecimal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hexadecimal(item) for item in value]
    return value
