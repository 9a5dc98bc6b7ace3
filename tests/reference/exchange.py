"""Challenge, response and what is sealed inside it: SPEC.md sections 4.3 and 6."""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tests.reference.cbor import RejectedError, read
from tests.reference.commitment import MIB, array, exact_map, file_value, integer, octets
from tests.reference.signatures import check_judge

DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,12})?")
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


def check_suspect(value: Any) -> None:
    """Raise `RejectedError` unless ``value`` is the map of a suspect (section 4.3)."""
    suspect = exact_map(value, "kind", "digest", "description", "outputs", "shape")
    if suspect["kind"] not in ("onnx", "safetensors", "http", "extraction"):
        raise RejectedError("no such kind of suspect")
    octets(suspect["digest"], 32)
    text(suspect["description"], 500)
    integer(suspect["outputs"], 2, 1_000_000)
    for size in array(suspect["shape"], 3, 3):
        integer(size, 1, 65_535)
    if suspect["kind"] == "extraction" and (suspect["outputs"], suspect["shape"]) != (
        2, [1, 1, 32],
    ):  # fmt: skip
        raise RejectedError("not two outputs for keys of 32 bytes")


def check_preprocessing(value: Any, channels: int) -> None:
    """Raise `RejectedError` unless ``value`` is the map of a preprocessing (section 4.3)."""
    preprocessing = exact_map(value, "layout", "scale", "mean", "std")
    if preprocessing["layout"] not in ("nchw", "nhwc"):
        raise RejectedError("no such layout")
    if preprocessing["scale"] not in ("unit", "raw"):
        raise RejectedError("no such scale")
    mean, std = array(preprocessing["mean"]), array(preprocessing["std"])
    if len(mean) != len(std) or len(mean) not in (0, 1, 3) or len(mean) not in (0, channels):
        raise RejectedError("mean and std have another number of channels")
    for number in mean + std:
        if type(number) is not str or not DECIMAL.fullmatch(number):
            raise RejectedError("not a decimal text")
    if any(Fraction(number) <= 0 for number in std):
        raise RejectedError("std is not positive")


def ascending(value: Any) -> list[int]:
    """``value`` as an array of ascending block numbers, each once; raises `RejectedError`."""
    numbers = array(value, 0, 100_000)
    for number in numbers:
        integer(number, 0, 100_000)
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise RejectedError("not ascending")
    return numbers


def read_challenge(data: bytes) -> dict[str, Any]:
    """The challenge's body with ``signature`` and ``digest``; raises `RejectedError`.

    The class map is only an array of integers here: check ``challenge.class_map`` comes later.
    """
    value = exact_map(file_value("challenge", data, 4 * MIB), "body", "signature")
    octets(value["signature"], 64)
    inner = read(octets(value["body"]), 4 * MIB)
    ranked = isinstance(inner, dict) and "statistic" in inner
    if ranked and inner["statistic"] != "ranks":
        raise RejectedError("no such statistic")
    body = exact_map(
        inner, *(["statistic"] if ranked else []), "type", "version", "mode",
        "commitment", "suspect", "preprocessing", "class_map", "judge",
        "nonce", "block_count", "excluded_blocks", "purpose", "issued", "policy",
    )  # fmt: skip
    if body["type"] != "zkwm-challenge" or integer(body["version"], 0) != 1:
        raise RejectedError("not a challenge of version 1")
    if body["mode"] != "opening":
        raise RejectedError("no such mode")
    octets(body["commitment"], 32)
    check_suspect(body["suspect"])
    check_preprocessing(body["preprocessing"], body["suspect"]["shape"][0])
    for output in array(body["class_map"], 2, 65_535):
        integer(output, 0, 1_000_000)
    check_judge(body["judge"])
    octets(body["nonce"], 32)
    integer(body["block_count"], 1, 100_000)
    ascending(body["excluded_blocks"])
    text(body["purpose"], 500)
    integer(body["issued"], 0, 2**40)
    policy = exact_map(
        body["policy"],
        "threshold_bits", "functions_tried", "owner_choice_bits", "accept_declared_labels",
    )  # fmt: skip
    integer(policy["threshold_bits"], 1, 10_000)
    integer(policy["functions_tried"], 1, 10**9)
    integer(policy["owner_choice_bits"], 0, 10**7)
    if type(policy["accept_declared_labels"]) is not bool:
        raise RejectedError("not a boolean")
    digest = hashlib.sha256(value["body"]).digest()
    return {**body, "signature": value["signature"], "digest": digest}


def read_response(data: bytes) -> dict[str, Any]:
    """The response's body with ``signatures`` and ``digest``; raises `RejectedError`."""
    value = exact_map(file_value("proof", data, 512 * MIB), "body", "signatures")
    for signature in array(value["signatures"], 1, 4):
        octets(signature, 64)
    body = exact_map(
        read(octets(value["body"]), 512 * MIB),
        "type", "version", "challenge", "commitment", "blocks", "sealed",
    )  # fmt: skip
    if body["type"] != "zkwm-opening" or integer(body["version"], 0) != 1:
        raise RejectedError("not an opening of version 1")
    octets(body["challenge"], 32)
    octets(body["commitment"], 32)
    for block in array(body["blocks"], 1, 100_000):
        integer(block, 0, 100_000)
    octets(body["sealed"])
    digest = hashlib.sha256(value["body"]).digest()
    return {**body, "signatures": value["signatures"], "digest": digest}


def read_plaintext(
    data: bytes, head: dict[str, Any], challenge: bytes, blocks: list[int]
) -> list[dict[str, Any]]:
    """The opened blocks in order, checked against header and response; raises `RejectedError`."""
    value = exact_map(read(data, 512 * MIB), "challenge", "blocks")
    if octets(value["challenge"], 32) != challenge:
        raise RejectedError("opens for another challenge")
    c, h, w = head["shape"]
    opened = [
        exact_map(block, "block", "triggers", "decoys")
        for block in array(value["blocks"], len(blocks), len(blocks))
    ]
    for block, number in zip(opened, blocks, strict=True):
        if integer(block["block"], 0) != number:
            raise RejectedError("opens other blocks")
        for trigger in array(block["triggers"], head["block_size"], head["block_size"]):
            if trigger is None:
                continue
            exact_map(trigger, "pixels", "salt", "label")
            octets(trigger["pixels"], c * h * w)
            octets(trigger["salt"], 32)
            if head["label_mode"] == "derived":
                if trigger["label"] is not None:
                    raise RejectedError("a label in derived mode")
            else:
                integer(trigger["label"], 0, head["class_count"] - 1)
        for decoy in array(block["decoys"], 0, head["block_size"]):
            octets(decoy, c * h * w)
    return opened
