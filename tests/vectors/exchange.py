"""The exchange of `exchange.json`: one good case in derived mode, one in declared, and mutations.

Each mutation changes one thing and signs everything again that an attacker could sign again, so
that exactly the named check has to catch it.
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
from tests.vectors.build import (
    JUDGE,
    JUDGE_BOX,
    OTHER_BOX,
    OTHER_JUDGE,
    OWNERS,
    Change,
    Secrets,
    challenge_map,
    commitment_map,
    file,
    header_map,
    judge_map,
    proof_map,
)
from zkwm_protocols.keys import P256_ORDER, BoxKey, SigningKey

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
}


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
        head = header_map(secrets, BLOCK_SIZE, CLASS_COUNT)
        all_leaves = secrets.leaves()
        if leaves:
            leaves(all_leaves)
        commitment_value = commitment_map(_changed(head, header), all_leaves)
        digest = hashlib.sha256(commitment_value["header"]).digest()
        body = _changed(self.challenge_body(digest, mode, judge_map(judge, box)), challenge)
        challenge_value = challenge_map(body, judge)
        challenge_digest = hashlib.sha256(challenge_value["body"]).digest()
        opened = _changed(self.plaintext(secrets, challenge_digest), plaintext)
        encoded = write(opened) + plaintext_end
        box_bytes = self.seal(name, encoded, box)
        response_body = {
            "type": "zkwm-opening",
            "version": 1,
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

    def challenge_body(self, digest: bytes, mode: str, judge: dict[str, Any]) -> dict[str, Any]:
        """A good challenge for the commitment ``digest``."""
        return {
            "type": "zkwm-challenge",
            "version": 1,
            "mode": "opening",
            "commitment": digest,
            "suspect": SUSPECT,
            "preprocessing": {"layout": "nchw", "scale": "unit", "mean": ["0.5"], "std": ["0.25"]},
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
            },
        }

    def plaintext(self, secrets: Secrets, challenge_digest: bytes) -> dict[str, Any]:
        """What is sealed: both blocks, whole, with one decoy in the first."""
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
                    "decoys": [b"\x01\x02\x03\x04"] if block == 0 else [],
                }
                for block in BLOCKS
            ],
        }

    def labels(self, mode: str) -> list[int]:
        """The labels of the opened triggers."""
        if mode == "declared":
            return [label for i in INDICES if (label := self.secrets[mode].labels[i]) is not None]
        head = header_map(self.secrets[mode], BLOCK_SIZE, CLASS_COUNT)
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


def _other_s(signature: bytes) -> bytes:
    """The other valid s of an ECDSA signature."""
    return signature[:32] + (P256_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def _all_excluded(body: dict[str, Any]) -> None:
    body["excluded_blocks"] = [0, 1, 2, 500]


def all_cases(stored: dict[str, bytes]) -> list[Built]:
    """Every case of `exchange.json`, good ones first."""
    b = Builder(stored)
    c = b.case
    trigger = ("blocks", 0, "triggers", 5)
    return [
        c("derived labels", None),
        c("declared labels, accepted", None, mode="declared"),
        c("a trigger not opened is a miss", None, plaintext=put(*trigger, to=None)),
        c("another image is a miss", None, plaintext=put(*trigger, "pixels", to=flip)),
        c("another salt is a miss", None, plaintext=put(*trigger, "salt", to=flip)),
        c("an excluded block that does not exist means nothing", None,
          challenge=put("excluded_blocks", to=[1, 4, 100_000])),
        c("another description of the suspect", None, suspect=put("description", to="other words")),
        # commitment
        c("byte after the commitment", "commitment.format",
          files=put("commitment", to=lambda data: data + b"\0")),
        c("header of version true", "commitment.format", header=put("version", to=True)),
        c("header with another key", "commitment.format", header=put("comment", to="")),
        c("leaf count no multiple", "commitment.format", header=put("block_size", to=30)),
        c("one class", "commitment.format", header=put("class_count", to=1)),
        c("two channels", "commitment.format", header=put("shape", to=[2, 2, 1])),
        c("one owner's key twice", "commitment.format",
          header=put("owner_keys", to=[OWNERS[0].public.to_map()] * 2)),
        c("owner's key is the identity", "commitment.format",
          header=put("owner_keys", 0, "public", to=b"\1" + bytes(31))),
        c("a token without an authority", "commitment.format", commitment=put("token", to=b"")),
        c("a leaf missing", "commitment.format",
          commitment=put("leaves", to=lambda leaves: leaves[:-32])),
        c("another leaf", "commitment.root",
          commitment=put("leaves", to=flip)),
        c("leaves in another order", "commitment.root",
          commitment=put("leaves", to=lambda leaves: leaves[32:] + leaves[:32])),
        c("first owner's signature", "commitment.signature",
          commitment=put("signatures", 0, to=flip)),
        c("second owner's signature with the other s", "commitment.signature",
          commitment=put("signatures", 1, to=_other_s)),
        c("second owner's signature missing", "commitment.signature",
          commitment=put("signatures", to=lambda both: both[:1])),
        c("signatures swapped", "commitment.signature",
          commitment=put("signatures", to=lambda both: both[::-1])),
        c("authority without its token", "commitment.timestamp",
          header=put("timestamp_authority", to=bytes(32))),
        # challenge
        c("byte missing from the challenge", "challenge.format",
          files=put("challenge", to=lambda data: data[:-1])),
        c("challenge of version true", "challenge.format", challenge=put("version", to=True)),
        c("challenge for another mode", "challenge.format", challenge=put("mode", to="argument")),
        c("excluded blocks descending", "challenge.format",
          challenge=put("excluded_blocks", to=[2, 1])),
        c("no blocks", "challenge.format", challenge=put("block_count", to=0)),
        c("purpose with a line feed", "challenge.format", challenge=put("purpose", to="a\nb")),
        c("purpose that turns the writing", "challenge.format",
          challenge=put("purpose", to="\u202eabc")),
        c("box of small order", "challenge.format", challenge=put("judge", "box", to=bytes(32))),
        c("box not canonical", "challenge.format",
          challenge=put("judge", "box", to=b"\xff" * 31 + b"\x7f")),
        c("means for three channels", "challenge.format",
          challenge=lambda body: body["preprocessing"].update(mean=["0"] * 3, std=["1"] * 3)),
        c("std zero", "challenge.format", challenge=put("preprocessing", "std", to=["0.000"])),
        c("policy with 1 for true", "challenge.format",
          challenge=put("policy", "accept_declared_labels", to=1)),
        c("no function tried", "challenge.format",
          challenge=put("policy", "functions_tried", to=0)),
        c("another nonce, not signed", "challenge.signature",
          challenge_file=put("body", to=lambda body: body.replace(
              hashlib.sha256(b"zkwm test vector nonce").digest(), bytes(32)))),
        c("judge's signature", "challenge.signature", challenge_file=put("signature", to=flip)),
        c("signature for another purpose", "challenge.signature", challenge_file=lambda value:
          value.update(signature=JUDGE.sign("opening", hashlib.sha256(value["body"]).digest()))),
        c("another judge's challenge", "challenge.judge", judge=OTHER_JUDGE, box=OTHER_BOX),
        c("another judge's box", "challenge.judge", box=OTHER_BOX),
        c("for another commitment", "challenge.commitment",
          challenge=put("commitment", to=bytes(32))),
        c("one output for two labels", "challenge.class_map",
          challenge=put("class_map", 0, to=CLASS_MAP[1])),
        c("an output that the suspect lacks", "challenge.class_map",
          challenge=put("class_map", 0, to=OUTPUTS)),
        c("a label without output", "challenge.class_map",
          challenge=put("class_map", to=CLASS_MAP[:-1])),
        c("suspect of another shape", "challenge.suspect",
          challenge=put("suspect", "shape", to=[1, 1, 4]), suspect=put("shape", to=[1, 1, 4])),
        c("another model at hand", "challenge.suspect", suspect=put("digest", to=flip)),
        c("a model of another kind at hand", "challenge.suspect",
          suspect=put("kind", to="safetensors")),
        c("more blocks than there are", "challenge.reachable", challenge=put("block_count", to=5)),
        c("too few blocks left", "challenge.reachable", challenge=_all_excluded),
        c("threshold out of reach", "challenge.reachable",
          challenge=put("policy", "threshold_bits", to=87)),
        c("out of reach after a billion functions", "challenge.reachable",
          challenge=put("policy", "functions_tried", to=10**9)),
        # response
        c("response with another field", "response.format",
          response=lambda body: body.update(spent=[1])),
        c("response of version true", "response.format", response=put("version", to=True)),
        c("signature of 63 bytes", "response.format",
          proof=put("signatures", 0, to=lambda signature: signature[:63])),
        c("owner's signature of the response", "response.signature",
          proof=put("signatures", 0, to=flip)),
        c("second owner's signature of the response missing", "response.signature",
          proof=put("signatures", to=lambda both: both[:1])),
        c("second owner's signature of the response with the other s", "response.signature",
          proof=put("signatures", 1, to=_other_s)),
        c("answers another challenge", "response.challenge",
          response=put("challenge", to=bytes(32))),
        c("answers for another commitment", "response.challenge",
          response=put("commitment", to=bytes(32))),
        c("too few blocks", "response.blocks", response=put("blocks", to=[0])),
        c("blocks descending", "response.blocks", response=put("blocks", to=[3, 0])),
        c("one block twice", "response.blocks", response=put("blocks", to=[3, 3])),
        c("a block that does not exist", "response.blocks", response=put("blocks", to=[0, 4])),
        c("an excluded block", "response.blocks", response=put("blocks", to=[0, 1])),
        # opening
        c("sealed bytes altered", "opening.sealed", sealed=flip),
        c("sealed bytes too short", "opening.sealed", sealed=lambda data: data[:40]),
        c("sealed for another challenge", "opening.format",
          plaintext=put("challenge", to=bytes(32))),
        c("another block inside", "opening.format", plaintext=put("blocks", 1, "block", to=2)),
        c("blocks inside in another order", "opening.format",
          plaintext=put("blocks", to=lambda both: both[::-1])),
        c("19 triggers of 20", "opening.format",
          plaintext=put("blocks", 0, "triggers", to=lambda triggers: triggers[:-1])),
        c("21 decoys", "opening.format", plaintext=put("blocks", 0, "decoys", to=[bytes(4)] * 21)),
        c("a decoy of another shape", "opening.format",
          plaintext=put("blocks", 0, "decoys", to=[bytes(5)])),
        c("a trigger of another shape", "opening.format",
          plaintext=put(*trigger, "pixels", to=bytes(5))),
        c("a label in derived mode", "opening.format", plaintext=put(*trigger, "label", to=0)),
        c("no label in declared mode", "opening.format", mode="declared",
          plaintext=put(*trigger, "label", to=None)),
        c("a label of no class", "opening.format", mode="declared",
          plaintext=put(*trigger, "label", to=CLASS_COUNT)),
        c("a byte after the plaintext", "opening.format", plaintext_end=b"\xf6"),
        c("declared labels, not accepted", "opening.labels", mode="declared",
          challenge=put("policy", "accept_declared_labels", to=False)),
        c(
            "declared labels, not accepted, and missing answers that change nothing",
            "opening.labels",
            mode="declared",
            challenge=put("policy", "accept_declared_labels", to=False),
            answers=b.answers("declared", 0, 12),
        ),
        # suspect and evidence
        c("too many answers missing", "suspect.answers", answers=b.answers("derived", 0, 12)),
        c("too many answers wrong", "evidence.threshold", answers=b.answers("derived", 12, 0)),
        c("missing answers that change nothing", "evidence.threshold",
          answers=b.answers("derived", 20, 5)),
    ]  # fmt: skip
