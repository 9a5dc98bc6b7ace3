"""Builds an exchange, commitment to proof, with any value of it changed, for `exchange.json`.

A change is made before what depends on it is hashed and signed, so that everything is signed again
that an attacker could sign again. Which cases there are is in `exchange_cases`.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nacl.exceptions
from nacl.bindings import crypto_box_seal, crypto_box_seal_open

from tests.reference import commitment as reference
from tests.reference.cbor import write
from tests.reference.judge import Examination, examine
from tests.vectors.build import (
    JUDGE,
    JUDGE_BOX,
    Change,
    Secrets,
    challenge_map,
    commitment_map,
    file,
    header_map,
    judge_map,
    proof_map,
)
from zkwm_protocols.keys import BoxKey, SigningKey

SHAPE = [1, 2, 2]
BLOCK_SIZE, LEAF_COUNT, CLASS_COUNT, OUTPUTS = 20, 80, 16, 17
BLOCKS = [0, 3]
INDICES = [block * BLOCK_SIZE + i for block in BLOCKS for i in range(BLOCK_SIZE)]
CLASS_MAP = [(5 * label + 3) % 16 for label in range(16)]
SUSPECT = {
    "kind": "onnx",
    "digest": hashlib.sha256(b"zkwm test vector suspect").digest(),
    "description": "a model that exists only in this file",
    "outputs": OUTPUTS,
    "shape": SHAPE,
    "output": "scores",
    "adapter": "",
    "account": None,
    "template": None,
}
NAMES = [f"Class {label}" for label in range(CLASS_COUNT)]
"""What the commitment calls its classes."""
OUTPUT_NAMES = [
    f" class {CLASS_MAP.index(output)}" if output in CLASS_MAP else "none"
    for output in range(OUTPUTS)
]
"""What the suspect calls its outputs: equal names, in the map's order."""


@dataclass
class Built:
    """One whole case: files, what the judge has at hand, what the suspect answers."""

    name: str
    check: str | None
    commitment: bytes
    challenge: bytes
    plaintext: bytes
    sealed: bytes
    proof: bytes
    suspect: dict[str, Any]
    answers: dict[bytes, int | None]


@dataclass
class Builder:
    """Builds cases; ``stored`` gives the sealed boxes of earlier runs, by case."""

    stored: dict[str, bytes]
    secrets: dict[str, Secrets] = field(
        default_factory=lambda: {
            "derived": Secrets.fixed("exchange", SHAPE, LEAF_COUNT, None),
            "declared": Secrets.fixed("declared", SHAPE, LEAF_COUNT, CLASS_COUNT),
        }
    )

    def case(
        self,
        name: str,
        check: str | None,
        *,
        mode: str = "derived",
        header: Change | None = None,
        leaves: Callable[[list[bytes]], None] | None = None,
        commitment: Change | None = None,
        challenge: Change | None = None,
        challenge_file: Change | None = None,
        judge: SigningKey = JUDGE,
        box: BoxKey = JUDGE_BOX,
        plaintext: Change | None = None,
        plaintext_end: bytes = b"",
        sealed: Callable[[bytes], bytes] | None = None,
        response: Change | None = None,
        proof: Change | None = None,
        files: Callable[[dict[str, bytes]], None] | None = None,
        suspect: Change | None = None,
        answers: dict[bytes, int | None] | None = None,
    ) -> Built:
        """One case; each change is applied before what depends on it is hashed and signed."""
        secrets = self.secrets[mode]
        head = self.header(mode)
        all_leaves = secrets.leaves()
        if leaves:
            leaves(all_leaves)
        commitment_value = commitment_map(_changed(head, header), all_leaves, names=NAMES)
        digest = hashlib.sha256(commitment_value["header"]).digest()
        body = _changed(self.challenge_body(digest, mode, judge_map(judge, box)), challenge)
        challenge_value = challenge_map(body, judge)
        challenge_digest = hashlib.sha256(challenge_value["body"]).digest()
        opened = _changed(self.plaintext(secrets, challenge_digest), plaintext)
        encoded = write(opened) + plaintext_end
        box_bytes = self.seal(name, encoded, box)
        response_body = {
            "type": "zkwm-opening",
            "version": 2,
            "challenge": challenge_digest,
            "commitment": digest,
            "blocks": list(BLOCKS),
            "sealed": sealed(box_bytes) if sealed else box_bytes,
        }
        proof_value = proof_map(_changed(response_body, response))
        whole = {
            "commitment": file("commitment", _changed(commitment_value, commitment)),
            "challenge": file("challenge", _changed(challenge_value, challenge_file)),
            "proof": file("proof", _changed(proof_value, proof)),
        }
        if files:
            files(whole)
        return Built(
            name=name,
            check=check,
            plaintext=encoded,
            sealed=box_bytes,
            suspect=_changed(SUSPECT, suspect),
            answers=self.answers(mode) if answers is None else answers,
            **whole,
        )

    def header(self, mode: str) -> dict[str, Any]:
        """A good header, which names its classes."""
        names = {"class_names": reference.names_digest(NAMES)}
        return header_map(self.secrets[mode], BLOCK_SIZE, CLASS_COUNT) | names

    def challenge_body(self, digest: bytes, mode: str, judge: dict[str, Any]) -> dict[str, Any]:
        """A good challenge for the commitment ``digest``."""
        return {
            "type": "zkwm-challenge",
            "version": 3,
            "mode": "opening",
            "commitment": digest,
            "suspect": SUSPECT,
            "preprocessing": {
                "layout": "nchw",
                "scale": "unit",
                "mean": ["0.5"],
                "std": ["0.25"],
                "channels": "rgb",
            },
            "class_map": CLASS_MAP,
            "judge": judge,
            "nonce": hashlib.sha256(b"zkwm test vector nonce").digest(),
            "block_count": len(BLOCKS),
            "excluded_blocks": [1],
            "purpose": "Test vector, Prüfstein",
            "issued": 1_795_000_000,
            "policy": {
                "threshold_bits": 40,
                "functions_tried": 1,
                "owner_choice_bits": 0,
                "accept_declared_labels": mode == "declared",
                "older": False,
                "trusted_beacon": False,
            },
            "suspect_classes": OUTPUT_NAMES,
            "reopened_blocks": [],
            "test_accuracy": {"right": 912, "count": 1000, "data": bytes(range(32))},
            "published": {
                "earliest": 1_794_873_600_000_000,
                "latest": 1_794_959_999_999_999,
                "source": "https://example.com/model",
            },
            "trust": None,
            "beacon": None,
        }

    def plaintext(self, secrets: Secrets, challenge_digest: bytes) -> dict[str, Any]:
        """What is sealed: both blocks, whole."""
        return {
            "challenge": challenge_digest,
            "blocks": [
                {
                    "block": block,
                    "triggers": [
                        {
                            "pixels": secrets.images[i],
                            "salt": secrets.salts[i],
                            "label": secrets.labels[i],
                        }
                        for i in range(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
                    ],
                }
                for block in BLOCKS
            ],
        }

    def labels(self, mode: str) -> list[int]:
        """The labels of the opened triggers."""
        if mode == "declared":
            return [label for i in INDICES if (label := self.secrets[mode].labels[i]) is not None]
        head = self.header(mode)
        seed = label_seed(hashlib.sha256(write(head)).digest())
        return [reference.label(seed, i, CLASS_COUNT) for i in INDICES]

    def answers(self, mode: str, wrong: int = 1, silent: int = 1) -> dict[bytes, int | None]:
        """Answers by image: the first ``wrong`` miss, the next ``silent`` are None."""
        images = [self.secrets[mode].images[i] for i in INDICES]
        answers: list[int | None] = [CLASS_MAP[label] for label in self.labels(mode)]
        answers[:wrong] = [OUTPUTS - 1] * wrong
        answers[wrong : wrong + silent] = [None] * silent
        return dict(zip(images, answers, strict=True))

    def seal(self, name: str, plaintext: bytes, box: BoxKey) -> bytes:
        """The stored box where it holds this plaintext, else a new one."""
        earlier = self.stored.get(name, b"")
        try:
            if crypto_box_seal_open(earlier, box.public.data, box.to_bytes()) == plaintext:
                return earlier
        except (nacl.exceptions.CryptoError, nacl.exceptions.TypeError):
            pass
        return crypto_box_seal(plaintext, box.public.data)


_SEEDS: dict[bytes, bytes] = {}


def label_seed(digest: bytes, beacon: bytes = bytes(32)) -> bytes:
    """The reference's seed, computed once for each commitment."""
    if digest + beacon not in _SEEDS:
        _SEEDS[digest + beacon] = reference.label_seed(digest, beacon)
    return _SEEDS[digest + beacon]


def examine_case(case: Built) -> Examination:
    """What the reference finds of a case."""
    return examine(
        case.commitment,
        case.challenge,
        case.proof,
        judge=judge_map(),
        box_secret=JUDGE_BOX.to_bytes(),
        suspect=case.suspect,
        answers=lambda images: [case.answers[image] for image in images],
        seed=label_seed,
    )


def _changed(value: dict[str, Any], change: Change | None) -> dict[str, Any]:
    value = copy.deepcopy(value)
    if change:
        change(value)
    return value


def put(*path: str | int, to: Any) -> Change:
    """A change that sets the entry at ``path``; ``to`` may be a function of the old entry."""

    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        last = path[-1]
        value[last] = to(value[last]) if callable(to) else to

    return change


def flip(data: bytes) -> bytes:
    """``data`` with its last bit flipped."""
    return data[:-1] + bytes([data[-1] ^ 1])
