"""The cases of `exchange.json`: a good one in derived mode, one in declared, and mutations.

Each mutation changes one thing, so that exactly the named check has to catch it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tests.vectors.build import JUDGE, OTHER_BOX, OTHER_JUDGE, OWNERS
from tests.vectors.exchange import (
    CLASS_COUNT,
    CLASS_MAP,
    NAMES,
    OUTPUTS,
    SUSPECT,
    Builder,
    Built,
    flip,
    put,
)
from zkwm_protocols.keys import P256_ORDER


def _other_s(signature: bytes) -> bytes:
    """The other valid s of an ECDSA signature."""
    return signature[:32] + (P256_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def _timestamp(**parts: Any) -> dict[str, Any]:
    """A timestamp that keeps the limits of 22.1, with the parts that are given."""
    whole = {"token": b"token", "nonce": b"\1", "certificates": [], "crls": []}
    return {**whole, "ocsp_responses": [], **parts}


def _all_excluded(body: dict[str, Any]) -> None:
    body["excluded_blocks"] = [0, 1, 2, 500]


def _asked_by(adapter: str) -> Callable[[dict[str, Any]], None]:
    """An endpoint of 16 outputs that speaks this protocol."""
    return lambda suspect: suspect.update(kind="http", adapter=adapter, outputs=CLASS_COUNT)


def _endpoint(adapter: str, named: bool) -> Callable[[dict[str, Any]], None]:
    """An endpoint of 16 outputs, with names in an order of somebody's choice, and the identity."""

    def change(body: dict[str, Any]) -> None:
        body["suspect"] = dict(SUSPECT)
        _asked_by(adapter)(body["suspect"])
        body["class_map"] = list(range(CLASS_COUNT))
        body["suspect_classes"] = NAMES[::-1] if named else None
        body["policy"]["threshold_bits"] = 60

    return change


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
        c("a timestamp without its token", "commitment.format",
          commitment=put("timestamps", to=[_timestamp(token=b"")])),
        c("a nonce with a leading zero", "commitment.format",
          commitment=put("timestamps", to=[_timestamp(nonce=bytes(2))])),
        c("nine timestamps", "commitment.format",
          commitment=put("timestamps", to=[_timestamp()] * 9)),
        c("a leaf missing", "commitment.format",
          commitment=put("leaves", to=lambda leaves: leaves[:-32])),
        c("another leaf", "commitment.root",
          commitment=put("leaves", to=flip)),
        c("leaves in another order", "commitment.root",
          commitment=put("leaves", to=lambda leaves: leaves[32:] + leaves[:32])),
        c("header of the version before", "commitment.format", header=put("version", to=1)),
        c("leaves of another kind", "commitment.format", header=put("kind", to="texts")),
        c("two classes of one name", "commitment.format",
          commitment=put("class_names", 3, to=" CLASS 2")),
        c("another class name", "commitment.class_names",
          commitment=put("class_names", 3, to="another")),
        c("a class name missing", "commitment.class_names",
          commitment=put("class_names", to=lambda names: names[:-1])),
        c("no class names", "commitment.class_names", commitment=put("class_names", to=None)),
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
        c("older, and nobody trusted", "challenge.format",
          challenge=put("policy", "older", to=True)),
        c("older than a suspect without a date", "challenge.format",
          challenge=lambda body: body.update(
              published=None, trust=bytes(32), policy=body["policy"] | {"older": True})),
        c("a beacon trusted, and nobody who is", "challenge.format",
          challenge=put("policy", "trusted_beacon", to=True)),
        c("published, and nobody says how they know", "challenge.format",
          challenge=put("published", "source", to=" ")),
        c("published before it begins", "challenge.format",
          challenge=put("published", "latest", to=0)),
        c("published after the challenge was issued", "challenge.format",
          challenge=put("issued", to=1_794_873_599)),
        c("a trusted beacon of a commitment that names no authority", "challenge.commitment",
          challenge=lambda body: body.update(
              trust=bytes(32), policy=body["policy"] | {"trusted_beacon": True})),
        c("a beacon of a commitment that names no authority", "challenge.commitment",
          challenge=put("beacon", to=bytes(32))),
        c("a beacon of 31 bytes", "challenge.format", challenge=put("beacon", to=bytes(31))),
        c("a trust folder that is not given", "commitment.timestamp",
          challenge=put("trust", to=bytes(32))),
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
        c("challenge of the version before", "challenge.format", challenge=put("version", to=2)),
        c("three channels' order for one", "challenge.format",
          challenge=put("preprocessing", "channels", to="bgr")),
        c("a file with an account", "challenge.format",
          challenge=put("suspect", "account", to={
              "header_names": ["x-api-key"], "salt": bytes(32), "digest": bytes(32)})),
        c("a file with a template", "challenge.format",
          challenge=put("suspect", "template", to=bytes(32))),
        c("an endpoint's template missing", "challenge.format",
          challenge=_endpoint("template", named=True)),
        c("an endpoint of no known protocol", "challenge.format",
          challenge=_endpoint("other", named=True)),
        c("more right answers than answers", "challenge.format",
          challenge=put("test_accuracy", "right", to=1001)),
        c("one block of two to be weighed again", "challenge.format",
          challenge=put("reopened_blocks", to=[0])),
        c("an excluded block to be weighed again", "challenge.format",
          challenge=put("reopened_blocks", to=[0, 1])),
        c("two outputs of one name", "challenge.format",
          challenge=put("suspect_classes", 0, to="Class 1 ")),
        c("a map against the names", "challenge.class_map",
          challenge=put("class_map", to=list(range(16)))),
        c("a committed class that no output has", "challenge.class_map",
          challenge=put("suspect_classes", 3, to="another")),
        c("a name for 16 of 17 outputs", "challenge.class_map",
          challenge=put("suspect_classes", to=lambda names: names[:-1])),
        c("names left out, so that the map has its price", "challenge.reachable",
          challenge=put("suspect_classes", to=None)),
        *(
            c(f"the identity, without committed names, of an endpoint that speaks {adapter}"
              f"{', with names' if named else ''}", check,
              header=put("class_names", to=None), commitment=put("class_names", to=None),
              challenge=_endpoint(adapter, named),
              suspect=_asked_by(adapter))
            for adapter, named, check in (
                ("zkwm", True, "evidence.threshold"),
                ("torchserve", False, "evidence.threshold"),
                ("torchserve", True, "challenge.reachable"),
                ("huggingface", True, "challenge.reachable"),
                ("huggingface", False, "challenge.class_map"),
            )
        ),
        c("a block to be weighed again that does not exist", "challenge.reachable",
          challenge=put("reopened_blocks", to=[0, 4])),
        c("other blocks than those to be weighed again", "response.blocks",
          challenge=put("reopened_blocks", to=[2, 3])),
        c("the blocks to be weighed again", None, challenge=put("reopened_blocks", to=[0, 3])),
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
        c("response of the version before", "response.format", response=put("version", to=1)),
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
        c("a block with decoys", "opening.format", plaintext=put("blocks", 0, "decoys", to=[])),
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
